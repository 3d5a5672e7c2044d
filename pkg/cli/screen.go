package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// Colours of a terminal.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// colours has the colour of each state and decision.
var colours = map[string]string{
	"waiting":     yellow,
	"triggering":  cyan,
	"unconfirmed": yellow,
	"running":     cyan,
	"held":        yellow,
	"succeeded":   green,
	"failed":      red,
	"errored":     red,
	"canceled":    red,
	"rejected":    red,
	"allow":       green,
	"wait":        yellow,
	"reject":      red,
}

// screen prints lines and tables. What the service has sent is cleaned first, because people choose
// names of branches and reasons, and a terminal would obey control characters in them. That something
// cannot be printed ends no command, because the exit code still tells what it did; failed keeps the error.
type screen struct {
	out      io.Writer
	terminal bool
	colour   bool
	failed   error // why something was not printed; nil: everything was
}

func newScreen(out io.Writer) *screen {
	terminal := isTerminal(out)
	return &screen{
		out:      out,
		terminal: terminal,
		colour:   terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// write prints a text as it is.
func (s *screen) write(text string) {
	if _, err := io.WriteString(s.out, text); err != nil && s.failed == nil {
		s.failed = err
	}
}

// line prints one line of words.
func (s *screen) line(words ...string) {
	for i, word := range words {
		words[i] = clean(word)
	}
	s.write(strings.TrimRight(strings.Join(words, " "), " ") + "\n")
}

// title begins a part.
func (s *screen) title(text string) { s.write("\n" + s.paint(bold, text) + "\n") }

// json prints a document as one line. On a terminal what is not visible is escaped, which means the same; a
// program gets it as it is.
func (s *screen) json(document any) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}

	text := line.String()
	if s.terminal {
		text = escapeHidden(text)
	}
	s.write(text)
	return nil
}

// escapeHidden writes what is not visible in a line of JSON as \u and the number of the character. It can only
// be part of a text.
func escapeHidden(line string) string {
	var out strings.Builder
	for _, r := range line {
		switch {
		case r == '\n' || !isHidden(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// cell is a text in a table.
type cell struct {
	text   string
	colour string
}

// plain makes cells without colours.
func plain(texts ...string) []cell {
	cells := make([]cell, len(texts))
	for i, text := range texts {
		cells[i] = cell{text: text}
	}
	return cells
}

// coloured makes a cell in the colour of a state or decision.
func coloured(state string) cell { return cell{text: state, colour: colours[state]} }

// table prints rows in columns, each line behind indent. Empty columns are left out.
func (s *screen) table(indent string, rows ...[]cell) {
	var widths []int
	for _, row := range rows {
		for i := range row {
			row[i].text = clean(row[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}

	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			if widths[i] == 0 {
				continue
			}

			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2)
			line.WriteString(s.paint(c.colour, c.text) + padding)
		}
		s.write(indent + strings.TrimRight(line.String(), " ") + "\n")
	}
}

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// clean replaces what is not visible: control characters, which could be commands to a terminal, and
// format characters, which could show a text in another order.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case isHidden(r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, text)
}

// isHidden says whether a character is not visible: a control or a format character.
func isHidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
