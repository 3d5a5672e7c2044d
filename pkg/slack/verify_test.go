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
		body      string    // empty: exampleBody
		now       time.Time // zero: sent
		want      error     // nil: the signature is right
	}{
		"Slack's example":  {signature: exampleSignature, stamp: stamp},
		"4 minutes old":    {signature: exampleSignature, stamp: stamp, now: sent.Add(4 * time.Minute)},
		"5 minutes old":    {signature: exampleSignature, stamp: stamp, now: sent.Add(5 * time.Minute)},
		"6 minutes old":    {signature: exampleSignature, stamp: stamp, now: sent.Add(6 * time.Minute), want: ErrNotFresh},
		"4 minutes early":  {signature: exampleSignature, stamp: stamp, now: sent.Add(-4 * time.Minute)},
		"6 minutes early":  {signature: exampleSignature, stamp: stamp, now: sent.Add(-6 * time.Minute), want: ErrNotFresh},
		"upper-case hex":   {signature: "v0=" + strings.ToUpper(digits), stamp: stamp},
		"V0":               {signature: "V0=" + digits, stamp: stamp, want: ErrNoSignature},
		"v1":               {signature: "v1=" + digits, stamp: stamp, want: ErrNoSignature},
		"no signature":     {signature: "", stamp: stamp, want: ErrNoSignature},
		"short signature":  {signature: exampleSignature[:66], stamp: stamp, want: ErrNoSignature},
		"no timestamp":     {signature: exampleSignature, stamp: "", want: ErrNoSignature},
		"odd timestamp":    {signature: exampleSignature, stamp: "yesterday", want: ErrNoSignature},
		"other body":       {signature: exampleSignature, stamp: stamp, body: exampleBody + "&text=x", want: ErrSignature},
		"other timestamp":  {signature: exampleSignature, stamp: "1531420619", want: ErrSignature},
		"padded timestamp": {signature: exampleSignature, stamp: "01531420618", want: ErrSignature},
		"other secret":     {signature: sign("other", stamp, exampleBody), stamp: stamp, want: ErrSignature},
		"empty secret":     {signature: sign("", stamp, exampleBody), stamp: stamp, want: ErrSignature},
		"far future": {
			signature: sign(exampleSecret, "9223372036854775807", exampleBody),
			stamp:     "9223372036854775807",
			want:      ErrNotFresh,
		},
		"far past": {
			signature: sign(exampleSecret, "-9223372036854775808", exampleBody),
			stamp:     "-9223372036854775808",
			want:      ErrNotFresh,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.body == "" {
				c.body = exampleBody
			}
			if c.now.IsZero() {
				c.now = sent
			}
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
