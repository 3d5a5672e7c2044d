package grammar

import (
	"slices"
	"strings"
)

// maxSuggestions is how many mistakes of one line the nearest form may correct.
const maxSuggestions = 3

// Parse reads one line of text. The error is an *Error.
//
// Verbs, app and environment names and the small words between them are read in any case. Spaces of
// every kind separate words, and invisible characters that programs put in when people copy text are
// dropped. A line with other invisible characters, or with line breaks, is refused.
//
// A deployment goes to production, and to one of several environments that are not, only where the line
// names that environment.
func Parse(text string, names Names) (Command, error) {
	c, err := parse(text, names, maxSuggestions)
	if err != nil {
		return Command{}, err
	}
	return c, nil
}

// parser reads the words of one line that follow its verb.
type parser struct {
	names Names

	verb   string   // the first word
	words  []string // up to "because"
	at     int      // how many of the words are read
	reason string   // what follows "because"
	given  bool     // there is a "because"

	suggestions int // how many more mistakes a suggestion may correct
}

// parse is Parse, with a limit on how many mistakes the nearest form corrects.
func parse(text string, names Names, suggestions int) (Command, *Error) {
	line, err := clean(text)
	if err != nil {
		return Command{}, err
	}

	words := joinQuoted(strings.Fields(line))
	if len(words) == 0 {
		return Command{}, hidden()
	}

	p := &parser{names: names, suggestions: suggestions}
	var plain bool
	if p.verb, plain = cleanWord(words[0]); !plain {
		return Command{}, hidden()
	}
	verb, err := p.readVerb(words[1:])
	if err != nil {
		return Command{}, err
	}

	if err := p.split(verb.Verb, words[1:]); err != nil {
		return Command{}, err
	}
	c, err := p.command(verb)
	if err != nil && err.Form == "" && (err.Code == CodeTrailingWords || err.Code == CodeOneTimeCode) {
		err.Form = Form(verb.Verb)
	}
	return c, err
}

// command reads the words that follow a verb.
func (p *parser) command(c Command) (Command, *Error) {
	switch c.Verb {
	case Deploy:
		return p.deploy(c)
	case Rollback:
		return p.rollback(c)
	case Approve, ApproveHold, Cancel, Why:
		return p.ofDeployment(c)
	case Status, Deploys:
		return p.list(c)
	case Where:
		return p.where(c)
	case Lock:
		return p.lock(c)
	case Unlock:
		return p.unlock(c)
	case Link:
		return p.link(c)
	case Help:
		return p.help(c)
	case WhoAmI:
		p.trimQuestion()
		p.skip("am", "i")
		return c, p.end()
	default: // Locks, Unlink
		p.trimQuestion()
		return c, p.end()
	}
}

// joinQuoted makes one word of a value with spaces in quotes, such as note="two words".
func joinQuoted(words []string) []string {
	var joined []string
	for i := 0; i < len(words); i++ {
		word := words[i]
		if _, text, ok := strings.Cut(word, "="); ok && isValue(word) && openQuote(text) {
			end := slices.IndexFunc(words[i+1:], closeQuote)
			if end >= 0 {
				word = strings.Join(words[i:i+end+2], " ")
				i += end + 1
			}
		}
		joined = append(joined, word)
	}
	return joined
}

// openQuote says whether a value begins with a quote that it does not close.
func openQuote(text string) bool {
	return strings.IndexAny(text, quotes) == 0 && (len([]rune(text)) == 1 || !closeQuote(text))
}

func closeQuote(word string) bool {
	runes := []rune(word)
	return strings.ContainsRune(quotes, runes[len(runes)-1])
}

// split separates the words of the grammar from free text: from the reason, from the comment of an
// approval, and from the name of a job.
func (p *parser) split(v Verb, words []string) *Error {
	end := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, "because") })
	if v == Approve || v == ApproveHold {
		end = min(len(words), 1)
	}
	if end < 0 {
		end = len(words)
	}

	for _, word := range words[:end] {
		if !isValue(word) {
			var plain bool
			if word, plain = cleanWord(word); !plain {
				return hidden()
			}
		}
		if word != "" {
			p.words = append(p.words, word)
		}
	}

	text := words[end:]
	if v == Approve || v == ApproveHold {
		for len(text) > 0 && strings.EqualFold(text[0], "because") {
			text = text[1:]
		}
		p.reason, p.given = cleanText(text), true
		return nil
	}

	if len(text) > 0 {
		p.reason, p.given = cleanText(text[1:]), true
	}
	return nil
}
