// Command pictures draws the messages, modals and the home tab that Seraph sends to Slack as web pages, and takes
// screenshots of them with headless Chromium, for the pages for operators. It reads the golden files of pkg/slack, so
// the pictures show what the tests compare. Slack draws the same content with its own fonts and colors.
//
//	pictures GOLDEN IMAGES [PATTERN]
//
// Without PATTERN it draws the pictures in deploy/docs/images, otherwise the golden files whose names match.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/slack/page"
)

// picture is one file.
type picture struct {
	name  string
	dark  bool
	parts []string // names of golden files; after the first, messages are replies in its thread
}

// pictures are the files in deploy/docs/images.
var pictures = []picture{
	{name: "waits-for-approvals", parts: []string{"card-waiting-approvals"}},
	{name: "waits-for-approvals-dark", dark: true, parts: []string{"card-waiting-approvals"}},
	{name: "waits-for-lock", parts: []string{"card-waiting-lock"}},
	{name: "running", parts: []string{"card-running"}},
	{name: "held", parts: []string{"card-held"}},
	{name: "succeeded", parts: []string{"card-succeeded"}},
	{name: "failed", parts: []string{"card-failed", "note-failed-output"}},
	{name: "failed-dark", dark: true, parts: []string{"card-failed", "note-failed-output"}},
	{name: "list", parts: []string{"card-list"}},
	{name: "roll-back", parts: []string{"modal-rollback"}},
	{name: "home", parts: []string{"home-alice"}},
	{name: "home-dark", dark: true, parts: []string{"home-alice"}},
}

// names are what the ids in the golden files stand for.
var names = map[string]string{"U0ALICE01": "alice", "U0BOB0001": "bob", "S0ONCALL1": "oncall"}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: pictures GOLDEN IMAGES [PATTERN]")
		os.Exit(2)
	}

	pattern := ""
	if len(os.Args) > 3 {
		pattern = os.Args[3]
	}
	if err := run(os.Args[1], os.Args[2], pattern); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// matching returns two pictures, in light and in dark colors, of each golden file whose name matches.
func matching(golden, pattern string) ([]picture, error) {
	files, err := filepath.Glob(filepath.Join(golden, pattern+".json"))
	if err != nil {
		return nil, fmt.Errorf("match golden files with %q: %w", pattern, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file %s.json in %s: write a pattern such as card-*", pattern, golden)
	}

	var list []picture
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		list = append(list, picture{name: name, parts: []string{name}},
			picture{name: name + "-dark", dark: true, parts: []string{name}})
	}
	return list, nil
}

// run draws the golden files that match a pattern; without one the pictures in deploy/docs/images.
func run(golden, images, pattern string) error {
	list := pictures
	if pattern != "" {
		var err error
		if list, err = matching(golden, pattern); err != nil {
			return err
		}
	}

	work, err := os.MkdirTemp("", "seraph-pictures-")
	if err != nil {
		return fmt.Errorf("make directory for pages: %w", err)
	}
	defer os.RemoveAll(work)

	for _, p := range list {
		if err := p.draw(golden, images, work); err != nil {
			return fmt.Errorf("draw %s: %w", p.name, err)
		}
	}
	return nil
}

// draw writes one page, and the picture of it.
func (p picture) draw(golden, images, work string) error {
	var body strings.Builder
	for i, part := range p.parts {
		raw, err := os.ReadFile(filepath.Join(golden, part+".json"))
		if err != nil {
			return fmt.Errorf("read golden file: %w", err)
		}
		if err := drawPart(&body, part, raw, i > 0); err != nil {
			return err
		}
	}

	class := "light"
	if p.dark {
		class = "dark"
	}
	html := filepath.Join(work, p.name+".html")
	content := fmt.Sprintf(`<!doctype html><meta charset="utf-8"><style>%s%s</style><body class="%s">%s</body>`,
		page.Style, frame, class, body.String())
	if err := os.WriteFile(html, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write page: %w", err)
	}

	full := filepath.Join(work, p.name+".png")
	if err := screenshot(html, full, work); err != nil {
		return err
	}
	return shrink(full, filepath.Join(images, p.name+".png"))
}

// frame is the style of the page around messages, modals and the home tab.
const frame = `
body { width: 660px; padding: 6px 0; } .message.reply { margin-left: 46px; border-left: 3px solid var(--line); }
.surface { padding: 12px 20px; } .surface .modal { margin: auto; }
`

// drawPart draws one golden file.
func drawPart(body *strings.Builder, name string, raw []byte, reply bool) error {
	var sample struct {
		page.View
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &sample); err != nil {
		return fmt.Errorf("decode golden file: %w", err)
	}

	o := page.Options{Names: names, Now: time.Date(2026, 11, 28, 14, 2, 0, 0, time.UTC)}
	kind, _, _ := strings.Cut(name, "-")
	draw := func() (template.HTML, error) { return page.Blocks(sample.Blocks, o) }
	before, after := `<div class="surface">`, `</div>`
	switch kind {
	case "modal":
		draw = func() (template.HTML, error) { return page.Modal(sample.View, o) }
	case "card", "note":
		class := "message"
		if reply {
			class += " reply"
		}
		before = `<div class="` + class + `"><div class="avatar">S</div><div class="content"><div class="from">Seraph` +
			`<span class="app">APP</span><small>2:02 PM</small></div>`
		after = `</div></div>`
	}

	content, err := draw()
	if err != nil {
		return err
	}
	body.WriteString(before + string(content) + after)
	return nil
}

// screenshot writes what a window of 660 by 3000 pixels shows of a page into to. shrink refuses a page that is higher.
func screenshot(html, to, work string) error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()

	command := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--hide-scrollbars", "--force-device-scale-factor=1.5", "--window-size=660,3000",
		"--user-data-dir="+filepath.Join(work, "profile"), "--screenshot="+to, "file://"+html)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("run chromium, which must be installed: %w: %s", err, output)
	}
	return nil
}
