package hook

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
)

// maxSlim is the largest body that is made slim: the copy is not worth its memory for one of many megabytes, which people's never are.
const maxSlim = 64 << 10

// wants names what is read of a JSON object. A value of nil is read whole; of one that is empty it only counts whether it is there.
type wants map[string]wants

// eventWants are the fields of event. Two thirds of an event are URLs that nobody reads.
var eventWants = wants{
	"action": nil,
	"deployment": {
		"id": nil, "sha": nil, "ref": nil, "task": nil, "environment": nil, "description": nil, "payload": nil, "created_at": nil,
		"creator": {"id": nil, "login": nil, "type": nil}, "performed_via_github_app": {"id": nil, "slug": nil},
	},
	"repository":        {"id": nil, "full_name": nil},
	"installation":      {"id": nil},
	"workflow_run":      {},
	"deployment_status": {},
}

// slips are memory for short events, which are read at once.
var slips = sync.Pool{New: func() any { return new([]byte) }}

// decodeSlim is decode of an event. encoding/json is given only what is read, which it reads in a third of the time.
func decodeSlim(body []byte, into *event) error {
	if len(body) > maxSlim {
		return decode(body, into)
	}
	slip := slips.Get().(*[]byte)
	defer slips.Put(slip)
	*slip = appendEvent((*slip)[:0], body)
	return decode(*slip, into)
}

// appendEvent appends an event without what is not read. It stands for the same event, whichever way names are spelled or repeated. What cannot be
// vouched for is appended whole: then encoding/json says what is wrong.
func appendEvent(to, body []byte) []byte {
	if gjson.ValidBytes(body) {
		if i := space(body, 0); body[i] == '{' {
			to, _ = appendSlim(to, body, i, eventWants)
			return to
		}
	}
	return append(to, body...)
}

// appendSlim appends what is wanted of the object at i, and says where that ends. From here on the text is known to be JSON.
func appendSlim(to, text []byte, i int, w wants) ([]byte, int) {
	to = append(to, '{')
	first := true
	for i = space(text, i+1); text[i] != '}'; i = space(text, i) {
		if text[i] == ',' {
			i = space(text, i+1)
		}
		key := text[i:stringEnd(text, i)]
		i = space(text, i+len(key))
		i = space(text, i+1) // the colon
		inner, ok := w.find(key[1 : len(key)-1])
		if !ok {
			i = valueEnd(text, i)
			continue
		}
		if !first {
			to = append(to, ',')
		}
		first = false
		to = append(append(to, key...), ':')
		if inner != nil && text[i] == '{' {
			to, i = appendSlim(to, text, i, inner)
			continue
		}
		end := valueEnd(text, i)
		to, i = append(to, text[i:end]...), end
	}
	return append(to, '}'), i + 1
}

// space skips white space.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// stringEnd is the end of the string at i.
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

// valueEnd is the end of the value at i.
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

// ends says whether a character ends a number or a word.
func ends(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t'
}

// nestEnd is the end of the object or list at i.
func nestEnd(text []byte, i int) int {
	for depth := 0; ; i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// find goes by the rule of encoding/json, which is not particular about case. key is what stands between the quotes.
func (w wants) find(key []byte) (inner wants, ok bool) {
	if inner, ok = w[string(key)]; ok || isPlain(key) {
		return inner, ok
	}
	var name string
	if json.Unmarshal([]byte(`"`+string(key)+`"`), &name) != nil {
		return nil, false
	}
	for wanted, inner := range w {
		if strings.EqualFold(wanted, name) {
			return inner, true
		}
	}
	return nil, false
}

// isPlain says whether a key can only be equal to itself among names of small letters.
func isPlain(key []byte) bool {
	for _, c := range key {
		if c >= 0x80 || c >= 'A' && c <= 'Z' || c == '\\' {
			return false
		}
	}
	return true
}
