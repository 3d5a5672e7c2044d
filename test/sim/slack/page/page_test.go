package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const golden = "../../../../pkg/slack/testdata/golden"

// tag matches what this package writes; anything else that looks like an element comes from a text.
var tag = regexp.MustCompile(`</?(?:div|span|b|i|s|a|p|ul|li|pre|code|hr|br|form|label|input|button|blockquote)(?: [a-z-]+(?:="[^"<>]*")?)*>`)

var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	event  = regexp.MustCompile(` on[a-z]+=`)
	script = regexp.MustCompile(`(?i)href="\s*javascript:`)
)

// checkEscaped checks that HTML has only elements that this package writes, and no attribute of an event.
func checkEscaped(t *testing.T, html string) {
	t.Helper()
	if rest := tag.ReplaceAllString(html, ""); strings.ContainsAny(rest, "<>") {
		t.Errorf("got %q, want all text escaped", html)
	}
	for _, found := range tag.FindAllString(html, -1) {
		if event.MatchString(quoted.ReplaceAllString(found, "")) || script.MatchString(found) {
			t.Errorf("got element %q", found)
		}
	}
}

// TestBlocks_DrawsEverythingThatSeraphSends draws the golden files of pkg/slack.
func TestBlocks_DrawsEverythingThatSeraphSends(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d golden files, error %v", len(files), err)
	}

	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var view View
			if err := json.Unmarshal(raw, &view); err != nil {
				t.Fatal(err)
			}

			html, err := Modal(view, Options{Form: "/click", Fields: map[string]string{"as": `"><b>`}})
			if err != nil {
				t.Fatal(err)
			}
			checkEscaped(t, string(html))
			if strings.Contains(string(html), `class="unknown"`) {
				t.Errorf("got %s, want every block known", html)
			}
		})
	}
}

func TestOptions_Markup(t *testing.T) {
	o := Options{
		Names: map[string]string{"U1": "alice", "S1": "oncall", "C1": "deploys"},
		Now:   time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC),
	}
	tests := map[string]struct{ text, want string }{
		"escaped":        {"a &lt;b&gt; &amp;amp; c", "a &lt;b&gt; &amp;amp; c"},
		"user":           {"<@U1>", `<span class="mention">@alice</span>`},
		"group":          {"<!subteam^S1>", `<span class="mention">@oncall</span>`},
		"everybody":      {"<!channel>", `<span class="mention">@channel</span>`},
		"channel":        {"<#C1>", `<span class="mention">#deploys</span>`},
		"link":           {"<https://x.example|here>", `<a href="https://x.example" rel="noreferrer">here</a>`},
		"link to script": {"<javascript:alert(1)|here>", "here"},
		"date":           {"<!date^1795856520^{date} at {time}|then>", "today at 09:02"},
		"broken date":    {"<!date^x^{date}|then>", "then"},
		"styles":         {"*a* _b_ `c`", "<b>a</b> <i>b</i> <code>c</code>"},
		"lines":          {"a\nb", "a<br>b"},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := o.Markup(tt.text); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestBlocks_UnknownBlocksShowTheirName(t *testing.T) {
	html, err := Render(json.RawMessage(`[{"type":"<video>"},{"type":"actions","elements":[{"type":"overflow"}]}]`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[&lt;video&gt;]", "[overflow]"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("got %s, want %s", html, want)
		}
	}
}

// FuzzRender draws any JSON, and any text as markup.
func FuzzRender(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var view View
		if err := json.Unmarshal(raw, &view); err != nil {
			f.Fatal(err)
		}
		blocks, err := json.Marshal(view.Blocks)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(blocks))
	}
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"<!date^1><a|<b>> *_x_*"}}]`)

	f.Fuzz(func(t *testing.T, s string) {
		if html, err := Render(json.RawMessage(s), Options{Form: "/click"}); err == nil {
			checkEscaped(t, string(html))
		}
		checkEscaped(t, Options{}.Markup(s))
	})
}
