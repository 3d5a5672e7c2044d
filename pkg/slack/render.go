package slack

import (
	"fmt"
	"slices"
	"strings"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// maxFallback bounds the text of a message, in code points before they are escaped. Escaped, which makes a character
// five at most, it stays below the 4000 characters that chat.update accepts.
const maxFallback = 600

// RenderCard renders a card: a header with the state, its facts, its rows, its lines, its buttons, and the deployment's
// number, or what to type about those of a list.
// A plain card has no blocks. Text of strangers can neither mention anybody nor link. In blocks it is shown as it is; in
// the Text of the message, which is mrkdwn, an asterisk of theirs can style what follows.
func RenderCard(c notify.Card, o RenderOptions) Message {
	mark := stateMark(c.State)
	title := c.Title
	if strings.TrimSpace(oneLine(title, maxHeader)) == "" {
		title = fmt.Sprintf("deployment %d: %s", c.Deployment, c.State)
	}

	message := Message{Text: mark + " " + fallback(c.Summary, title)}
	if c.Plain {
		return message
	}

	blocks := []goslack.Block{header(mark + " " + title)}
	if block := o.facts(c.Facts); block != nil {
		blocks = append(blocks, block)
	}
	blocks = append(blocks, o.rows(c.Rows)...)
	if block := o.lines(c.Lines); block != nil {
		blocks = append(blocks, block)
	}
	if block := o.buttons("card", c.Row, c.Generation, c.Title, c.Buttons); block != nil {
		blocks = append(blocks, block)
	}
	switch {
	case len(c.Rows) > 0:
		blocks = append(blocks, footnote(`"/seraph why #ID" says more about one of them, and "/seraph cancel #ID" cancels it.`))
	case c.Deployment != 0:
		blocks = append(blocks, footnote(fmt.Sprintf("Deployment #%d", c.Deployment)))
	}

	message.Blocks = blocks
	return message
}

// rowsPerBlock is how many rows of a list one block shows: of the length that package notify gives them they are shorter
// together than maxRichText.
const rowsPerBlock = 10

// rows renders the lines of several deployments, each after the mark of its state.
func (o RenderOptions) rows(rows []notify.Row) (blocks []goslack.Block) {
	for some := range slices.Chunk(rows, rowsPerBlock) {
		var rendered [][]goslack.RichTextSectionElement
		var sizes []int
		for _, row := range some {
			line, size := o.elements(append(notify.Text{{Text: stateMark(row.State) + " "}}, row.Text...))
			rendered, sizes = append(rendered, line), append(sizes, size)
		}
		blocks = append(blocks, richText(rendered, sizes))
	}
	return blocks
}

// RenderNote renders a note: whom it mentions, its lines, the output of a failing step, its buttons. A note without
// lines shows its summary. A plain note has no blocks.
func RenderNote(n notify.Note, o RenderOptions) Message {
	lines := n.Lines
	if o.lines(lines) == nil {
		lines = []notify.Text{notify.Plain(n.Summary)}
	}

	text := fallback(n.Summary, "A message of Seraph")
	first, markup := mentioned(n.Mention)
	if first != nil {
		text = markup + " " + text
	}
	if n.Plain {
		return Message{Text: text}
	}

	var blocks []goslack.Block
	if block := o.linesAfter(first, lines); block != nil {
		blocks = append(blocks, block)
	}
	if output := preformatted(n.Output); output != "" {
		blocks = append(blocks, outputBlock(output))
	}
	if block := o.buttons("note", n.Row, n.Generation, n.Summary, n.Buttons); block != nil {
		blocks = append(blocks, block)
	}

	return Message{Text: text, Blocks: blocks}
}

// fallback is the text that notifications show, escaped: the summary, or where it is empty the other text.
func fallback(summary, otherwise string) string {
	text := strings.TrimSpace(escape(summary, maxFallback))
	if text == "" {
		return escape(otherwise, maxFallback)
	}
	return text
}

// mentioned mentions a user or a user group, as an element of rich text and in mrkdwn. Both are empty for another id.
func mentioned(id string) (goslack.RichTextSectionElement, string) {
	switch {
	case !isID(id):
		return nil, ""
	case id[0] == 'S':
		return goslack.NewRichTextSectionUserGroupElement(id), "<!subteam^" + id + ">"
	case id[0] == 'U' || id[0] == 'W':
		return goslack.NewRichTextSectionUserElement(id, nil), "<@" + id + ">"
	default:
		return nil, ""
	}
}

// outputBlock shows lines of output as they are.
func outputBlock(text string) goslack.Block {
	return goslack.NewRichTextBlock("", &goslack.RichTextPreformatted{
		Type:     goslack.RTEPreformatted,
		Elements: []goslack.RichTextSectionElement{goslack.NewRichTextSectionTextElement(text, nil)},
	})
}

// stateMark is the emoji before a title, so that a list of cards can be skimmed. The title also names the state.
func stateMark(s deployment.State) string {
	switch s {
	case deployment.Waiting:
		return "⏳"
	case deployment.Triggering:
		return "🚀"
	case deployment.Unconfirmed:
		return "❓"
	case deployment.Running:
		return "🔄"
	case deployment.Held:
		return "✋"
	case deployment.Succeeded:
		return "✅"
	case deployment.Failed:
		return "❌"
	case deployment.Errored:
		return "⚠️"
	case deployment.Rejected:
		return "🚫"
	case deployment.Canceled:
		return "⏹️"
	default:
		return "•"
	}
}
