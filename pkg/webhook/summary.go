package webhook

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// Summary is what Seraph reads from events other than deployment. Fields that are missing or have
// another type are zero.
type Summary struct {
	HookID     int64 // of a ping
	Deployment bool  // the event has a deployment
}

// IsObject reports whether a body is a JSON object, which is all that is checked of events that are
// not used.
func IsObject(payload []byte) bool {
	valid := gjson.ValidBytes
	if len(payload) > maxFastBody { // gjson does not limit the depth of nesting
		valid = json.Valid
	}
	return valid(payload) && payload[space(payload, 0)] == '{'
}

// Summarize parses the body of an event that is not used. It fails only if the body is not a JSON
// object, because nothing else is known about such events.
func Summarize(payload []byte) (Summary, error) {
	var e struct {
		HookID     loose[int64] `json:"hook_id"`
		Deployment present      `json:"deployment"`
	}
	if err := decode(payload, &e); err != nil {
		return Summary{}, err
	}
	return Summary{HookID: e.HookID.value, Deployment: bool(e.Deployment)}, nil
}
