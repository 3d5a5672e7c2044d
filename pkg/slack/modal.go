package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// The modals, and the fields of the modal that asks for a confirmation, as view_submission names them.
const (
	CallbackConfirm = "seraph_confirm"
	callbackText    = "seraph_text" // says something, and asks for nothing

	FieldWord   = "seraph_word"   // block_id and action_id of the typed name
	FieldReason = "seraph_reason" // block_id and action_id of the reason
)

// Bounds of modals, in characters (docs.slack.dev, reference/views).
const (
	maxViewTitle = 24
	maxMetadata  = 3000
	maxReason    = 200 // ours: of what may be typed as a reason
	maxTyped     = 255 // ours: of what may be typed as the name of an environment
	maxSubjects  = 10  // ours: commits that are listed
)

// ConfirmInput is what a person sees before something happens that needs more than a yes.
type ConfirmInput struct {
	Confirmed // comes back with what was typed
	Options   RenderOptions

	About   string        // app, environment and what is about to happen; plain text
	Facts   []notify.Fact // commit, what runs there, how many commits it is ahead
	Commits []notify.Text // what is new, newest first
	More    int           // how many commits are not among Commits
	Lines   []notify.Text // what else to know: who waits, what the rules will ask for

	AskReason   bool // there is a field for a reason
	NeedsReason bool // it must be filled in
}

// Confirmed is what a modal carries from the click that opened it to its submission. Slack sends it back unchanged in
// a signed request. That is no permission: the caller still checks the person, the generation and the rules.
type Confirmed struct {
	Verb       notify.Verb `json:"verb"`
	Row        int64       `json:"row"`
	Generation string      `json:"generation"`
	Job        string      `json:"job,omitempty"`
	RequestKey string      `json:"key"`            // Incoming.RequestKey of the click: the same for each submission
	Word       string      `json:"word,omitempty"` // that must be typed; empty: a yes is enough
	Channel    string      `json:"channel,omitempty"`
	Message    string      `json:"message,omitempty"` // the card that was clicked
	SHA        string      `json:"sha,omitempty"`     // that was shown
}

// Matches says whether somebody typed the word. Spaces around it and invisible characters do not count, several spaces
// count as one, and upper and lower case differ. An empty word is matched by nothing typed.
func (c Confirmed) Matches(typed string) bool {
	return strings.TrimSpace(oneLine(typed, maxTyped)) == strings.TrimSpace(oneLine(c.Word, maxTyped))
}

// errConfirmed is the error of ParseConfirmed.
var errConfirmed = errors.New("parse private_metadata of view: not written by this service")

// ParseConfirmed reads the private_metadata of a modal that ConfirmModal has rendered, and refuses everything else.
func ParseConfirmed(metadata string) (Confirmed, error) {
	var c Confirmed
	decoder := json.NewDecoder(strings.NewReader(metadata))
	decoder.DisallowUnknownFields()
	if utf8.RuneCountInString(metadata) > maxMetadata || decoder.Decode(&c) != nil {
		return Confirmed{}, errConfirmed
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Confirmed{}, errConfirmed // something follows
	}
	if c.Verb == "" || c.Row <= 0 || !isGeneration(c.Generation) || c.RequestKey == "" {
		return Confirmed{}, errConfirmed
	}
	return c, nil
}

// ConfirmModal asks for a confirmation: it shows what is about to happen, and has a field for the name of the
// environment where there is a Word, and one for a reason where it is asked for. What does not fit into
// private_metadata cannot be confirmed, and the modal says so.
func ConfirmModal(in ConfirmInput) View {
	metadata := in.encode()
	if _, err := ParseConfirmed(metadata); err != nil {
		return TextModal("Not possible here", []notify.Text{notify.Plain(
			"The names in this deployment are too long for a dialog of Slack. Use the command line.")}, in.Options)
	}

	return View{
		Callback: CallbackConfirm,
		Metadata: metadata,
		Title:    modalTitle(in.Verb),
		Submit:   submitLabel(in.Verb),
		Close:    "Not now",
		Blocks:   confirmBlocks(in),
	}
}

