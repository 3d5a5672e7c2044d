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

func TestVerifyGitHub(t *testing.T) {
	cases := map[string]struct {
		secrets [][]byte
		header  string
		body    string
		want    error
	}{
		"vector":            {secrets(vectorSecret), "sha256=" + vectorMAC, vectorBody, nil},
		"upper case":        {secrets(vectorSecret), "sha256=" + strings.ToUpper(vectorMAC), vectorBody, nil},
		"first of two":      {secrets(vectorSecret, "new"), "sha256=" + vectorMAC, vectorBody, nil},
		"second of two":     {secrets("old", vectorSecret), "sha256=" + vectorMAC, vectorBody, nil},
		"other body":        {secrets(vectorSecret), "sha256=" + vectorMAC, vectorBody + " ", ErrMismatch},
		"other secret":      {secrets("other"), "sha256=" + vectorMAC, vectorBody, ErrMismatch},
		"absent":            {secrets(vectorSecret), "", vectorBody, ErrShape},
		"bare":              {secrets(vectorSecret), vectorMAC, vectorBody, ErrShape},
		"SHA256":            {secrets(vectorSecret), "SHA256=" + vectorMAC, vectorBody, ErrShape},
		"sha1":              {secrets(vectorSecret), "sha1=" + vectorMAC, vectorBody, ErrShape},
		"short":             {secrets(vectorSecret), "sha256=" + vectorMAC[2:], vectorBody, ErrShape},
		"long":              {secrets(vectorSecret), "sha256=" + vectorMAC + "00", vectorBody, ErrShape},
		"no hex":            {secrets(vectorSecret), "sha256=" + strings.Repeat("x", 64), vectorBody, ErrShape},
		"blank":             {secrets(vectorSecret), "sha256= " + vectorMAC[1:], vectorBody, ErrShape},
		"no secrets":        {nil, "sha256=" + vectorMAC, vectorBody, ErrNoSecret},
		"empty secret":      {secrets(""), "sha256=" + mac("", vectorBody), vectorBody, ErrNoSecret},
		"one secret empty":  {secrets(vectorSecret, ""), "sha256=" + vectorMAC, vectorBody, ErrNoSecret},
		"empty body":        {secrets(vectorSecret), "sha256=" + mac(vectorSecret, ""), "", nil},
		"empty body, wrong": {secrets(vectorSecret), "sha256=" + vectorMAC, "", ErrMismatch},
	}

	for name, c := range cases {
		err := verifyGitHub(c.secrets, c.header, []byte(c.body))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), vectorMAC) {
			t.Errorf("%s: the error tells the right signature: %v", name, err)
		}
		if _, err := NewGitHub([][]byte{{0}}, c.header); (err != nil) != (c.want == ErrShape) {
			t.Errorf("%s: shape: got %v", name, err)
		}
	}
}

func TestVerifyCircleCI(t *testing.T) {
	cases := map[string]struct {
		secrets [][]byte
		header  string
		body    string
		want    error
	}{
		"vector":            {secrets("secret"), "v1=" + helloMAC, "hello world", nil},
		"another":           {secrets("secret"), "v1=" + fooMAC, "foo", nil},
		"rotation":          {secrets("other", "secret"), "v1=" + fooMAC, "foo", nil},
		"v2 behind it":      {secrets("secret"), "v1=" + fooMAC + ",v2=00", "foo", nil},
		"v2 before it":      {secrets("secret"), "v2=00,v1=" + fooMAC, "foo", nil},
		"blanks":            {secrets("secret"), "v2=00, v1=" + fooMAC, "foo", nil},
		"v10 is not v1":     {secrets("secret"), "v10=" + fooMAC, "foo", ErrShape},
		"only v2":           {secrets("secret"), "v2=" + fooMAC, "foo", ErrShape},
		"absent":            {secrets("secret"), "", "foo", ErrShape},
		"nothing behind it": {secrets("secret"), "v1=", "foo", ErrShape},
		"other body":        {secrets("secret"), "v1=" + helloMAC, "foo", ErrMismatch},
		"empty secret":      {secrets(""), "v1=" + mac("", "foo"), "foo", ErrNoSecret},
	}

	for name, c := range cases {
		if err := verifyCircleCI(c.secrets, c.header, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// FuzzVerify lets nothing through but what has the one right signature.
func FuzzVerify(f *testing.F) {
	f.Add("sha256="+vectorMAC, []byte(vectorBody))
	f.Add("sha1="+vectorMAC, []byte(vectorBody))
	f.Add("v2=00,v1="+vectorMAC, []byte("foo"))
	f.Add("sha256="+strings.Repeat("0", 64), []byte{})
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		right := mac(vectorSecret, string(body))
		if verifyGitHub(secrets(vectorSecret), header, body) == nil && !strings.EqualFold(header, "sha256="+right) {
			t.Errorf("passed as GitHub's: %q", header)
		}
		if verifyCircleCI(secrets(vectorSecret), header, body) == nil &&
			!strings.Contains(strings.ToLower(header), "v1="+right) {
			t.Errorf("passed as CircleCI's: %q", header)
		}
		if err := verifyGitHub(secrets(vectorSecret), "sha256="+right, body); err != nil {
			t.Error(err)
		}
	})
}
