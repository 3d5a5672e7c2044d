package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
)

// ErrShape says that a signature header is absent or no signature at all. No body needs to be read
// to know it.
var ErrShape = errors.New("the signature is missing or malformed")

// ErrMismatch says that no secret made the signature. It never tells the right one.
var ErrMismatch = errors.New("the signature does not match: check that the sender's secret is one of ours")

// ErrNoSecret says that there is no secret to verify with, or an empty one. Nothing verifies then.
var ErrNoSecret = errors.New("no webhook secret is configured, or one is empty")

// Verifier checks one body as it is read: write every byte of it, then ask Check.
type Verifier struct {
	macs []hash.Hash
	sent []byte
}

// NewGitHub prepares the check of an X-Hub-Signature-256 header: "sha256=" and 64 hex digits in any
// case ("Validating webhook deliveries" in GitHub's documentation). ErrShape: the header is nothing
// like it. ErrNoSecret: there is nothing to verify with.
func NewGitHub(secrets [][]byte, header string) (*Verifier, error) {
	digits, ok := strings.CutPrefix(header, "sha256=")
	if !ok {
		return nil, ErrShape
	}
	return newVerifier(secrets, digits)
}

// NewCircleCI prepares the check of a circleci-signature header: a comma-separated list of
// version=hex in any order, of which only v1 is known ("Outbound webhooks" in CircleCI's
// documentation). Errors as for NewGitHub.
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

// Write takes the next bytes of the body as they came over the wire. It never fails.
func (v *Verifier) Write(p []byte) (int, error) {
	for _, mac := range v.macs {
		mac.Write(p)
	}
	return len(p), nil
}

// Check compares in constant time, and with every secret whichever matches. ErrMismatch: none does.
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
