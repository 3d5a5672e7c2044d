package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// present is true if a field is there and not null, whatever its type.
type present bool

// UnmarshalJSON never fails.
func (p *present) UnmarshalJSON(raw []byte) error {
	*p = string(raw) != "null"
	return nil
}

// loose is a field whose value is ignored if it has another type.
type loose[T any] struct{ value T }

// UnmarshalJSON never fails.
func (l *loose[T]) UnmarshalJSON(raw []byte) error {
	var v T
	if json.Unmarshal(raw, &v) == nil {
		l.value = v
	}
	return nil
}

// githubTime is a time as GitHub writes it.
type githubTime struct{ time.Time }

// UnmarshalJSON accepts RFC 3339, and the form without T and zone that some old payloads have.
func (s *githubTime) UnmarshalJSON(raw []byte) error {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		return err
	}

	for _, layout := range []string{time.RFC3339, time.DateTime} {
		if t, err := time.Parse(layout, *text); err == nil {
			s.Time = t.UTC()
			return nil
		}
	}

	return errTime
}

var errTime = errors.New("deployment.created_at is not a time such as 2026-01-31T12:00:00Z")

// decode parses one JSON object. Its errors are sent to whoever sent the body, so they name the field
// and never quote a value.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)

	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil && isNull(data):
		return errors.New("the body is JSON null where an object is expected")
	case err == nil, errors.Is(err, errTime):
		return err
	case errors.As(err, &wrongType) && wrongType.Field == "":
		return fmt.Errorf("the body is a JSON %s where an object is expected", jsonType(wrongType))
	case errors.As(err, &wrongType):
		return fmt.Errorf("%s is a JSON %s where another type is expected", wrongType.Field, jsonType(wrongType))
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "depth"):
		return errors.New("the body is nested too deeply")
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not JSON: syntax error at byte %d", syntax.Offset)
	default:
		return errors.New("the body is not JSON that can be parsed")
	}
}

// jsonType returns the type that was found, without the value that encoding/json appends to "number".
func jsonType(e *json.UnmarshalTypeError) string {
	name, _, _ := strings.Cut(e.Value, " ")
	return name
}

// isNull reports whether data is null, which encoding/json accepts for any struct.
func isNull(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("null"))
}
