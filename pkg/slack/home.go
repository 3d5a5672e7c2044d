package slack

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// callbackHome is the callback_id of the home tab.
const callbackHome = "seraph_home"

// How many items the home tab lists, so that all of it stays within maxBlocks.
const (
	maxHomeWaits = 5
	maxHomeAsked = 6
	maxHomeLocks = 4
)

// HomeInput is what the home tab shows one person.
type HomeInput struct {
	Login   string // of the person at GitHub; empty: not linked, and then only Lines are shown
	Now     time.Time
	Lines   []notify.Text // what to know first, such as how to link
	Options RenderOptions

	Waits  []HomeItem // deployments that wait for this person, the longest first
	Asked  []HomeItem // what this person asked for, newest first
	Locks  []HomeLock // that this person owns
	Matrix []HomeApp  // what runs where

	// How many more there are of each than are given.
	MoreWaits, MoreAsked, MoreLocks, MoreApps int
}

// HomeItem is a deployment.
type HomeItem struct {
	Row        int64
	Generation string
	State      deployment.State
	Title      string      // app, environment and state in words
	Detail     notify.Text // commit, requester, since when, why it waits
	Buttons    []notify.Button
}

// HomeLock is a lock.
type HomeLock struct {
	Environment string      // app and environment
	Detail      notify.Text // since when, until when, why
}

// HomeApp is one app, with all of its environments.
type HomeApp struct {
	Name         string
	Environments []HomeEnvironment
}

// HomeEnvironment is what runs in one environment.
type HomeEnvironment struct {
	Name string
	Runs notify.Text // commit, and since when; empty: nothing that this service knows of
	Also notify.Text // what happens there now: a deployment, a lock; empty: nothing
}

// HomeView renders the home tab in at most maxBlocks blocks. Each list says how much of it is left out, and what to
// type to see the rest.
func HomeView(in HomeInput) View {
	o := in.Options
	title := "Deployments"
	if in.Login != "" {
		title += " of " + in.Login
	}

	blocks := []goslack.Block{header(title)}
	if block := o.lines(in.Lines); block != nil {
		blocks = append(blocks, block)
	}
	if in.Login == "" {
		return View{Callback: callbackHome, Blocks: blocks}
	}

	waits := o.items("waits", "Waits for you", "Nothing waits for you.", in.Waits, maxHomeWaits, in.MoreWaits)
	asked := o.items("asked", "You asked for", "You have asked for nothing lately.", in.Asked, maxHomeAsked,
		in.MoreAsked)
	blocks = append(append(blocks, waits...), asked...)
	blocks = append(blocks, o.locks(in.Locks, in.MoreLocks)...)

	room := maxBlocks - len(blocks)
	if !in.Now.IsZero() {
		room--
	}
	blocks = append(blocks, o.matrix(in.Matrix, in.MoreApps, room)...)
	if !in.Now.IsZero() {
		blocks = append(blocks, asOf(in.Now))
	}
	return View{Callback: callbackHome, Blocks: blocks}
}

// asOf says when the home tab was drawn.
func asOf(now time.Time) goslack.Block {
	text := fmt.Sprintf("As of <!date^%d^{date_short_pretty} at {time}|%s>. Open this tab again to refresh it.",
		now.Unix(), now.UTC().Format(timeLayout))
	return goslack.NewContextBlock("", goslack.NewTextBlockObject(goslack.MarkdownType, text, false, true))
}

// items renders a heading and at most limit deployments below it.
func (o RenderOptions) items(place, title, none string, items []HomeItem, limit, more int) []goslack.Block {
	blocks := []goslack.Block{goslack.NewDividerBlock(), header(title)}
	if len(items) == 0 && more == 0 {
		return append(blocks, footnote(none))
	}

	if len(items) > limit {
		more += len(items) - limit
		items = items[:limit]
	}
	for i, item := range items {
		name := notify.Text{{Text: item.Title}}
		lines := o.lines([]notify.Text{name, item.Detail})
		if lines == nil {
			continue
		}

		blocks = append(blocks, heading(stateMark(item.State)+" ", lines))
		place := fmt.Sprintf("%s%d", place, i)
		if actions := o.buttons(place, item.Row, item.Generation, item.Title, item.Buttons); actions != nil {
			blocks = append(blocks, actions)
		}
	}
	return append(blocks, leftOut(more, "/seraph status")...)
}

