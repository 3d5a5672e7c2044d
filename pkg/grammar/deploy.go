package grammar

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// plainRef matches a word that people may mean as a ref where they have not written it as one.
var plainRef = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// fillers are words that people add out of habit. They are never taken for a ref.
var fillers = []string{"now", "please", "pls", "plz", "thanks", "asap", "again", "and", "then", "it", "everywhere"}

// deploy reads APP[@REF] [to ENV] [KEY=VALUE...] [because REASON].
func (p *parser) deploy(c Command) (Command, *Error) {
	app, err := p.readApp(&c)
	if err != nil {
		return c, err
	}

	for p.at < len(p.words) {
		switch {
		case isValue(p.word()):
			err = p.readValue(&c)
		case c.Environment == "" && p.next("to", "in", "on"):
			err = p.readEnvironment(&c, app)
		default:
			err = p.trailing(p.meant(c)...)
		}
		if err != nil {
			return c, err
		}
	}

	if c.Environment == "" {
		only, ok := app.onlyEnvironment()
		if !ok {
			return c, p.environmentMissing(c, app, "to")
		}
		c.Environment = only
	}
	return c, p.readReason(&c, c.Force)
}

// meant lists what a word that a deployment does not take may have been meant to be: an environment,
// or a ref.
func (p *parser) meant(c Command) []string {
	if p.negated() {
		return nil
	}

	var lines []string
	if c.Environment == "" {
		lines = append(lines, p.line(0, "to"))
	}

	ref, from := p.word(), p.at
	if p.next("from", "at", "branch", "ref", "tag") && p.at+1 < len(p.words) {
		ref = p.words[p.at+1]
	}
	isFiller := slices.Contains(fillers, strings.ToLower(ref)) || oneTimeCode.MatchString(ref)
	isValueInWords := p.at+1 < len(p.words) && strings.HasPrefix(p.words[p.at+1], "=") // such as KEY = VALUE
	if c.Ref != "" || isFiller || isValueInWords || !plainRef.MatchString(ref) || p.next("to", "in", "on") {
		return lines
	}

	words := slices.Delete(slices.Clone(p.words), from, slices.Index(p.words[from:], ref)+from+1)
	words[0] = c.App + "@" + ref
	with := parser{verb: p.verb, words: words, reason: p.reason, given: p.given}
	return append(lines, with.line(0))
}

// readApp reads APP, APP@REF or APP/REF.
func (p *parser) readApp(c *Command) (App, *Error) {
	word := p.word()
	if word == "" || p.next("to", "in", "on") {
		e := p.fail(CodeAppMissing, "Say which app, and nothing was done.")
		e.Form = Form(c.Verb)
		p.listApps(e)
		return App{}, e
	}

	app, ref, hasRef, ok := p.names.splitApp(word)
	if !ok {
		return App{}, p.unknownApp(c.Verb, word)
	}
	c.App, c.Repository = app.Label(), app.Repository

	if hasRef && c.Verb != Deploy {
		return App{}, p.fail(CodeTrailingWords, "This command takes no branch, and nothing was done.", p.line(1, c.App))
	}
	if hasRef && !validRef(ref) {
		const message = "That is no branch, tag or commit, and nothing was done."
		e := p.fail(CodeBadRef, message, p.line(1, c.App+"@"+trimRef(ref)))
		e.Form = Form(Deploy)
		return App{}, e
	}

	c.Ref = ref
	p.at++
	return app, nil
}

// unknownApp is the error for a word that names no app.
func (p *parser) unknownApp(v Verb, word string) *Error {
	var next string
	if p.at+1 < len(p.words) {
		next = strings.ToLower(p.words[p.at+1])
	}
	if strings.HasSuffix(word, ",") && !slices.Contains([]string{"", "to", "in", "on"}, next) {
		e := p.fail(CodeUnknownApp, "Seraph takes one app a line, and nothing was done. Send a line for each.")
		e.Form = Form(v)
		return e
	}

	message := "Seraph does not know " + quote("app", word) + ", and nothing was done."
	if strings.ContainsFunc(word, func(r rune) bool { return r >= utf8.RuneSelf && unicode.IsLetter(r) }) {
		message = "Seraph does not know " + quote("app", word) + ", which has letters that are not plain Latin. " +
			"Nothing was done."
	}

	e := p.fail(CodeUnknownApp, message, p.nearApps(v, word)...)
	if e.Near == "" {
		e.Form = Form(v)
		p.listApps(e)
	}
	return e
}

