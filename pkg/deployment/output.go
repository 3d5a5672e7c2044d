package deployment

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the output that is kept of a failing step.
const (
	maxLines     = 20
	maxLine      = 200     // code points
	maxLineBytes = 2 << 10 // bytes of all lines together
	minSecret    = 6       // a shorter value is not masked: it is likely to be an ordinary word
)

// lastLines returns the end of a step's raw output: at most maxLines lines that are not blank, without
// control sequences of terminals, and with what looks like a secret replaced by ****. CircleCI masks the
// values of its own contexts and projects, but not in every form. own lists values to mask as well.
func lastLines(output string, own []string) []string {
	output = strings.ToValidUTF8(output, "\uFFFD")
	output = maskKeys(terminalSequence.ReplaceAllString(output, ""))

	var lines []string
	size := 0
	for _, line := range slices.Backward(strings.Split(output, "\n")) {
		line = shorten(maskSecrets(plainLine(line), own))
		if line == "" {
			continue
		}

		size += len(line)
		if len(lines) == maxLines || size > maxLineBytes {
			break
		}
		lines = append(lines, line)
	}

	slices.Reverse(lines)
	return lines
}

// terminalSequence matches the control sequences of terminals (ECMA-48): CSI, OSC and other strings, and
// escapes of two characters.
var terminalSequence = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\u009b[0-?]*[ -/]*[@-~]|" +
	"\x1b[\\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]")

// plainLine returns what a terminal would show of a line: a carriage return begins it anew.
func plainLine(line string) string {
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case IsHidden(r):
			return -1
		default:
			return r
		}
	}, line)

	return strings.TrimRightFunc(line, unicode.IsSpace)
}

// shorten cuts a line.
func shorten(line string) string {
	if utf8.RuneCountInString(line) <= maxLine {
		return line
	}
	return string([]rune(line)[:maxLine-1]) + "…"
}

const masked = "****"

var (
	// wholeKey matches a private key, and the end of one whose beginning is not in the text.
	wholeKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	keyEnd   = regexp.MustCompile(`(?s)^.*-----END [A-Z ]*PRIVATE KEY-----`)

	// urlUser matches the user in a URL.
	urlUser = regexp.MustCompile(`://[^/\s@]+@`)

	// named matches a name that says that its value is secret, and the value.
	named = regexp.MustCompile(`(?i)([\w-]*(?:authorization|token|secret|passwo?r?d|passphrase|api[_-]?key|` +
		`access[_-]?key|private[_-]?key|credential)[\w-]*["']?\s*[:=]\s*)` +
		`(?:"[^"]*"|'[^']*'|(?:(?:bearer|basic|token)\s+)?[^\s,;"']+)`)

	// known matches tokens that have a known form: of GitHub, AWS, Slack, CircleCI, Google, npm and
	// Stripe, and JSON web tokens.
	known = regexp.MustCompile(`gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|` +
		`(?:AKIA|ASIA)[A-Z0-9]{16}|xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|` +
		`CCI(?:PAT|PRJ)_[A-Za-z0-9_]{8,}|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{20,}|[rs]k_live_[A-Za-z0-9]{10,}|` +
		`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)

	// bearer matches a token that is named by its scheme alone.
	bearer = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{16,}`)
)

// maskKeys masks private keys, which go over several lines.
func maskKeys(text string) string {
	text = wholeKey.ReplaceAllString(text, masked)
	return keyEnd.ReplaceAllString(text, masked)
}

// maskSecrets masks what looks like a secret in a line, and the values of own that are long enough.
func maskSecrets(line string, own []string) string {
	for _, value := range own {
		if len(value) >= minSecret {
			line = strings.ReplaceAll(line, value, masked)
		}
	}

	line = known.ReplaceAllString(line, masked)
	line = urlUser.ReplaceAllString(line, "://"+masked+"@")
	line = named.ReplaceAllString(line, "${1}"+masked)
	return bearer.ReplaceAllString(line, "$1 "+masked)
}
