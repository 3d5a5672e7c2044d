// Package page draws what a message, a modal or the home tab of Slack looks like as HTML, from the JSON that an app
// sends. It knows the blocks that Seraph uses, and shows every other as its name.
package page

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options say what ids stand for.
type Options struct {
	Names map[string]string // of users, user groups and channels; an id that is missing is shown itself

	Now time.Time // days near it are shown as today and yesterday; zero: all days are shown as dates

	// Form is where the buttons of a message post their action_id, block_id and value; empty: they do nothing. Fields
	// are sent with them.
	Form   string
	Fields map[string]string
}

// block is any block, and object any part of one: the fields that blocks of all kinds have together.
type object struct {
	Type     string            `json:"type"`
	Text     json.RawMessage   `json:"text"` // a string, or an object with one
	BlockID  string            `json:"block_id"`
	ActionID string            `json:"action_id"`
	Value    string            `json:"value"`
	URL      string            `json:"url"`
	Style    json.RawMessage   `json:"style"` // of a button or a list a string, of text an object
	Elements []json.RawMessage `json:"elements"`
	Fields   []json.RawMessage `json:"fields"`
	Confirm  *confirm          `json:"confirm"`
	Label    json.RawMessage   `json:"label"`
	Element  json.RawMessage   `json:"element"`
	Optional bool              `json:"optional"`

	Placeholder json.RawMessage `json:"placeholder"`
	Multiline   bool            `json:"multiline"`
	MaxLength   int             `json:"max_length"`

	UserID      string `json:"user_id"`
	UsergroupID string `json:"usergroup_id"`
	ChannelID   string `json:"channel_id"`
	Timestamp   int64  `json:"timestamp"`
	Name        string `json:"name"`
	Range       string `json:"range"`
}

type confirm struct {
	Title   json.RawMessage `json:"title"`
	Text    json.RawMessage `json:"text"`
	Confirm json.RawMessage `json:"confirm"`
	Deny    json.RawMessage `json:"deny"`
}

// View is a modal.
type View struct {
	Title  json.RawMessage   `json:"title"`
	Submit json.RawMessage   `json:"submit"`
	Close  json.RawMessage   `json:"close"`
	Blocks []json.RawMessage `json:"blocks"`
}

// Blocks draws an array of blocks. All text in it is escaped.
func Blocks(blocks []json.RawMessage, o Options) (template.HTML, error) {
	var b strings.Builder
	for _, raw := range blocks {
		var block object
		if err := json.Unmarshal(raw, &block); err != nil {
			return "", fmt.Errorf("decode block: %w", err)
		}
		o.block(&b, block)
	}
	return template.HTML(b.String()), nil
}

// Render draws an array of blocks. All text in it is escaped.
func Render(blocks json.RawMessage, o Options) (template.HTML, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(blocks, &list); err != nil {
		return "", fmt.Errorf("decode blocks: %w", err)
	}
	return Blocks(list, o)
}

// Modal draws a modal with its title and its two buttons.
func Modal(view View, o Options) (template.HTML, error) {
	content, err := Blocks(view.Blocks, o)
	if err != nil {
		return "", err
	}

	var b strings.Builder
	b.WriteString(`<div class="modal"><div class="modal-title">` + escape(words(view.Title)) + `</div>`)
	b.WriteString(`<div class="modal-body">` + string(content) + `</div><div class="modal-foot">`)
	if s := words(view.Close); s != "" {
		b.WriteString(`<button class="button" name="close" value="1" formnovalidate>` + escape(s) + `</button>`)
	}
	if s := words(view.Submit); s != "" {
		b.WriteString(`<button class="button primary" name="submit" value="1">` + escape(s) + `</button>`)
	}
	b.WriteString(`</div></div>`)
	return template.HTML(b.String()), nil
}

// block draws one block.
func (o Options) block(b *strings.Builder, block object) {
	switch block.Type {
	case "header":
		b.WriteString(`<div class="header">` + escape(words(block.Text)) + `</div>`)
	case "divider":
		b.WriteString(`<hr>`)
	case "section":
		b.WriteString(`<div class="section">` + o.text(block.Text))
		for _, field := range block.Fields {
			b.WriteString(`<div class="field">` + o.text(field) + `</div>`)
		}
		b.WriteString(`</div>`)
	case "context":
		b.WriteString(`<div class="context">`)
		for _, element := range block.Elements {
			b.WriteString(`<span>` + o.text(element) + `</span>`)
		}
		b.WriteString(`</div>`)
	case "rich_text":
		b.WriteString(`<div class="rich">`)
		for _, element := range block.Elements {
			o.rich(b, decode(element))
		}
		b.WriteString(`</div>`)
	case "actions":
		b.WriteString(`<div class="actions">`)
		for _, element := range block.Elements {
			o.button(b, block.BlockID, decode(element))
		}
		b.WriteString(`</div>`)
	case "input":
		o.input(b, block)
	default:
		b.WriteString(`<div class="unknown">[` + escape(block.Type) + `]</div>`)
	}
}

