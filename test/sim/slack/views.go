package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// View is a modal or a home tab as one user sees it.
type View struct {
	ID              string
	Type            string // modal or home
	Team            string
	User            string
	Title           string
	Submit          string
	Close           string
	CallbackID      string
	PrivateMetadata string
	ExternalID      string
	NotifyOnClose   bool
	ClearOnClose    bool
	Blocks          []Object
	Hash            string
	Version         int // 1, and one more at each update
	Closed          bool
}

// Buttons lists the buttons of the view, in order.
func (v View) Buttons() []Button { return buttonsOf(v.Blocks) }

// Words returns the text of all blocks of the view.
func (v View) Words() string { return wordsOf(v.Blocks) }

type view struct {
	View
	root     string // id of the first view of the stack
	previous string // id of the view below; empty: none
}

// trigger is a trigger_id, which opens one view.
type trigger struct {
	user    string
	team    string
	expires time.Time
	used    bool
}

// newTrigger returns a trigger_id for what a user has just done. The caller holds the lock.
func (s *Server) newTrigger(user, team string) string {
	id := fmt.Sprintf("%d.%d.%x", s.options.Now().UnixMilli(), len(s.triggers)+1_000_000, s.newID("trigger"))
	s.triggers[id] = &trigger{user: user, team: team, expires: s.options.Now().Add(s.options.TriggerLife)}
	return id
}

// The bounds of views.
const (
	maxTitle           = 24
	maxPrivateMetadata = 3000
	maxView            = 250_000
)

// decodeView reads the argument view.
func (s *Server) decodeView(raw, kind string) (View, *answer) {
	var o Object
	if json.Unmarshal([]byte(raw), &o) != nil {
		return View{}, failAt("invalid_arguments", []string{"must provide an object [json-pointer:/view]"})
	}
	if len(raw) > maxView {
		return View{}, fail("view_too_large")
	}

	v := View{}
	c := &checker{surface: onModal}
	v.Type, _ = o["type"].(string)
	if v.Type != kind {
		c.report("/view/type", "must be %s", kind)
	}
	if kind == "home" {
		c.surface = onHome
	} else {
		c.text(o, "title", "/view", maxTitle, "plain_text")
	}
	for name, target := range map[string]*string{"title": &v.Title, "submit": &v.Submit, "close": &v.Close} {
		if t, found := o[name].(Object); found {
			c.textObject(t, "/view/"+name, maxTitle, "plain_text")
			*target, _ = t["text"].(string)
		}
	}

	v.CallbackID, _ = o["callback_id"].(string)
	v.PrivateMetadata, _ = o["private_metadata"].(string)
	v.ExternalID, _ = o["external_id"].(string)
	v.NotifyOnClose, _ = o["notify_on_close"].(bool)
	v.ClearOnClose, _ = o["clear_on_close"].(bool)
	c.length(o, "callback_id", "/view", maxID, false)
	c.length(o, "private_metadata", "/view", maxPrivateMetadata, false)
	v.Blocks = c.viewBlocks(o, v)
	if len(c.problems) > 0 {
		return View{}, failAt("invalid_arguments", c.problems)
	}

	s.completeBlocks(v.Blocks)
	return v, nil
}

// viewBlocks returns the blocks of a view.
func (c *checker) viewBlocks(o Object, v View) []Object {
	items, isList := o["blocks"].([]any)
	if !isList {
		c.report("/view", "missing required field: blocks")
	}

	var blocks []Object
	for i, item := range items {
		block, isObject := item.(Object)
		if !isObject {
			c.report(fmt.Sprintf("/view/blocks/%d", i), "must be an object")
			continue
		}

		blocks = append(blocks, block)
		if block["type"] == "input" && v.Type == "modal" && v.Submit == "" {
			c.report("/view", "missing required field: submit")
		}
	}

	c.problems = append(c.problems, checkBlocks(blocks, c.surface)...)
	return blocks
}

func (s *Server) newHash() string {
	return fmt.Sprintf("%d.%s", s.options.Now().Unix(), strings.ToLower(s.newID("h")))
}

