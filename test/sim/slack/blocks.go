package slack

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// surface is where blocks are shown.
type surface int

const (
	onMessage surface = iota
	onModal
	onHome
)

// The bounds of Block Kit.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxActions       = 25
	maxFields        = 10
	maxContext       = 10
	maxText          = 3000
	maxField         = 2000
	maxHeader        = 150
	maxButton        = 75
	maxValue         = 2000
	maxURL           = 3000
	maxID            = 255
	maxMarkdown      = 12_000
)

// checker collects what is wrong with blocks, each with a JSON pointer.
type checker struct {
	surface  surface
	problems []string
	markdown int
}

// checkBlocks returns what Slack refuses in blocks.
func checkBlocks(blocks []Object, on surface) []string {
	c := &checker{surface: on}
	limit := maxMessageBlocks
	if on != onMessage {
		limit = maxViewBlocks
	}
	if len(blocks) > limit {
		c.report("/blocks", "no more than %d items allowed", limit)
	}

	ids := map[string]bool{}
	for i, b := range blocks {
		at := fmt.Sprintf("/blocks/%d", i)
		c.id(b, "block_id", at)
		if id, _ := b["block_id"].(string); id != "" {
			if ids[id] {
				c.report(at+"/block_id", "`block_id` already exists")
			}
			ids[id] = true
		}

		c.block(b, at)
	}

	if c.markdown > maxMarkdown {
		c.report("/blocks", "markdown text must be less than %d characters", maxMarkdown+1)
	}

	return c.problems
}

