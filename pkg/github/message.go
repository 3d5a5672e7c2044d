package github

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// errorMessage returns the text of an error response, with its details, and the link to GitHub's
// documentation (REST API, "Troubleshooting the REST API"). The details come as a list of objects, a
// list of strings or one string. A body that is not JSON, such as a proxy's HTML page, is replaced
// by the text of the status, and own is false.
func errorMessage(resp response) (message, documentationURL string, own bool) {
	var body struct {
		Message          string          `json:"message"`
		DocumentationURL string          `json:"documentation_url"`
		Errors           json.RawMessage `json:"errors"`
	}

	_ = json.Unmarshal(resp.body, &body) // on an error the message stays empty
	own = body.Message != ""
	if !own {
		body.Message = http.StatusText(resp.status)
	}

	parts := append([]string{body.Message}, errorDetails(body.Errors)...)
	return singleLine(strings.Join(parts, ": ")), singleLine(body.DocumentationURL), own
}

func errorDetails(raw json.RawMessage) []string {
	var texts []string
	if json.Unmarshal(raw, &texts) == nil {
		return texts
	}

	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []string{text}
	}

	var objects []struct {
		Field, Code, Message string
		Contexts             []struct{ Context, State string } // that keep a deployment from being created
	}
	_ = json.Unmarshal(raw, &objects) // details of another form are left out

	var details []string
	for _, o := range objects {
		var contexts []string
		for _, c := range o.Contexts {
			contexts = append(contexts, c.Context+" is "+c.State)
		}
		if o.Message == "" {
			o.Message = strings.Join(contexts, ", ")
		}
		if o.Message == "" {
			o.Message = strings.TrimSpace(o.Field + " " + o.Code)
		}
		if o.Message != "" {
			details = append(details, o.Message)
		}
	}

	return details
}

// maxMessage bounds how much of a text from GitHub goes into an error, in code points.
const maxMessage = 300

// singleLine returns a text from outside in a form that fits into one line of a log, cut at maxMessage.
func singleLine(s string) string {
	s = deployment.Readable(s)
	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage]) + "…"
	}
	return s
}
