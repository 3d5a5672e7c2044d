package slack

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// Slack's bounds, in characters (docs.slack.dev, reference/block-kit), and our own smaller ones.
const (
	maxHeader     = 150
	maxURL        = 3000
	maxLabel      = 30   // of a button; Slack accepts 75 and shows about 30
	maxSpan       = 400  // ours: of a part of a line
	maxLine       = 900  // ours: of a line, without the excess that element allows
	maxRichText   = 3000 // ours, as Slack's of a section: of the lines of one block; Slack publishes none for rich_text
	maxLines      = 20   // ours: lines of one block
	maxBlocks     = 50   // of a message; ours of the home tab and of modals, for which Slack accepts 100
	maxPerActions = 25   // buttons of one actions block
)

// RenderOptions says what the text of others may become.
type RenderOptions struct {
	// Hosts are the hosts of GitHub, CircleCI and this service, with the port where there is one. A link to any other
	// host is shown as text.
	Hosts []string

	// Mention returns the Slack user of a GitHub id whose link is verified; empty: none. Nil knows nobody.
	Mention func(githubID int64) string
}

// mention returns the Slack user of a GitHub id, or nothing.
func (o RenderOptions) mention(githubID int64) string {
	if o.Mention == nil || githubID == 0 {
		return ""
	}
	if user := o.Mention(githubID); isID(user) {
		return user
	}
	return ""
}

// allows says whether a link may lead to an address.
func (o RenderOptions) allows(address string) bool {
	if !utf8.ValidString(address) || strings.ContainsFunc(address, deployment.IsHidden) {
		return false
	}

	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.Host != "" &&
		utf8.RuneCountInString(address) <= maxURL && !strings.ContainsAny(address, "<>|\\") &&
		slices.ContainsFunc(o.Hosts, func(host string) bool { return strings.EqualFold(host, u.Host) })
}

// isID says whether s looks like one of Slack's ids: a capital letter, then capital letters and digits.
func isID(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return len(s) > 1 && len(s) <= 64 && s[0] >= 'A'
}

// plain is a plain_text object of one line, at most limit code points long. Slack reads no markup in it, and names of
// emoji stay text. In place of empty text, which Slack refuses, there is a dash.
func plain(s string, limit int) *goslack.TextBlockObject {
	text := strings.TrimSpace(oneLine(s, limit))
	if text == "" {
		text = "–"
	}
	return goslack.NewTextBlockObject(goslack.PlainTextType, text, false, false)
}

// header is a header block.
func header(s string) goslack.Block { return goslack.NewHeaderBlock(plain(s, maxHeader)) }

// footnote is one line of small text.
func footnote(s string) goslack.Block { return goslack.NewContextBlock("", plain(s, maxLine)) }

// elements renders a line. The second result is its length in code points, about maxLine at most.
func (o RenderOptions) elements(line notify.Text) ([]goslack.RichTextSectionElement, int) {
	var out []goslack.RichTextSectionElement
	size := 0
	for _, span := range line {
		limit := min(maxSpan, maxLine-size)
		if limit <= 1 {
			break
		}

		element, n := o.element(span, limit)
		if element != nil {
			out = append(out, element)
			size += n
		}
	}
	return out, size
}

// element renders a part of a line, and returns its length in code points; nil where it has no text. Only a mention and
// a moment may be longer than limit: they are not cut.
func (o RenderOptions) element(span notify.Span, limit int) (goslack.RichTextSectionElement, int) {
	text := oneLine(span.Text, limit)
	size := utf8.RuneCountInString(text)

	if user := o.mention(span.Person); user != "" {
		return goslack.NewRichTextSectionUserElement(user, nil), max(size, len(user))
	}
	if !span.Time.IsZero() && span.Time.Unix() > 0 {
		return date(span.Time, text), max(size, len(timeLayout))
	}
	if strings.TrimSpace(text) == "" && !(text == " " && !span.Code) {
		return nil, 0
	}
	if span.URL != "" && o.allows(span.URL) {
		return goslack.NewRichTextSectionLinkElement(span.URL, text, nil), size
	}

	var style *goslack.RichTextSectionTextStyle
	if span.Code {
		style = &goslack.RichTextSectionTextStyle{Code: true}
	}
	return goslack.NewRichTextSectionTextElement(text, style), size
}

