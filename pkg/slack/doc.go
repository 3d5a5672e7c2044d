// Package slack is the adapter to Slack: it calls Slack's API, reads what Slack sends, and renders cards, notes,
// modals and the home tab. It decides nothing, and stores nothing.
package slack
