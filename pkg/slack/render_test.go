package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

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

func TestHomeView_SaysWhatIsLeftOut(t *testing.T) {
	view := homes()["crowded"]
	if len(view.Blocks) > 50 {
		t.Errorf("got %d blocks, want at most 50", len(view.Blocks))
	}

	encoded := encode(t, view.Blocks)
	apps := strings.Count(encoded, `"text":"app-`)
	for _, want := range []string{"and 7 more", "and 3 more", fmt.Sprintf("and %d more: type /seraph status", 60-apps)} {
		if !strings.Contains(encoded, want) {
			t.Errorf("got %s, want %q", encoded, want)
		}
	}
}

func TestConfirmModal_CarriesTheRequest(t *testing.T) {
	view := modals()["rollback"]
	got, err := ParseConfirmed(view.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	want := Confirmed{
		Verb: notify.VerbRollback, Row: 77, Generation: generation, Key: "k7Qm2", Word: "production",
		Channel: "C0DEPLOYS1", Message: "1764338520.000100", SHA: "9f8e7d6c",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !got.Matches(" production ") || got.Matches("Production") || got.Matches("") {
		t.Error("got another word accepted, or this one refused")
	}
}

func TestConfirmModal_RefusesWhatSlackWouldNotCarry(t *testing.T) {
	view := ConfirmModal(ConfirmInput{Confirmed: Confirmed{
		Verb: notify.VerbApproveHold, Row: 1, Generation: generation, Key: "k", Job: strings.Repeat("j", 3000),
	}})
	if view.Submit != "" || view.Callback != CallbackText {
		t.Errorf("got %+v, want a modal that cannot be submitted", view)
	}
	checkSample(t, modalOf(view))
}

func TestMark_EveryStateHasOne(t *testing.T) {
	seen := map[string]bool{}
	for _, state := range deployment.States() {
		mark := Mark(state)
		if mark == "•" || seen[mark] {
			t.Errorf("got mark %q for %s, want one of its own", mark, state)
		}
		seen[mark] = true
	}
}

// FuzzRenderCard renders a card whose texts are all the same string of a stranger.
func FuzzRenderCard(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, uint8(1), int64(1), generation)
	}
	f.Add("", uint8(60), int64(-1), "")

	f.Fuzz(func(t *testing.T, s string, n uint8, row int64, generation string) {
		c := hostileCard(s)
		c.Row, c.Generation = row, generation
		for range n % 64 {
			c.Facts = append(c.Facts, c.Facts[0])
			c.Lines = append(c.Lines, c.Lines[0])
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
			Confirmed: Confirmed{Verb: notify.Verb(s), Row: row, Generation: generation, Key: s, Word: s, Job: s},
			Options:   options, About: s, Facts: c.Facts, Commits: c.Lines, More: int(n), Lines: c.Lines, AskReason: true,
		})))
	})
}

// FuzzParseAction checks that what is accepted is exactly what ActionValue writes.
func FuzzParseAction(f *testing.F) {
	for _, s := range []string{
		"v1 77 " + generation, "v1 77 " + generation + " approve eu", "v2 1 a", "v1 01 a", "v1 -1 a", "v1 1 a ", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		row, gen, job, err := ParseAction(s)
		if err != nil {
			if row != 0 || gen != "" || job != "" {
				t.Errorf("got %d %q %q beside an error", row, gen, job)
			}
			return
		}
		if again := ActionValue(row, gen, job); again != s {
			t.Errorf("got %q, want %q", again, s)
		}
	})
}

