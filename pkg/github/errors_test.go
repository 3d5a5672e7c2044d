package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// refusal is what the server of TestRefusedWrites answers a write with.
type refusal struct {
	header              map[string]string
	text, documentation string
	limits403           bool          // turns a 403 into a rate limit
	after               time.Duration // of a 429, and of a 403 that it turns into a limit
}

func refusals() map[string]refusal {
	const secondary = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	reset := fmt.Sprint(now.Add(30 * time.Minute).Unix())
	left := func(remaining, reset string) map[string]string {
		return map[string]string{"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset}
	}
	return map[string]refusal{
		"plain":       {nil, "no", "https://docs.github.com/rest", false, time.Minute},
		"retry after": {map[string]string{"Retry-After": "9"}, "no", "", true, 9 * time.Second},
		"retry after a date": {
			map[string]string{"Retry-After": now.Add(time.Minute).Format(http.TimeFormat)},
			"no",
			"",
			true,
			time.Minute,
		},
		"retry after 0":      {map[string]string{"Retry-After": "0"}, "no", "", true, time.Second},
		"none left":          {left("0", reset), "no", "", true, 30 * time.Minute},
		"none left, no when": {left("0", ""), "no", "", true, time.Minute},
		"none left for days": {left("0", "9999999999"), "no", "", true, maxLimitWait},
		"none left, over":    {left("0", "1"), "no", "", true, time.Second},
		"both": {
			map[string]string{"Retry-After": "9", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset},
			"no",
			"",
			true,
			9 * time.Second,
		},
		"secondary by text": {left("99", reset), "You have exceeded a secondary rate limit", "", true, time.Minute},
		"secondary by link": {left("99", reset), "no", secondary, true, time.Minute},
		"abuse": {
			left("99", reset),
			"You have triggered an abuse detection mechanism",
			"",
			true,
			time.Minute,
		},
		"full": {
			nil,
			"This deployment has reached the maximum number of statuses.",
			"",
			false,
			time.Minute,
		},
	}
}

// wanted is the table of refused writes.
func wanted(status int, name string, r refusal) (kind deployment.WriteKind, after time.Duration) {
	switch {
	case status == 429, status == 403 && r.limits403:
		return deployment.WriteRetry, r.after
	case status == 401, status == 403, status == 404, status == 408, status < 400:
		kind = deployment.WriteRetry
	case status == 422 && name == "full":
		kind = deployment.WriteFull
	case status < 500:
		kind = deployment.WriteDropped
	default:
		kind = deployment.WriteUnknown
	}

	after, _ = outbound.RetryAfter(http.Header{"Retry-After": {r.header["Retry-After"]}}, now)
	return kind, after
}

// Every status, with and without the headers and texts that change its meaning. GitHub's clock says
// when a limit ends, not ours.
func TestRefusedWrites(t *testing.T) {
	var status, writes int
	var say refusal
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // the question by id
			_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
			return
		}

		writes++
		w.Header().Set("Date", now.Format(http.TimeFormat))
		for k, v := range say.header {
			w.Header().Set(k, v)
		}

		w.WriteHeader(status)
		if status != http.StatusNotModified {
			_, _ = fmt.Fprintf(w, `{"message":%q,"documentation_url":%q}`, say.text, say.documentation)
		}
	})

	for status = 300; status < 600; status++ {
		for name, r := range refusals() {
			say, writes = r, 0
			kind, after := wanted(status, name, r)
			endPause(c)
			got := c.WriteStatus(t.Context(), request, success)
			if got.Kind != kind || got.After != after {
				t.Errorf(
					"%d %s: %s after %v, want %s after %v (%s)",
					status,
					name,
					got.Kind,
					got.After,
					kind,
					after,
					got.Cause,
				)
			}

			if writes != 1 {
				t.Errorf("%d %s: written %d times", status, name, writes)
			}
			if strings.Contains(got.Cause, sim.DefaultToken) {
				t.Fatalf("the cause holds the token: %s", got.Cause)
			}
		}
	}

	say, status = refusals()["none left"], http.StatusForbidden
	c.options.Now = func() time.Time { return now.Add(10 * time.Minute) }
	if got := c.WriteStatus(t.Context(), request, success); got.After != 30*time.Minute {
		t.Errorf("our clock is ahead: wait %v", got.After)
	}
}

