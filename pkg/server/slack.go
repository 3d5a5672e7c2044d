package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
)

// sourceSlack is what Slack is called in metrics.
const sourceSlack = "slack"

// maxSlackBody is how many bytes a request of Slack may have. A view, which is the largest thing that Slack sends
// back, has at most 250 KB, and encoding it as a form makes it up to three times as long.
const maxSlackBody = 1 << 20

// maxUnsigned is how many bytes of a request are read that has no signature. Slack sends only the probe of the
// certificate without one, which is a short form.
const maxUnsigned = 1 << 10

// slackSignature is what the value of the header with Slack's signature looks like.
var slackSignature = regexp.MustCompile(`^v0=[0-9a-fA-F]{64}$`)

var errUnsigned = errors.New("the header X-Slack-Signature is missing or is not one of Slack's")

// slack hands a request of Slack to its handler. The body is read before, within the memory that all bodies may take
// together, because the handler verifies it as a whole.
func (s *Server) slack(w http.ResponseWriter, r *http.Request) {
	b := &body{budget: s.bodies}
	defer b.release()

	raw, err := s.readSlack(w, r, b)
	if err != nil {
		s.rejectWebhook(w, r, sourceSlack, "other", err)
		return
	}

	read := r.WithContext(r.Context())
	read.Body = io.NopCloser(bytes.NewReader(raw))
	s.o.Slack.ServeHTTP(w, read)
}

// readSlack reads the body of a request of Slack. One that has no signature is read only as far as a probe goes.
func (s *Server) readSlack(w http.ResponseWriter, r *http.Request, b *body) ([]byte, error) {
	signed := slackSignature.MatchString(r.Header.Get("X-Slack-Signature"))
	limit := int64(maxSlackBody)
	if !signed {
		limit = maxUnsigned
	}

	err := b.readFrom(http.MaxBytesReader(w, r.Body, limit), io.Discard)
	var large *http.MaxBytesError
	if !signed && errors.As(err, &large) {
		return nil, closing(signatureError(errUnsigned))
	}
	if err != nil {
		return nil, bodyError(err)
	}

	raw, err := b.join(r.Context())
	if err != nil {
		return nil, bodyError(err)
	}
	return raw, nil
}
