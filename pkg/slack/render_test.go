package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

var update = flag.Bool("update", false, "write the golden files")

// TestRender_Golden compares everything that is rendered from the samples with testdata/golden, which the judge of types
// and the pictures read, too.
func TestRender_Golden(t *testing.T) {
	want := map[string]bool{}
	for name, rendered := range renderedSamples() {
		t.Run(name, func(t *testing.T) {
			compareGolden(t, name, rendered)
		})
		want[name+".json"] = true
	}

	files, err := os.ReadDir("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[file.Name()] {
			t.Errorf("testdata/golden/%s belongs to no sample", file.Name())
		}
	}
}

// renderedSamples are all samples as they are sent to Slack.
func renderedSamples() map[string]any {
	out := map[string]any{}
	for name, c := range cards() {
		out["card-"+name] = payload(RenderCard(c, options))
	}
	for name, n := range notes() {
		out["note-"+name] = payload(RenderNote(n, options))
	}
	for name, v := range modals() {
		out["modal-"+name] = modalOf(v)
	}
	for name, v := range homes() {
		out["home-"+name] = home(v)
	}
	return out
}

// payload is the part of a message that is rendered.
func payload(m Message) any {
	return struct {
		Text   string          `json:"text"`
		Blocks []goslack.Block `json:"blocks"`
	}{m.Text, m.Blocks}
}

func modalOf(v View) goslack.ModalViewRequest {
	request := goslack.ModalViewRequest{
		Type:            goslack.VTModal,
		CallbackID:      v.Callback,
		PrivateMetadata: v.Metadata,
		Title:           goslack.NewTextBlockObject(goslack.PlainTextType, v.Title, false, false),
		Close:           goslack.NewTextBlockObject(goslack.PlainTextType, v.Close, false, false),
		Blocks:          goslack.Blocks{BlockSet: v.Blocks},
	}
	if v.Submit != "" {
		request.Submit = goslack.NewTextBlockObject(goslack.PlainTextType, v.Submit, false, false)
	}
	return request
}

func home(v View) goslack.HomeTabViewRequest {
	return goslack.HomeTabViewRequest{
		Type:       goslack.VTHomeTab,
		CallbackID: v.Callback,
		Blocks:     goslack.Blocks{BlockSet: v.Blocks},
	}
}

func compareGolden(t *testing.T, name string, rendered any) {
	t.Helper()
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(rendered); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %s, want what %s holds (go test ./pkg/slack -run Golden -update)", got.Bytes(), path)
	}
}

// TestRender_Bounds checks every sample against Slack's bounds.
func TestRender_Bounds(t *testing.T) {
	for name, rendered := range renderedSamples() {
		t.Run(name, func(t *testing.T) {
			checkSample(t, rendered)
		})
	}
}

// TestRenderCard_HostileText renders each hostile text alone and checks that Slack would show it as text.
func TestRenderCard_HostileText(t *testing.T) {
	for i, s := range hostile {
		t.Run(fmt.Sprintf("%d", i), func(t *testing.T) {
			message := RenderCard(hostileCard(s), options)
			checkSample(t, payload(message))

			if rest := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(message.Text); strings.ContainsAny(rest, "<>&") {
				t.Errorf("got text %q, want & < > escaped", message.Text)
			}

			note := RenderNote(notify.Note{Summary: s, Lines: []notify.Text{spans(say(s))}, Output: []string{s, s}, Mention: s}, options)
			checkSample(t, payload(note))
		})
	}
}

