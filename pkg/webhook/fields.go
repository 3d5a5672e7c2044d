package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// present notes that a field is there and not null, whatever it holds.
type present bool

// UnmarshalJSON never fails.
func (p *present) UnmarshalJSON(raw []byte) error {
	*p = string(raw) != "null"
	return nil
}

// loose is a field that may hold anything: what does not fit counts as absent.
type loose[T any] struct{ value T }

// UnmarshalJSON never fails.
func (l *loose[T]) UnmarshalJSON(raw []byte) error {
	var v T
	if json.Unmarshal(raw, &v) == nil {
		l.value = v
	}
	return nil
}

// stamp is a time as GitHub writes it.
type stamp struct{ time.Time }

// UnmarshalJSON takes RFC 3339, and the form without T and zone that a few old payloads carry.
func (s *stamp) UnmarshalJSON(raw []byte) error {
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

// decode reads one JSON object and says in plain words what is wrong with it. The error never
// quotes a value.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil && isNull(data):
		return errors.New("the body is JSON null where an object is expected")
	case err == nil, errors.Is(err, errTime):
		return err
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("the body is a JSON %s where an object is expected", firstWord(kind.Value))
	case errors.As(err, &kind):
		return fmt.Errorf("%s is a JSON %s where another type is expected", kind.Field, firstWord(kind.Value))
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "depth"):
		return errors.New("the body is nested too deeply to be read")
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not JSON: something is wrong at byte %d", syntax.Offset)
	default:
		return errors.New("the body is not JSON that can be read")
	}
}

// firstWord drops the value that encoding/json puts behind the word "number".
func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// isNull tells the one JSON value that encoding/json takes for any struct.
func isNull(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("null"))
}
