package api

// ChatUser is somebody by the id that a chat system gives them. The service maps it to a person at
// GitHub.
type ChatUser struct {
	Face      string `json:"face"`      // the chat system or bot, such as hubot-slack
	Workspace string `json:"workspace"` // such as T0ACME001
	User      string `json:"user"`      // such as U0ALICE01
}

// CommandRequest is one line of text that somebody typed.
type CommandRequest struct {
	OnBehalf
	Text    string `json:"text"`
	Place   string `json:"place,omitempty"`   // the channel or room in which it was typed
	Prefix  string `json:"prefix,omitempty"`  // what is typed before a command there, such as the bot's name
	Request string `json:"request,omitempty"` // the same request gives the same answer
}

// CommandResponse is the answer to a line, as plain text.
type CommandResponse struct {
	Text       string      `json:"text"`
	Deployment *Deployment `json:"deployment,omitempty"`
}

// WhoAmI says who a token is, and for whom it asks.
type WhoAmI struct {
	Token  string  `json:"token"`
	Scope  string  `json:"scope"`
	Person *Person `json:"person,omitempty"`
}
