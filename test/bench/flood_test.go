package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

const (
	senders = 64
	maxBody = 25 << 20 // the most that GitHub sends
)

// Where an event is made large: in a field that nobody reads, or in the payload, which templates may
// read.
const (
	inUnreadField = `{`
	inPayload     = `"payload":{`
)

// BenchmarkFlood reports the peak memory of the program when 64 senders post the largest body at once.
func BenchmarkFlood(b *testing.B) {
	b.Run("valid", func(b *testing.B) { flood(b, hookSecret, inUnreadField) })
	b.Run("payload", func(b *testing.B) { flood(b, hookSecret, inPayload) })
	b.Run("forged", func(b *testing.B) { flood(b, "the secret of somebody else", inUnreadField) })
}

func flood(b *testing.B, secret, where string) {
	for range b.N {
		h := newHarness(b, sqlite)
		h.start(b)
		events := h.lostDeployments(b)

		before := h.memory(b, "VmHWM")
		answers := h.postAll(b, events, secret, where)
		b.Logf("answers by status: %v; peak before: %.1f MB", answers, before)
		b.ReportMetric(h.memory(b, "VmHWM"), "peak-MB")
		h.stop(b)
	}

	b.ReportMetric(0, "ns/op") // has no meaning here
}

// lostDeployments returns the events of as many deployments as there are senders. Their own webhooks are
// lost.
func (h *harness) lostDeployments(b *testing.B) [][]byte {
	b.Helper()
	h.github.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, senders)

	events := make([][]byte, senders)
	for i := range events {
		h.github.AddRepository(repository(i))
		d, err := h.github.CreateDeployment(repository(i), github.NewDeployment{Ref: "main"})
		if err != nil {
			b.Fatal(err)
		}

		events[i] = h.github.EventBody(d.ID)
	}

	return events
}

// postAll sends all events at once, each padded to the largest size, and counts the answers by status.
// Status 0 is no answer.
func (h *harness) postAll(b *testing.B, events [][]byte, secret, where string) map[int]int {
	b.Helper()
	answers := map[int]int{}
	padding := bytes.Repeat([]byte("x"), maxBody)

	var mu sync.Mutex
	var sending sync.WaitGroup
	for i, event := range events {
		parts := padded(b, event, padding, where)
		sending.Go(func() {
			status := h.postLarge(b, i, parts, secret)
			mu.Lock()
			answers[status]++
			mu.Unlock()
		})
	}

	sending.Wait()
	return answers
}

// padded returns the event in three parts. All senders share the middle one, the padding.
func padded(b *testing.B, event, padding []byte, where string) [3][]byte {
	b.Helper()
	head, rest, ok := bytes.Cut(event, []byte(where))
	if !ok {
		b.Fatalf("got no %s in %s", where, event)
	}

	first, last := string(head)+where+`"pad":"`, `"`
	if !bytes.HasPrefix(rest, []byte("}")) {
		last += ","
	}
	last += string(rest)

	return [3][]byte{[]byte(first), padding[:maxBody-len(first)-len(last)], []byte(last)}
}

func (h *harness) postLarge(b *testing.B, i int, parts [3][]byte, secret string) (status int) {
	b.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	var readers []io.Reader
	for _, part := range parts {
		mac.Write(part)
		readers = append(readers, bytes.NewReader(part))
	}

	url := "http://" + h.addr + "/webhooks/github"
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, io.MultiReader(readers...))
	if err != nil {
		b.Error(err)
		return 0
	}

	req.ContentLength = maxBody
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "deployment")
	req.Header.Set("X-GitHub-Delivery", fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}

	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // only the status counts
	return res.StatusCode
}