// heading puts a mark before the first line of a rich_text block, and shows that line in bold.
func heading(mark string, block goslack.Block) goslack.Block {
	section := block.(*goslack.RichTextBlock).Elements[0].(*goslack.RichTextSection)
	for _, element := range section.Elements {
		if text, ok := element.(*goslack.RichTextSectionTextElement); ok {
			text.Style = &goslack.RichTextSectionTextStyle{Bold: true}
		}
	}
	section.Elements = append([]goslack.RichTextSectionElement{goslack.NewRichTextSectionTextElement(mark, nil)},
		section.Elements...)
	return block
}

// locks renders the locks of the person.
func (o RenderOptions) locks(locks []HomeLock, more int) []goslack.Block {
	blocks := []goslack.Block{goslack.NewDividerBlock(), header("Your locks")}
	if len(locks) == 0 && more == 0 {
		return append(blocks, footnote("You hold no lock."))
	}

	if len(locks) > maxHomeLocks {
		more += len(locks) - maxHomeLocks
		locks = locks[:maxHomeLocks]
	}
	var items []goslack.RichTextElement
	for _, lock := range locks {
		name := bold(plain(lock.Environment, maxHeader).Text + "  ")
		detail, _ := o.elements(lock.Detail)
		items = append(items, goslack.NewRichTextSection(append([]goslack.RichTextSectionElement{name}, detail...)...))
	}
	if len(items) > 0 {
		blocks = append(blocks, goslack.NewRichTextBlock("", bullets(items)))
	}
	return append(blocks, leftOut(more, "/seraph locks")...)
}

// matrix renders what runs where in at most room blocks.
func (o RenderOptions) matrix(apps []HomeApp, more, room int) []goslack.Block {
	blocks := []goslack.Block{goslack.NewDividerBlock(), header("What runs where")}
	if len(apps) == 0 && more == 0 {
		return append(blocks, footnote("No environment is known yet."))
	}

	if limit := room - len(blocks) - 1; len(apps) > limit {
		more += len(apps) - limit
		apps = apps[:limit]
	}
	for _, app := range apps {
		blocks = append(blocks, o.app(app))
	}
	return append(blocks, leftOut(more, "/seraph status")...)
}

// app renders one app with its environments in one block.
func (o RenderOptions) app(app HomeApp) goslack.Block {
	name := strings.TrimSpace(oneLine(app.Name, maxHeader))
	if name == "" {
		name = "–"
	}

	var items []goslack.RichTextElement
	total := 0
	for i, environment := range app.Environments {
		line := append(notify.Text{{Text: environment.Name, Code: true}, {Text: "  "}}, environment.text()...)
		elements, size := o.elements(line)
		if total += size; i == maxLines || total > maxRichText {
			text := fmt.Sprintf("… and %d more: ", len(app.Environments)-i)
			items = append(items, goslack.NewRichTextSection(goslack.NewRichTextSectionTextElement(text, nil),
				goslack.NewRichTextSectionTextElement("/seraph where "+name,
					&goslack.RichTextSectionTextStyle{Code: true})))
			break
		}
		items = append(items, goslack.NewRichTextSection(elements...))
	}

	elements := []goslack.RichTextElement{goslack.NewRichTextSection(bold(name))}
	if len(items) > 0 {
		elements = append(elements, bullets(items))
	}
	return goslack.NewRichTextBlock("", elements...)
}

// text says what runs in an environment, and what happens there.
func (e HomeEnvironment) text() notify.Text {
	text := e.Runs
	if len(text) == 0 {
		text = notify.Plain("nothing yet")
	}
	if len(e.Also) > 0 {
		text = append(append(notify.Text{}, text...), append(notify.Text{{Text: " · "}}, e.Also...)...)
	}
	return text
}

// leftOut says how much of a list is not shown, and what to type to see it; nothing where all of it is.
func leftOut(more int, command string) []goslack.Block {
	if more <= 0 {
		return nil
	}
	return []goslack.Block{footnote("and " + strconv.Itoa(more) + " more: type " + command)}
}
