package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// good is the least that makes a deployment event.
const good = `{"action":"created","deployment":{"id":1,"sha":"0123456789012345678901234567890123456789","ref":"main","task":"deploy",
	"environment":"production","payload":{},"creator":{"id":1,"login":"octocat","type":"User"}},"repository":{"id":7,"full_name":"acme/api"}}`

// without is good with one text replaced.
func without(old, replacement string) []byte {
	return []byte(strings.Replace(good, old, replacement, 1))
}

// bad are signed deployment events that cannot be taken.
var bad = map[string][]byte{
	"nothing":              {},
	"null":                 []byte("null"),
	"a list":               []byte("[]"),
	"a number":             []byte("42"),
	"half of it":           []byte(good[:len(good)/2]),
	"text behind it":       []byte(good + good),
	"too deep":             []byte(strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)),
	"not UTF-8":            without("octocat", "octo\xffcat"),
	"no deployment":        []byte(`{"action":"created","repository":{"id":7,"full_name":"acme/api"}}`),
	"no repository":        []byte(strings.Split(good, `,"repository"`)[0] + "}"),
	"no id":                without(`"id":1,"sha"`, `"sha"`),
	"a text for an id":     without(`"id":1,"sha"`, `"id":"1","sha"`),
	"no sha":               without("0123456789012345678901234567890123456789", ""),
	"no ref":               without(`"ref":"main"`, `"ref":""`),
	"no environment":       without(`"environment":"production"`, `"environment":null`),
	"a path for a name":    without("acme/api", "acme/.."),
	"a new line in a name": without("production", `prod\nuction`),
}

// raw are requests whose envelope is wrong, with their answers.
var raw = map[string]struct {
	header func(http.Header)
	want   string
}{
	"no signature": {func(h http.Header) { h.Del("X-Hub-Signature-256") }, "401 unauthorized"},
	"wrong signature": {
		func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)) },
		"401 unauthorized",
	},
	"SHA-1 signature": {
		func(h http.Header) { h.Set("X-Hub-Signature-256", "sha1="+strings.Repeat("0", 40)) },
		"401 unauthorized",
	},
	"no content type":     {func(h http.Header) { h.Del("Content-Type") }, "415 unsupported_media_type"},
	"text":                {func(h http.Header) { h.Set("Content-Type", "text/plain") }, "415 unsupported_media_type"},
	"no event":            {func(h http.Header) { h.Del("X-Github-Event") }, "400 bad_request"},
	"no delivery":         {func(h http.Header) { h.Del("X-Github-Delivery") }, "400 bad_request"},
	"ping by header only": {func(h http.Header) { h.Set("X-Github-Event", "ping") }, "400 bad_request"},
}

// What is not a deployment event, signed and whole, is refused with the code that says why, and
// nothing of it is kept.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	for name, body := range bad {
		if got := w.hook("deployment", body); got != "400 bad_request" {
			t.Errorf("%s: %s", name, got)
		}
	}

	for name, r := range raw {
		header := signed("deployment", []byte(good))
		r.header(header)
		code, text := w.send(http.MethodPost, "/webhooks/github", []byte(good), header)
		if got := summary(t, code, text); got != r.want {
			t.Errorf("%s: %s, want %s", name, got, r.want)
		}
	}

	large := bytes.Repeat([]byte(" "), 30<<20)
	header := signed("deployment", large)
	if code, text := w.send(http.MethodPost, "/webhooks/github", large, header); summary(
		t,
		code,
		text,
	) != "413 too_large" {
		t.Errorf("30 MB: %d %s", code, text)
	}

	w.circleciInput()
	if _, body := w.get("/api/v1/deployments", apiToken); strings.TrimSpace(
		body,
	) != `{"deployments":[],"next_cursor":""}` {
		t.Errorf("something was kept: %s", body)
	}

	w.quiet()
}

func (w *world) circleciInput() {
	w.t.Helper()
	for name, r := range map[string]struct {
		signature string
		code      int
	}{
		"no signature":    {"", 401},
		"wrong signature": {"v1=" + strings.Repeat("0", 64), 401},
		"GitHub's kind":   {"sha256=" + sign([]byte("{}")), 401},
	} {
		header := http.Header{"Content-Type": {"application/json"}, "Circleci-Signature": {r.signature}}
		if code, text := w.send(http.MethodPost, "/webhooks/circleci", []byte("{}"), header); code != r.code {
			w.t.Errorf("CircleCI's webhook with %s: %d %s", name, code, text)
		}
	}
}

// GitHub may send forms, and Heaven's path is good too.
func TestOtherEnvelopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	w.gh.AddRepository("acme/api")
	w.gh.Hooks().Next("deployment", lose, 2)
	form, events := w.deploy("acme/api", "form", "success"), w.deploy("acme/api", "events", "success")
	body := []byte(url.Values{"payload": {string(w.gh.EventBody(form.ID))}}.Encode())
	header := signed("deployment", body)
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	if code, text := w.send(http.MethodPost, "/webhooks/github", body, header); code != http.StatusAccepted {
		t.Errorf("a form: %d %s", code, text)
	}

	body = w.gh.EventBody(events.ID)
	if code, text := w.send(http.MethodPost, "/events", body, signed("deployment", body)); code != http.StatusAccepted {
		t.Errorf("POST /events: %d %s", code, text)
	}

	w.ends(form, "success", "")
	w.ends(events, "success", "")
}

// A redelivery is judged afresh as long as it led to nothing: adding a route and pressing Redeliver
// works.
func TestRedeliveryAfterNewRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: strings.Replace(literal, "acme/api", "acme/other", 1)}).start()
	d := w.deploy("acme/api", "production", "success")
	first := w.deliveries("deployment", 1)[0]
	if got := result(t, first); got != "200 ignored" {
		t.Fatalf("without a route: %s", got)
	}

	w.stop()
	w.env["ROUTES"] = literal
	w.env["RECOVER_MAX_AGE"] = "1h"
	w.start()
	w.ends(d, "success", "") // by recovery, or by the redelivery: once
	if err := w.gh.Hooks().Redeliver(first.ID); err != nil {
		t.Fatal(err)
	}
	if got := result(t, w.deliveries("deployment", 2)[1]); got != "200 duplicate" {
		t.Errorf("redelivered after it ran: %s", got)
	}
	if !json.Valid([]byte(w.detail(d))) {
		t.Error("the API does not show it")
	}
}
