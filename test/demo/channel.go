package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// channel is where people deploy in the simulated Slack.
const channel = "C0DEPLOYS1"

// person is somebody whom GitHub and Slack know.
type person struct {
	login string
	id    int64 // at GitHub
	slack string
}

var people = []person{
	{login: "alice", id: 583231, slack: "U0ALICE01"},
	{login: "bob", id: 583232, slack: "U0BOB00001"},
	{login: "carol", id: 583233, slack: "U0CAROL001"},
}

// loginOf is who a Slack user is.
func loginOf(user string) string {
	for _, p := range people {
		if p.slack == user {
			return p.login
		}
	}
	return user
}

// waitChannel prints what appears in the channel until a message of it is wanted, and returns that message.
func (w *world) waitChannel(ctx context.Context, wanted func(slack.Message) bool) (slack.Message, error) {
	var found slack.Message
	err := w.slack.Wait(ctx, func() bool {
		w.printChannel()
		for _, m := range slices.Backward(w.slack.Messages(channel)) {
			if wanted(m) {
				found = m
				return true
			}
		}
		return false
	})
	if err != nil {
		return found, fmt.Errorf("wait for a message in Slack: %w", err)
	}
	return found, nil
}

// printChannel prints each message, and each edit that changes its first line, once.
func (w *world) printChannel() {
	for _, m := range w.slack.Posted(channel) {
		lines := linesOf(m.Blocks)
		if len(lines) == 0 {
			lines = strings.Split(m.Text, "\n")
		}
		if w.printed[m.TS] == lines[0] {
			continue
		}
		w.printed[m.TS] = lines[0]

		what := "message"
		switch {
		case m.OnlyFor != "":
			what = "for " + loginOf(m.OnlyFor)
		case m.Version > 1:
			what = "edited"
		case m.Thread != "":
			what = "in thread"
		}
		lines = wrap(lines)
		w.screen.printEvent(event{
			environment: "#deploys",
			source:      "Slack",
			what:        what,
			text:        lines[0],
			more:        lines[1:],
		})
	}
}

// wrap breaks lines that are longer than a terminal is wide.
func wrap(lines []string) []string {
	const width = 90
	var all []string
	for _, line := range lines {
		for len(line) > width && !strings.HasPrefix(line, "| ") {
			end := strings.LastIndex(line[:width], " ")
			if end <= 0 {
				break
			}
			all = append(all, line[:end])
			line = line[end+1:]
		}
		all = append(all, line)
	}
	return all
}

// linesOf draws the blocks of a message or a modal as lines of plain text. Buttons are in brackets.
func linesOf(blocks []slack.Object) []string {
	var all []string
	for _, block := range blocks {
		switch block["type"] {
		case "header", "section":
			all = append(all, textOf(block["text"]))
		case "input":
			all = append(all, textOf(block["label"])+": ____")
		case "rich_text":
			for _, element := range objectsOf(block["elements"]) {
				all = append(all, richLines(element)...)
			}
		case "actions":
			var buttons []string
			for _, button := range objectsOf(block["elements"]) {
				buttons = append(buttons, "["+textOf(button["text"])+"]")
			}
			all = append(all, strings.Join(buttons, " "))
		}
	}
	return all
}

// richLines draws one element of a rich_text block.
func richLines(element slack.Object) []string {
	if element["type"] == "rich_text_list" {
		var all []string
		for _, item := range objectsOf(element["elements"]) {
			all = append(all, "- "+strings.Join(richLines(item), " "))
		}
		return all
	}

	var text strings.Builder
	for _, span := range objectsOf(element["elements"]) {
		switch span["type"] {
		case "user":
			id, _ := span["user_id"].(string)
			text.WriteString("@" + loginOf(id))
		case "date":
			fallback, _ := span["fallback"].(string)
			text.WriteString(fallback)
		default:
			text.WriteString(textOf(span["text"]))
		}
	}

	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if element["type"] == "rich_text_preformatted" {
		for i, line := range lines {
			lines[i] = "| " + line
		}
	}
	return lines
}

// textOf returns a text, or that of a text object.
func textOf(v any) string {
	if object, ok := v.(slack.Object); ok {
		v = object["text"]
	}
	text, _ := v.(string)
	return text
}

func objectsOf(v any) []slack.Object {
	var all []slack.Object
	list, _ := v.([]any)
	for _, item := range list {
		if object, ok := item.(slack.Object); ok {
			all = append(all, object)
		}
	}
	return all
}
