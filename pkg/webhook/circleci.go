package webhook

import "regexp"

// CircleCIEvent is what Seraph reads from a webhook of CircleCI ("Outbound webhooks reference"). It
// is only a hint, so fields that are absent, strange or no id are empty.
type CircleCIEvent struct {
	ID         string // of the event; the same at each retry
	Type       string // workflow-completed or job-completed today
	PipelineID string
	ProjectID  string
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// ValidID says whether a text can be an id of CircleCI: 1 to 64 letters, digits and dashes.
// CircleCI's are UUIDs.
func ValidID(s string) bool { return idPattern.MatchString(s) }

// ParseCircleCI reads a verified webhook of CircleCI. It fails only for what is not a JSON object:
// the test ping is cut down, and new events may come.
func ParseCircleCI(body []byte) (CircleCIEvent, error) {
	type identified struct {
		ID loose[string] `json:"id"`
	}
	var e struct {
		identified
		Type     loose[string]     `json:"type"`
		Pipeline loose[identified] `json:"pipeline"`
		Project  loose[identified] `json:"project"`
	}

	if err := decode(body, &e); err != nil {
		return CircleCIEvent{}, err
	}

	return CircleCIEvent{
		ID:         id(e.ID),
		Type:       id(e.Type),
		PipelineID: id(e.Pipeline.value.ID),
		ProjectID:  id(e.Project.value.ID),
	}, nil
}

// id drops what is no id.
func id(l loose[string]) string {
	if !ValidID(l.value) {
		return ""
	}
	return l.value
}