// nearApps lists the line with each app that a word may have been meant to be.
func (p *parser) nearApps(v Verb, word string) []string {
	var lines []string
	if near := p.names.nearestApp(word); near != "" {
		lines = append(lines, p.line(1, near))
	}
	if trimmed := strings.TrimFunc(word, func(r rune) bool { return !isLetterOrDigit(r) }); trimmed != word {
		lines = append(lines, p.line(1, trimmed))
	}
	if v != Status && v != Deploys {
		return lines
	}

	names := p.names.all().environmentNames()
	if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, word) }) {
		lines = append(lines, p.line(0, "in"))
	}
	if p.at+1 < len(p.words) { // such as "status of api"
		lines = append(lines, p.line(1))
	}
	return lines
}

// maxListed is how many names an error lists.
const maxListed = 8

// listApps adds the apps to an error, or the command that lists them where they are many.
func (p *parser) listApps(e *Error) {
	labels := p.names.labels()
	switch {
	case len(labels) == 0:
		e.Message += " No app can be deployed yet: the routes file names none."
	case len(labels) > maxListed:
		e.See, e.Shows = string(Status), "lists the apps"
	default:
		e.Message += " Seraph knows " + list(labels) + "."
	}
}

// list joins names for people.
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// readEnvironment reads a preposition, ENV or ENV/HOSTS.
func (p *parser) readEnvironment(c *Command, app App) *Error {
	preposition := p.word()
	p.at++
	if p.word() == "" {
		p.words = p.words[:p.at-1]
		return p.environmentMissing(*c, app, preposition)
	}

	found, ok := app.environment(p.words[p.at:])
	if !ok {
		return p.unknownEnvironment(app)
	}
	if found.hosts != "" && c.Verb != Deploy {
		return p.fail(CodeTrailingWords, "This command takes no hosts, and nothing was done.",
			p.line(found.words, found.environment))
	}

	c.Environment = found.environment
	if found.hosts != "" {
		if err := p.addValue(c, Value{Key: "hosts", Text: found.hosts}); err != nil {
			return err
		}
	}
	p.at += found.words
	return nil
}

// unknownEnvironment is the error for a word that names no environment of an app.
func (p *parser) unknownEnvironment(app App) *Error {
	word := p.word()
	before, after, _ := strings.Cut(word, "/")
	var lines []string
	for _, part := range []struct{ word, rest string }{{word, ""}, {before, "/" + after}} {
		trimmed := strings.TrimFunc(part.word, func(r rune) bool { return !isLetterOrDigit(r) })
		if near := app.nearestEnvironment(part.word); near != "" {
			lines = append(lines, p.line(1, near+strings.TrimSuffix(part.rest, "/")))
		}
		if trimmed != part.word && trimmed != "" {
			lines = append(lines, p.line(1, trimmed+strings.TrimSuffix(part.rest, "/")))
		}
	}

	message := "No app has " + quote("environment", word) + "."
	if name := app.Label(); name != "" {
		message = name + " does not have " + quote("environment", word) + ", and nothing was done."
	}
	e := p.fail(CodeUnknownEnvironment, message, lines...)
	if e.Near == "" {
		e.Message += app.knownEnvironments()
	}
	return e
}

// knownEnvironments is a sentence that lists the environments of an app.
func (a App) knownEnvironments() string {
	var names []string
	for _, e := range a.Environments {
		names = append(names, e.Name)
	}
	if len(names) == 0 || len(names) > maxListed {
		return ""
	}
	return " It has " + list(names) + "."
}

// environmentMissing is the error for a command that names no environment.
func (p *parser) environmentMissing(c Command, app App, preposition string) *Error {
	message := "Nothing was done: say which environment of " + app.Label() + " you mean." + app.knownEnvironments()
	p.at = min(p.at, len(p.words))
	if names := app.environmentNames(); len(names) == 1 && len(app.Environments) == 1 {
		at := parser{verb: p.verb, words: p.words, at: 1, reason: p.reason, given: p.given}
		if e := p.fail(CodeEnvironmentMissing, message, at.line(0, preposition, names[0])); e.Near != "" {
			return e
		}
	}

	e := p.fail(CodeEnvironmentMissing, message)
	c.Environment, c.Reason = "ENV", ""
	e.Form = c.String()
	if c.Verb == Lock || c.Force {
		e.Form += " because REASON"
	}
	return e
}

// validRef says whether a text can be a branch, a tag or a commit. It follows git's rules for refs
// (git-check-ref-format), and refuses quotes, angle brackets and what begins like an option
// too.
func validRef(ref string) bool {
	return trimRef(ref) == ref && ref != "" && len(ref) <= 255 &&
		!strings.ContainsAny(ref, " ~^:?*[\\`<>"+quotes) &&
		!strings.Contains(ref, "..") && !strings.Contains(ref, "@{") && !strings.Contains(ref, "//") &&
		!strings.HasSuffix(ref, ".lock") && !strings.ContainsFunc(ref, invisible)
}

// trimRef takes away what a ref neither begins nor ends with.
func trimRef(ref string) string { return strings.TrimRight(strings.TrimLeft(ref, "-/.,"), "/.,;:!?") }
