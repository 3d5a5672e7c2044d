package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// linkHarness is a harness with a simulated Slack, in which people can link themselves to accounts at GitHub. Their
// browsers reach the program through a proxy with TLS, as browsers send the cookie of a link over TLS only.
type linkHarness struct {
	*slackHarness
	proxy *httptest.Server
}

// newLinks starts the program. dave has an account at GitHub and may write to the repository, but no link yet;
// mallory is another user of the workspace.
func newLinks(t *testing.T) *linkHarness {
	t.Helper()
	l := &linkHarness{slackHarness: newSlack(t)}
	l.slack.AddUser(slack.User{ID: "U0MALLORY"})
	l.writer("acme/api", "dave")

	program := &url.URL{Scheme: "http", Host: l.addr}
	l.proxy = httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(program) },
	})
	t.Cleanup(l.proxy.Close)

	const clientSecret = "a-client-secret-of-the-app-0123456789"
	l.gh.AddOAuthApp(github.OAuthApp{
		ClientID:     "Iv23liSIMULATED",
		ClientSecret: clientSecret,
		Callback:     l.proxy.URL + "/login/callback",
		GitHubApp:    true,
	})
	l.stop()
	l.env["PUBLIC_URL"] = l.proxy.URL
	l.env["GITHUB_WEB_URL"] = l.gh.WebURL() + "/"
	l.env["GITHUB_CLIENT_ID"] = "Iv23liSIMULATED"
	l.env["GITHUB_CLIENT_SECRET"] = clientSecret
	l.start()
	return l
}

// seraph sends the slash command /seraph, which Slack must see accepted.
func (l *linkHarness) seraph(user, text string) {
	l.t.Helper()
	d, err := l.slack.Slash(user, deploysRoom, "/seraph", text)
	if err != nil || !d.Accepted() {
		l.t.Fatalf("/seraph %s: got %v, %s", text, err, d.Failure)
	}
}

// address asks for a link and returns the address that the program answers to its user alone. Any address that the
// user was given before is void then.
func (l *linkHarness) address(user string) string {
	l.t.Helper()
	before := map[string]bool{}
	for _, m := range l.slack.Ephemerals(user) {
		before[m.TS] = true
	}

	l.seraph(user, "link")
	m := l.waitMessage("with an address for "+user, func(m slack.Message) bool {
		return m.OnlyFor == user && !before[m.TS]
	})
	address := urlIn(m.Blocks, l.proxy.URL+"/link/")
	if address == "" || !strings.Contains(m.Words(), "The address is for you alone") {
		l.t.Fatalf("got %v, want an address at %s", m.Blocks, l.proxy.URL)
	}
	return address
}

// urlIn returns the first value of a key url that begins with a prefix; empty: there is none.
func urlIn(node any, prefix string) string {
	switch n := node.(type) {
	case []slack.Object:
		for _, item := range n {
			if found := urlIn(item, prefix); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range n {
			if found := urlIn(item, prefix); found != "" {
				return found
			}
		}
	case slack.Object:
		if text, _ := n["url"].(string); strings.HasPrefix(text, prefix) {
			return text
		}
		for _, item := range n {
			if found := urlIn(item, prefix); found != "" {
				return found
			}
		}
	}
	return ""
}

// signIn opens an address in a new browser, signs in at GitHub, and returns the page that is shown then.
func (l *linkHarness) signIn(address, login string) (status int, page string) {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	var last *url.URL // where the browser was redirected to
	browser := &http.Client{
		Transport: l.proxy.Client().Transport,
		Jar:       jar,
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			last = req.URL
			return nil
		},
	}

	status, page = l.browse(browser, http.MethodGet, address, nil)
	if status != http.StatusOK || last == nil {
		l.t.Fatalf("GitHub's page: got status %d: %s", status, page)
	}

	// The fields of GitHub's form are the query of its page.
	form := last.Query()
	form.Set("login", login)
	form.Set("authorize", "1")
	return l.browse(browser, http.MethodPost, l.gh.WebURL()+"/login/oauth/authorize", form)
}

func (l *linkHarness) browse(browser *http.Client, method, address string, form url.Values) (status int, page string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

var typedCode = regexp.MustCompile(`/seraph link ([A-Z0-9-]+)`)

// TestSlackLink goes the whole way: dave, whom nobody has written down, asks for an address, signs in at GitHub, types
// the code, and deploys as who he is. When somebody else signs in as dave to link another user, both learn of it: that
// one on the page, and dave in a direct message.
func TestSlackLink(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	l.slash("U0DAVE", deploysRoom, "api to staging scenario=success")
	l.reads("U0DAVE", "Seraph does not know who you are at GitHub")

	status, page := l.signIn(l.address("U0DAVE"), "dave")
	code := typedCode.FindStringSubmatch(page)
	if status != http.StatusOK || code == nil || !strings.Contains(page, "U0DAVE") {
		t.Fatalf("the page of dave: got status %d: %s", status, page)
	}
	l.seraph("U0MALLORY", "link "+code[1])
	l.reads("U0MALLORY", "That was not done: this code belongs to the link of another user")
	l.seraph("U0DAVE", "link "+code[1])
	l.reads("U0DAVE", "That was not done: you have begun no link that this code could complete")

	_, page = l.signIn(l.address("U0DAVE"), "dave")
	code = typedCode.FindStringSubmatch(page)
	if code == nil {
		t.Fatalf("the second page of dave: %s", page)
	}
	l.seraph("U0DAVE", "link "+code[1])
	l.reads("U0DAVE", "You are linked. ", "you are dave at GitHub")

	l.slash("U0DAVE", deploysRoom, "api to staging scenario=success")
	card := l.card("succeeded", "")
	if blocks, _ := json.Marshal(card.Blocks); !strings.Contains(string(blocks), `"user_id":"U0DAVE"`) {
		t.Errorf("got the card %s, want dave as the one who asked", blocks)
	}
	if all := l.deploymentsTo("staging"); len(all) != 1 {
		t.Errorf("got %d deployments, want only the one that dave asked for after the link", len(all))
	}

	status, page = l.signIn(l.address("U0MALLORY"), "dave")
	if status != http.StatusConflict || typedCode.MatchString(page) || !strings.Contains(page, "is linked to another user") {
		t.Errorf("the page of mallory: got status %d: %s", status, page)
	}
	direct := l.slack.Direct("U0DAVE")
	l.waitMessage("that tells dave", func(m slack.Message) bool {
		return m.Channel == direct && strings.Contains(m.Words(), "Somebody has signed in at GitHub as you, dave") &&
			strings.Contains(m.Words(), "U0MALLORY")
	})

	l.seraph("U0DAVE", "unlink")
	l.reads("U0DAVE", "You are no longer linked")
}
