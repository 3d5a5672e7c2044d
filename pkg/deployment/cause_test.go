package deployment

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

// silentError is a call that brought no answer.
type silentError struct{}

func (silentError) Error() string { return "dial tcp 10.0.0.1:9: connect: connection refused" }

func (silentError) NoAnswer() bool { return true }

func TestPublicCause(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		public string
		detail string
	}{
		{name: "an answer", err: errors.New("CircleCI project: 404"), public: "CircleCI project: 404"},
		{
			name:   "no answer",
			err:    fmt.Errorf("CircleCI project: %w", silentError{}),
			public: "CircleCI could not be reached",
			detail: "CircleCI project: dial tcp 10.0.0.1:9: connect: connection refused",
		},
		{
			name:   "an answer that broke off",
			err:    &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")},
			public: "CircleCI could not be reached",
			detail: "read tcp: connection reset by peer",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			public, detail := PublicCause("CircleCI", test.err)
			if public != test.public || detail != test.detail {
				t.Errorf("got %q and %q, want %q and %q", public, detail, test.public, test.detail)
			}
		})
	}
}
