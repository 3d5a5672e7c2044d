package grammar

// Code says in one stable word why a line is no command.
type Code string

// The codes.
const (
	CodeEmpty              Code = "empty"
	CodeManyLines          Code = "many_lines"
	CodeTooLong            Code = "too_long"
	CodeHidden             Code = "hidden_character"
	CodeSecret             Code = "secret" // the line may hold a token: it must not be kept or shown
	CodeOneTimeCode        Code = "one_time_code"
	CodeUnknownVerb        Code = "unknown_verb"
	CodeRetiredVerb        Code = "retired_verb" // hubot-deploy had it
	CodeAppMissing         Code = "app_missing"
	CodeUnknownApp         Code = "unknown_app"
	CodeBadRef             Code = "bad_ref"
	CodeBadTask            Code = "bad_task"
	CodeEnvironmentMissing Code = "environment_missing"
	CodeUnknownEnvironment Code = "unknown_environment"
	CodeBadValue           Code = "bad_value"
	CodeIDMissing          Code = "id_missing"
	CodeBadDuration        Code = "bad_duration"
	CodeReasonMissing      Code = "reason_missing"
	CodeTrailingWords      Code = "trailing_words"
)

// Error says why a line is no command, and what would be one.
type Error struct {
	Code    Code
	Message string // one or more whole sentences; they quote at most short words of the line
	Near    string // the nearest line that is a command, which Parse accepts; empty: none
	Form    string // how such a command is written, where Near is empty; empty: see help
	See     string // a command that shows more; empty: none
	Shows   string // what See does, in words that follow it; empty where See is
}

// Error is the text where commands are typed without a prefix.
func (e *Error) Error() string { return e.Text("") }

// Text is the message with the nearest form, for people who type a prefix before each command, such as "/seraph ";
// empty: they type none.
func (e *Error) Text(prefix string) string {
	text := e.Message
	switch {
	case e.Near != "":
		text += ` Did you mean "` + prefix + e.Near + `"?`
	case e.Form != "":
		text += ` Write "` + prefix + e.Form + `".`
	}
	if e.See != "" {
		text += ` "` + prefix + e.See + `" ` + e.Shows + "."
	}
	return text
}

// seeHelp is the error with the command that lists all commands.
func (e *Error) seeHelp() *Error {
	e.See, e.Shows = string(Help), "lists what Seraph understands"
	return e
}
