package slack

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

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