// FuzzParseConfirmed checks that private_metadata that is accepted can be written and read again.
func FuzzParseConfirmed(f *testing.F) {
	f.Add(modals()["rollback"].Metadata)
	f.Add(`{"verb":"x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConfirmed(s)
		if err != nil {
			return
		}
		if c.Row <= 0 || c.Generation == "" || c.Key == "" {
			t.Errorf("got %+v from %q", c, s)
		}
	})
}

func TestParseActionID(t *testing.T) {
	tests := map[string]struct {
		id   string
		want notify.Verb
		ok   bool
	}{
		"a verb":         {"seraph_approve", notify.VerbApprove, true},
		"a second one":   {"seraph_approve-hold_2", notify.VerbApproveHold, true},
		"another prefix": {"sarah_approve", "", false},
		"no verb":        {"seraph_", "", false},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := ParseActionID(tt.id); ok != tt.ok || ok && got != tt.want {
				t.Errorf("got %q %v, want %q %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestParseAction(t *testing.T) {
	tests := map[string]struct {
		value, generation, job string
		row                    int64
		refused                bool
	}{
		"plain":            {value: "v1 77 3f9a", row: 77, generation: "3f9a"},
		"with a job":       {value: "v1 77 3f9a approve  eu ", row: 77, generation: "3f9a", job: "approve  eu "},
		"empty":            {value: "", refused: true},
		"another version":  {value: "v2 77 3f9a", refused: true},
		"no generation":    {value: "v1 77 ", refused: true},
		"capital letters":  {value: "v1 77 3F9A", refused: true},
		"row of zero":      {value: "v1 0 3f9a", refused: true},
		"row with a sign":  {value: "v1 +7 3f9a", refused: true},
		"row too large":    {value: "v1 99999999999999999999 3f9a", refused: true},
		"empty job":        {value: "v1 77 3f9a ", refused: true},
		"two spaces":       {value: "v1  77 3f9a", refused: true},
		"too long":         {value: "v1 77 3f9a " + strings.Repeat("j", 2000), refused: true},
		"no valid unicode": {value: "v1 77 3f9a \xff", refused: true},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			row, generation, job, err := ParseAction(tt.value)
			if (err != nil) != tt.refused || row != tt.row || generation != tt.generation || job != tt.job {
				t.Errorf("got %d %q %q %v, want %+v", row, generation, job, err, tt)
			}
		})
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkSample checks what is sent against Slack's bounds (docs.slack.dev, reference/block-kit), slack-go's Validate, and
// the rules for text of strangers.
func checkSample(t *testing.T, rendered any) {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(encode(t, rendered)), &tree); err != nil {
		t.Fatal(err)
	}

	if text, ok := tree["text"].(string); ok && (text == "" || utf8.RuneCountInString(text) > 4000) {
		t.Errorf("got text of %d characters, want 1 to 4000", utf8.RuneCountInString(text))
	}
	blocks, _ := tree["blocks"].([]any)
	if len(blocks) == 0 || len(blocks) > 50 {
		t.Errorf("got %d blocks, want 1 to 50", len(blocks))
	}
	atMost(t, tree, "callback_id", 255)
	atMost(t, tree, "private_metadata", 3000)
	if tree["type"] == "modal" {
		for _, key := range []string{"title", "submit", "close"} {
			textAtMost(t, tree, key, 24)
		}
	}

	ids := map[string]bool{}
	for _, block := range blocks {
		checkBlock(t, block.(map[string]any), ids)
	}
	checkText(t, tree)
	validate(t, blocks)
}

func checkBlock(t *testing.T, block map[string]any, ids map[string]bool) {
	t.Helper()
	if id, ok := block["block_id"].(string); ok {
		if ids[id] {
			t.Errorf("got block_id %q twice", id)
		}
		ids[id] = true
	}
	atMost(t, block, "block_id", 255)

	switch block["type"] {
	case "header":
		textAtMost(t, block, "text", 150)
	case "section":
		textAtMost(t, block, "text", 3000)
	case "context":
		if n := len(block["elements"].([]any)); n == 0 || n > 10 {
			t.Errorf("got %d elements of a context block, want 1 to 10", n)
		}
	case "actions":
		checkButtons(t, block["elements"].([]any))
	case "rich_text":
		if n := len(block["elements"].([]any)); n == 0 {
			t.Error("got a rich_text block without elements")
		}
		if n := utf8.RuneCountInString(wordsOf(block)); n > 4500 {
			t.Errorf("got rich_text of %d characters", n)
		}
	case "input":
		textAtMost(t, block, "label", 2000)
		textAtMost(t, block["element"].(map[string]any), "placeholder", 150)
	case "divider":
	default:
		t.Errorf("got block type %v, which no picture and no bound is made for", block["type"])
	}
}

func checkButtons(t *testing.T, buttons []any) {
	t.Helper()
	if len(buttons) == 0 || len(buttons) > 25 {
		t.Errorf("got %d buttons in a block, want 1 to 25", len(buttons))
	}

	primary := 0
	ids := map[any]bool{}
	for _, b := range buttons {
		button := b.(map[string]any)
		if ids[button["action_id"]] {
			t.Errorf("got action_id %v twice in a block", button["action_id"])
		}
		ids[button["action_id"]] = true
		if button["style"] == "primary" {
			primary++
		}

		atMost(t, button, "action_id", 255)
		atMost(t, button, "value", 2000)
		atMost(t, button, "url", 3000)
		textAtMost(t, button, "text", 30)
		if dialog, ok := button["confirm"].(map[string]any); ok {
			textAtMost(t, dialog, "title", 100)
			textAtMost(t, dialog, "text", 300)
			textAtMost(t, dialog, "confirm", 30)
			textAtMost(t, dialog, "deny", 30)
		}
	}
	if primary > 1 {
		t.Errorf("got %d primary buttons, want at most 1", primary)
	}
}

// checkText looks at every string of what is sent: no hidden characters, and no markup but ours.
func checkText(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if v["type"] == "plain_text" && v["emoji"] != false {
			t.Errorf("got plain_text in which names of emoji become emoji: %v", v)
		}
		if v["type"] == "mrkdwn" {
			rest := v["text"].(string)
			if v["verbatim"] != true || !strings.HasPrefix(rest, "As of <!date^") {
				t.Errorf("got mrkdwn %v, want plain_text or rich_text", v)
			}
		}
		if address, ok := v["url"].(string); ok && !options.allows(address) {
			t.Errorf("got a link to %q", address)
		}
		for key, value := range v {
			if key != "value" && key != "private_metadata" { // nobody sees these
				checkText(t, value)
			}
		}
	case []any:
		for _, value := range v {
			checkText(t, value)
		}
	case string:
		for _, r := range v {
			if r != '\n' && deployment.IsHidden(r) || r == unicode.ReplacementChar {
				t.Errorf("got %q, want no hidden characters", v)
			}
		}
	}
}

// validate decodes the blocks with slack-go, and asks it about every text.
func validate(t *testing.T, blocks []any) {
	t.Helper()
	var decoded goslack.Blocks
	if err := json.Unmarshal([]byte(encode(t, blocks)), &decoded); err != nil {
		t.Fatal(err)
	}

	for _, block := range decoded.BlockSet {
		var texts []*goslack.TextBlockObject
		switch b := block.(type) {
		case *goslack.HeaderBlock:
			texts = append(texts, b.Text)
		case *goslack.SectionBlock:
			texts = append(texts, b.Text)
		case *goslack.InputBlock:
			texts = append(texts, b.Label)
		case *goslack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				texts = append(texts, e.(*goslack.TextBlockObject))
			}
		case *goslack.ActionBlock:
			for _, e := range b.Elements.ElementSet {
				button := e.(*goslack.ButtonBlockElement)
				texts = append(texts, button.Text)
				if button.Confirm != nil {
					texts = append(texts, button.Confirm.Title, button.Confirm.Text, button.Confirm.Confirm, button.Confirm.Deny)
				}
			}
		case *goslack.UnknownBlock:
			t.Errorf("got a block that slack-go does not know: %v", b)
		}
		for _, text := range texts {
			if err := text.Validate(); err != nil {
				t.Errorf("validate %+v: %v", text, err)
			}
		}
	}
}

func atMost(t *testing.T, m map[string]any, key string, limit int) {
	t.Helper()
	if s, _ := m[key].(string); utf8.RuneCountInString(s) > limit {
		t.Errorf("got %s of %d characters, want at most %d", key, utf8.RuneCountInString(s), limit)
	}
}

func textAtMost(t *testing.T, m map[string]any, key string, limit int) {
	t.Helper()
	if object, ok := m[key].(map[string]any); ok {
		if object["text"] == "" {
			t.Errorf("got an empty %s", key)
		}
		atMost(t, object, "text", limit)
	}
}

// wordsOf puts together the text of a tree of blocks.
func wordsOf(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if s, ok := v[key].(string); ok && key == "text" {
				b.WriteString(s)
				continue
			}
			b.WriteString(wordsOf(v[key]))
		}
	case []any:
		for _, value := range v {
			b.WriteString(wordsOf(value))
		}
	}
	return b.String()
}
