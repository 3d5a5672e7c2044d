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
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// get sends a GET request to the program, with a bearer token unless it is empty.
func (h *harness) get(path, token string) (int, string) {
	h.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	code, body := h.send(http.MethodGet, path, nil, header)
	return code, string(body)
}

// send sends a request to the program and returns the status and the body of the answer.
func (h *harness) send(method, path string, body []byte, header http.Header) (int, []byte) {
	h.t.Helper()
	ctx, cancel := h.waitContext()
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+h.addr+path, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}

	r.Header = header
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}

	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}

	return answer.StatusCode, text
}

// signed returns the headers of a GitHub webhook.
func signed(event string, body []byte) http.Header {
	return http.Header{
		"Content-Type":        {"application/json"},
		"X-Github-Event":      {event},
		"X-Github-Delivery":   {uuid.NewString()},
		"X-Hub-Signature-256": {"sha256=" + sign(body)},
	}
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// deliver delivers a signed webhook of GitHub and returns the answer as "code result reason".
func (h *harness) deliver(event string, body []byte) string {
	h.t.Helper()
	code, text := h.send(http.MethodPost, "/webhooks/github", body, signed(event, body))
	return summary(h.t, code, text)
}

// summary returns an answer as "code result reason".
func summary(t *testing.T, code int, text []byte) string {
	t.Helper()
	var a struct {
		Result, Reason string
		Error          struct{ Code, Message string }
	}
	if err := json.Unmarshal(text, &a); err != nil {
		t.Errorf("body of a %d: got %s, want JSON", code, text)
	}
	if code >= 400 && (a.Error.Code == "" || a.Error.Message == "") {
		t.Errorf("body of a %d: got %s, want an error code and a message", code, text)
	}

	return strings.TrimSpace(fmt.Sprintf("%d %s%s %s", code, a.Result, a.Error.Code, a.Reason))
}