// viewOpen opens a modal for the user who has just done something.
func (s *Server) viewOpen(c *call) *answer {
	id := c.args["trigger_id"]
	t := s.triggers[id]
	switch {
	case t == nil || t.team != c.in.team:
		return fail("invalid_trigger_id")
	case s.options.Now().After(t.expires):
		return fail("expired_trigger_id")
	case t.used:
		return fail("exchanged_trigger_id")
	}

	v, refused := s.decodeView(c.args["view"], "modal")
	if refused != nil {
		return refused
	}
	if v.ExternalID != "" && s.viewByExternal(v.ExternalID) != nil {
		return fail("duplicate_external_id")
	}

	t.used = true
	c.journal.User = t.user
	return ok(Object{"view": s.viewBody(s.addView(v, t.user, c.in.team, ""))})
}

// addView shows a view to a user, on top of another one or alone. The caller holds the lock.
func (s *Server) addView(v View, user, team, previous string) *view {
	v.ID, v.User, v.Team, v.Version, v.Hash = s.newID("V"), user, team, 1, s.newHash()
	added := &view{View: v, root: v.ID, previous: previous}
	if below := s.viewByID(previous); below != nil {
		added.root = below.root
	}
	s.views = append(s.views, added)

	return added
}

// viewUpdate replaces a view. With a hash, only when nobody has replaced it meanwhile.
func (s *Server) viewUpdate(c *call) *answer {
	v := s.viewByID(c.args["view_id"])
	if v == nil {
		v = s.viewByExternal(c.args["external_id"])
	}
	if v == nil || v.Closed || v.Team != c.in.team {
		return fail("not_found")
	}
	if hash := c.args["hash"]; hash != "" && hash != v.Hash {
		return fail("hash_conflict")
	}

	in, refused := s.decodeView(c.args["view"], v.Type)
	if refused != nil {
		return refused
	}

	c.journal.User = v.User
	s.replaceView(v, in)
	return ok(Object{"view": s.viewBody(v)})
}

func (s *Server) replaceView(v *view, in View) {
	in.ID, in.User, in.Team, in.Version, in.Hash = v.ID, v.User, v.Team, v.Version+1, s.newHash()
	v.View = in
}

// viewPublish replaces the home tab of a user.
func (s *Server) viewPublish(c *call) *answer {
	u := s.users[c.args["user_id"]]
	if u == nil || u.Bot {
		return failAt("invalid_arguments", []string{"invalid `user_id` [json-pointer:/user_id]"})
	}
	if u.Deleted {
		return fail("not_enabled")
	}

	in, refused := s.decodeView(c.args["view"], "home")
	if refused != nil {
		return refused
	}

	var home *view
	for _, v := range s.views {
		if v.Type == "home" && v.User == u.ID && v.Team == c.in.team {
			home = v
		}
	}

	switch {
	case home == nil:
		home = s.addView(in, u.ID, c.in.team, "")
	case c.args["hash"] != "" && c.args["hash"] != home.Hash:
		return fail("hash_conflict")
	default:
		s.replaceView(home, in)
	}

	return ok(Object{"view": s.viewBody(home)})
}

func (s *Server) viewByID(id string) *view {
	for _, v := range s.views {
		if v.ID == id {
			return v
		}
	}
	return nil
}

func (s *Server) viewByExternal(id string) *view {
	for _, v := range s.views {
		if v.ExternalID == id && id != "" && !v.Closed {
			return v
		}
	}
	return nil
}

// viewBody is a view as the API shows it, without what was typed into it.
func (s *Server) viewBody(v *view) Object {
	in := s.installationOf(v.Team)
	text := func(t string) any {
		if t == "" {
			return nil
		}
		return Object{"type": "plain_text", "text": t, "emoji": true}
	}

	previous := any(nil)
	if v.previous != "" {
		previous = v.previous
	}

	return Object{
		"id":                    v.ID,
		"team_id":               v.Team,
		"type":                  v.Type,
		"title":                 text(v.Title),
		"submit":                text(v.Submit),
		"close":                 text(v.Close),
		"blocks":                v.Blocks,
		"private_metadata":      v.PrivateMetadata,
		"callback_id":           v.CallbackID,
		"external_id":           v.ExternalID,
		"state":                 Object{"values": Object{}},
		"hash":                  v.Hash,
		"clear_on_close":        v.ClearOnClose,
		"notify_on_close":       v.NotifyOnClose,
		"root_view_id":          v.root,
		"previous_view_id":      previous,
		"app_id":                s.options.AppID,
		"app_installed_team_id": in.team,
		"bot_id":                in.botID,
	}
}
