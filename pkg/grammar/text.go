package grammar

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is how many characters a line may have.
const maxLine = 1000

// secret matches texts that nobody should send through a chat: tokens of GitHub, Slack and CircleCI, private keys,
// and hubot-deploy's command that carries a token.
var secret = regexp.MustCompile(`(?i)(^|[^a-z0-9])(` +
	`gh[a-z]_[a-z0-9]{16,}|github_pat_[a-z0-9_]{16,}|` +
	`xox[a-z]-[a-z0-9-]{10,}|xapp-[a-z0-9-]{10,}|` +
	`ccip[a-z]+_[a-z0-9_]{16,}|` +
	`-----BEGIN [A-Z ]*PRIVATE KEY|` +
	`[a-z-]*token:set)`)

// oneTimeCode matches the codes that hubot-deploy took at the end of a line: of an authenticator app,
// and of a YubiKey, whose letters are those of modhex.
var oneTimeCode = regexp.MustCompile(`(?i)^(\d{6}|[cbdefghijklnrtuv]{32,64})$`)

// clean returns a line with single spaces that holds no control character, and no invisible one that
// programs put in when people copy text.
func clean(text string) (string, *Error) {
	if HoldsSecret(text) {
		return "", &Error{
			Code: CodeSecret,
			Message: "Seraph takes no tokens through chat, and has not kept this one. Delete your message, and " +
				"revoke the token where you made it: whoever can read this room, now or later, has it. Seraph " +
				"knows you by your link instead.",
			See:   "help link",
			Shows: "says more",
		}
	}

	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || skipped(r) })
	switch {
	case text == "":
		return "", (&Error{Code: CodeEmpty, Message: "Say what to do."}).seeHelp()
	case utf8.RuneCountInString(text) > maxLine:
		const format = "A command has at most %d characters, and nothing was done."
		return "", &Error{Code: CodeTooLong, Message: fmt.Sprintf(format, maxLine)}
	case strings.ContainsFunc(text, endsLine):
		const message = "Seraph takes one command a line, and nothing was done. Send each line by itself."
		return "", &Error{Code: CodeManyLines, Message: message}
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isControl):
		return "", hidden()
	}

	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case skipped(r):
			return -1
		default:
			return r
		}
	}, text)
	return strings.Join(strings.Fields(trimCode(text)), " "), nil
}

// hidden is the error for characters that nobody sees and no known program puts in.
func hidden() *Error {
	const message = "The text has invisible characters, so that it may not say what you see, and nothing was done. " +
		"Type it again instead of pasting it."
	return &Error{Code: CodeHidden, Message: message}
}

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }

func endsLine(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }

// skipped says whether a character is not shown and changes nothing that is: zero-width space, word
// joiner, byte order mark, soft hyphen, and the marks of direction. Chat programs and web pages put
// them in when people copy text.
func skipped(r rune) bool {
	return strings.ContainsRune("\u200b\u2060\ufeff\u00ad\u200e\u200f\u061c", r)
}

// trimCode takes away the backticks around a whole line, with which chat programs show code.
func trimCode(text string) string {
	for _, fence := range []string{"```", "`"} {
		inner, ok := strings.CutPrefix(text, fence)
		if !ok {
			continue
		}
		if inner, ok = strings.CutSuffix(inner, fence); ok && !strings.Contains(inner, "`") {
			return inner
		}
	}
	return text
}

// cleanWord returns a word of the grammar without joiners and without the quotes around it. false: it
// has invisible characters that change the order of what is read, or that nobody types.
func cleanWord(word string) (string, bool) {
	word = strings.Map(func(r rune) rune {
		if isJoiner(r) || unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, word)
	word = strings.Trim(word, quotes+"`'‘’")
	return word, !strings.ContainsFunc(word, invisible)
}

// cleanText returns free text without invisible characters but joiners, which emoji and some scripts
// need.
func cleanText(words []string) string {
	text := strings.Map(func(r rune) rune {
		if invisible(r) && !isJoiner(r) {
			return -1
		}
		return r
	}, strings.Join(words, " "))
	return strings.Join(strings.Fields(text), " ")
}

// quotes are the straight and curved double quotes.
const quotes = "\"“”„«»"

func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// maxQuoted is how many characters of a word an error shows.
const maxQuoted = 40

// quote shows a word with what it should be, such as: the app "apj". It shows no word that a chat
// program could take for a mention, a link or its own markup.
func quote(noun, word string) string {
	special := func(r rune) bool { return !isLetterOrDigit(r) && !strings.ContainsRune("._-/#:!+,=@", r) }
	if word == "" || word[0] == '@' || utf8.RuneCountInString(word) > maxQuoted || strings.ContainsFunc(word, special) {
		return "that " + noun
	}
	return "the " + noun + ` "` + word + `"`
}

// HoldsSecret says whether a text may hold a token or a key, which must not be kept or shown.
func HoldsSecret(text string) bool { return secret.MatchString(text) }
