package api

// ErrorResponse is the body of every answer that is an error.
type ErrorResponse struct {
	Error   Error    `json:"error"`
	Verdict *Verdict `json:"verdict,omitempty"` // with the code rejected: what the rules said
}

// Error says what went wrong: a stable code for programs and a message for people.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}
