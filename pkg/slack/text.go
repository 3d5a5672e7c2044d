package slack

import (
	"strings"
	"unicode"
)

// normalizeText returns a text that somebody typed as plain text. Slack sends links and mentions between < and >,
// and escapes these two characters and & (docs.slack.dev, "Formatting message text"); its programs put in curved
// quotes and dashes. Mentions stay: <@U1> of a person, <#C1> of a channel, without the label that Slack adds, which
// the mentioned person can choose. Somebody who types <@U1> letter by letter mentions U1, too.
func normalizeText(text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "<")
		out.WriteString(unescape(before))
		if !found {
			break
		}

		end := strings.IndexAny(rest, "<>")
		if end < 0 || rest[end] == '<' {
			out.WriteByte('<') // not what Slack sends
			text = rest
			continue
		}

		out.WriteString(readMarkup(rest[:end]))
		text = rest[end+1:]
	}

	return strings.TrimSpace(strings.Map(plainRune, strings.ToValidUTF8(out.String(), "\uFFFD")))
}

// readMarkup returns what a reader sees for the text between < and >; a mention stays one.
func readMarkup(inner string) string {
	target, label, labeled := strings.Cut(inner, "|")
	switch {
	case strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
		return "<" + target + ">"
	case labeled && label != "":
		return unescape(label)
	case strings.HasPrefix(target, "!"):
		return "@" + unescape(target[1:]) // <!here>, <!subteam^S1>
	default:
		return unescape(strings.TrimPrefix(target, "mailto:"))
	}
}

// entities undoes Slack's escapes in one pass, so that "&amp;lt;" becomes "&lt;".
var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

func unescape(s string) string { return entities.Replace(s) }

// plainRune returns the character of the keyboard for one that programs put in its place; -1 for an invisible one.
func plainRune(r rune) rune {
	switch r {
	case '“', '”', '„', '‟', '«', '»', '″':
		return '"'
	case '‘', '’', '‚', '‛', '′':
		return '\''
	case '‐', '‑', '‒', '–', '—', '―', '−':
		return '-'
	case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad':
		return -1
	}

	if unicode.Is(unicode.Zs, r) {
		return ' '
	}

	return r
}

// StripMention takes the mentions of one user out of a text that normalizeText has returned. An empty user is
// nobody.
func StripMention(text, user string) string {
	if user == "" {
		return text
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "<@"+user+">", " "))
}
