package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// validEvent has the fields that a deployment event must have.
const validEvent = `{"action":"created","deployment":{"id":1,"sha":"0123456789012345678901234567890123456789",
	"ref":"main","task":"deploy","environment":"production","payload":{},
	"creator":{"id":1,"login":"octocat","type":"User"}},"repository":{"id":7,"full_name":"acme/api"}}`

// replaced returns validEvent with one text replaced.
func replaced(old, replacement string) []byte {
	return []byte(strings.Replace(validEvent, old, replacement, 1))
}

// invalidEvents are signed deployment events that cannot be accepted.
var invalidEvents = map[string][]byte{
	"empty":                  {},
	"null":                   []byte("null"),
	"list":                   []byte("[]"),
	"number":                 []byte("42"),
	"truncated":              []byte(validEvent[:len(validEvent)/2]),
	"text after it":          []byte(validEvent + validEvent),
	"too deep":               []byte(strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)),
	"not UTF-8":              replaced("octocat", "octo\xffcat"),
	"no deployment":          []byte(`{"action":"created","repository":{"id":7,"full_name":"acme/api"}}`),
	"no repository":          []byte(strings.Split(validEvent, `,"repository"`)[0] + "}"),
	"no id":                  replaced(`"id":1,"sha"`, `"sha"`),
	"id is a string":         replaced(`"id":1,"sha"`, `"id":"1","sha"`),
	"no sha":                 replaced("0123456789012345678901234567890123456789", ""),
	"no ref":                 replaced(`"ref":"main"`, `"ref":""`),
	"no environment":         replaced(`"environment":"production"`, `"environment":null`),
	"name is a path":         replaced("acme/api", "acme/.."),
	"newline in environment": replaced("production", `prod\nuction`),
}

// invalidRequests are requests with invalid headers, and their answers.
var invalidRequests = map[string]struct {
	change func(http.Header)
	want   string
}{
	"no signature": {
		change: func(h http.Header) { h.Del("X-Hub-Signature-256") },
		want:   "401 unauthorized",
	},
	"wrong signature": {
		change: func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)) },
		want:   "401 unauthorized",
	},
	"SHA-1 signature": {
		change: func(h http.Header) { h.Set("X-Hub-Signature-256", "sha1="+strings.Repeat("0", 40)) },
		want:   "401 unauthorized",
	},
	"no content type": {
		change: func(h http.Header) { h.Del("Content-Type") },
		want:   "415 unsupported_media_type",
	},
	"text": {
		change: func(h http.Header) { h.Set("Content-Type", "text/plain") },
		want:   "415 unsupported_media_type",
	},
	"no event": {
		change: func(h http.Header) { h.Del("X-Github-Event") },
		want:   "400 bad_request",
	},
	"no delivery": {
		change: func(h http.Header) { h.Del("X-Github-Delivery") },
		want:   "400 bad_request",
	},
	"ping by header only": {
		change: func(h http.Header) { h.Set("X-Github-Event", "ping") },
		want:   "400 bad_request",
	},
}

// unsignedCircleCI are signatures that a webhook of CircleCI must not have.
var unsignedCircleCI = map[string]string{
	"no signature":               "",
	"wrong signature":            "v1=" + strings.Repeat("0", 64),
	"signature of GitHub's kind": "sha256=" + sign([]byte("{}")),
}

// TestWebhook_InvalidInput checks that what is not a complete, signed deployment event is refused with
// the code that says why, and that nothing of it is stored.
func TestWebhook_InvalidInput(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	for name, body := range invalidEvents {
		t.Run(name, func(t *testing.T) {
			if got, want := h.withT(t).deliver("deployment", body), "400 bad_request"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}

	for name, r := range invalidRequests {
		t.Run(name, func(t *testing.T) {
			header := signed("deployment", []byte(validEvent))
			r.change(header)
			code, text := h.withT(t).send(http.MethodPost, "/webhooks/github", []byte(validEvent), header)
			if got := summary(t, code, text); got != r.want {
				t.Errorf("got %s, want %s", got, r.want)
			}
		})
	}

	for name, signature := range unsignedCircleCI {
		t.Run("CircleCI: "+name, func(t *testing.T) {
			header := http.Header{"Content-Type": {"application/json"}, "Circleci-Signature": {signature}}
			code, text := h.withT(t).send(http.MethodPost, "/webhooks/circleci", []byte("{}"), header)
			if code != 401 {
				t.Errorf("got %d %s, want 401", code, text)
			}
		})
	}

	large := bytes.Repeat([]byte(" "), 30<<20)
	code, text := h.send(http.MethodPost, "/webhooks/github", large, signed("deployment", large))
	if got, want := summary(t, code, text), "413 too_large"; got != want {
		t.Errorf("30 MB: got %s, want %s", got, want)
	}

	const none = `{"deployments":[],"next_cursor":""}`
	if _, body := h.get("/api/v1/deployments", apiToken); strings.TrimSpace(body) != none {
		t.Errorf("stored deployments: got %s, want %s", body, none)
	}

	h.deployOneMore()
}

// TestWebhook_FormAndEventsPath checks that a form, which GitHub can send too, and Heaven's path are
// accepted.
func TestWebhook_FormAndEventsPath(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).withoutRecovery().start()
	h.gh.AddRepository("acme/api")
	h.gh.Hooks().Next("deployment", lostWebhook, 2)
	form, events := h.deploy("acme/api", "form", "success"), h.deploy("acme/api", "events", "success")

	body := []byte(url.Values{"payload": {string(h.gh.EventBody(form.ID))}}.Encode())
	header := signed("deployment", body)
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	if code, text := h.send(http.MethodPost, "/webhooks/github", body, header); code != http.StatusAccepted {
		t.Errorf("form: got %d %s, want 202", code, text)
	}

	body = h.gh.EventBody(events.ID)
	if code, text := h.send(http.MethodPost, "/events", body, signed("deployment", body)); code != http.StatusAccepted {
		t.Errorf("POST /events: got %d %s, want 202", code, text)
	}

	h.expectEnd(form, "success", "")
	h.expectEnd(events, "success", "")
}

// TestRedelivery_AfterNewRoute checks that a redelivery is judged again as long as no delivery was
// accepted: adding a route and pressing Redeliver works.
func TestRedelivery_AfterNewRoute(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: strings.Replace(namedRoutes, "acme/api", "acme/other", 1)}).start()
	d := h.deploy("acme/api", "production", "success")
	first := h.waitDeliveries("deployment", 1)[0]
	if got, want := deliveryResult(t, first), "200 ignored"; got != want {
		t.Fatalf("without a route: got %s, want %s", got, want)
	}

	h.stop()
	h.env["ROUTES"] = namedRoutes
	h.env["RECOVER_MAX_AGE"] = "1h"
	h.start()
	h.expectEnd(d, "success", "") // found by recovery or by the redelivery, but only once
	if err := h.gh.Hooks().Redeliver(first.ID); err != nil {
		t.Fatal(err)
	}

	if got, want := deliveryResult(t, h.waitDeliveries("deployment", 2)[1]), "200 duplicate"; got != want {
		t.Errorf("redelivered after it ran: got %s, want %s", got, want)
	}
	if detail := h.apiDetail(d); !json.Valid([]byte(detail)) {
		t.Errorf("deployment: got %s, want JSON", detail)
	}
}
