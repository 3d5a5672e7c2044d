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
	largest = 25 << 20 // GitHub sends no more
)

// What makes an event large: a field that nobody reads, or the payload, which templates may.
const (
	beside    = `{`
	inPayload = `"payload":{`
)

// BenchmarkFlood reports the most memory the program ever took when 64 senders posted the largest
// body at once.
func BenchmarkFlood(b *testing.B) {
	b.Run("valid", func(b *testing.B) { flood(b, hookSecret, beside) })
	b.Run("payload", func(b *testing.B) { flood(b, hookSecret, inPayload) })
	b.Run("forged", func(b *testing.B) { flood(b, "the secret of somebody else", beside) })
}

func flood(b *testing.B, secret, where string) {
	for range b.N {
		w := newWorld(b, sqlite)
		w.start(b)
		events := w.events(b)
		before := w.memory(b, "VmHWM")
		answers := w.post(b, events, secret, where)
		b.Logf("answers: %v; %.1f MB before", answers, before)
		b.ReportMetric(w.memory(b, "VmHWM"), "peak-MB")
		w.stop(b)
	}

	b.ReportMetric(0, "ns/op") // says nothing here
}

// events are as many deployments as there are senders, whose own webhooks were lost.
func (w *world) events(b *testing.B) [][]byte {
	b.Helper()
	w.github.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, senders)
	events := make([][]byte, senders)
	for i := range events {
		w.github.AddRepository(repository(i))
		d, err := w.github.CreateDeployment(repository(i), github.NewDeployment{Ref: "main"})
		if err != nil {
			b.Fatal(err)
		}

		events[i] = w.github.EventBody(d.ID)
	}

	return events
}

// post sends all events at once, each made as large as can be, and counts the answers; 0 is none.
func (w *world) post(b *testing.B, events [][]byte, secret, where string) map[int]int {
	b.Helper()
	answers := map[int]int{}
	pad := bytes.Repeat([]byte("x"), largest)
	var mu sync.Mutex
	var sending sync.WaitGroup
	for i, event := range events {
		parts := padded(b, event, pad, where)
		sending.Go(func() {
			status := w.send(b, i, parts, secret)
			mu.Lock()
			answers[status]++
			mu.Unlock()
		})
	}

	sending.Wait()
	return answers
}

// padded is the event in three parts; the middle one is shared by all senders.
func padded(b *testing.B, event, pad []byte, where string) [3][]byte {
	b.Helper()
	head, rest, ok := bytes.Cut(event, []byte(where))
	if !ok {
		b.Fatalf("no %s in %s", where, event)
	}

	first, last := string(head)+where+`"pad":"`, `"`
	if !bytes.HasPrefix(rest, []byte("}")) {
		last += ","
	}

	last += string(rest)
	return [3][]byte{[]byte(first), pad[:largest-len(first)-len(last)], []byte(last)}
}

func (w *world) send(b *testing.B, i int, parts [3][]byte, secret string) (status int) {
	b.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	var readers []io.Reader
	for _, part := range parts {
		mac.Write(part)
		readers = append(readers, bytes.NewReader(part))
	}

	req, err := http.NewRequestWithContext(
		b.Context(),
		http.MethodPost,
		"http://"+w.addr+"/webhooks/github",
		io.MultiReader(readers...),
	)

	if err != nil {
		b.Error(err)
		return 0
	}

	req.ContentLength = largest
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "deployment")
	req.Header.Set("X-GitHub-Delivery", fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}

	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // only its status counts
	return res.StatusCode
}