// rich draws one element of a rich_text block.
func (o Options) rich(b *strings.Builder, element object) {
	open, end := `<div class="line">`, `</div>`
	switch element.Type {
	case "rich_text_list":
		b.WriteString(`<ul>`)
		for _, item := range element.Elements {
			b.WriteString(`<li>`)
			o.spans(b, decode(item).Elements)
			b.WriteString(`</li>`)
		}
		b.WriteString(`</ul>`)
		return
	case "rich_text_preformatted":
		open, end = `<pre>`, `</pre>`
	case "rich_text_quote":
		open, end = `<blockquote>`, `</blockquote>`
	}
	b.WriteString(open)
	o.spans(b, element.Elements)
	b.WriteString(end)
}

// spans draws the parts of a line.
func (o Options) spans(b *strings.Builder, elements []json.RawMessage) {
	for _, raw := range elements {
		span := decode(raw)
		switch span.Type {
		case "text":
			b.WriteString(styled(escape(words(span.Text)), span.Style))
		case "link":
			label := words(span.Text)
			if label == "" {
				label = span.URL
			}
			b.WriteString(styled(link(span.URL, escape(label)), span.Style))
		case "user":
			b.WriteString(mention("@" + o.name(span.UserID)))
		case "usergroup":
			b.WriteString(mention("@" + o.name(span.UsergroupID)))
		case "channel":
			b.WriteString(mention("#" + o.name(span.ChannelID)))
		case "broadcast":
			b.WriteString(mention("@" + span.Range))
		case "emoji":
			b.WriteString(escape(":" + span.Name + ":"))
		case "date":
			b.WriteString(escape(o.moment(span.Timestamp)))
		default:
			b.WriteString(`[` + escape(span.Type) + `]`)
		}
	}
}

// button draws a button, as a link where it has an address, and as one of a form otherwise.
func (o Options) button(b *strings.Builder, blockID string, button object) {
	if button.Type != "button" {
		b.WriteString(`<span class="unknown">[` + escape(button.Type) + `]</span>`)
		return
	}

	class := "button"
	var style string
	if json.Unmarshal(button.Style, &style) == nil && (style == "primary" || style == "danger") {
		class += " " + style
	}
	label := escape(words(button.Text))
	if button.URL != "" {
		if address, ok := safe(button.URL); ok {
			b.WriteString(`<a class="` + class + `" href="` + escape(address) + `" rel="noreferrer">` + label + `</a>`)
		}
		return
	}
	if o.Form == "" {
		b.WriteString(`<span class="` + class + `">` + label + `</span>`)
		return
	}

	b.WriteString(`<form method="post" action="` + escape(o.Form) + `"`)
	if c := button.Confirm; c != nil {
		b.WriteString(` data-confirm="` + escape(words(c.Title)+"\n"+words(c.Text)) + `"`)
	}
	b.WriteString(`>`)
	for name, value := range o.Fields {
		b.WriteString(hidden(name, value))
	}
	b.WriteString(hidden("block_id", blockID) + hidden("action_id", button.ActionID) + hidden("value", button.Value))
	b.WriteString(`<button class="` + class + `">` + label + `</button></form>`)
}

func hidden(name, value string) string {
	return `<input type="hidden" name="` + escape(name) + `" value="` + escape(value) + `">`
}

// input draws a field. Its name is block_id/action_id.
func (o Options) input(b *strings.Builder, block object) {
	element := decode(block.Element)
	b.WriteString(`<label class="input"><b>` + escape(words(block.Label)) + `</b>`)
	if block.Optional {
		b.WriteString(` <i>(optional)</i>`)
	}
	b.WriteString(`<input type="text" name="` + escape(block.BlockID+"/"+element.ActionID) + `" placeholder="` +
		escape(words(element.Placeholder)) + `"`)
	if element.MaxLength > 0 {
		b.WriteString(` maxlength="` + strconv.Itoa(element.MaxLength) + `"`)
	}
	if !block.Optional {
		b.WriteString(` required`)
	}
	b.WriteString(`></label>`)
}

