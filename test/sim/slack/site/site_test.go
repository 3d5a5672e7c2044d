package site

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// fixture is a site, and an app that keeps what it is sent and answers commands with their text.
type fixture struct {
	slack   *slack.Server
	url     string
	chosen  []string
	actions chan string // values of the buttons that were pressed
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{actions: make(chan string, 10)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := r.PostFormValue("text"); text != "" {
			fmt.Fprint(w, "got ", text)
		}
		var payload struct {
			Type    string `json:"type"`
			Actions []struct {
				Value string `json:"value"`
			} `json:"actions"`
		}
		if json.Unmarshal([]byte(r.PostFormValue("payload")), &payload) == nil && len(payload.Actions) == 1 {
			f.actions <- payload.Actions[0].Value
		}
		if payload.Type == "view_submission" && !strings.Contains(r.PostFormValue("payload"), `"value":"yes"`) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"response_action":"errors","errors":{"b":"that is not yes"}}`)
		}
	}))
	t.Cleanup(app.Close)

	f.slack = slack.New(slack.Options{RequestURL: app.URL})
	if err := f.slack.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.slack.Close)
	f.slack.AddUser(slack.User{ID: "U0ALICE01", Name: "alice"})
	f.slack.AddUser(slack.User{ID: "U0GUEST01", Name: "aaron", Restricted: true})
	f.slack.AddChannel(slack.Channel{ID: "C0DEPLOYS1", Name: "deploys"})

	router := chi.NewRouter()
	router.Route("/chat", New(Options{
		Slack:     f.slack,
		Path:      "/chat",
		Scenarios: []Scenario{{Name: "fail", About: "fails"}},
		Expect:    func(name string) error { f.chosen = append(f.chosen, name); return nil },
	}).Routes)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	f.url = server.URL + "/chat/"
	return f
}

// get reads a page.
func (f *fixture) get(t *testing.T, query string) string {
	t.Helper()
	resp, err := http.Get(f.url + query)
	return body(t, resp, err)
}

// post sends a form, and returns the page that it leads to.
func (f *fixture) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	resp, err := http.PostForm(f.url+path, form)
	return body(t, resp, err)
}

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		t.Fatalf("got %d %s, %v", resp.StatusCode, raw, err)
	}
	return string(raw)
}

var (
	formPattern  = regexp.MustCompile(`(?s)<form [^>]*action="([^"]*)".*?</form>`)
	fieldPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// formOf returns the address and the hidden fields of the first form with a text.
func formOf(t *testing.T, page, text string) (path string, fields url.Values) {
	t.Helper()
	for _, form := range formPattern.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(form[0], text) {
			continue
		}
		fields = url.Values{}
		for _, field := range fieldPattern.FindAllStringSubmatch(form[0], -1) {
			fields.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
		}
		return strings.TrimPrefix(form[1], "/chat/"), fields
	}
	t.Fatalf("got %s, want a form with %q", page, text)
	return "", nil
}

func wantParts(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("got %s, want %s in it", page, part)
		}
	}
}

// call calls a method of Slack as the app.
func (f *fixture) call(t *testing.T, method string, args url.Values) map[string]any {
	t.Helper()
	args.Set("token", slack.DefaultToken)
	resp, err := http.PostForm(f.slack.URL()+method, args)
	var answer map[string]any
	if err := json.Unmarshal([]byte(body(t, resp, err)), &answer); err != nil || answer["ok"] != true {
		t.Fatalf("%s: got %v, %v", method, answer, err)
	}
	return answer
}

const buttons = `[{"type":"actions","elements":[{"type":"button","action_id":"go","value":"%s",
	"text":{"type":"plain_text","text":"<Go>"}}]}]`

