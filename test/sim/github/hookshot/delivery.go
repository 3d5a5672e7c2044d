package hookshot

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1" // GitHub still sends the SHA-1 signature as well
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Delivery is one attempt to send one event to one webhook.
type Delivery struct {
	ID           int64
	GUID         string
	Event        string
	Action       string
	RepositoryID int64
	Hook         Hook
	At           time.Time // when it was attempted
	Duration     time.Duration
	Redelivery   bool
	Lost         bool   // never sent; the API does not list it
	StatusCode   int    // status of the response; 502 when the receiver could not be reached, 504 after the timeout
	Status       string // GitHub's text for StatusCode
	Header       http.Header
	Body         []byte // what was sent
	Answer       []byte // the first 64 KiB of the response
	AnswerHeader http.Header
}

// deliver sends d once and records the outcome. Nothing is recorded when the Sender was closed
// meanwhile.
func (s *Sender) deliver(d Delivery) {
	d.At = s.options.Now()
	d.Header = headers(d)
	ctx, cancel := context.WithTimeout(s.ctx, s.options.Timeout)
	defer cancel()
	began := time.Now()
	resp, err := s.post(ctx, d)
	d.Duration = time.Since(began)
	if s.ctx.Err() != nil {
		return
	}

	switch {
	case err == nil:
		d.StatusCode, d.Status = resp.code, statusText(resp.code)
		d.Answer, d.AnswerHeader = resp.body, resp.header
	case errors.Is(err, context.DeadlineExceeded):
		d.StatusCode, d.Status = http.StatusGatewayTimeout, "timed out"
	default:
		d.StatusCode, d.Status = http.StatusBadGateway, "failed to connect to host"
	}

	s.record(d)
}

type response struct {
	code   int
	header http.Header
	body   []byte
}

func (s *Sender) post(ctx context.Context, d Delivery) (response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Hook.URL, bytes.NewReader(d.Body))
	if err != nil {
		return response{}, err
	}

	req.Header = d.Header.Clone()
	resp, err := s.client.Do(req)
	if err != nil {
		return response{}, err
	}

	defer resp.Body.Close() // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return response{code: resp.StatusCode, header: resp.Header, body: body}, err
}

// headers are the headers documented under "Webhook events and payloads".
func headers(d Delivery) http.Header {
	h := http.Header{}
	h.Set("Accept", "*/*")
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitHub-Hookshot/5e1a7c0")
	h.Set("X-GitHub-Event", d.Event)
	h.Set("X-GitHub-Delivery", d.GUID)
	h.Set("X-GitHub-Hook-ID", strconv.FormatInt(d.Hook.ID, 10))
	h.Set("X-GitHub-Hook-Installation-Target-ID", strconv.FormatInt(d.Hook.TargetID, 10))
	h.Set("X-GitHub-Hook-Installation-Target-Type", d.Hook.TargetType)
	if d.Hook.Enterprise != "" {
		h.Set("X-GitHub-Enterprise-Host", d.Hook.Enterprise)
		h.Set("X-GitHub-Enterprise-Version", "3.19.0")
	}
	if d.Hook.Secret != "" {
		h.Set("X-Hub-Signature", "sha1="+sign(sha1.New, d.Hook.Secret, d.Body))
		h.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, d.Hook.Secret, d.Body))
	}

	return h
}

func sign(algorithm func() hash.Hash, secret string, body []byte) string {
	mac := hmac.New(algorithm, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func statusText(code int) string {
	if code >= 200 && code < 300 {
		return "OK"
	}
	return fmt.Sprintf("Invalid HTTP Response: %d", code)
}

// Item is the delivery as the schema "hook-delivery-item".
func (d Delivery) Item() map[string]any {
	return map[string]any{
		"id":              d.ID,
		"guid":            d.GUID,
		"delivered_at":    d.At.UTC().Format(time.RFC3339),
		"redelivery":      d.Redelivery,
		"duration":        float64(d.Duration.Milliseconds()) / 1000,
		"status":          d.Status,
		"status_code":     d.StatusCode,
		"event":           d.Event,
		"action":          orNull(d.Action),
		"installation_id": orNull(d.Hook.InstallationID),
		"repository_id":   orNull(d.RepositoryID),
		"throttled_at":    nil,
	}
}

// Full is the delivery as the schema "hook-delivery", with request and response.
func (d Delivery) Full() map[string]any {
	full := d.Item()
	full["url"] = d.Hook.URL
	full["request"] = map[string]any{"headers": flatHeaders(d.Header), "payload": json.RawMessage(d.Body)}
	full["response"] = map[string]any{"headers": flatHeaders(d.AnswerHeader), "payload": string(d.Answer)}
	return full
}

func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func flatHeaders(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for k := range h {
		out[k] = h.Get(k)
	}
	return out
}
