package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// get asks the program, with a bearer token unless it is empty.
func (w *world) get(path, token string) (int, string) {
	w.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	code, body := w.send(http.MethodGet, path, nil, header)
	return code, string(body)
}

func (w *world) send(method, path string, body []byte, header http.Header) (int, []byte) {
	w.t.Helper()
	ctx, cancel := w.patience()
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+w.addr+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}

	r.Header = header
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}

	defer answer.Body.Close() // reading is over
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}

	return answer.StatusCode, text
}

// signed are the headers of a GitHub webhook.
func signed(event string, body []byte) http.Header {
	return http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {event}, "X-Github-Delivery": {uuid.NewString()},
		"X-Hub-Signature-256": {"sha256=" + sign(body)},
	}
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body) // a hash does not fail
	return hex.EncodeToString(mac.Sum(nil))
}

// hook delivers a signed webhook and returns the answer as "code result reason".
func (w *world) hook(event string, body []byte) string {
	w.t.Helper()
	code, text := w.send(http.MethodPost, "/webhooks/github", body, signed(event, body))
	return summary(w.t, code, text)
}

// summary is an answer in a few words.
func summary(t *testing.T, code int, text []byte) string {
	t.Helper()
	var a struct {
		Result, Reason string
		Error          struct{ Code, Message string }
	}

	if err := json.Unmarshal(text, &a); err != nil {
		t.Errorf("the body of a %d is not JSON: %s", code, text)
	}
	if code >= 400 && (a.Error.Code == "" || a.Error.Message == "") {
		t.Errorf("the body of a %d carries no error code and message: %s", code, text)
	}

	return strings.TrimSpace(fmt.Sprintf("%d %s%s %s", code, a.Result, a.Error.Code, a.Reason))
}

// lose is a webhook that GitHub never sends.
var lose = hookshot.Treatment{Lose: true}
