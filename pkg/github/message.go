package github

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
)

// errorMessage reads a refusal's words: the message and the details' (REST API, "Client errors").
// Details come as objects, texts or one text.
func errorMessage(heard response) (message, documentation string) {
	var body struct {
		Message       string          `json:"message"`
		Documentation string          `json:"documentation_url"`
		Errors        json.RawMessage `json:"errors"`
	}

	_ = json.Unmarshal(heard.body, &body) // a page of a front says nothing: the status speaks
	if body.Message == "" {
		body.Message = http.StatusText(heard.status)
	}

	parts := append([]string{body.Message}, errorDetails(body.Errors)...)
	return singleLine(strings.Join(parts, ": ")), singleLine(body.Documentation)
}

func errorDetails(raw json.RawMessage) []string {
	var texts []string
	var one string
	if json.Unmarshal(raw, &texts) == nil {
		return texts
	}
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}

	var objects []struct{ Field, Code, Message string }
	_ = json.Unmarshal(raw, &objects) // then the message alone has to do
	texts = nil
	for _, o := range objects {
		if o.Message == "" {
			o.Message = strings.TrimSpace(o.Field + " " + o.Code)
		}
		if o.Message != "" {
			texts = append(texts, o.Message)
		}
	}

	return texts
}

// maxMessage is how much of GitHub's words goes into an error, in code points.
const maxMessage = 300

// singleLine makes a foreign text fit for one line of a log.
func singleLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}

		return r
	}, strings.ToValidUTF8(s, "?"))

	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage]) + "…"
	}

	return s
}
