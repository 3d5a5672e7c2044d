package e2e

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/slack/site"
)

var (
	pageForm  = regexp.MustCompile(`(?s)<form [^>]*action="([^"]*)".*?</form>`)
	pageField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// TestSlack_Page deploys as somebody does who has nothing but the simulator's page in a browser: alice types a command,
// bob presses the button of the card, and types the name of the environment.
func TestSlack_Page(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	router := chi.NewRouter()
	router.Route("/chat", site.New(site.Options{Slack: s.slack, Path: "/chat"}).Routes)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)

	post := func(path string, fields url.Values) string {
		t.Helper()
		resp, err := http.PostForm(server.URL+path, fields)
		return readPage(t, resp, err)
	}
	see := func(user string) string {
		t.Helper()
		resp, err := http.Get(server.URL + "/chat/?in=" + deploysRoom + "&as=" + user)
		return readPage(t, resp, err)
	}
	waitPage := func(user, part string) string {
		t.Helper()
		ctx, cancel := s.waitContext()
		defer cancel()
		page := ""
		err := s.slack.Wait(ctx, func() bool {
			page = see(user)
			return strings.Contains(page, part)
		})
		if err != nil {
			t.Fatalf("%s on the page of %s: %v", part, user, err)
		}
		return page
	}

	post("/chat/say", url.Values{"as": {"U0ALICE"}, "in": {deploysRoom}, "text": {"/deploy api to production scenario=success"}})
	// send sends the form of a page that holds part, with more fields.
	send := func(page, part string, more url.Values) {
		t.Helper()
		for _, form := range pageForm.FindAllStringSubmatch(page, -1) {
			if !strings.Contains(form[0], part) {
				continue
			}
			fields := url.Values{}
			for _, field := range pageField.FindAllStringSubmatch(form[0], -1) {
				fields.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
			}
			maps.Copy(fields, more)
			post(form[1], fields)
			return
		}
		t.Fatalf("got no form with %s: %s", part, page)
	}
	send(waitPage("U0BOB", "waits for approval"), `value="seraph_approve"`, nil)
	const word = "seraph_word/seraph_word"
	send(waitPage("U0BOB", word), word, url.Values{word: {"production"}, "submit": {"1"}})
	waitPage("U0BOB", "bob approved #")
	waitPage("U0ALICE", "production: succeeded")
	if strings.Contains(see("U0ALICE"), "bob approved #") {
		t.Error("got the answer to bob on the page of alice, want it only on his")
	}
	s.expectEnd(s.deploymentsTo("production")[0], "success", "")
}

func readPage(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %d %s, %v", resp.StatusCode, raw, err)
	}
	return string(raw)
}
