package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
)

// ErrShape reports a signature header that is missing or malformed, which can be checked before the
// body is read.
var ErrShape = errors.New("the signature is missing or malformed")

// ErrMismatch reports a signature that was made with none of the secrets. It does not contain the
// right signature.
var ErrMismatch = errors.New("the signature does not match: check that the sender has one of our secrets")

// ErrNoSecret reports that there is no secret to verify with, or that one is empty. Every signature
// is rejected then.
var ErrNoSecret = errors.New("no webhook secret is configured, or one is empty")

// Verifier checks the signature of one body while the body is read: write every byte, then call
// Check.
type Verifier struct {
	macs []hash.Hash
	sent []byte
}

// NewGitHub creates a Verifier for an X-Hub-Signature-256 header: "sha256=" and 64 hexadecimal digits
// in any case ("Validating webhook deliveries" in GitHub's documentation). Its errors are ErrShape
// and ErrNoSecret.
func NewGitHub(secrets [][]byte, header string) (*Verifier, error) {
	digits, ok := strings.CutPrefix(header, "sha256=")
	if !ok {
		return nil, ErrShape
	}
	return newVerifier(secrets, digits)
}

// NewCircleCI creates a Verifier for a circleci-signature header: a comma-separated list of
// version=digits in any order, of which only v1 is defined ("Outbound webhooks" in CircleCI's
// documentation). Its errors are ErrShape and ErrNoSecret.
func NewCircleCI(secrets [][]byte, header string) (*Verifier, error) {
	for entry := range strings.SplitSeq(header, ",") {
		version, digits, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if version == "v1" {
			return newVerifier(secrets, digits)
		}
	}
	return nil, ErrShape
}

func newVerifier(secrets [][]byte, digits string) (*Verifier, error) {
	sent, err := hex.DecodeString(digits)
	if err != nil || len(sent) != sha256.Size {
		return nil, ErrShape
	}

	v := &Verifier{sent: sent}
	for _, secret := range secrets {
		if len(secret) == 0 {
			return nil, ErrNoSecret
		}

		v.macs = append(v.macs, hmac.New(sha256.New, secret))
	}

	if len(v.macs) == 0 {
		return nil, ErrNoSecret
	}

	return v, nil
}

// Write adds the next bytes of the body, as they were received. It never fails.
func (v *Verifier) Write(p []byte) (int, error) {
	for _, mac := range v.macs {
		mac.Write(p)
	}
	return len(p), nil
}

// Check returns ErrMismatch if none of the secrets made the signature. It takes the same time
// whichever secret did.
func (v *Verifier) Check() error {
	matched := false
	for _, mac := range v.macs {
		if hmac.Equal(mac.Sum(nil), v.sent) {
			matched = true
		}
	}

	if !matched {
		return ErrMismatch
	}

	return nil
}
