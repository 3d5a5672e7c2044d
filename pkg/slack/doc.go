// Package slack is the adapter to Slack: it calls Slack's API, reads what Slack sends, and renders what Slack shows. It
// decides nothing, and stores nothing.
//
// A card is the message about one deployment, which is edited whenever the deployment changes. A note is a message that
// is posted once, mostly as a reply to a card. Both are defined by package notify; RenderCard and RenderNote make a
// Message of them, ConfirmModal and HomeView make a View of what package slackapp gathers.
//
// Client makes the calls. Face posts, edits and finds messages with it, as package notify needs. Verifier and
// ParseIncoming take the other direction: events, slash commands, clicks and submitted modals.
package slack
