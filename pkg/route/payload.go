package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// jsonObject and jsonList are values of a payload that templates print as JSON.
type (
	jsonObject map[string]any
	jsonList   []any
)

// String returns the object as JSON.
func (o jsonObject) String() string { return encodeJSON(map[string]any(o)) }

// String returns the list as JSON.
func (l jsonList) String() string { return encodeJSON([]any(l)) }

func encodeJSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// lookup returns the value below some keys; "" if one of them is missing.
func (o jsonObject) lookup(keys []string) any {
	var v any = o
	for _, key := range keys {
		inner, ok := v.(jsonObject)
		if !ok {
			return ""
		}

		v = inner[key]
	}

	if v == nil {
		return ""
	}

	return v
}

// rangeable returns objects and lists as they are, and nil for anything else, over which a range
// does nothing.
func rangeable(v any) any {
	switch v.(type) {
	case jsonObject, jsonList:
		return v
	default:
		return nil
	}
}

// readPayload reads a deployment's payload. An object, or a string that holds one, is an object;
// anything else is text.
func readPayload(raw json.RawMessage) (jsonObject, string) {
	v, ok := decodeJSON(raw)
	if !ok {
		return jsonObject{}, string(raw)
	}

	switch v := v.(type) {
	case nil:
		return jsonObject{}, ""
	case jsonObject:
		return v, ""
	case string:
		inner, _ := decodeJSON([]byte(v))
		if o, ok := inner.(jsonObject); ok {
			return o, ""
		}

		return jsonObject{}, v
	default:
		return jsonObject{}, fmt.Sprint(v)
	}
}

// decodeJSON decodes one JSON value; false if the text is none. Numbers keep their digits.
func decodeJSON(raw []byte) (any, bool) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, true
	}

	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return nil, false
	}

	return withJSONTypes(v), true
}

// withJSONTypes turns maps and slices at any depth into jsonObject and jsonList.
func withJSONTypes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = withJSONTypes(v[key])
		}

		return jsonObject(v)
	case []any:
		for i := range v {
			v[i] = withJSONTypes(v[i])
		}

		return jsonList(v)
	default:
		return v
	}
}

// printed is a value as a template prints it.
func printed(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
