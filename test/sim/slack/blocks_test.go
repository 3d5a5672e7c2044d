package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestServer_ChecksBlocks posts blocks that Slack refuses and checks the JSON pointer of its message.
func TestServer_ChecksBlocks(t *testing.T) {
	text := func(n int) string { return strings.Repeat("é", n) }
	many := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	const divider = `{"type":"divider"}`
	button := func(label, more string) string {
		return fmt.Sprintf(`{"type":"button","text":{"type":"plain_text","text":%q}%s}`, label, more)
	}

	tests := []struct {
		name   string
		blocks string
		want   string // JSON pointer; empty: accepted
	}{
		{name: "50 blocks", blocks: many(50, divider)},
		{name: "51 blocks", blocks: many(51, divider), want: "/blocks"},
		{name: "section of 3000", blocks: `{"type":"section","text":{"type":"mrkdwn","text":"` + text(3000) + `"}}`},
		{
			name:   "section of 3001",
			blocks: `{"type":"section","text":{"type":"mrkdwn","text":"` + text(3001) + `"}}`,
			want:   "/blocks/0/text/text",
		},
		{
			name:   "empty section",
			blocks: `{"type":"section","text":{"type":"mrkdwn","text":""}}`,
			want:   "/blocks/0/text/text",
		},
		{name: "section without anything", blocks: `{"type":"section"}`, want: "/blocks/0"},
		{
			name:   "11 fields",
			blocks: `{"type":"section","fields":[` + many(11, `{"type":"mrkdwn","text":"x"}`) + `]}`,
			want:   "/blocks/0/fields",
		},
		{
			name:   "field of 2001",
			blocks: `{"type":"section","fields":[{"type":"mrkdwn","text":"` + text(2001) + `"}]}`,
			want:   "/blocks/0/fields/0/text",
		},
		{
			name:   "header of 151",
			blocks: `{"type":"header","text":{"type":"plain_text","text":"` + text(151) + `"}}`,
			want:   "/blocks/0/text/text",
		},
		{
			name:   "header in mrkdwn",
			blocks: `{"type":"header","text":{"type":"mrkdwn","text":"x"}}`,
			want:   "/blocks/0/text/type",
		},
		{
			name:   "emoji of mrkdwn",
			blocks: `{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`,
			want:   "/blocks/0/text",
		},
		{
			name:   "11 in context",
			blocks: `{"type":"context","elements":[` + many(11, `{"type":"mrkdwn","text":"x"}`) + `]}`,
			want:   "/blocks/0/elements",
		},
		{
			name:   "26 buttons",
			blocks: `{"type":"actions","elements":[` + many(26, button("x", "")) + `]}`,
			want:   "/blocks/0/elements",
		},
		{
			name:   "button of 76",
			blocks: `{"type":"actions","elements":[` + button(text(76), "") + `]}`,
			want:   "/blocks/0/elements/0/text/text",
		},
		{
			name:   "value of 2001",
			blocks: `{"type":"actions","elements":[` + button("x", `,"value":"`+text(2001)+`"`) + `]}`,
			want:   "/blocks/0/elements/0/value",
		},
		{
			name:   "style",
			blocks: `{"type":"actions","elements":[` + button("x", `,"style":"green"`) + `]}`,
			want:   "/blocks/0/elements/0/style",
		},
		{
			name:   "id twice",
			blocks: `{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}`,
			want:   "/blocks/1/block_id",
		},
		{
			name:   "action twice",
			blocks: `{"type":"actions","elements":[` + many(2, button("x", `,"action_id":"a"`)) + `]}`,
			want:   "/blocks/0/elements/1/action_id",
		},
		{name: "empty actions", blocks: `{"type":"actions","elements":[]}`, want: "/blocks/0"},
		{
			name:   "input in a message",
			blocks: `{"type":"input","label":{"type":"plain_text","text":"x"},"element":{"type":"plain_text_input"}}`,
			want:   "/blocks/0/type",
		},
		{
			name: "confirm of 301",
			blocks: `{"type":"actions","elements":[` + button("x", `,"confirm":{`+
				`"title":{"type":"plain_text","text":"x"},"text":{"type":"plain_text","text":"`+text(301)+`"}}`) + `]}`,
			want: "/blocks/0/elements/0/confirm/text/text",
		},
	}

	s := start(t, Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := url.Values{"channel": {deploys}, "text": {"x"}, "blocks": {"[" + test.blocks + "]"}}
			a := callMethod(t, s, "chat.postMessage", args)
			if test.want == "" {
				if a["ok"] != true {
					t.Errorf("got %v, want the message accepted", a)
				}
				return
			}

			var messages []any
			if metadata, found := a["response_metadata"].(Object); found {
				messages, _ = metadata["messages"].([]any)
			}
			pointer := "[json-pointer:" + test.want + "]"
			if a["error"] != "invalid_blocks" || !strings.Contains(fmt.Sprint(messages), pointer) {
				t.Errorf("got %v, want invalid_blocks at %s", a, test.want)
			}
		})
	}
}

// FuzzCheckBlocks checks that no blocks stop the simulator.
func FuzzCheckBlocks(f *testing.F) {
	f.Add([]byte(blocksJSON))
	f.Add([]byte(`[{"type":"section","fields":[7],"accessory":[]},{"type":"actions","elements":[[]]},null]`))
	f.Add([]byte(`[{"type":"input","element":{"type":"static_select","options":[null]}}]`))
	s := New(Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var blocks []Object
		if json.Unmarshal(raw, &blocks) != nil {
			return
		}
		if len(checkBlocks(blocks, onMessage)) == 0 {
			s.completeBlocks(blocks)
			buttonsOf(blocks)
			wordsOf(blocks)
		}
		s.decodeView(`{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":`+string(raw)+`}`, "modal")
	})
}