func TestWritesOfUnknownOutcome(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"reset":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, `{"id":`) },
		"empty":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) },
		"no id":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, `{}`) },
		"200":       func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":3}`) },
		"accepted":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); _, _ = io.WriteString(w, `{}`) },
	} {
		t.Run(name, func(t *testing.T) { wantWrite(t, newClientWith(t, h), request, deployment.WriteUnknown) })
	}

	nobody := newClient(t, options(t, "http://127.0.0.1:1"))
	wantWrite(t, nobody, request, deployment.WriteRetry)
	for _, name := range []string{"..", ".", "", "a/b", "a?b", "a b", "ä"} {
		bad := request
		bad.Repository.Name = name
		wantWrite(t, nobody, bad, deployment.WriteDropped)
		if _, err := nobody.ResolveRepository(t.Context(), "acme", name); !errors.Is(err, errInvalidName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What the simulated GitHub can do to a write.
func TestSimulatedTrouble(t *testing.T) {
	for fault, want := range map[string]deployment.WriteKind{
		"primary-403": deployment.WriteRetry, "primary-429": deployment.WriteRetry, "secondary-403": deployment.WriteRetry, "secondary-429": deployment.WriteRetry,
		"secondary-403-bare": deployment.WriteRetry, "secondary-429-bare": deployment.WriteRetry, "forbidden": deployment.WriteRetry,
		"bad-credentials": deployment.WriteRetry, "not-found": deployment.WriteRetry, "max-statuses": deployment.WriteFull,
		"server-error": deployment.WriteUnknown, "unavailable": deployment.WriteUnknown, "no-answer": deployment.WriteUnknown,
		"lost-answer": deployment.WriteUnknown, "half-answer": deployment.WriteUnknown,
	} {
		t.Run(fault, func(t *testing.T) {
			s, o, req := newSimulation(t, sim.Options{})
			c := newClient(t, o)
			if err := s.NextNamed(sim.OpCreateStatus, fault, 1); err != nil {
				t.Fatal(err)
			}

			got := wantWrite(t, c, req, want)
			limited := strings.HasPrefix(fault, "primary") || strings.HasPrefix(fault, "secondary")
			if limited && got.After <= 0 || strings.HasSuffix(fault, "bare") && got.After < time.Minute {
				t.Errorf("after %v", got.After)
			}

			if limited {
				held := wantWrite(t, c, req, deployment.WritePaced) // a limit is the account's
				if held.After > maxPause {
					t.Errorf("all writes are held for %v", held.After)
				}

				endPause(c)
			}

			wantWrite(t, c, req, deployment.WriteDone) // nothing else keeps the client from asking again
		})
	}
}

// endPause is after the pause that a limit means for all writes.
func endPause(c *Client) { c.account(0).pace.pausedUntil = time.Time{} }

// The traps by which go-github blocks itself: a limit that one call met must keep neither writes
// nor reads of the client from being made.
func TestLimitsDoNotBlockTheClient(t *testing.T) {
	limits := func(h http.Header, remaining string) {
		h.Set("X-RateLimit-Limit", "5000")
		h.Set("X-RateLimit-Remaining", remaining)
		h.Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
	}

	const secondary = `{"message":"secondary rate limit","documentation_url":"https://docs.github.com/rest#about-secondary-rate-limits"}`
	for name, first := range map[string]struct {
		status    int
		remaining string
		body      string
	}{
		"primary 403": {403, "0", "{}"}, "primary 429": {429, "0", "{}"}, "secondary 403": {403, "9", secondary}, "the last call": {201, "0", `{"id":3}`},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				switch {
				case calls == 1:
					limits(w.Header(), first.remaining)
					w.WriteHeader(first.status)
					_, _ = io.WriteString(w, first.body)
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"id":3}`)
				default:
					_, _ = io.WriteString(w, `[]`)
				}
			})

			c.WriteStatus(t.Context(), request, success)
			endPause(c)
			wantWrite(t, c, request, deployment.WriteDone)
			if _, err := c.Statuses(t.Context(), request); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	needs := http.Header{"X-Accepted-Github-Permissions": {"deployments=write"}}
	const objects = `{"message":"Validation Failed","errors":[{"field":"description","code":"custom","message":"too long"},{"field":"state","code":"invalid"}]}`
	for want, c := range map[string]struct {
		operation string
		heard     response
	}{
		"GitHub write_status: 403 no (needs deployments=write)": {
			opWrite,
			response{403, needs, []byte(`{"message":"no"}`)},
		},
		"GitHub write_status: 422 Validation Failed: too long: state invalid": {
			opWrite,
			response{422, nil, []byte(objects)},
		},
		"GitHub write_status: 422 no: a: b": {
			opWrite,
			response{422, nil, []byte(`{"message":"no","errors":["a","b"]}`)},
		},
		"GitHub write_status: 422 no: a": {
			opWrite,
			response{422, nil, []byte(`{"message":"no","errors":"a"}`)},
		},
		"GitHub write_status: 502 Bad Gateway": {
			opWrite,
			response{502, nil, []byte("<html>")},
		},
		"GitHub write_status: 401 Unauthorized (the token has expired or was revoked)": {
			opWrite,
			response{401, needs, nil},
		},
		"GitHub installation: 404 Not Found (install the GitHub App on the repository)": {
			opInstallation,
			response{404, nil, nil},
		},
		"GitHub token: 401 Unauthorized (check the App's id, its private key and this machine's clock)": {
			opToken,
			response{401, nil, nil},
		},
		"GitHub list_statuses: 404 Not Found (it does not exist, or the credentials may not see it)": {
			opStatuses,
			response{404, nil, nil},
		},
		"GitHub list_statuses: 200 invalid response: unexpected EOF": {
			opStatuses,
			response{200, nil, nil},
		},
		"GitHub list_statuses: unexpected EOF": {
			opStatuses,
			response{},
		},
	} {
		e := classify(c.operation, c.heard, io.ErrUnexpectedEOF, now)
		if e.Error() != want || !errors.Is(e, io.ErrUnexpectedEOF) {
			t.Errorf("got  %s\nwant %s", e, want)
		}
	}
}

// Whatever a refusal holds, it is judged within bounds and fits on one line.
func FuzzClassify(f *testing.F) {
	f.Add(403, "9", "0", "1", []byte(`{"message":"no","errors":[{"code":"invalid"}]}`))
	f.Add(429, "soon", "", "99999999999999999999", []byte(`{"message":"no","errors":["a"]}`))
	f.Add(201, "-1", "x", "-5", []byte("<html>\n"))
	f.Fuzz(func(t *testing.T, status int, retryAfter, remaining, reset string, body []byte) {
		h := http.Header{
			"Retry-After":           {retryAfter},
			"X-Ratelimit-Remaining": {remaining},
			"X-Ratelimit-Reset":     {reset},
		}

		e := classify(opWrite, response{status, h, body}, io.EOF, now)
		if e.Kind == "" || e.RetryAfter < 0 || e.RetryAfter > outbound.MaxRetryAfter {
			t.Errorf("%+v", e)
		}
		if e.Kind == KindLimited && e.RetryAfter < time.Second {
			t.Errorf("a limit without a wait: %+v", e)
		}
		if text := e.Error(); len([]rune(text)) > 2*maxMessage || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q", text)
		}
		if o := failedWrite(e); o.Kind == deployment.WriteDone || o.Kind == "" {
			t.Errorf("%+v", o)
		}
	})
}
