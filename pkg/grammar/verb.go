package grammar

import (
	"regexp"
	"slices"
	"strings"
)

// readVerb reads the first word. The rest of the line serves only to suggest another one.
func (p *parser) readVerb(rest []string) (Command, *Error) {
	if len(rest) == 0 {
		p.verb = strings.TrimRight(p.verb, "?") // such as "status?"
	}
	word := strings.ToLower(p.verb)
	base, task, hasTask := strings.Cut(p.verb, ":")
	switch {
	case word == "deploy!":
		return Command{Verb: Deploy, Force: true}, nil
	case slices.Contains(Verbs(), Verb(word)):
		return Command{Verb: Verb(word)}, nil
	case word == "who" && strings.EqualFold(strings.Trim(strings.Join(rest, " "), "? "), "am i"):
		return Command{Verb: WhoAmI}, nil
	case retired.MatchString(word):
		message := "Seraph has nothing like " + quote("command", word) + " of Hubot's deployment scripts."
		return Command{}, p.fail(CodeRetiredVerb, message).seeHelp()
	case hasTask && strings.EqualFold(base, "deploy"):
		return p.deployTask(task)
	default:
		return Command{}, p.unknownVerb(rest)
	}
}

// retired matches commands of hubot-deploy and hubot-auto-deploy that have no counterpart.
var retired = regexp.MustCompile(`^(deploy:version|deploy-token:.*|auto-deploy:.*)$`)

// taskName matches what may follow "deploy:".
var taskName = regexp.MustCompile(`(?i)^[a-z0-9][a-z0-9._:/-]{0,99}$`)

// deployTask reads what follows "deploy:". The tasks that lock are the verbs that lock.
func (p *parser) deployTask(text string) (Command, *Error) {
	text, force := strings.CutSuffix(text, "!")
	switch {
	case strings.EqualFold(text, "lock") && !force:
		return Command{Verb: Lock}, nil
	case strings.EqualFold(text, "unlock") && !force:
		return Command{Verb: Unlock}, nil
	case strings.EqualFold(text, "lock") || strings.EqualFold(text, "unlock"):
		e := p.fail(CodeBadTask, "A lock cannot be taken or released by force here, and nothing was done.")
		e.Form = Form(Verb(strings.ToLower(text)))
		return Command{}, e
	case !taskName.MatchString(text):
		e := p.fail(CodeBadTask, `A task is one word after "deploy:", such as "deploy:migrate", and nothing was done.`)
		e.Form = Form(Deploy)
		return Command{}, e
	default:
		return Command{Verb: Deploy, Task: text, Force: force}, nil
	}
}

// negation matches a word that turns a verb into its opposite.
var negation = regexp.MustCompile(`(?i)^(do|not|never|no|dont|without|cannot|nobody)$|n['’]t$`)

// unknownVerb is the error for a line that does not begin with a verb.
func (p *parser) unknownVerb(rest []string) *Error {
	if slices.ContainsFunc(append([]string{p.verb}, rest[:min(len(rest), 3)]...), negation.MatchString) {
		const message = "Nothing was done: a command begins with its verb, and this does not."
		return p.fail(CodeUnknownVerb, message).seeHelp()
	}

	message := "Seraph does not know " + quote("command", p.verb) + ", and nothing was done."
	marked := strings.TrimLeftFunc(p.verb, func(r rune) bool { return !isLetterOrDigit(r) })
	marked = strings.TrimRightFunc(marked, func(r rune) bool { return r != '!' && !isLetterOrDigit(r) })
	meant := Verb(strings.ToLower(strings.TrimSuffix(marked, "!")))
	if marked != p.verb && slices.Contains(Verbs(), meant) {
		e := p.fail(CodeUnknownVerb, message, marked+" "+strings.Join(rest, " ")) // such as *deploy*
		e.Form = Form(meant)
		return e
	}

	end := strings.IndexAny(p.verb, ":!")
	if end < 0 {
		end = len(p.verb)
	}
	base, suffix := strings.ToLower(p.verb[:end]), p.verb[end:]
	meant, left := nearestVerb(base), rest
	if meant == "" && len(rest) > 0 { // such as "roll back"
		meant, left = nearestVerb(base+strings.ToLower(rest[0])), rest[1:]
	}
	if meant != "" {
		e := p.fail(CodeUnknownVerb, message, string(meant)+suffix+" "+strings.Join(left, " "))
		e.Form = Form(meant)
		return e
	}

	var lines []string
	for i, word := range rest[:min(len(rest), 4)] { // such as "please deploy"
		if slices.Contains(Verbs(), Verb(strings.ToLower(strings.TrimSuffix(word, "!")))) {
			lines = append(lines, strings.Join(rest[i:], " "))
		}
	}
	e := p.fail(CodeUnknownVerb, message, lines...)
	if e.Near == "" {
		return e.seeHelp()
	}
	return e
}
