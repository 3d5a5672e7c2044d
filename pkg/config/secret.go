package config

import "crypto/rsa"

// Secret is a text that formatting and marshaling do not show.
type Secret string

const hidden = "[redacted]"

// Reveal returns the secret itself, for the code that has to send or compare it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret from %v and %s.
func (Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret from JSON and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Secrets are several secrets, any of which is good, so that one can be replaced without a pause.
type Secrets []Secret

// Bytes returns the secrets themselves.
func (s Secrets) Bytes() [][]byte {
	list := make([][]byte, len(s))
	for i, one := range s {
		list[i] = []byte(one)
	}
	return list
}

// PrivateKey is an RSA key that formatting and marshaling do not show.
type PrivateKey struct{ key *rsa.PrivateKey }

// Reveal returns the key itself, or nil if there is none.
func (k PrivateKey) Reveal() *rsa.PrivateKey { return k.key }

// String hides the key from %v.
func (PrivateKey) String() string { return hidden }

// GoString hides the key from %#v.
func (PrivateKey) GoString() string { return hidden }

// MarshalText hides the key from JSON and logs.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }
