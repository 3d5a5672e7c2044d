package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request (docs.slack.dev, "Verifying requests from Slack").
const (
	headerSignature = "X-Slack-Signature"
	headerTimestamp = "X-Slack-Request-Timestamp"
)

// maxSkew is how far the time of a request may be from now, in both directions. SignatureLife is how long a
// signature may be used, which is from the earliest to the latest moment.
const (
	maxSkew       = 5 * time.Minute
	SignatureLife = 2 * maxSkew
)

// Errors of Verify. None of them contains the right signature.
var (
	ErrNoSignature = errors.New("the signature or its timestamp is missing or malformed")
	ErrNotFresh    = errors.New("the timestamp is more than 5 minutes from now: check the clock of this machine")
	ErrSignature   = errors.New("the signature does not match: check that SERAPH_SLACK_SIGNING_SECRET is the app's")
)

// errNoSecret is the error of NewVerifier.
var errNoSecret = errors.New("create verifier: the signing secret is empty: set SERAPH_SLACK_SIGNING_SECRET")

// Verifier checks that requests come from Slack.
type Verifier struct{ secret []byte }

// NewVerifier creates a Verifier with the signing secret of the app, which must not be empty.
func NewVerifier(secret Secret) (*Verifier, error) {
	if secret == "" {
		return nil, errNoSecret
	}
	return &Verifier{[]byte(secret)}, nil
}

// Verify checks the signature of a body. It covers the timestamp and the body, and nothing else of a request: no other
// header, and not the address. The error is ErrNoSignature, ErrNotFresh or ErrSignature.
//
// It returns the signature as 64 lower-case hexadecimal digits. The caller must refuse one that it has seen within
// SignatureLife. That refuses no event that Slack repeats, because it signs it again with a new timestamp.
func (v *Verifier) Verify(header http.Header, body []byte, now time.Time) (signature string, err error) {
	digits, ok := strings.CutPrefix(header.Get(headerSignature), "v0=")
	sent, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sent) != sha256.Size {
		return "", ErrNoSignature
	}

	stamp := header.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "", ErrNoSignature
	}

	mac := hmac.New(sha256.New, v.secret)
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), sent) {
		return "", ErrSignature
	}

	// Compared as seconds, because the time between now and a forged timestamp may not fit into a Duration.
	if at := now.Unix(); seconds < at-int64(maxSkew/time.Second) || seconds > at+int64(maxSkew/time.Second) {
		return "", ErrNotFresh
	}

	return hex.EncodeToString(sent), nil
}