// encode writes private_metadata.
func (c Confirmed) encode() string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// confirmBlocks are the blocks of ConfirmModal.
func confirmBlocks(in ConfirmInput) []goslack.Block {
	o := in.Options
	blocks := []goslack.Block{
		goslack.NewSectionBlock(plain(in.About, maxSpan), nil, nil),
	}
	if block := o.facts(in.Facts); block != nil {
		blocks = append(blocks, block)
	}
	if block := o.commits(in.Commits, in.More); block != nil {
		blocks = append(blocks, block)
	}
	if block := o.lines(in.Lines); block != nil {
		blocks = append(blocks, block)
	}

	if in.Word != "" {
		label := fmt.Sprintf("Type “%s” to confirm", strings.TrimSpace(oneLine(in.Word, maxTyped)))
		blocks = append(blocks, input(FieldWord, label, "Name of the environment", maxTyped, true))
	}
	if in.AskReason || in.NeedsReason {
		field := input(FieldReason, "Reason", "Shown to everybody who follows the deployment", maxReason, in.Word == "")
		blocks = append(blocks, field.WithOptional(!in.NeedsReason))
	}
	return blocks
}

// input is a field for one line of text.
func input(id, label, placeholder string, limit int, focus bool) *goslack.InputBlock {
	element := goslack.NewPlainTextInputBlockElement(plain(placeholder, 150), id)
	element.MaxLength = limit
	element.FocusOnLoad = focus
	return goslack.NewInputBlock(id, plain(label, 2000), nil, element)
}

// commits lists what is new.
func (o RenderOptions) commits(commits []notify.Text, more int) goslack.Block {
	if len(commits) > maxSubjects {
		more += len(commits) - maxSubjects
		commits = commits[:maxSubjects]
	}

	var items []goslack.RichTextElement
	for _, commit := range commits {
		if elements, _ := o.elements(commit); len(elements) > 0 {
			items = append(items, goslack.NewRichTextSection(elements...))
		}
	}
	if more > 0 {
		items = append(items, goslack.NewRichTextSection(
			goslack.NewRichTextSectionTextElement(fmt.Sprintf("… and %d more", more), nil)))
	}

	if len(items) == 0 {
		return nil
	}
	title := goslack.NewRichTextSection(bold("What is new"))
	return goslack.NewRichTextBlock("", title, bullets(items))
}

// TextModal says something in a modal that asks for nothing, such as that what was clicked is no longer offered.
func TextModal(title string, lines []notify.Text, o RenderOptions) View {
	var blocks []goslack.Block
	if block := o.lines(lines); block != nil {
		blocks = append(blocks, block)
	} else {
		blocks = append(blocks, goslack.NewSectionBlock(plain(title, maxSpan), nil, nil))
	}
	return View{Callback: callbackText, Title: viewTitle(title), Close: "Close", Blocks: blocks}
}

// LoadingModal is what a press opens at once, because its trigger_id is good for three seconds only, and what the modal
// asks is known later. UpdateView replaces it.
func LoadingModal(v notify.Verb) View {
	return TextModal(modalTitle(v), []notify.Text{notify.Plain("Looking at the deployment …")}, RenderOptions{})
}

// NothingAsked is what becomes of a LoadingModal that asks for nothing.
func NothingAsked(v notify.Verb) View {
	const text = "There is nothing to confirm. Seraph has answered you where the button is, or in a direct message."
	return TextModal(modalTitle(v), []notify.Text{notify.Plain(text)}, RenderOptions{})
}

// viewTitle makes a title of plain text that Slack accepts.
func viewTitle(s string) string { return plain(s, maxViewTitle).Text }

// modalTitle names what a verb does.
func modalTitle(v notify.Verb) string {
	switch v {
	case notify.VerbApprove:
		return "Approve a deployment"
	case notify.VerbApproveHold:
		return "Approve a job"
	case notify.VerbCancel:
		return "Cancel a deployment"
	case notify.VerbRollback:
		return "Roll back"
	case notify.VerbAgain:
		return "Deploy again"
	case notify.VerbAskForLock:
		return "Ask for the lock"
	default:
		return "Please confirm"
	}
}

// submitLabel is the label of the button that submits.
func submitLabel(v notify.Verb) string {
	switch v {
	case notify.VerbApprove:
		return "Approve"
	case notify.VerbApproveHold:
		return "Approve the job"
	case notify.VerbCancel:
		return "Cancel deployment"
	case notify.VerbRollback:
		return "Roll back"
	case notify.VerbAgain:
		return "Deploy again"
	default:
		return "Confirm"
	}
}
