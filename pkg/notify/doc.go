// Package notify decides which messages are owed to which channels about a deployment, and what they show. It
// knows no chat system: a Face renders and sends them.
package notify