// text draws a text object: plain_text as it is, mrkdwn with its markup.
func (o Options) text(raw json.RawMessage) string {
	object := decode(raw)
	if object.Type == "mrkdwn" {
		return o.Markup(words(raw))
	}
	return strings.ReplaceAll(escape(words(raw)), "\n", "<br>")
}

var (
	angle = regexp.MustCompile(`<([^<>]*)>`)
	fixed = regexp.MustCompile("`([^`\n]+)`")
	heavy = regexp.MustCompile(`\*([^*\n]+)\*`)
	slant = regexp.MustCompile(`\b_([^_\n]+)_\b`)
)

// Markup draws mrkdwn, such as the text of a message without blocks.
func (o Options) Markup(s string) string {
	var b strings.Builder
	rest := s
	for rest != "" {
		at := angle.FindStringSubmatchIndex(rest)
		if at == nil {
			b.WriteString(format(rest))
			break
		}
		b.WriteString(format(rest[:at[0]]))
		b.WriteString(o.control(rest[at[2]:at[3]]))
		rest = rest[at[1]:]
	}
	return strings.ReplaceAll(b.String(), "\n", "<br>")
}

// control draws what stands between angle brackets in mrkdwn.
func (o Options) control(s string) string {
	body, label, labeled := strings.Cut(s, "|")
	switch {
	case strings.HasPrefix(body, "!date^"):
		parts := strings.SplitN(body, "^", 4)
		if seconds, err := strconv.ParseInt(parts[1], 10, 64); err == nil {
			return escape(o.moment(seconds))
		}
		return escape(unescape(label))
	case strings.HasPrefix(body, "!subteam^"):
		return mention("@" + o.name(strings.TrimPrefix(body, "!subteam^")))
	case strings.HasPrefix(body, "!"):
		return mention("@" + strings.TrimPrefix(body, "!"))
	case strings.HasPrefix(body, "@"):
		return mention("@" + o.name(body[1:]))
	case strings.HasPrefix(body, "#"):
		return mention("#" + o.name(body[1:]))
	case labeled:
		return link(unescape(body), escape(unescape(label)))
	default:
		return link(unescape(body), escape(unescape(body)))
	}
}

// format draws mrkdwn without angle brackets.
func format(s string) string {
	s = escape(unescape(s))
	s = fixed.ReplaceAllString(s, `<code>$1</code>`)
	s = heavy.ReplaceAllString(s, `<b>$1</b>`)
	return slant.ReplaceAllString(s, `<i>$1</i>`)
}

var unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

func unescape(s string) string { return unescaper.Replace(s) }

// styled puts a span into the elements of its style.
func styled(html string, raw json.RawMessage) string {
	var style struct{ Bold, Italic, Strike, Code bool }
	if len(raw) == 0 || json.Unmarshal(raw, &style) != nil {
		return html
	}
	if style.Code {
		html = `<code>` + html + `</code>`
	}
	if style.Bold {
		html = `<b>` + html + `</b>`
	}
	if style.Italic {
		html = `<i>` + html + `</i>`
	}
	if style.Strike {
		html = `<s>` + html + `</s>`
	}
	return html
}

// link draws a link to an address of the web, and only its label for any other.
func link(address, label string) string {
	if address, ok := safe(address); ok {
		return `<a href="` + escape(address) + `" rel="noreferrer">` + label + `</a>`
	}
	return label
}

func safe(address string) (string, bool) {
	u, err := url.Parse(address)
	return address, err == nil && (u.Scheme == "https" || u.Scheme == "http")
}

func mention(s string) string { return `<span class="mention">` + escape(s) + `</span>` }

func (o Options) name(id string) string {
	if name, ok := o.Names[id]; ok {
		return name
	}
	return id
}

// moment shows a time in UTC. Slack shows it in the reader's own time zone.
func (o Options) moment(seconds int64) string {
	t := time.Unix(seconds, 0).UTC()
	day := t.Format("Jan 2, 2006")
	switch day {
	case o.Now.UTC().Format("Jan 2, 2006"):
		day = "today"
	case o.Now.UTC().AddDate(0, 0, -1).Format("Jan 2, 2006"):
		day = "yesterday"
	}
	return day + " at " + t.Format("15:04")
}

func escape(s string) string { return template.HTMLEscapeString(s) }

// words returns the text of a string, or of an object with one.
func words(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var object struct{ Text string }
	_ = json.Unmarshal(raw, &object) // what is neither has no text
	return object.Text
}

// decode reads a part of a block. What is no object has no type.
func decode(raw json.RawMessage) object {
	var o object
	_ = json.Unmarshal(raw, &o) // what is no object is drawn as one without a type
	return o
}
