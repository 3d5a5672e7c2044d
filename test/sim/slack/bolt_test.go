package slack

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// boltApp is the app in folder bolt while it runs.
type boltApp struct {
	lines *bufio.Scanner
}

// boltLine is what the app prints.
type boltLine struct {
	Kind    string
	Text    string
	User    string
	Team    string
	Value   string
	View    string
	TS      string
	Typed   string
	Key     string
	Bot     string
	Message string
	Port    int
	Retry   int
	Replies int
	Guest   bool
}

// startBolt runs the app against the simulator until the test ends. Without Node and npm the test is skipped; with
// CI=true it fails.
func startBolt(t *testing.T, s *Server, secret string) *boltApp {
	t.Helper()
	modules, err := boltModules(t)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no test may be skipped with CI=true: %v", err)
		}
		t.Skipf("Bolt is not available, install Node 20 and npm: %v", err)
	}

	dir := t.TempDir()
	program, err := os.ReadFile("bolt/app.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "app.mjs"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}

	node := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "app.mjs"))
	node.Env = append(
		os.Environ(),
		"SLACK_BOT_TOKEN="+DefaultToken,
		"SLACK_SIGNING_SECRET="+secret,
		"SLACK_API_URL="+s.URL(),
	)
	node.Stderr = os.Stderr
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		node.Process.Kill() // an error means that it has ended
		node.Wait()         // it was killed
	})

	app := &boltApp{lines: bufio.NewScanner(out)}
	s.SetRequestURL(fmt.Sprintf("http://127.0.0.1:%d/slack/events", app.next(t, "listens").Port))

	return app
}

// next reads the next line of the app, which must be of a kind.
func (a *boltApp) next(t *testing.T, kind string) boltLine {
	t.Helper()
	var line boltLine
	if !a.lines.Scan() {
		t.Fatalf("the app ended: %v", a.lines.Err())
	}
	if err := json.Unmarshal(a.lines.Bytes(), &line); err != nil || line.Kind != kind {
		t.Fatalf("got %s, want a line of kind %s", a.lines.Text(), kind)
	}

	return line
}

// boltModules returns a folder with the packages of bolt/package-lock.json. They are kept in the user's cache, or in
// SERAPH_TEST_NPM, until the file changes.
func boltModules(t *testing.T) (string, error) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}

	lockFile, err := os.ReadFile("bolt/package-lock.json")
	if err != nil {
		return "", err
	}

	root := os.Getenv("SERAPH_TEST_NPM")
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}

		root = filepath.Join(cache, "seraph-test")
	}

	dir := filepath.Join(root, fmt.Sprintf("bolt-%.12x", sha256.Sum256(lockFile)))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}

	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}

	defer lock.Unlock() // the end of the process releases it too
	modules, complete := filepath.Join(dir, "node_modules"), filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return modules, nil
	}

	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join("bolt", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return "", err
		}
	}

	if err := shapes.NPM(dir, "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return "", err
	}

	return modules, os.WriteFile(complete, nil, 0o644)
}

