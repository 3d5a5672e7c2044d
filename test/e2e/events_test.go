package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// streamed is an event that the service streams.
type streamed struct {
	ID      int64
	State   string
	Version int64

	position string // the newest id that the stream has given
}

// stream begins to stream events. after is the id that came last; empty: none.
func (h *harness) stream(query, after string) *bufio.Scanner {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://"+h.addr+"/api/v1/events"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+apiToken)
	r.Header.Set("Last-Event-ID", after)

	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		h.t.Fatalf("GET events: got %v, %v, want 200", response, err)
	}
	h.t.Cleanup(func() { _ = response.Body.Close() })
	return bufio.NewScanner(response.Body)
}

// expectStreamed reads a stream until a deployment has a state. Versions must not fall.
func (h *harness) expectStreamed(lines *bufio.Scanner, d github.Deployment, state string) streamed {
	h.t.Helper()
	var last streamed
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			last.position = id
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}

		event := streamed{position: last.position}
		decode(h.t, []byte(data), &event)
		if event.ID != d.ID {
			continue
		}
		if event.Version < last.Version { // the same may come twice
			h.t.Errorf("got version %d after %d", event.Version, last.Version)
		}
		last = event
		if event.State == state {
			return last
		}
	}

	h.t.Fatalf("the stream ended at %+v, want deployment %d %s", last, d.ID, state)
	return last
}

// TestEvents_AcrossRestart follows deployments, also those that go on while nobody watches, and checks that
// open streams do not hold up the end of the service.
func TestEvents_AcrossRestart(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{env: map[string]string{"SHUTDOWN_GRACE": "1h"}}).start()
	lines, other := h.stream("?repository=acme/api", ""), h.stream("?environment=nothing", "")
	first := h.deploy("acme/api", "production", "success")
	last := h.expectStreamed(lines, first, "succeeded")
	h.expectEnd(first, "success", "")

	h.signal(syscall.SIGTERM)
	if code := h.waitExit(maxWait); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	for other.Scan() { // ends: the service has
	}

	h.start()
	second := h.deploy("acme/api", "production", "success")
	h.expectEnd(second, "success", "")
	h.expectStreamed(h.stream("", last.position), second, "succeeded")
	h.expectStreamed(h.stream(fmt.Sprint("?deployment=", first.ID), ""), first, "succeeded")

	var where struct {
		Environments []struct {
			Environment string
			Current     struct{ ID int64 }
		}
	}
	code, body := h.get("/api/v1/environments?repository=acme/api", apiToken)
	if err := json.Unmarshal([]byte(body), &where); err != nil || code != http.StatusOK {
		t.Fatalf("GET environments: got %d %s, %v", code, body, err)
	}
	if len(where.Environments) != 1 || where.Environments[0].Current.ID != second.ID {
		t.Errorf("got %s, want that deployment %d is the current one", body, second.ID)
	}
}
