// This file holds the fast decoder of deployment events. encoding/json took a third of the CPU time
// of a delivery; reading the few fields of event in place reduced a delivery from 34 µs to 20 µs.
// BenchmarkAccept (test/bench) measures the CPU time of a delivery, compared with a receiver that only
// checks the signature and stores the body. Whatever the decoder cannot read exactly as encoding/json
// does is left to encoding/json; FuzzFastDecode compares the two.

package webhook

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Limits of the fast decoder. Longer bodies are left to encoding/json because gjson, which checks
// that the body is JSON, does not limit the depth of nesting; deeper values because encoding/json
// refuses some of them.
const (
	maxFastBody  = 64 << 10
	maxFastDepth = 1000
)

// members are the fields of an object that are decoded, by name. The rest of the event is skipped.
type members map[string]member

// member decodes the value of one field into an event.
type member struct {
	decode   func(e *event, value []byte) bool // false: leave the event to encoding/json
	allocate func(e *event)                    // of an object: creates it before its members are decoded
	inner    members                           // of an object
}

// eventMembers are the fields of event.
var eventMembers = members{
	"action": {decode: func(e *event, value []byte) bool { return e.Action.UnmarshalJSON(value) == nil }},
	"deployment": object(func(e *event) **eventDeployment { return &e.Deployment }, members{
		"id":          number(func(e *event) *int64 { return &e.Deployment.ID }),
		"sha":         text(func(e *event) *string { return &e.Deployment.SHA }),
		"ref":         text(func(e *event) *string { return &e.Deployment.Ref }),
		"task":        text(func(e *event) *string { return &e.Deployment.Task }),
		"environment": text(func(e *event) *string { return &e.Deployment.Environment }),
		"description": text(func(e *event) *string { return &e.Deployment.Description }),
		"payload": {
			decode: func(e *event, value []byte) bool { return e.Deployment.Payload.UnmarshalJSON(value) == nil },
		},
		"created_at": {
			decode: func(e *event, value []byte) bool { return e.Deployment.CreatedAt.UnmarshalJSON(value) == nil },
		},
		"creator": object(func(e *event) **eventUser { return &e.Deployment.Creator }, members{
			"id":    number(func(e *event) *int64 { return &e.Deployment.Creator.ID }),
			"login": text(func(e *event) *string { return &e.Deployment.Creator.Login }),
			"type":  text(func(e *event) *string { return &e.Deployment.Creator.Type }),
		}),
		"performed_via_github_app": object(func(e *event) **eventApp { return &e.Deployment.App }, members{
			"id":   number(func(e *event) *int64 { return &e.Deployment.App.ID }),
			"slug": text(func(e *event) *string { return &e.Deployment.App.Slug }),
		}),
	}),
	"repository": object(func(e *event) **eventRepository { return &e.Repository }, members{
		"id":        number(func(e *event) *int64 { return &e.Repository.ID }),
		"full_name": text(func(e *event) *string { return &e.Repository.FullName }),
	}),
	"installation": object(func(e *event) **eventInstallation { return &e.Installation }, members{
		"id": number(func(e *event) *int64 { return &e.Installation.ID }),
	}),
	"workflow_run": {decode: func(e *event, value []byte) bool { return e.WorkflowRun.UnmarshalJSON(value) == nil }},
	"deployment_status": {
		decode: func(e *event, value []byte) bool { return e.DeploymentStatus.UnmarshalJSON(value) == nil },
	},
}

// decodeEvent is decode for events, and faster for bodies as GitHub writes them. body must be valid
// UTF-8.
func decodeEvent(body []byte, into *event) error {
	if len(body) <= maxFastBody && IsObject(body) {
		if _, ok := eventMembers.read(into, body, space(body, 0)); ok {
			return nil
		}
		*into = event{}
	}
	return decode(body, into)
}

// read decodes the object at i of a text that is valid JSON. It returns where the object ends, and
// false if encoding/json might decode it differently.
func (m members) read(e *event, text []byte, i int) (end int, ok bool) {
	for i = space(text, i+1); text[i] != '}'; i = space(text, i) {
		if text[i] == ',' {
			i = space(text, i+1)
		}

		key := text[i:stringEnd(text, i)]
		i = space(text, i+len(key))
		i = space(text, i+1) // the colon
		name := key[1 : len(key)-1]
		field, wanted := m[string(name)]
		if !wanted && !isPlain(name) {
			return 0, false // encoding/json ignores case, so it may be one of ours in other letters
		}

		if wanted && field.inner != nil && text[i] == '{' {
			field.allocate(e)
			i, ok = field.inner.read(e, text, i)
			if !ok {
				return 0, false
			}

			continue
		}

		end := valueEnd(text, i)
		if end < 0 || wanted && !field.decode(e, text[i:end]) {
			return 0, false
		}

		i = end
	}

	return i + 1, true
}

// object decodes an object or null.
func object[T any](at func(*event) **T, inner members) member {
	return member{
		inner: inner,
		decode: func(e *event, value []byte) bool {
			*at(e) = nil
			return value[0] == 'n'
		},
		allocate: func(e *event) {
			if place := at(e); *place == nil {
				*place = new(T)
			}
		},
	}
}

// text decodes a string or null. null changes nothing.
func text(at func(*event) *string) member {
	return member{decode: func(e *event, value []byte) bool {
		if value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
			return json.Unmarshal(value, at(e)) == nil
		}
		*at(e) = string(value[1 : len(value)-1])
		return true
	}}
}

// number decodes an integer or null. null changes nothing.
func number(at func(*event) *int64) member {
	return member{decode: func(e *event, value []byte) bool {
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return value[0] == 'n'
		}
		*at(e) = n
		return true
	}}
}

// space returns the position of the next character that is not white space.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// stringEnd returns the end of the string at i.
func stringEnd(text []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(text[i:], '"')
		escapes := 0
		for text[i-1-escapes] == '\\' {
			escapes++
		}

		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// valueEnd returns the end of the value at i; -1: it is nested too deeply.
func valueEnd(text []byte, i int) int {
	switch text[i] {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
		return nestEnd(text, i)
	}

	for i < len(text) && !ends(text[i]) {
		i++
	}

	return i
}

// ends reports whether a character ends a number, true, false or null.
func ends(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t'
}

// nestEnd returns the end of the object or array at i; -1: it is nested too deeply.
func nestEnd(text []byte, i int) int {
	for depth := 0; ; i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			if depth++; depth > maxFastDepth {
				return -1
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// isPlain reports whether a key has no letters that encoding/json might match with another case.
func isPlain(key []byte) bool {
	for _, c := range key {
		if c >= 0x80 || c >= 'A' && c <= 'Z' || c == '\\' {
			return false
		}
	}
	return true
}
