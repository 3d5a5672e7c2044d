package phrase

// Prefix is what people type before a command where they read a text, with the space that follows it, such as
// "/seraph " in Slack; empty: nothing. Its methods write the texts that name commands.
type Prefix string

// command quotes a command as it is typed.
func (p Prefix) command(line string) string { return `"` + string(p) + line + `"` }
