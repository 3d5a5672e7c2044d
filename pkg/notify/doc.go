// Package notify decides which messages are owed to which channels about a deployment, what they show, and sends
// them. It knows no chat system: a Face renders and sends.
//
// Of all processes that share a database one has the lease. It follows the feed of changes, and makes the messages
// about each changed deployment due, in the commit that saves how far it came. A message that is due is planned: Plan
// takes the message, the facts of its deployment and the time, and says the one next step. So only the newest state
// is ever sent, however long the chat system was away.
//
// A deployment has a card of its own in each channel. Where the route wants lists, and so many cards begin in the
// channel within a minute that nobody can read them, a list shows the deployments that begin, a line for each. A list
// is one message that is posted once and then edited, as a card is. A deployment joins a list in one commit, before
// anything of its own is posted, and its changes make the list due in the commit that makes its own message due. A
// deployment that needs somebody, failed, could not be run or was rejected has a card as well.
//
// A call is saved before it is made. A post whose answer was lost is looked for by its key, and repeated only after
// it was proven absent. An edit whose answer was lost is followed by another one with the newest content. At most
// maxCalls calls are made for one message, its replies included; some are kept for the end, and after a failure the last
// one is kept until the chat system works again. A list may take maxCalls for each deployment that it shows, and takes
// about one. Look-ups do not count, nor does what the chat system refused because there were too many calls. What could
// not be said is kept in the message's row (Unsent), not on the deployment's timeline, which only the engine writes.
package notify
