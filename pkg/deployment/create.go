package deployment

import (
	"bytes"
	"encoding/json"
	"regexp"
	"time"
)

// NewDeployment is what GitHub is asked to create (REST API, "Create a deployment"). auto_merge is always
// false and required_contexts empty, so that GitHub neither merges nor judges.
type NewDeployment struct {
	Ref         string // the commit, so that a branch that moves changes nothing
	Task        string
	Environment string
	Description string          // at most MaxDescription code points
	Payload     json.RawMessage // an object
	Production  bool            // production_environment
	Urgent      bool            // it may use the writes that are kept back, as final reports may
}

// CreateKind says how an attempt to create a deployment went.
type CreateKind string

// The kinds.
const (
	CreateDone    CreateKind = "created"     // 201: GitHub has it
	CreateRefused CreateKind = "refused"     // it was refused for good, such as 422 or 404: there is none
	CreateNothing CreateKind = "not_created" // 202 or 409: GitHub says that it created none; a repetition may succeed
	CreateNotSent CreateKind = "not_sent"    // the call did not leave, or was turned away unread: there is none
	CreateUnknown CreateKind = "unknown"     // no usable answer: there may be one
)

// CreateOutcome is the answer to one attempt to create a deployment.
type CreateOutcome struct {
	Kind  CreateKind
	Body  json.RawMessage // with CreateDone: the deployment object as GitHub sent it
	After time.Duration   // wait at least this long before the next try; 0: GitHub did not say
	Paced bool            // with CreateNotSent: our own pace of writes held it back, and nothing else
	Cause string          // for people, with GitHub's words; never a secret
}

// The keys of a payload that this service gives a meaning.
const (
	payloadOwn   = "seraph"       // what a deployment carries that this service created
	payloadForce = "seraph_force" // the reason for which rules are to be bypassed
)

// payloadMark is what this service adds, under payloadOwn, to the payload of a deployment that it creates. By
// and Via are for people who read it at GitHub; this service never reads them back.
type payloadMark struct {
	Nonce string       `json:"nonce"`
	By    payloadActor `json:"by"`
	Via   string       `json:"via"`
}

type payloadActor struct {
	ID    int64  `json:"id,omitempty"`
	Login string `json:"login"`
}

// NewDeployment returns what GitHub is asked to create for an intent.
func (i Intent) NewDeployment() (NewDeployment, error) {
	fields := map[string]json.RawMessage{}
	if len(i.Payload) > 0 {
		if err := json.Unmarshal(i.Payload, &fields); err != nil {
			return NewDeployment{}, err
		}
	}

	mark, err := json.Marshal(payloadMark{
		Nonce: i.Nonce,
		By:    payloadActor{ID: i.By.ID, Login: i.By.String()},
		Via:   i.via(),
	})
	if err != nil {
		return NewDeployment{}, err
	}

	fields[payloadOwn] = mark
	payload, err := json.Marshal(fields)
	if err != nil {
		return NewDeployment{}, err
	}

	return NewDeployment{
		Ref:         i.SHA,
		Task:        i.Task,
		Environment: i.Environment,
		Description: i.description(),
		Payload:     payload,
		Production:  i.Production,
		Urgent:      i.Cause == CauseRollback,
	}, nil
}

// via returns through what the person asked, for people.
func (i Intent) via() string {
	if i.Via != "" {
		return i.Via
	}
	return i.Channel
}

// FaceName is what people call that through which somebody asked: Slack by its own name, and all else as it is kept.
func FaceName(via string) string {
	if via == ChannelSlack {
		return "Slack"
	}
	return via
}

// description returns what GitHub shows beside the deployment.
func (i Intent) description() string {
	text := i.By.String() + " via " + FaceName(i.via())
	if i.Cause == CauseRollback {
		text = "Roll back to " + short(i.SHA) + " by " + text
	}
	if i.Reason != "" {
		text += ": " + i.Reason
	}
	return clean(text)
}

var noncePattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// PayloadNonce returns the nonce in the payload of a deployment that this service may have created; empty:
// there is none. Anybody can write one.
func PayloadNonce(payload json.RawMessage) string {
	if len(payload) > MaxPayload || !bytes.Contains(payload, []byte(payloadOwn)) {
		return ""
	}

	var text string
	if json.Unmarshal(payload, &text) == nil { // GitHub shows a payload that was sent as text as text
		payload = json.RawMessage(text)
	}

	var marked struct {
		Own struct {
			Nonce string `json:"nonce"`
		} `json:"seraph"`
	}
	if json.Unmarshal(payload, &marked) != nil || !noncePattern.MatchString(marked.Own.Nonce) {
		return ""
	}

	return marked.Own.Nonce
}

// OwnPayload returns a payload without the keys that this service gives a meaning; ok is false if it is no
// object. reserved says that it had one of those keys.
func OwnPayload(payload json.RawMessage) (own json.RawMessage, reserved, ok bool) {
	fields := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(payload)) == 0 {
		return nil, false, true
	}

	var text string
	if json.Unmarshal(payload, &text) == nil { // also null, which is no payload as "" is
		payload = json.RawMessage(text)
		if text == "" {
			return nil, false, true
		}
	}
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, false, false
	}

	for _, key := range []string{payloadOwn, payloadForce} {
		_, has := fields[key]
		reserved = reserved || has
		delete(fields, key)
	}
	if len(fields) == 0 {
		return nil, reserved, true
	}

	own, err := json.Marshal(fields)
	return own, reserved, err == nil
}
