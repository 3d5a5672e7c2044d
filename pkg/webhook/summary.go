package webhook

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// Summary is the little that is read from events that are no deployments. What is absent or of
// another type is zero.
type Summary struct {
	HookID     int64 // a ping's
	Deployment bool  // the event carries a deployment
}

// IsObject says whether a body is a JSON object, which is all that is asked of events that are not
// used.
func IsObject(payload []byte) bool {
	valid := gjson.ValidBytes
	if len(payload) > maxFastBody { // it has no bound on how deep things are nested
		valid = json.Valid
	}
	return valid(payload) && payload[space(payload, 0)] == '{'
}

// Summarize reads a summary. It fails only for what is not a JSON object: nothing is known of other
// events that would justify to refuse them.
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
