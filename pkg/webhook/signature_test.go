package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// GitHub's own example ("Validating webhook deliveries") and CircleCI's ("Outbound webhooks").
const (
	vectorSecret = "It's a Secret to Everybody"
	vectorBody   = "Hello, World!"
	vectorMAC    = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	helloMAC     = "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"
	fooMAC       = "773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4"
)

func secrets(s ...string) [][]byte {
	var all [][]byte
	for _, one := range s {
		all = append(all, []byte(one))
	}
	return all
}

func mac(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

// verifyGitHub checks a whole body at once, as the server does while it reads.
func verifyGitHub(secrets [][]byte, header string, body []byte) error {
	v, err := NewGitHub(secrets, header)
	return verify(v, err, body)
}

// verifyCircleCI is verifyGitHub for CircleCI's header.
func verifyCircleCI(secrets [][]byte, header string, body []byte) error {
	v, err := NewCircleCI(secrets, header)
	return verify(v, err, body)
}

func verify(v *Verifier, err error, body []byte) error {
	if err != nil {
		return err
	}
	if _, err := v.Write(body); err != nil {
		return err
	}
	return v.Check()
}

func TestNewGitHub_Verifies(t *testing.T) {
	for name, c := range map[string]struct {
		secrets [][]byte
		header  string
		body    string
		want    error
	}{
		"GitHub's example": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + vectorMAC,
			body:    vectorBody,
		},
		"upper case": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + strings.ToUpper(vectorMAC),
			body:    vectorBody,
		},
		"first of two secrets": {
			secrets: secrets(vectorSecret, "new"),
			header:  "sha256=" + vectorMAC,
			body:    vectorBody,
		},
		"second of two secrets": {
			secrets: secrets("old", vectorSecret),
			header:  "sha256=" + vectorMAC,
			body:    vectorBody,
		},
		"other body": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + vectorMAC,
			body:    vectorBody + " ",
			want:    ErrMismatch,
		},
		"other secret": {
			secrets: secrets("other"),
			header:  "sha256=" + vectorMAC,
			body:    vectorBody,
			want:    ErrMismatch,
		},
		"no header": {
			secrets: secrets(vectorSecret),
			body:    vectorBody,
			want:    ErrShape,
		},
		"no algorithm": {
			secrets: secrets(vectorSecret),
			header:  vectorMAC,
			body:    vectorBody,
			want:    ErrShape,
		},
		"algorithm in upper case": {
			secrets: secrets(vectorSecret),
			header:  "SHA256=" + vectorMAC,
			body:    vectorBody,
			want:    ErrShape,
		},
		"SHA-1": {
			secrets: secrets(vectorSecret),
			header:  "sha1=" + vectorMAC,
			body:    vectorBody,
			want:    ErrShape,
		},
		"too short": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + vectorMAC[2:],
			body:    vectorBody,
			want:    ErrShape,
		},
		"too long": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + vectorMAC + "00",
			body:    vectorBody,
			want:    ErrShape,
		},
		"not hexadecimal": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + strings.Repeat("x", 64),
			body:    vectorBody,
			want:    ErrShape,
		},
		"with a space": {
			secrets: secrets(vectorSecret),
			header:  "sha256= " + vectorMAC[1:],
			body:    vectorBody,
			want:    ErrShape,
		},
		"no secrets": {
			header: "sha256=" + vectorMAC,
			body:   vectorBody,
			want:   ErrNoSecret,
		},
		"empty secret": {
			secrets: secrets(""),
			header:  "sha256=" + mac("", vectorBody),
			body:    vectorBody,
			want:    ErrNoSecret,
		},
		"one secret is empty": {
			secrets: secrets(vectorSecret, ""),
			header:  "sha256=" + vectorMAC,
			body:    vectorBody,
			want:    ErrNoSecret,
		},
		"empty body": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + mac(vectorSecret, ""),
		},
		"empty body, signature of another": {
			secrets: secrets(vectorSecret),
			header:  "sha256=" + vectorMAC,
			want:    ErrMismatch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := verifyGitHub(c.secrets, c.header, []byte(c.body))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), vectorMAC) {
				t.Errorf("the error contains the right signature: %v", err)
			}

			_, err = NewGitHub([][]byte{{0}}, c.header)
			if malformed := c.want == ErrShape; (err != nil) != malformed {
				t.Errorf("malformed header: got %v, want an error: %v", err, malformed)
			}
		})
	}
}

func TestNewCircleCI_Verifies(t *testing.T) {
	for name, c := range map[string]struct {
		secrets [][]byte
		header  string
		body    string
		want    error
	}{
		"CircleCI's example": {
			secrets: secrets("secret"),
			header:  "v1=" + helloMAC,
			body:    "hello world",
		},
		"CircleCI's other example": {
			secrets: secrets("secret"),
			header:  "v1=" + fooMAC,
			body:    "foo",
		},
		"second of two secrets": {
			secrets: secrets("other", "secret"),
			header:  "v1=" + fooMAC,
			body:    "foo",
		},
		"v2 after it": {
			secrets: secrets("secret"),
			header:  "v1=" + fooMAC + ",v2=00",
			body:    "foo",
		},
		"v2 before it": {
			secrets: secrets("secret"),
			header:  "v2=00,v1=" + fooMAC,
			body:    "foo",
		},
		"spaces": {
			secrets: secrets("secret"),
			header:  "v2=00, v1=" + fooMAC,
			body:    "foo",
		},
		"v10 is not v1": {
			secrets: secrets("secret"),
			header:  "v10=" + fooMAC,
			body:    "foo",
			want:    ErrShape,
		},
		"only v2": {
			secrets: secrets("secret"),
			header:  "v2=" + fooMAC,
			body:    "foo",
			want:    ErrShape,
		},
		"no header": {
			secrets: secrets("secret"),
			body:    "foo",
			want:    ErrShape,
		},
		"v1 without digits": {
			secrets: secrets("secret"),
			header:  "v1=",
			body:    "foo",
			want:    ErrShape,
		},
		"other body": {
			secrets: secrets("secret"),
			header:  "v1=" + helloMAC,
			body:    "foo",
			want:    ErrMismatch,
		},
		"empty secret": {
			secrets: secrets(""),
			header:  "v1=" + mac("", "foo"),
			body:    "foo",
			want:    ErrNoSecret,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := verifyCircleCI(c.secrets, c.header, []byte(c.body)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// FuzzVerify checks that only the right signature is accepted.
func FuzzVerify(f *testing.F) {
	f.Add("sha256="+vectorMAC, []byte(vectorBody))
	f.Add("sha1="+vectorMAC, []byte(vectorBody))
	f.Add("v2=00,v1="+vectorMAC, []byte("foo"))
	f.Add("sha256="+strings.Repeat("0", 64), []byte{})
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		right := mac(vectorSecret, string(body))
		if verifyGitHub(secrets(vectorSecret), header, body) == nil && !strings.EqualFold(header, "sha256="+right) {
			t.Errorf("GitHub header %q: got nil, want an error", header)
		}
		if verifyCircleCI(secrets(vectorSecret), header, body) == nil &&
			!strings.Contains(strings.ToLower(header), "v1="+right) {
			t.Errorf("CircleCI header %q: got nil, want an error", header)
		}
		if err := verifyGitHub(secrets(vectorSecret), "sha256="+right, body); err != nil {
			t.Error(err)
		}
	})
}