func TestRenderCard_Links(t *testing.T) {
	tests := map[string]struct {
		url  string
		want bool
	}{
		"GitHub":                  {"https://github.com/acme/api", true},
		"CircleCI":                {"https://app.circleci.com/pipelines", true},
		"another host":            {"https://evil.example/", false},
		"host as user":            {"https://github.com@evil.example/", false},
		"user before the host":    {"https://someone@github.com/", false},
		"host as part of another": {"https://github.com.evil.example/", false},
		"another port":            {"https://github.com:8443/", false},
		"script":                  {"javascript:alert(1)", false},
		"no scheme":               {"//github.com/acme", false},
		"markup":                  {"https://github.com/a|b>", false},
		"backslash":               {`https://github.com\@evil.example/`, false},
		"hidden character":        {"https://github.com/acme\u202e/api", false},
		"no valid unicode":        {"https://github.com/acme\xff", false},
		"too long":                {"https://github.com/" + strings.Repeat("a", 3000), false},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			message := RenderCard(notify.Card{
				Row:        1,
				Generation: generation,
				Title:      "x",
				Lines:      []notify.Text{spans(notify.Span{Text: "here", URL: tt.url})},
				Buttons:    []notify.Button{{Verb: notify.VerbOpen, Label: "Open", URL: tt.url}},
			}, options)

			encoded := encode(t, payload(message))
			if got := strings.Contains(encoded, `"type":"link"`); got != tt.want {
				t.Errorf("got link %v, want %v: %s", got, tt.want, encoded)
			}
			if got := strings.Contains(encoded, `"type":"button"`); got != tt.want {
				t.Errorf("got button %v, want %v: %s", got, tt.want, encoded)
			}
		})
	}
}

func TestRenderCard_MentionsOnlyLinkedPeople(t *testing.T) {
	o := options
	o.Mention = func(id int64) string {
		return map[int64]string{1: "U0ALICE01", 2: "!channel", 3: ""}[id]
	}
	message := RenderCard(notify.Card{Title: "x", Lines: []notify.Text{spans(
		notify.Span{Text: "one ", Person: 1}, notify.Span{Text: "two ", Person: 2}, notify.Span{Text: "three", Person: 3},
	)}}, o)

	encoded := encode(t, message.Blocks)
	if got := strings.Count(encoded, `"type":"user"`); got != 1 {
		t.Errorf("got %d mentions, want 1: %s", got, encoded)
	}
	for _, login := range []string{"two", "three"} {
		if !strings.Contains(encoded, login) {
			t.Errorf("got %s, want the login %s as text", encoded, login)
		}
	}
}

func TestRenderCard_ActionsAreNewForEachGeneration(t *testing.T) {
	c := cards()["waiting-approvals"]
	before := actionsID(t, RenderCard(c, options))
	c.Facts = nil
	if same := actionsID(t, RenderCard(c, options)); same != before {
		t.Errorf("got block_id %s, want %s: the generation is the same", same, before)
	}
	c.Generation = "0000000000ff"
	if after := actionsID(t, RenderCard(c, options)); after == before {
		t.Errorf("got block_id %s for two generations", after)
	}
}

func actionsID(t *testing.T, m Message) string {
	t.Helper()
	for _, block := range m.Blocks {
		if block.BlockType() == goslack.MBTAction {
			return block.ID()
		}
	}
	t.Fatal("no actions block")
	return ""
}

// TestRender_PlainTextHasNoBlocks checks what is sent after Slack has refused the blocks of the same message.
func TestRender_PlainTextHasNoBlocks(t *testing.T) {
	card := RenderCard(notify.Card{Plain: true, State: deployment.Failed, Summary: "api <failed>", Title: "x"}, options)
	note := RenderNote(notify.Note{Plain: true, Summary: "api & web", Mention: "S0ONCALL1"}, options)

	tests := map[string]struct {
		got  Message
		want string
	}{
		"card": {card, "❌ api &lt;failed&gt;"},
		"note": {note, "<!subteam^S0ONCALL1> api &amp; web"},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.got.Text != tt.want || tt.got.Blocks != nil {
				t.Errorf("got %+v, want text %q and no blocks", tt.got, tt.want)
			}
		})
	}
}

func TestRenderNote_ShowsTheEndOfLongOutput(t *testing.T) {
	var lines []string
	for i := range 60 {
		lines = append(lines, fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200)))
	}
	shown := preformatted(lines)

	if len(shown) > maxOutput || strings.Count(shown, "\n") >= maxOutputLines {
		t.Errorf("got %d bytes in %d lines", len(shown), strings.Count(shown, "\n")+1)
	}
	if !strings.Contains(shown, "line 59 ") || strings.Contains(shown, "line 0 ") {
		t.Errorf("got %q, want the last lines", shown)
	}
}