// timeLayout is the text of a moment for clients that cannot show the reader's own time.
const timeLayout = "2006-01-02 15:04 UTC"

// date shows a moment in each reader's own time zone.
func date(t time.Time, text string) goslack.RichTextSectionElement {
	if text = strings.TrimSpace(text); text == "" {
		text = t.UTC().Format(timeLayout)
	}
	return goslack.NewRichTextSectionDateElement(t.Unix(), "{date_short_pretty} at {time}", nil, &text)
}

// richText renders lines, one below the other, in one block; nil for no lines. sizes are their lengths in code points.
// What does not fit into maxLines and maxRichText is counted in the last line.
func richText(lines [][]goslack.RichTextSectionElement, sizes []int) goslack.Block {
	var sections []goslack.RichTextElement
	total := 0
	for i, line := range lines {
		if total += sizes[i]; i == maxLines || total > maxRichText {
			more := "… and " + strconv.Itoa(len(lines)-i) + " more"
			sections = append(sections, goslack.NewRichTextSection(goslack.NewRichTextSectionTextElement(more, nil)))
			break
		}
		sections = append(sections, goslack.NewRichTextSection(line...))
	}

	if len(sections) == 0 {
		return nil
	}
	return goslack.NewRichTextBlock("", sections...)
}

// lines renders lines in one block; nil for lines without text.
func (o RenderOptions) lines(lines []notify.Text) goslack.Block { return o.linesAfter(nil, lines) }

// linesAfter renders lines of which the first begins with an element, such as a mention; nil: with its own text.
func (o RenderOptions) linesAfter(first goslack.RichTextSectionElement, lines []notify.Text) goslack.Block {
	var rendered [][]goslack.RichTextSectionElement
	var sizes []int
	for _, line := range lines {
		if elements, size := o.elements(line); len(elements) > 0 {
			rendered, sizes = append(rendered, elements), append(sizes, size)
		}
	}

	switch {
	case first == nil:
	case len(rendered) == 0:
		rendered, sizes = [][]goslack.RichTextSectionElement{{first}}, []int{0}
	default:
		space := goslack.NewRichTextSectionTextElement(" ", nil)
		rendered[0] = append([]goslack.RichTextSectionElement{first, space}, rendered[0]...)
	}
	return richText(rendered, sizes)
}

// facts renders labels in bold, each with its value, in one block; nil for none.
func (o RenderOptions) facts(facts []notify.Fact) goslack.Block {
	var rendered [][]goslack.RichTextSectionElement
	var sizes []int
	for _, fact := range facts {
		value, size := o.elements(fact.Value)
		if len(value) == 0 {
			continue
		}

		label := strings.TrimSpace(oneLine(fact.Label, maxLabel))
		line := append([]goslack.RichTextSectionElement{bold(label + "  ")}, value...)
		rendered, sizes = append(rendered, line), append(sizes, size+utf8.RuneCountInString(label)+2)
	}
	return richText(rendered, sizes)
}

// bulletList is a rich_text_list. slack-go's own type also writes the field offset, which Slack's types do not have.
type bulletList struct {
	Type     goslack.RichTextElementType     `json:"type"`
	Style    goslack.RichTextListElementType `json:"style"`
	Elements []goslack.RichTextElement       `json:"elements"`
}

// RichTextElementType returns the type.
func (l bulletList) RichTextElementType() goslack.RichTextElementType { return l.Type }

func bullets(items []goslack.RichTextElement) goslack.RichTextElement {
	return bulletList{Type: goslack.RTEList, Style: goslack.RTEListBullet, Elements: items}
}

