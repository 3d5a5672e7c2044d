// Package slack is the adapter of Slack: it reads what Slack sends, and calls Slack. It carries out no command and
// stores nothing.
package slack
