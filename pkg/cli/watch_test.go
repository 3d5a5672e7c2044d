package cli

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
)

const (
	showRequest   = "GET /api/v1/deployments/42"
	eventsRequest = "GET /api/v1/events"
)

// states are the answers to reads of a deployment, one after the other; the last one stays.
func states(list ...string) []answer {
	var all []answer
	for _, state := range list {
		replace := []string{}
		switch state {
		case "waiting":
			replace = []string{noWait, waits}
		case "running":
			replace = []string{noPipeline, hasPipeline}
		case "succeeded":
			replace = []string{noPipeline, hasPipeline, noTimes, times, noWhy, `"reason":"Deployed"`}
		}
		all = append(all, answer{body: detailJSON(deploymentJSON(42, state, replace...))})
	}
	return all
}

// stream begins a stream of events, and sends count of them.
func stream(w http.ResponseWriter, count int) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "retry: 2000\n\nid: 7\n\n")
	for i := range count {
		event := `{"id":42,"repository":"acme/api","environment":"production","state":"running","version":1}`
		_, _ = fmt.Fprintf(w, "id: %d\nevent: deployment\ndata: %s\n\n", 8+i, event)
	}
	_ = http.NewResponseController(w).Flush()
}

// open keeps a stream open until the client leaves.
func open(events int) answer {
	return answer{then: func(w http.ResponseWriter, r *http.Request) {
		stream(w, events)
		<-r.Context().Done()
	}}
}

const watched = `12:00:00  waiting      waits for 1 approval
12:00:00  running      https://app.circleci.com/pipelines/gh/acme/api/12
12:00:00  succeeded    Deployed, 3m
`

func TestWatch_Ends(t *testing.T) {
	for _, test := range []struct {
		name string
		end  string
		code int
	}{
		{name: "succeeded", end: "succeeded", code: ExitOK},
		{name: "failed", end: "failed", code: ExitFailed},
		{name: "errored", end: "errored", code: ExitFailed},
		{name: "rejected", end: "rejected", code: ExitRejected},
		{name: "canceled", end: "canceled", code: ExitCanceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string][]answer{showRequest: states("running", test.end), eventsRequest: {open(1)}})
			term := newTerminal(t, s.server.URL)
			code := term.run("watch", "42")
			if !strings.Contains(term.stdout.String(), "12:00:00  "+test.end) || code != test.code {
				t.Errorf("got exit code %d and %q, want %d and the end", code, &term.stdout, test.code)
			}
		})
	}
}

// TestWatch_FailingStep wants the failing step, which the service learns after the end.
func TestWatch_FailingStep(t *testing.T) {
	t.Parallel()
	all := states("failed", "failed")
	known := answer{body: strings.Replace(all[0].body, `"failure":null`, failureJSON, 1)}
	s := startService(t, map[string][]answer{showRequest: {all[0], all[1], known}})
	newTerminal(t, s.server.URL).expect(t, ExitFailed, "12:00:00  failed\n"+
		"  workflow deploy, job test, step make test\n  | --- FAIL: TestX\n  | exit 1\n", "", "watch", "42")
}

// TestWatch_Sources wants the same lines whether there is a stream of events or not, and whatever happens to it.
func TestWatch_Sources(t *testing.T) {
	broken := answer{then: func(w http.ResponseWriter, _ *http.Request) { stream(w, 0) }}
	for _, test := range []struct {
		name   string
		events []answer
	}{
		{name: "no stream"},
		{name: "too many streams", events: []answer{{status: 503, body: errorJSON("too_many_streams", "too many")}}},
		{name: "page of a proxy", events: []answer{{then: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, "<html>")
		}}}},
		{name: "streams that break", events: []answer{broken}},
		{name: "connections that break", events: []answer{{then: hangUp}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answers := map[string][]answer{showRequest: states("waiting", "waiting", "running", "running", "succeeded")}
			if test.events != nil {
				answers[eventsRequest] = test.events
			}
			s := startService(t, answers)
			newTerminal(t, s.server.URL).expect(t, ExitOK, watched, "", "watch", "42")
		})
	}
}

// endsAfter makes a deployment that ends when flag is set.
func endsAfter(flag *atomic.Bool) []answer {
	return []answer{{then: func(w http.ResponseWriter, _ *http.Request) {
		state := "running"
		if flag.Load() {
			state = "succeeded"
		}
		_, _ = fmt.Fprint(w, detailJSON(deploymentJSON(42, state)))
	}}}
}

// TestWatch_ReadsAfterConnecting wants that an end is seen that comes before the stream begins, and of which the
// stream therefore tells nothing.
func TestWatch_ReadsAfterConnecting(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	s := startService(t, map[string][]answer{
		showRequest: endsAfter(&ended),
		eventsRequest: {{then: func(w http.ResponseWriter, r *http.Request) {
			ended.Store(true)
			stream(w, 0)
			<-r.Context().Done()
		}}},
	})
	term := newTerminal(t, s.server.URL)
	term.options.pace.poll = term.options.pace.check
	if code := term.run("watch", "42"); code != ExitOK {
		t.Errorf("got exit code %d and %q, want 0", code, &term.stderr)
	}
}