// bold is text of ours in bold.
func bold(s string) goslack.RichTextSectionElement {
	return goslack.NewRichTextSectionTextElement(s, &goslack.RichTextSectionTextStyle{Bold: true})
}

// buttons renders the buttons of one card, note or item of the home tab as one block; nil for none. At most one of them
// is primary. The block_id is new for each generation, and place tells apart what shows the same deployment twice.
func (o RenderOptions) buttons(
	place string, row int64, generation, about string, buttons []notify.Button,
) goslack.Block {
	var elements []goslack.BlockElement
	times := map[notify.Verb]int{}
	primary := false
	for _, b := range buttons {
		button := o.button(row, generation, about, b)
		if button == nil || len(elements) == maxPerActions {
			continue
		}

		if times[b.Verb]++; times[b.Verb] > 1 {
			button.ActionID = fmt.Sprintf("%s_%d", button.ActionID, times[b.Verb])
		}
		if primary && button.Style == goslack.StylePrimary {
			button.Style = goslack.StyleDefault
		}
		primary = primary || button.Style == goslack.StylePrimary
		elements = append(elements, button)
	}

	if len(elements) == 0 {
		return nil
	}
	return goslack.NewActionBlock(fmt.Sprintf("%s%s_%d_%s", actionPrefix, place, row, generation), elements...)
}

// button renders a button; nil for one that leads to a host that is none of ours, or whose value Slack would not take.
func (o RenderOptions) button(row int64, generation, about string, b notify.Button) *goslack.ButtonBlockElement {
	value := ActionValue(row, generation, b.Job, b.ConfirmWord != "")
	if b.Verb == notify.VerbOpen {
		if !o.allows(b.URL) {
			return nil
		}
		value = ""
	} else if _, _, _, err := ParseAction(value); err != nil {
		return nil
	}

	button := goslack.NewButtonBlockElement(ActionID(b.Verb), value, plain(b.Label, maxLabel))
	switch {
	case b.Danger:
		button.Style = goslack.StyleDanger
	case b.Primary:
		button.Style = goslack.StylePrimary
	}

	switch {
	case b.Verb == notify.VerbOpen:
		button.URL = b.URL
	case b.Confirm && b.ConfirmWord == "":
		button.Confirm = confirm(b, about)
	}
	return button
}

// confirm asks for a yes before a button is sent.
func confirm(b notify.Button, about string) *goslack.ConfirmationBlockObject {
	label := strings.TrimRight(strings.TrimSpace(oneLine(b.Label, maxLabel)), "…. ")
	text := consequence(b)
	if about != "" {
		text = strings.TrimSpace(oneLine(about, maxHeader)) + "\n" + text
	}

	object := goslack.NewConfirmationBlockObject(
		plain(label+"?", 100),
		goslack.NewTextBlockObject(goslack.PlainTextType, cutText(text, 300), false, false),
		plain(label, maxLabel),
		plain("No, go back", maxLabel),
	)
	if b.Danger {
		object.Style = goslack.StyleDanger
	} else {
		object.Style = goslack.StylePrimary
	}
	return object
}

// consequence says what happens after a yes.
func consequence(b notify.Button) string {
	switch b.Verb {
	case notify.VerbApprove:
		return "Your approval counts for this commit only."
	case notify.VerbApproveHold:
		return "CircleCI continues with the job " + strings.TrimSpace(oneLine(b.Job, 100)) + "."
	case notify.VerbCancel:
		return "Seraph cancels the deployment, and its pipeline in CircleCI if one runs."
	case notify.VerbRollback:
		target := strings.TrimSpace(oneLine(b.Back, 100))
		return "Seraph deploys " + target + " again. The rules of the environment apply."
	case notify.VerbAgain:
		return "Seraph deploys the same commit again. The rules of the environment apply."
	case notify.VerbAskForLock:
		return "The owner of the lock gets a message that you wait for it."
	default:
		return "Seraph does this in your name."
	}
}