func TestRenderCard_SaysWhatIsLeftOut(t *testing.T) {
	c := notify.Card{Title: "x"}
	for i := range 40 {
		c.Lines = append(c.Lines, notify.Plain(fmt.Sprintf("line %d", i)))
	}
	if encoded := encode(t, RenderCard(c, options).Blocks); !strings.Contains(encoded, "… and 20 more") {
		t.Errorf("got %s, want what is left out", encoded)
	}
}

// A list of as many deployments as a list may have, with the longest names, shows them all.
func TestRenderCard_FullList(t *testing.T) {
	var listed []notify.Facts
	for i := range 40 {
		f := facts(deployment.Unconfirmed)
		f.Deployment.Request.ID += int64(i)
		f.Deployment.Request.Environment = strings.Repeat("<é>", 100)
		f.Deployment.Request.Asked.By.Login = strings.Repeat("a", 300)
		listed = append(listed, f)
	}

	rendered := payload(RenderCard(notify.NewListCard(listed), options))
	checkSample(t, rendered)
	encoded := encode(t, rendered)
	for _, f := range listed {
		if number := fmt.Sprintf("#%d ", f.Deployment.Request.ID); !strings.Contains(encoded, number) {
			t.Errorf("got no line of %s", number)
		}
	}
	if strings.Contains(encoded, "… and ") {
		t.Error("got a list that leaves something out")
	}
}

func TestMark_EveryStateHasOne(t *testing.T) {
	seen := map[string]bool{}
	for _, state := range deployment.States() {
		t.Run(string(state), func(t *testing.T) {
			mark := stateMark(state)
			if mark == "•" || seen[mark] {
				t.Errorf("got mark %q, want one of its own", mark)
			}
			seen[mark] = true
		})
	}
}

// FuzzRenderCard renders a card whose texts are all the same string of a stranger.
func FuzzRenderCard(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, uint8(1), int64(1), generation)
	}
	f.Add("", uint8(60), int64(-1), "")

	f.Fuzz(func(t *testing.T, s string, n uint8, row int64, generation string) {
		if places := int(n % 64); len(s)*(1+places*places) > 1<<18 {
			t.Skip() // a home tab of megabytes takes seconds to draw, and nearly all of it is cut off
		}
		if !isGeneration(generation) { // pkg/notify makes no such one
			generation = ""
		}

		c := hostileCard(s)
		c.Row, c.Generation = row, generation
		for range n % 64 {
			c.Facts = append(c.Facts, c.Facts[0])
			c.Lines = append(c.Lines, c.Lines[0])
			c.Rows = append(c.Rows, notify.Row{State: deployment.State(s), Text: c.Lines[0]})
			c.Buttons = append(c.Buttons, c.Buttons[0])
		}
		checkSample(t, payload(RenderCard(c, options)))
		checkSample(t, payload(RenderNote(notify.Note{
			Summary: s, Lines: c.Lines, Output: slices.Repeat([]string{s}, int(n)), Mention: s, Buttons: c.Buttons, Row: row,
			Generation: generation,
		}, options)))

		item := HomeItem{Row: row, Generation: generation, Title: s, Detail: c.Lines[0], Buttons: c.Buttons}
		checkSample(t, home(HomeView(HomeInput{
			Login: s + "x", Now: now, Lines: c.Lines, Options: options,
			Waits: slices.Repeat([]HomeItem{item}, int(n%16)), Asked: slices.Repeat([]HomeItem{item}, int(n%16)),
			Locks: slices.Repeat([]HomeLock{{Environment: s, Detail: c.Lines[0]}}, int(n%16)),
			Matrix: slices.Repeat([]HomeApp{{
				Name: s, Environments: slices.Repeat([]HomeEnvironment{{Name: s, Runs: c.Lines[0]}}, int(n%64)),
			}}, int(n%64)),
		})))
		checkSample(t, modalOf(ConfirmModal(ConfirmInput{
			Confirmed: Confirmed{Verb: notify.Verb(s), Row: row, Generation: generation, RequestKey: s, Word: s, Job: s},
			Options:   options, About: s, Facts: c.Facts, Commits: c.Lines, More: int(n), Lines: c.Lines, AskReason: true,
		})))
	})
}
