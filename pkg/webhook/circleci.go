package webhook

import "regexp"

// CircleCIEvent is what Seraph reads from a webhook of CircleCI ("Outbound webhooks reference"). An
// event is only a hint to poll a pipeline, so fields that are missing or malformed are empty.
type CircleCIEvent struct {
	ID         string // of the event; the same for each retry
	Type       string // workflow-completed or job-completed today
	PipelineID string
	ProjectID  string
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// ValidID reports whether a text can be an id of CircleCI: 1 to 64 letters, digits and dashes.
// CircleCI's ids are UUIDs.
func ValidID(s string) bool { return idPattern.MatchString(s) }

// ParseCircleCI parses a verified webhook of CircleCI. It fails only if the body is not a JSON object:
// CircleCI's test event lacks most fields, and new events may be added.
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
		ID:         validOrEmpty(e.ID.value),
		Type:       validOrEmpty(e.Type.value),
		PipelineID: validOrEmpty(e.Pipeline.value.ID.value),
		ProjectID:  validOrEmpty(e.Project.value.ID.value),
	}, nil
}

func validOrEmpty(id string) string {
	if !ValidID(id) {
		return ""
	}
	return id
}
