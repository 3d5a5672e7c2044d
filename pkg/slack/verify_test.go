package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Slack's own example ("Verifying requests from Slack").
const (
	exampleSecret    = "8f742231b10e8888abcd99yyyzzz85a5"
	exampleTime      = 1531420618
	exampleSignature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	exampleBody      = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&" +
		"channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&" +
		"command=%2Fwebhook-collect&text=&" +
		"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&" +
		"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)

// sign makes the value of X-Slack-Signature by Slack's description.
func sign(secret, stamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerifier_Verify(t *testing.T) {
	v, err := NewVerifier(exampleSecret)
	if err != nil {
		t.Fatal(err)
	}

	const stamp = "1531420618"
	sent := time.Unix(exampleTime, 0)
	digits := strings.TrimPrefix(exampleSignature, "v0=")
	for name, c := range map[string]struct {
		signature string
		stamp     string
		body      string
		now       time.Time
		want      error
	}{
		"Slack's example":  {exampleSignature, stamp, exampleBody, sent, nil},
		"4 minutes old":    {exampleSignature, stamp, exampleBody, sent.Add(4 * time.Minute), nil},
		"5 minutes old":    {exampleSignature, stamp, exampleBody, sent.Add(5 * time.Minute), nil},
		"6 minutes old":    {exampleSignature, stamp, exampleBody, sent.Add(6 * time.Minute), ErrNotFresh},
		"4 minutes early":  {exampleSignature, stamp, exampleBody, sent.Add(-4 * time.Minute), nil},
		"6 minutes early":  {exampleSignature, stamp, exampleBody, sent.Add(-6 * time.Minute), ErrNotFresh},
		"upper-case hex":   {"v0=" + strings.ToUpper(digits), stamp, exampleBody, sent, nil},
		"V0":               {"V0=" + digits, stamp, exampleBody, sent, ErrNoSignature},
		"v1":               {"v1=" + digits, stamp, exampleBody, sent, ErrNoSignature},
		"no signature":     {"", stamp, exampleBody, sent, ErrNoSignature},
		"short signature":  {exampleSignature[:66], stamp, exampleBody, sent, ErrNoSignature},
		"no timestamp":     {exampleSignature, "", exampleBody, sent, ErrNoSignature},
		"odd timestamp":    {exampleSignature, "yesterday", exampleBody, sent, ErrNoSignature},
		"other body":       {exampleSignature, stamp, exampleBody + "&text=x", sent, ErrSignature},
		"other timestamp":  {exampleSignature, "1531420619", exampleBody, sent, ErrSignature},
		"padded timestamp": {exampleSignature, "01531420618", exampleBody, sent, ErrSignature},
		"other secret":     {sign("other", stamp, exampleBody), stamp, exampleBody, sent, ErrSignature},
		"empty secret":     {sign("", stamp, exampleBody), stamp, exampleBody, sent, ErrSignature},
		"far future": {
			sign(exampleSecret, "9223372036854775807", exampleBody), "9223372036854775807", exampleBody, sent, ErrNotFresh,
		},
		"far past": {
			sign(exampleSecret, "-9223372036854775808", exampleBody), "-9223372036854775808", exampleBody, sent, ErrNotFresh,
		},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			header.Set("X-Slack-Signature", c.signature)
			header.Set("X-Slack-Request-Timestamp", c.stamp)

			got, err := v.Verify(header, []byte(c.body), c.now)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && got != digits {
				t.Errorf("got the signature %q, want %q", got, digits)
			}
			if err != nil && strings.Contains(err.Error(), digits) {
				t.Errorf("got %q, which shows the right signature", err)
			}
		})
	}
}

func TestNewVerifier_EmptySecret(t *testing.T) {
	if v, err := NewVerifier(""); err == nil || v != nil {
		t.Errorf("got %v, %v, want an error", v, err)
	}
}