// TestSite_CommandAndButton types a command, reads the private answer, and presses a button that the page shows although
// the message has another one by now.
func TestSite_CommandAndButton(t *testing.T) {
	f := setup(t)
	page := f.get(t, "")
	wantParts(t, page, "alice", "aaron <small>guest</small>", "# deploys", "direct messages")

	path, fields := formOf(t, page, `placeholder="Message`)
	if fields.Get("as") != "U0ALICE01" || fields.Get("in") != "C0DEPLOYS1" {
		t.Fatalf("got %v, want alice in the first channel", fields)
	}
	fields.Set("text", "/deploy api&co")
	wantParts(t, f.post(t, path, fields), "Only visible to you", "got api&amp;co")
	if other := f.get(t, "?as=U0GUEST01"); strings.Contains(other, "Only visible to you") {
		t.Errorf("got %s, want it hidden from others", other)
	}
	fields.Set("text", "/unknown")
	wantParts(t, f.post(t, path, fields), "is not a valid command")

	posted := f.call(t, "chat.postMessage", url.Values{
		"channel": {"C0DEPLOYS1"},
		"text":    {"api waits"},
		"blocks":  {fmt.Sprintf(buttons, "v1")},
	})
	path, fields = formOf(t, f.get(t, "?as=U0ALICE01"), "&lt;Go&gt;")
	f.call(t, "chat.update", url.Values{
		"channel": {"C0DEPLOYS1"},
		"ts":      {posted["ts"].(string)},
		"text":    {"api runs"},
		"blocks":  {fmt.Sprintf(buttons, "v2")},
	})
	f.post(t, path, fields)
	if got := <-f.actions; got != "v1" {
		t.Errorf("got the button %s, want the one that the page showed", got)
	}

	fields = url.Values{"as": {"U0ALICE01"}, "in": {"C0DEPLOYS1"}, "thread": {posted["ts"].(string)}, "text": {"@seraph hello"}}
	wantParts(t, f.post(t, "say", fields), `<span class="mention">@seraph</span> hello`)
	fields.Set("text", "a < b & <!channel>")
	wantParts(t, f.post(t, "say", fields), "a &lt; b &amp; &lt;!channel&gt;") // as typed: nobody is mentioned
}

// TestSite_ModalAndHome fills in a modal, first wrongly, and presses the second of two buttons of the home tab that have
// the same action.
func TestSite_ModalAndHome(t *testing.T) {
	f := setup(t)
	f.post(t, "say", url.Values{"as": {"U0ALICE01"}, "in": {"C0DEPLOYS1"}, "text": {"/deploy api"}})
	f.call(t, "views.open", url.Values{"trigger_id": {f.slack.Deliveries()[0].Key}, "view": {`{"type":"modal",
		"title":{"type":"plain_text","text":"Sure?"},"submit":{"type":"plain_text","text":"Yes"},
		"blocks":[{"type":"input","block_id":"b","label":{"type":"plain_text","text":"Word"},
			"element":{"type":"plain_text_input","action_id":"a"}}]}`}})

	path, fields := formOf(t, f.get(t, "?as=U0ALICE01"), "Sure?")
	fields.Set("b/a", "no")
	wantParts(t, f.post(t, path, fields), "that is not yes", "Sure?")
	fields.Set("b/a", "yes")
	if page := f.post(t, path, fields); strings.Contains(page, "Sure?") {
		t.Errorf("got %s, want the modal closed", page)
	}

	wantParts(t, f.post(t, "home", url.Values{"as": {"U0ALICE01"}, "open": {"home"}}), "not shown a home tab yet")
	both := strings.ReplaceAll(fmt.Sprintf(buttons, "first"), "]}]", "]},") + strings.TrimPrefix(fmt.Sprintf(buttons, "second"), "[")
	f.call(t, "views.publish", url.Values{"user_id": {"U0ALICE01"}, "view": {`{"type":"home","blocks":` + both + `}`}})
	path, fields = formOf(t, f.get(t, "?as=U0ALICE01&in=home"), `value="second"`)
	f.post(t, path, fields)
	if got := <-f.actions; got != "second" {
		t.Errorf("got the button %s, want second", got)
	}
}

// TestSite_ChangedAndScenario waits for a change, and chooses what CircleCI does.
func TestSite_ChangedAndScenario(t *testing.T) {
	f := setup(t)
	stamp := regexp.MustCompile(`data-stamp="([^"]*)"`).FindStringSubmatch(f.get(t, ""))[1]
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Get(f.url + "changed?after=" + url.QueryEscape(stamp))
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	f.post(t, "say", url.Values{"as": {"U0ALICE01"}, "in": {"C0DEPLOYS1"}, "text": {"hello"}})
	if err := <-answered; err != nil {
		t.Fatal(err)
	}

	f.post(t, "expect", url.Values{"scenario": {"fail"}})
	if len(f.chosen) != 1 || f.chosen[0] != "fail" {
		t.Errorf("got %v, want fail", f.chosen)
	}
}

// TestSite_AppDown says what Slack shows where nobody takes a command.
func TestSite_AppDown(t *testing.T) {
	f := setup(t)
	f.slack.SetRequestURL("http://127.0.0.1:1")
	page := f.post(t, "say", url.Values{"as": {"U0ALICE01"}, "in": {"C0DEPLOYS1"}, "text": {"/deploy api"}})
	wantParts(t, page, "operation_timeout")
}
