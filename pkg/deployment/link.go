package deployment

import "time"

// ChatUser is somebody by the id that a chat system gives them.
type ChatUser struct {
	Face      string // the chat system or bot, such as slack
	Workspace string
	User      string
}

// String returns face/workspace/user.
func (u ChatUser) String() string { return u.Face + "/" + u.Workspace + "/" + u.User }

// Link says who a user of a chat system is at GitHub, as both accounts have proved.
type Link struct {
	User      ChatUser
	GitHub    Actor // id, and the login as it was last seen
	LinkedAt  time.Time
	CheckedAt time.Time // when GitHub was last asked whether the account exists
}

// LinkTakenError says that a link cannot be made, because another one stands: of the same user, or with the same
// account at GitHub.
type LinkTakenError struct{ Link Link }

// Error names the two that are linked.
func (e *LinkTakenError) Error() string {
	return e.Link.User.String() + " is linked to " + e.Link.GitHub.String()
}

// LinkAttempt is a link that a user of a chat system has started. There is at most one for each user. The
// link's address and the code that is typed are kept as hashes only.
type LinkAttempt struct {
	User          ChatUser
	UserName      string // as people see them in the chat system
	WorkspaceName string
	AddressHash   string
	ExpiresAt     time.Time
	Visits        int    // how often somebody came back from GitHub with it
	Typed         int    // how often its user has typed a code
	GitHub        Actor  // who has signed in at GitHub; without an id: nobody yet
	CodeHash      string // of the code that those who signed in were shown; empty: none
	Confirmed     bool
}
