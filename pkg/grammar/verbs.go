package grammar

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rollback reads APP in ENV [to #ID or SHA] [because REASON].
func (p *parser) rollback(c Command) (Command, *Error) {
	app, err := p.readApp(&c)
	if err != nil {
		return c, err
	}

	for p.at < len(p.words) {
		target := c.ID != 0 || c.SHA != ""
		switch {
		case c.Environment == "" && p.next("in", "on"):
			err = p.readEnvironment(&c, app)
		case !target && p.next("to"):
			err = p.readTarget(&c)
		default:
			err = p.trailing(p.line(0, "in"), p.line(0, "to"))
		}
		if err != nil {
			return c, err
		}
	}

	if c.Environment == "" {
		return c, p.environmentMissing(c, app, "in")
	}
	return c, p.readReason(&c, false)
}

// commit matches what may stand for a commit.
var commit = regexp.MustCompile(`(?i)^[0-9a-f]{7,64}$`)

// readTarget reads to #ID or to SHA. Digits alone are an id.
func (p *parser) readTarget(c *Command) *Error {
	if p.at+1 >= len(p.words) {
		return p.trailing()
	}

	word := p.words[p.at+1]
	id, isID := parseID(word)
	switch {
	case isID:
		c.ID = id
	case commit.MatchString(word):
		c.SHA = strings.ToLower(word)
	default:
		var lines []string
		if c.Environment == "" {
			lines = append(lines, p.line(1, "in"))
		}
		const message = `After "to" comes the number of a deployment, or a commit; nothing was done.`
		e := p.fail(CodeIDMissing, message, lines...)
		e.Form = Form(Rollback)
		return e
	}

	p.at += 2
	return nil
}

// parseID reads #ID or ID.
func parseID(word string) (int64, bool) {
	id, err := strconv.ParseInt(strings.TrimPrefix(word, "#"), 10, 64)
	return id, err == nil && id > 0 && !strings.HasPrefix(strings.TrimPrefix(word, "#"), "+")
}

// ofDeployment reads #ID, and the comment, the job or the reason that may follow.
func (p *parser) ofDeployment(c Command) (Command, *Error) {
	if c.Verb == Why {
		p.trimQuestion()
	}

	id, ok := parseID(p.word())
	if !ok {
		lines := []string{p.line(1, strings.TrimFunc(p.word(), func(r rune) bool { return r < '0' || r > '9' }))}
		if c.Verb == Approve && p.next("hold") {
			lines = append(lines, "approve-hold "+p.reason)
		}
		e := p.fail(CodeIDMissing, "Name the deployment by its number. Nothing was done.", lines...)
		e.Form = Form(c.Verb)
		e.See, e.Shows = string(Status), "shows the numbers"
		return c, e
	}

	c.ID = id
	p.at++
	switch c.Verb {
	case Approve:
		c.Comment = p.reason
		return c, nil
	case ApproveHold:
		c.Job = p.reason
		return c, nil
	case Cancel:
		if p.at < len(p.words) {
			return c, p.trailing(p.line(0, "because"))
		}
		return c, p.readReason(&c, false)
	default:
		return c, p.end()
	}
}

// list reads [APP] [in ENV].
func (p *parser) list(c Command) (Command, *Error) {
	p.trimQuestion()
	app := p.names.all()
	if _, isID := parseID(p.word()); isID {
		return c, p.fail(CodeUnknownApp, "That is the number of a deployment.", "why "+p.word())
	}
	if c.Verb == Deploys || p.at < len(p.words) && !p.next("in", "on", "to") {
		var err *Error
		if app, err = p.readApp(&c); err != nil {
			return c, err
		}
	}

	if p.next("in", "on", "to") {
		if err := p.readEnvironment(&c, app); err != nil {
			return c, err
		}
	}
	if p.at < len(p.words) && c.Environment == "" {
		return c, p.trailing(p.line(0, "in"))
	}
	return c, p.end()
}

// where reads [can I deploy] APP.
func (p *parser) where(c Command) (Command, *Error) {
	p.trimQuestion()
	p.skip("can", "may")
	p.skip("i", "we")
	p.skip("deploy")
	if _, err := p.readApp(&c); err != nil {
		return c, err
	}
	return c, p.end()
}

// lock reads APP in ENV [for DURATION] because REASON.
func (p *parser) lock(c Command) (Command, *Error) {
	app, err := p.readApp(&c)
	if err != nil {
		return c, p.swapped(err)
	}

	for p.at < len(p.words) {
		switch {
		case c.Environment == "" && p.next("in", "on", "to"):
			err = p.readEnvironment(&c, app)
		case c.Duration == 0 && p.next("for"):
			err = p.readDuration(&c)
		case c.Environment == "":
			err = p.trailing(p.line(0, "in"))
		default:
			err = p.trailing(p.line(0, "because"))
		}
		if err != nil {
			return c, err
		}
	}

	if c.Environment == "" {
		return c, p.environmentMissing(c, app, "in")
	}
	return c, p.readReason(&c, true)
}

// unlock reads APP in ENV.
func (p *parser) unlock(c Command) (Command, *Error) {
	app, err := p.readApp(&c)
	if err != nil {
		return c, p.swapped(err)
	}

	if p.next("in", "on", "to") {
		if err := p.readEnvironment(&c, app); err != nil {
			return c, err
		}
	} else if p.at < len(p.words) {
		return c, p.trailing(p.line(0, "in"))
	} else {
		return c, p.environmentMissing(c, app, "in")
	}
	return c, p.end()
}

// swapped suggests APP in ENV where somebody wrote ENV on APP.
func (p *parser) swapped(err *Error) *Error {
	if len(p.words) < 3 || err.Code != CodeUnknownApp {
		return err
	}

	words := slices.Clone(p.words)
	words[0], words[2] = words[2], words[0]
	line := (&parser{verb: p.verb, words: words, reason: p.reason, given: p.given}).line(0)
	if e := p.fail(err.Code, err.Message, line); e.Near != "" {
		return e
	}
	return err
}

// linkCode matches a code that links a person.
var linkCode = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// link reads [CODE].
func (p *parser) link(c Command) (Command, *Error) {
	if p.at < len(p.words) {
		if !linkCode.MatchString(p.word()) || len(p.words) > 1 {
			e := p.fail(CodeTrailingWords, "That is no code, and nothing was done.")
			e.Form = Form(Link)
			return c, e
		}
		c.Code = p.word()
		p.at++
	}
	return c, p.end()
}

// help reads [VERB].
func (p *parser) help(c Command) (Command, *Error) {
	p.trimQuestion()
	if p.word() == "" {
		return c, p.end()
	}

	word, _, _ := strings.Cut(strings.ToLower(p.word()), ":")
	word = strings.TrimSuffix(word, "!")
	if !slices.Contains(Verbs(), Verb(word)) {
		return c, p.fail(CodeUnknownVerb, "There is no help about "+quote("command", p.word())+".",
			p.line(1, string(nearestVerb(word))), "help")
	}

	c.Topic = Verb(word)
	p.at++
	return c, p.end()
}

// trimQuestion takes a question mark from the end of a line that only asks.
func (p *parser) trimQuestion() {
	if len(p.words) == 0 || p.given {
		return
	}

	last := len(p.words) - 1
	p.words[last] = strings.TrimRight(p.words[last], "?")
	if p.words[last] == "" {
		p.words = p.words[:last]
	}
}
