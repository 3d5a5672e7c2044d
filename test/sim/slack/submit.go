package slack

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Submission is what became of a submitted view.
type Submission struct {
	Delivery Delivery
	Closed   bool              // the view is closed
	Errors   map[string]string // by block id: what the app refused
	View     *View             // what the user sees instead, after update or push
}

// Submit submits a modal as the user who sees it, with what the user typed or chose: values by action id or block id.
// Inputs without a value keep their initial one. Like Slack, it refuses a required input that is empty and a text that
// is too long or too short, before anything is sent. A submission is never sent again.
func (s *Server) Submit(viewID string, values map[string]string) (Submission, error) {
	s.mu.Lock()
	v := s.viewByID(viewID)
	if v == nil || v.Closed || v.Type != "modal" {
		s.mu.Unlock()
		return Submission{}, fmt.Errorf("no open modal %q", viewID)
	}

	state, err := stateOf(v.Blocks, values)
	if err != nil {
		s.mu.Unlock()
		return Submission{}, err
	}

	payload := s.interaction("view_submission", s.installationOf(v.Team), s.users[v.User])
	body := s.viewBody(v)
	body["state"] = Object{"values": state}
	payload["view"] = body
	payload["response_urls"] = []Object{}
	d := interactionDelivery("view_submission", v.User, payload)
	s.mu.Unlock()
	sent, err := s.send(d, form)
	if err != nil {
		return Submission{Delivery: sent}, err
	}
	if !sent.Accepted() {
		return Submission{Delivery: sent}, nil // Slack says "We had some trouble connecting", and the view stays
	}

	s.mu.Lock()
	defer s.changed.Broadcast()
	defer s.mu.Unlock()

	return s.afterSubmit(v, sent)
}

// afterSubmit does what the answer to a submission says. The caller holds the lock.
func (s *Server) afterSubmit(v *view, sent Delivery) (Submission, error) {
	out := Submission{Delivery: sent}
	var reply struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(sent.Answer) > 0 {
		if err := json.Unmarshal(sent.Answer, &reply); err != nil {
			return out, fmt.Errorf("the answer to the submission is not JSON: %w", err)
		}
	}

	switch reply.Action {
	case "errors":
		for block := range reply.Errors {
			if !hasInput(v.Blocks, block) {
				return out, fmt.Errorf("the answer has an error for %q, which is no input of the view", block)
			}
		}
		out.Errors = reply.Errors
	case "update", "push":
		in, refused := s.decodeView(string(reply.View), "modal")
		if refused != nil {
			return out, fmt.Errorf("the view of the answer is refused: %s", encode(refused.body))
		}

		shown := v
		if reply.Action == "push" {
			shown = s.addView(in, v.User, v.Team, v.ID)
		} else {
			s.replaceView(v, in)
		}
		now := shown.View
		out.View = &now
	case "clear":
		for _, other := range s.views {
			if other.root == v.root {
				other.Closed = true
			}
		}
		out.Closed = true
	case "":
		v.Closed, out.Closed = true, true
	default:
		return out, fmt.Errorf("unknown response_action %q", reply.Action)
	}

	return out, nil
}

// CloseView closes a modal as the user who sees it, and tells the app when the view asks for that.
func (s *Server) CloseView(viewID string) (Delivery, error) {
	s.mu.Lock()
	v := s.viewByID(viewID)
	if v == nil || v.Closed || v.Type != "modal" {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("no open modal %q", viewID)
	}

	v.Closed = true
	payload := s.interaction("view_closed", s.installationOf(v.Team), s.users[v.User])
	delete(payload, "trigger_id")
	payload["view"] = s.viewBody(v)
	payload["is_cleared"] = false
	d := interactionDelivery("view_closed", v.User, payload)
	notify := v.NotifyOnClose
	s.mu.Unlock()
	s.changed.Broadcast()
	if !notify {
		return Delivery{}, nil
	}

	return s.send(d, form)
}

func hasInput(blocks []Object, id string) bool {
	for _, b := range blocks {
		if b["block_id"] == id && b["type"] == "input" {
			return true
		}
	}
	return false
}

// stateOf returns state.values of a view: by block id and action id what each input holds.
func stateOf(blocks []Object, values map[string]string) (Object, error) {
	state := Object{}
	used := map[string]bool{}
	for _, b := range blocks {
		e, isObject := b["element"].(Object)
		if b["type"] != "input" || !isObject {
			continue
		}

		blockID, _ := b["block_id"].(string)
		actionID, _ := e["action_id"].(string)
		typed, given := values[actionID]
		if given {
			used[actionID] = true
		} else if typed, given = values[blockID]; given {
			used[blockID] = true
		}

		held, empty, err := hold(e, typed, given)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", blockID, err)
		}
		if optional, _ := b["optional"].(bool); empty && !optional {
			return nil, fmt.Errorf("input %s is required", blockID)
		}

		state[blockID] = Object{actionID: held}
	}

	for name := range values {
		if !used[name] {
			return nil, fmt.Errorf("the view has no input %q", name)
		}
	}

	return state, nil
}

// hold returns what one input element holds, and whether it is empty.
func hold(e Object, typed string, given bool) (held Object, empty bool, err error) {
	kind, _ := e["type"].(string)
	held = Object{"type": kind}
	switch kind {
	case "static_select", "radio_buttons":
		chosen := e["initial_option"]
		options, _ := e["options"].([]any)
		for _, option := range options {
			if o, isObject := option.(Object); given && isObject && o["value"] == typed {
				chosen = o
			}
		}
		if o, _ := chosen.(Object); given && (o == nil || o["value"] != typed) {
			return nil, false, fmt.Errorf("no option %q", typed)
		}
		held["selected_option"] = chosen
		return held, chosen == nil, nil
	case "checkboxes":
		chosen := []any{}
		options, _ := e["options"].([]any)
		for _, option := range options {
			if o, isObject := option.(Object); given && isObject && o["value"] == typed {
				chosen = append(chosen, o)
			}
		}
		held["selected_options"] = chosen
		return held, len(chosen) == 0, nil
	}

	text, _ := e["initial_value"].(string)
	if given {
		text = typed
	}

	held["value"] = nil
	if text == "" {
		return held, true, nil
	}

	held["value"] = text
	size := float64(utf8.RuneCountInString(text))
	if limit, found := e["max_length"].(float64); found && size > limit || size > maxText {
		return nil, false, fmt.Errorf("%.0f characters are too many", size)
	}
	if limit, found := e["min_length"].(float64); found && size < limit {
		return nil, false, fmt.Errorf("%.0f characters are too few", size)
	}

	return held, false, nil
}
