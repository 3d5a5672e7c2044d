package slack

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind says what a delivery is about.
type Kind string

// The kinds.
const (
	KindCommand      Kind = "command"
	KindInteraction  Kind = "interaction" // a click, a submitted or a closed view
	KindEvent        Kind = "event"
	KindVerification Kind = "url_verification"
)

// Delivery is one attempt to send something to the app.
type Delivery struct {
	ID       int64
	Kind     Kind
	Name     string // the command, the type of the interaction or of the event
	Key      string // event_id or trigger_id
	User     string
	Header   http.Header
	Body     []byte
	At       time.Time
	Duration time.Duration
	Retry    int    // 0: the first attempt
	Reason   string // why it is sent again
	Status   int    // of the answer; 0: none within Options.AckTimeout
	Answer   []byte // the first 64 KiB
	Failure  string // as in X-Slack-Retry-Reason; empty: accepted
	NoRetry  bool   // the answer forbids to send it again
}

// Accepted reports whether the app answered with success in time.
func (d Delivery) Accepted() bool { return d.Failure == "" }

// Sign returns the value of X-Slack-Signature for a body.
func Sign(secret string, timestamp time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%d:", timestamp.Unix()) // a hash never fails
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// ErrNoURL means that no URL of the app is known.
var ErrNoURL = errors.New("the simulated Slack has no request URL")

// prepare signs a delivery for now. The caller holds the lock.
func (s *Server) prepare(d *Delivery, contentType string) {
	now := s.options.Now()
	d.At = now
	d.Header = http.Header{}
	d.Header.Set("Content-Type", contentType)
	d.Header.Set("Accept", "application/json,*/*")
	d.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	d.Header.Set("X-Slack-Request-Timestamp", strconv.FormatInt(now.Unix(), 10))
	d.Header.Set("X-Slack-Signature", Sign(s.options.SigningSecret, now, d.Body))
	if d.Retry > 0 {
		d.Header.Set("X-Slack-Retry-Num", strconv.Itoa(d.Retry))
		d.Header.Set("X-Slack-Retry-Reason", d.Reason)
	}
}

// send makes one attempt and records it. The caller does not hold the lock.
func (s *Server) send(d Delivery, contentType string) (Delivery, error) {
	s.mu.Lock()
	url := s.requestURL
	s.prepare(&d, contentType)
	s.mu.Unlock()
	return s.transmit(url, d)
}

// transmit sends the bytes and headers of a delivery as they are, and records the attempt.
func (s *Server) transmit(url string, d Delivery) (Delivery, error) {
	if url == "" {
		return d, ErrNoURL
	}

	ctx, cancel := context.WithTimeout(s.ctx, s.options.AckTimeout)
	defer cancel()
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Body))
	if err != nil {
		return d, err
	}

	req.Header = d.Header.Clone()
	resp, err := s.client.Do(req)
	switch {
	case err == nil:
		d.Answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close() // it was only read
		d.Status = resp.StatusCode
		switch {
		case err != nil:
			d.Failure, d.Status = failureOf(err), 0
		case resp.StatusCode >= 300 && resp.StatusCode < 400:
			d.Failure = "too_many_redirects"
		case resp.StatusCode >= 400:
			d.Failure = "http_error"
		}
		d.NoRetry = resp.Header.Get("X-Slack-No-Retry") == "1"
	default:
		d.Failure = failureOf(err)
	}

	d.Duration = time.Since(began)
	s.record(&d)

	return d, nil
}

func failureOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "http_timeout"
	}
	return "connection_failed"
}

func (s *Server) record(d *Delivery) {
	s.mu.Lock()
	d.ID = int64(len(s.deliveries) + 1)
	s.deliveries = append(s.deliveries, *d)
	s.mu.Unlock()
	s.changed.Broadcast()
}

// sendEvent sends an event and, when it is not accepted, sends it again in the background.
func (s *Server) sendEvent(d Delivery) (Delivery, error) {
	first, err := s.send(d, "application/json")
	if err != nil || first.Accepted() {
		return first, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.running.Go(func() { s.retry(d, first) })
	}

	return first, nil
}

// retry repeats an event until it is accepted, the app refuses repetition, or all attempts are made.
func (s *Server) retry(d, last Delivery) {
	for i, wait := range s.options.RetryAfter {
		if last.Accepted() || last.NoRetry || !s.sleep(wait) {
			return
		}

		d.Retry, d.Reason = i+1, last.Failure
		again, err := s.send(d, "application/json")
		if err != nil {
			return
		}

		last = again
	}
}

// sleep waits and reports whether the simulator still runs.
func (s *Server) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.ctx.Err() == nil
	case <-s.ctx.Done():
		return false
	}
}

// Redeliver sends the body of a delivery again, newly signed and with the headers of a retry.
func (s *Server) Redeliver(id int64, reason string) (Delivery, error) {
	d, err := s.delivery(id)
	if err != nil {
		return d, err
	}

	again := Delivery{Kind: d.Kind, Name: d.Name, Key: d.Key, User: d.User, Body: d.Body}
	again.Retry, again.Reason = d.Retry+1, reason
	return s.send(again, d.Header.Get("Content-Type"))
}

// Replay sends the same bytes, timestamp and signature again, as somebody would who has recorded them.
func (s *Server) Replay(id int64) (Delivery, error) {
	d, err := s.delivery(id)
	if err != nil {
		return d, err
	}

	s.mu.Lock()
	url := s.requestURL
	s.mu.Unlock()
	again := Delivery{Kind: d.Kind, Name: d.Name, Key: d.Key, User: d.User, Body: d.Body, Header: d.Header, At: d.At}
	return s.transmit(url, again)
}

func (s *Server) delivery(id int64) (Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.deliveries, func(d Delivery) bool { return d.ID == id })
	if at < 0 {
		return Delivery{}, fmt.Errorf("no delivery %d", id)
	}
	d := s.deliveries[at]
	d.Header = d.Header.Clone()
	return d, nil
}

// VerifyURL sends the challenge that Slack sends when the URL of the app is saved, and fails when it is not returned.
func (s *Server) VerifyURL() error {
	s.mu.Lock()
	challenge := strings.ToLower(s.newID("challenge"))
	s.mu.Unlock()
	body := encode(Object{"token": verificationToken, "challenge": challenge, "type": "url_verification"})
	d, err := s.send(Delivery{Kind: KindVerification, Name: "url_verification", Body: body}, "application/json")
	if err != nil {
		return err
	}

	var answered struct{ Challenge string }
	plain := string(bytes.TrimSpace(d.Answer))
	if json.Unmarshal(d.Answer, &answered) == nil {
		plain = answered.Challenge
	}
	if d.Accepted() && plain == challenge {
		return nil
	}

	return fmt.Errorf("the URL did not return the challenge: %d %s %.200s", d.Status, d.Failure, d.Answer)
}

// Probe sends what Slack sends to check the certificate of the app's URL. It is not signed.
func (s *Server) Probe() (Delivery, error) {
	s.mu.Lock()
	url := s.requestURL
	s.mu.Unlock()
	d := Delivery{Kind: KindVerification, Name: "ssl_check", Body: []byte("ssl_check=1&token=" + verificationToken)}
	d.At, d.Header = s.options.Now(), http.Header{"Content-Type": {form}}

	return s.transmit(url, d)
}

// verificationToken is the deprecated token that is in every payload.
const verificationToken = "simulatedVerificationTok"

// encode writes what is known to be encodable.
func encode(o Object) []byte {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return raw
}