// TestWatch_ContinuesStream wants a second stream, after the events of the first one.
func TestWatch_ContinuesStream(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	s := startService(t, map[string][]answer{
		showRequest: endsAfter(&ended),
		eventsRequest: {
			{then: func(w http.ResponseWriter, _ *http.Request) { stream(w, 1) }},
			{then: func(w http.ResponseWriter, r *http.Request) {
				ended.Store(true)
				stream(w, 1)
				<-r.Context().Done()
			}},
		},
	})
	term := newTerminal(t, s.server.URL)
	term.options.pace.poll = term.options.pace.check
	if code := term.run("watch", "42"); code != ExitOK || !strings.Contains(term.stdout.String(), "succeeded") {
		t.Errorf("got exit code %d and %q, want 0 and the end", code, &term.stdout)
	}

	sent := s.sent("/api/v1/events")
	if len(sent) != 2 || sent[1].url != "/api/v1/events?deployment=42" || sent[1].header.Get("Last-Event-ID") != "8" {
		t.Errorf("got requests %v, want two of the same, the second one after event 8", sent)
	}
}

// TestWatch_ServiceRestarts wants that a service that does not answer for a while is asked again.
func TestWatch_ServiceRestarts(t *testing.T) {
	t.Parallel()
	all := states("waiting", "running", "succeeded")
	restart := answer{status: 503, body: errorJSON("unavailable", "try again")}
	s := startService(t, map[string][]answer{showRequest: {all[0], restart, {then: hangUp}, all[1], restart, all[2]}})
	newTerminal(t, s.server.URL).expect(t, ExitOK, watched, ""+
		"Seraph answered 503: try again; trying again, the deployment goes on meanwhile\n"+
		"Seraph answered 503: try again; trying again, the deployment goes on meanwhile\n", "watch", "42")
}

func TestWatch_Unknown(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string][]answer{
		showRequest: {{status: 404, body: errorJSON("not_found", "no deployment has this id; use GitHub's deployment id")}},
	})
	newTerminal(t, s.server.URL).expect(t, ExitFailed, "",
		"Seraph answered 404: no deployment has this id; use GitHub's deployment id\n"+
			"if GitHub shows it, `seraph list --ignored` may say why Seraph does not run it\n", "watch", "42")
}

// TestWatch_LeavesItRunning wants that neither --timeout nor a signal cancels anything.
func TestWatch_LeavesItRunning(t *testing.T) {
	const running = "12:00:00  running      https://app.circleci.com/pipelines/gh/acme/api/12\n"
	const goesOn = ": deployment 42 is running and goes on by itself.\n" +
		"`seraph watch 42` watches it again, `seraph cancel 42` cancels it.\n"

	t.Run("timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			term := inMemory(t, map[string][]answer{showRequest: states("running"), eventsRequest: {open(0)}})
			term.expect(t, ExitWaiting, running, errTimeout.Error()+goesOn, "watch", "42", "--timeout", "20s")
		})
	})

	t.Run("held", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			term := inMemory(t, map[string][]answer{showRequest: states("held"), eventsRequest: {open(0)}})
			term.expect(t, ExitWaiting, "12:00:00  held\n", errTimeout.Error()+
				": deployment 42 is held and goes on when somebody approves the job, with `seraph approve-hold 42` or in CircleCI.\n"+
				"`seraph watch 42` watches it again, `seraph cancel 42` cancels it.\n", "watch", "42", "--timeout", "20s")
		})
	})

	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		signals := make(chan os.Signal, 1)
		answers := map[string][]answer{showRequest: states("running"), eventsRequest: {
			{then: func(w http.ResponseWriter, r *http.Request) {
				stream(w, 0)
				<-r.Context().Done()
			}},
		}}
		s := startService(t, answers)
		term := newTerminal(t, s.server.URL)
		term.options.Interrupt = signals
		term.options.Stdout = writerFunc(func(p []byte) (int, error) {
			signals <- syscall.SIGINT // as soon as the first line is printed
			return term.stdout.Write(p)
		})
		term.expect(t, ExitWaiting, running, "interrupted"+goesOn, "watch", "42")
		for _, r := range s.sent("") {
			if r.method != http.MethodGet {
				t.Errorf("got %s %s, want nothing but reads", r.method, r.url)
			}
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestDeploy_Watch wants what is asked for and each change, and the exit code of the end.
func TestDeploy_Watch(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string][]answer{
		deployRequest: {made(deploymentJSON(42, "waiting"))},
		showRequest:   states("waiting", "running", "succeeded"),
	})
	newTerminal(t, s.server.URL).expect(t, ExitOK, "deployment 42: main (11d6e37) of acme/api to production\n"+watched, "",
		"deploy", "acme/api@main", "production", "--watch")
}

// TestDeploy_WatchJSON wants one line of JSON for each change, each a deployment.
func TestDeploy_WatchJSON(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string][]answer{
		deployRequest: {made(deploymentJSON(42, "waiting"))},
		showRequest:   states("waiting", "waiting", "failed"),
	})
	want := deploymentJSON(42, "waiting", noWait, waits) + "\n" + deploymentJSON(42, "failed") + "\n"
	args := []string{"deploy", "acme/api@main", "production", "-w", "-o", "json"}
	newTerminal(t, s.server.URL).expect(t, ExitFailed, want, "", args...)
}