func (c *checker) report(at, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

func (c *checker) block(b Object, at string) {
	switch kind, _ := b["type"].(string); kind {
	case "section":
		c.section(b, at)
	case "header":
		c.text(b, "text", at, maxHeader, "plain_text")
	case "context":
		for i, e := range c.list(b, "elements", at, maxContext) {
			if e["type"] == "image" {
				continue
			}
			c.textObject(e, fmt.Sprintf("%s/elements/%d", at, i), maxText, "plain_text", "mrkdwn")
		}
	case "actions":
		ids := map[string]bool{}
		for i, e := range c.list(b, "elements", at, maxActions) {
			c.element(e, fmt.Sprintf("%s/elements/%d", at, i))
			if id, _ := e["action_id"].(string); id != "" {
				if ids[id] {
					c.report(fmt.Sprintf("%s/elements/%d/action_id", at, i), "`action_id` already exists")
				}
				ids[id] = true
			}
		}
	case "input":
		if c.surface == onMessage {
			c.report(at+"/type", "unsupported type: input")
		}
		c.text(b, "label", at, maxValue, "plain_text")
		if hint, found := b["hint"].(Object); found {
			c.textObject(hint, at+"/hint", maxValue, "plain_text")
		}
		if e, found := b["element"].(Object); found {
			c.element(e, at+"/element")
		} else {
			c.report(at, "missing required field: element")
		}
	case "markdown":
		text, _ := b["text"].(string)
		c.markdown += utf8.RuneCountInString(text)
		if text == "" {
			c.report(at, "missing required field: text")
		}
	case "rich_text":
		c.list(b, "elements", at, 1000)
	case "image":
		c.length(b, "alt_text", at, 2000, true)
	case "divider", "video", "table":
	default:
		c.report(at+"/type", "unsupported type: %s", kind)
	}
}

func (c *checker) section(b Object, at string) {
	_, hasFields := b["fields"]
	if _, found := b["text"]; found || !hasFields {
		c.text(b, "text", at, maxText, "plain_text", "mrkdwn")
	}
	if hasFields {
		for i, f := range c.list(b, "fields", at, maxFields) {
			c.textObject(f, fmt.Sprintf("%s/fields/%d", at, i), maxField, "plain_text", "mrkdwn")
		}
	}
	if e, found := b["accessory"].(Object); found {
		c.element(e, at+"/accessory")
	}
}

// element checks one interactive element.
func (c *checker) element(e Object, at string) {
	c.id(e, "action_id", at)
	switch kind, _ := e["type"].(string); kind {
	case "button":
		c.text(e, "text", at, maxButton, "plain_text")
		c.length(e, "value", at, maxValue, false)
		c.length(e, "url", at, maxURL, false)
		if style, found := e["style"]; found && style != "primary" && style != "danger" {
			c.report(at+"/style", "must be a valid enum value")
		}
	case "static_select", "radio_buttons", "checkboxes", "overflow", "multi_static_select":
		if _, grouped := e["option_groups"]; !grouped {
			for i, o := range c.list(e, "options", at, 100) {
				option := fmt.Sprintf("%s/options/%d", at, i)
				c.text(o, "text", option, maxButton, "plain_text", "mrkdwn")
				c.length(o, "value", option, 150, true)
			}
		}
	case "plain_text_input":
		c.length(e, "initial_value", at, maxText, false)
	case "image", "datepicker", "timepicker", "datetimepicker", "users_select", "channels_select",
		"conversations_select", "multi_users_select", "multi_channels_select", "multi_conversations_select",
		"external_select", "multi_external_select", "url_text_input", "email_text_input", "number_input", "rich_text_input",
		"workflow_button":
	default:
		c.report(at+"/type", "unsupported type: %s", kind)
	}

	if confirm, found := e["confirm"].(Object); found {
		c.confirm(confirm, at+"/confirm")
	}
}

func (c *checker) confirm(o Object, at string) {
	c.text(o, "title", at, 100, "plain_text")
	c.text(o, "text", at, 300, "plain_text", "mrkdwn")
	for _, name := range []string{"confirm", "deny"} {
		if _, found := o[name]; found {
			c.text(o, name, at, 30, "plain_text")
		}
	}
}

// text checks a required field that is a text object.
func (c *checker) text(o Object, name, at string, limit int, kinds ...string) {
	t, found := o[name].(Object)
	if !found {
		c.report(at, "missing required field: %s", name)
		return
	}
	c.textObject(t, at+"/"+name, limit, kinds...)
}

func (c *checker) textObject(t Object, at string, limit int, kinds ...string) {
	kind, _ := t["type"].(string)
	if !slices.Contains(kinds, kind) {
		c.report(at+"/type", "unsupported type: %s", kind)
	}
	if _, found := t["verbatim"]; found && kind == "plain_text" {
		c.report(at, "additional properties are not allowed: verbatim")
	}
	if _, found := t["emoji"]; found && kind == "mrkdwn" {
		c.report(at, "additional properties are not allowed: emoji")
	}
	c.length(t, "text", at, limit, true)
}

func (c *checker) length(o Object, name, at string, limit int, required bool) {
	text, _ := o[name].(string)
	if text == "" && required {
		c.report(at+"/"+name, "must be more than 0 characters")
	}
	if utf8.RuneCountInString(text) > limit {
		c.report(at+"/"+name, "must be less than %d characters", limit+1)
	}
}

func (c *checker) id(o Object, name, at string) { c.length(o, name, at, maxID, false) }

// list returns the objects of a required list that is neither empty nor too long.
func (c *checker) list(o Object, name, at string, limit int) []Object {
	items, found := o[name].([]any)
	if !found || len(items) == 0 {
		c.report(at, "missing required field: %s", name)
		return nil
	}
	if len(items) > limit {
		c.report(at+"/"+name, "no more than %d items allowed", limit)
	}

	var all []Object
	for i, item := range items {
		object, isObject := item.(Object)
		if !isObject {
			c.report(fmt.Sprintf("%s/%s/%d", at, name, i), "must be an object")
			continue
		}
		all = append(all, object)
	}

	return all
}

// completeBlocks adds what Slack adds: ids, and the properties of text objects that were not sent. The caller holds the
// lock.
func (s *Server) completeBlocks(blocks []Object) {
	var walk func(node any)
	walk = func(node any) {
		switch n := node.(type) {
		case []any:
			for _, item := range n {
				walk(item)
			}
		case Object:
			switch n["type"] {
			case "plain_text":
				setDefault(n, "emoji", true)
			case "mrkdwn":
				setDefault(n, "verbatim", false)
			case "button", "plain_text_input", "static_select", "checkboxes", "radio_buttons", "overflow":
				if n["action_id"] == nil {
					n["action_id"] = s.newID("a")
				}
			}
			for _, value := range n {
				walk(value)
			}
		}
	}
	for _, b := range blocks {
		if b["block_id"] == nil || b["block_id"] == "" {
			b["block_id"] = s.newID("b")
		}
		walk(b)
	}
}

func setDefault(o Object, name string, value any) {
	if _, found := o[name]; !found {
		o[name] = value
	}
}
