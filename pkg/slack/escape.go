package slack

import (
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// escaper replaces the three characters with which Slack's markup begins (docs.slack.dev, "Formatting message text").
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes mrkdwn of a line that may come from strangers: no mention, no link, no control or bidi characters. It
// keeps at most limit code points, counted before they are escaped. Characters that only style text, such as
// asterisks, stay: mrkdwn cannot escape them.
func escape(s string, limit int) string { return escaper.Replace(oneLine(s, limit)) }

// oneLine takes out what changes lines or their order of reading, and shortens to at most limit code points. Unlike
// deployment.Readable it keeps one space at each end, because a line is put together from parts.
func oneLine(s string, limit int) string {
	text := deployment.Readable(s)
	if text == "" {
		if strings.TrimSpace(s) == "" && s != "" {
			return " "
		}
		return ""
	}

	if isSpace(s[0]) {
		text = " " + text
	}
	if isSpace(s[len(s)-1]) {
		text += " "
	}
	return cutText(text, limit)
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' }

// cutText shortens to at most limit code points, of which the last is an ellipsis where something is left out.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	if runes := []rune(s); len(runes) > limit {
		return strings.TrimRight(string(runes[:limit-1]), " ") + "…"
	}
	return s
}

// preformatted is what is shown of a step's output: its last lines, at most maxOutputLines, and at most maxOutput
// bytes together. Lines keep their indentation.
func preformatted(lines []string) string {
	var kept []string
	size := 0
	for i := len(lines) - 1; i >= 0 && len(kept) < maxOutputLines; i-- {
		line := outputLine(lines[i])
		if size += len(line) + 1; size > maxOutput && len(kept) > 0 {
			break
		}
		kept = append(kept, line)
	}

	var text strings.Builder
	for i := len(kept) - 1; i >= 0; i-- {
		text.WriteString(kept[i])
		if i > 0 {
			text.WriteByte('\n')
		}
	}
	return strings.Trim(text.String(), "\n")
}

// The bounds of a failing step's output.
const (
	maxOutputLines = 20
	maxOutput      = 2048 // bytes
	maxOutputLine  = 300  // code points
)

// outputLine makes one readable line of output without joining its words.
func outputLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case deployment.IsHidden(r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "?"))
	return cutText(strings.TrimRight(s, " "), maxOutputLine)
}
