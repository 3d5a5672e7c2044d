package deployment

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestPayloadDigest(t *testing.T) {
	large := `"` + strings.Repeat("x", MaxPayload) + `"`

	for _, c := range []struct {
		name string
		a, b string
		same bool
	}{
		{name: "spaces and escapes", a: `{"a": "b"}`, b: `{"\u0061":"b"}`, same: true},
		{name: "order", a: `{"a":1,"b":2}`, b: `{"b":2,"a":1}`, same: true},
		{name: "an object in a string", a: `{"a":1}`, b: `"{\"a\": 1}"`, same: true},
		{name: "nothing", a: ``, b: `null`, same: true},
		{name: "nothing, as GitHub shows it", a: `""`, b: `{}`, same: true},
		{name: "a value", a: `{"a":1}`, b: `{"a":2}`, same: false},
		{name: "a key more", a: `{"a":1}`, b: `{"a":1,"seraph_force":"x"}`, same: false},
		{name: "a large number", a: `{"a":9007199254740993}`, b: `{"a":9007199254740992}`, same: false},
		{name: "spelling of a fraction", a: `{"a":[1.10,1e2]}`, b: `{"a":[1.1,100.0]}`, same: true},
		{name: "text and number", a: `{"a":1}`, b: `{"a":"1"}`, same: false},
		{name: "lists", a: `[1,2]`, b: `[2,1]`, same: false},
		{name: "no JSON", a: `{`, b: `[`, same: false},
		{name: "too large", a: large, b: `{}`, same: false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := PayloadDigest(json.RawMessage(c.a)), PayloadDigest(json.RawMessage(c.b))
			if a == "" || b == "" || a == b != c.same {
				t.Errorf("got %q and %q, want the same: %v", a, b, c.same)
			}
		})
	}
}

// The payload is not kept, but what it was can be compared, where rules make that count.
func TestMachine_KeepsPayloadDigest(t *testing.T) {
	payload := json.RawMessage(`{"hosts":"web"}`)

	for _, c := range []struct {
		name    string
		request Request
		target  Target
		want    string
	}{
		{name: "no rules", request: Request{Payload: payload}, want: ""},
		{
			name:    "rules",
			request: Request{Payload: payload},
			target:  Target{HasRules: true},
			want:    PayloadDigest(payload),
		},
		{
			name:    "too large",
			request: Request{PayloadTooLarge: true},
			target:  Target{HasRules: true},
			want:    "too large",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, _ := Machine{MaxAge: time.Hour}.New(c.request, Admission{Target: c.target}, t0)
			if d.Request.Payload != nil || d.Request.PayloadDigest != c.want {
				t.Errorf("got payload %q, digest %q, want none, %q", d.Request.Payload, d.Request.PayloadDigest, c.want)
			}
		})
	}
}