// TestServer_Bolt lets an app of Slack's own framework use the simulator: deliveries that it accepts are signed and
// shaped as Slack's are, and answers that it understands are those of Slack.
func TestServer_Bolt(t *testing.T) {
	s := start(t, Options{RetryAfter: []time.Duration{0}})
	s.AddUser(User{ID: "U0OTHERBOT", Name: "other", Bot: true})
	app, ctx := startBolt(t, s, DefaultSigningSecret), limitedContext(t)
	var ts string

	t.Run("URL verification", func(t *testing.T) {
		if err := s.VerifyURL(); err != nil {
			t.Error(err)
		}
	})

	t.Run("probe", func(t *testing.T) {
		if d, err := s.Probe(); err != nil || d.Status != http.StatusOK {
			t.Errorf("got %d, %v, want 200", d.Status, err)
		}
	})

	t.Run("slash command", func(t *testing.T) {
		d, err := s.Slash(alice, deploys, "/deploy", "api to staging")
		if err != nil || !d.Accepted() {
			t.Fatalf("got %+v, %v", d, err)
		}
		line := app.next(t, "command")
		if line.Text != "api to staging" || line.User != alice || line.Team != DefaultTeam {
			t.Errorf("got %+v", line)
		}
		if all := s.Ephemerals(alice); len(all) != 1 || all[0].Text != "asked for api to staging" {
			t.Errorf("got ephemeral messages %+v, want the acknowledgement", all)
		}
		public := func(m Message) bool { return m.Text == "started" && m.OnlyFor == "" }
		if _, err := s.WaitMessage(ctx, public); err != nil {
			t.Error(err)
		}
	})

	t.Run("mention", func(t *testing.T) {
		said, sent, err := s.Say(alice, deploys, "<@U0SERAPHBOT> deploy api", "")
		if err != nil || len(sent) != 1 || !sent[0].Accepted() {
			t.Fatalf("got %+v, %v", sent, err)
		}

		ts = app.next(t, "mention").TS
		posted, found := s.Message(deploys, ts)
		if !found || posted.Metadata.Payload["key"] != said.TS || len(posted.Buttons()) != 2 || posted.Words() == "" {
			t.Errorf("got %+v", posted)
		}
	})

	t.Run("second attempt", func(t *testing.T) {
		all := s.Deliveries()
		if _, err := s.Redeliver(all[len(all)-1].ID, "http_timeout"); err != nil {
			t.Fatal(err)
		}
		if line := app.next(t, "mention"); line.Retry != 1 {
			t.Errorf("got attempt %d, want 1", line.Retry)
		}
	})

	t.Run("direct message", func(t *testing.T) {
		if _, _, err := s.Say(bob, s.Direct(bob), "ping", ""); err != nil {
			t.Fatal(err)
		}
		if line := app.next(t, "message"); line.User != bob {
			t.Errorf("got %+v", line)
		}
		direct := s.Direct(bob)
		answer := func(m Message) bool { return m.Text == "pong im" && m.Channel == direct }
		if _, err := s.WaitMessage(ctx, answer); err != nil {
			t.Error(err)
		}
	})

	t.Run("home tab", func(t *testing.T) {
		if _, err := s.HomeOpened(bob); err != nil {
			t.Fatal(err)
		}
		line := app.next(t, "home")
		home, found := s.Home(bob)
		if !found || home.ID != line.View || !strings.Contains(home.Words(), "nothing runs") {
			t.Errorf("got %+v, %v", home, found)
		}
	})

	t.Run("button with a link", func(t *testing.T) {
		if _, err := s.Click(bob, deploys, ts, "open"); err != nil {
			t.Fatal(err)
		}
		app.next(t, "link")
	})

	t.Run("button and modal", func(t *testing.T) {
		if d, err := s.Click(bob, deploys, ts, "approve"); err != nil || !d.Accepted() {
			t.Fatalf("got %+v, %v", d, err)
		}

		line := app.next(t, "action")
		if line.Value != "v1 7" || line.User != bob {
			t.Errorf("got %+v", line)
		}
		if all := s.Ephemerals(bob); len(all) != 1 || all[0].Text != "look at the dialog" {
			t.Errorf("got ephemeral messages %+v", all)
		}

		wrong, err := s.Submit(line.View, map[string]string{"word": "prod"})
		if err != nil || wrong.Closed || wrong.Errors["word"] != "type production" {
			t.Errorf("got %+v, %v", wrong, err)
		}

		right, err := s.Submit(line.View, map[string]string{"word": "production"})
		if err != nil || !right.Closed {
			t.Errorf("got %+v, %v", right, err)
		}

		done := app.next(t, "view")
		if done.Typed != "production" || done.Replies != 1 || done.Key == "" || done.Guest {
			t.Errorf("got %+v", done)
		}
		if now, _ := s.Message(deploys, ts); now.Text != "approved" || now.Edited {
			t.Errorf("got %+v, want the message edited without a mark", now)
		}
	})

	// Bolt sends the token to auth.test as an argument, too.
	places := map[string]Place{"auth.test": InBody, responseMethod: InNothing}
	for _, call := range s.Calls("") {
		want, special := places[call.Method]
		if !special {
			want = InHeader
		}
		if call.Token != want {
			t.Errorf("%s: got the token in %q, want %q", call.Method, call.Token, want)
		}
		if call.Error != "" {
			t.Errorf("%s: got error %s", call.Method, call.Error)
		}
	}
}

// TestServer_BoltRefuses checks that Bolt refuses what Slack has not signed with its secret, or long ago.
func TestServer_BoltRefuses(t *testing.T) {
	tests := []struct {
		name   string
		secret string
		age    time.Duration
		want   int
	}{
		{name: "right", secret: DefaultSigningSecret, want: http.StatusOK},
		{name: "wrong secret", secret: "another", want: http.StatusUnauthorized},
		{name: "old", secret: DefaultSigningSecret, age: 400 * time.Second, want: http.StatusUnauthorized},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, Options{Now: func() time.Time { return time.Now().Add(-test.age) }})
			startBolt(t, s, test.secret)
			d, err := s.Slash(alice, deploys, "/deploy", "api")
			if err != nil || d.Status != test.want {
				t.Errorf("got %d, %v, want %d", d.Status, err, test.want)
			}
		})
	}
}
