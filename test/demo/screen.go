package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// event is one line: where it happened, who reports it, what happened, more lines, and a link.
type event struct {
	environment string
	source      string
	what        string
	text        string
	more        []string // lines below text
	link        string
}

// screen prints events in columns, with the time since the first one. On a terminal some words have colours.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	began  time.Time // zero until the first event
	colour bool
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, colour: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Terminal codes.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// colours has the colour of each state.
var colours = map[string]string{
	"success":     green,
	"succeeded":   green,
	"failure":     red,
	"failed":      red,
	"error":       red,
	"errored":     red,
	"pending":     yellow,
	"held":        yellow,
	"on_hold":     yellow,
	"warn":        yellow,
	"in_progress": cyan,
	"running":     cyan,
}

// printTitle begins a part.
func (s *screen) printTitle(format string, args ...any) {
	s.print("\n" + s.paint(bold, fmt.Sprintf(format, args...)) + "\n")
}

// printNote prints a line without columns.
func (s *screen) printNote(format string, args ...any) {
	s.print("  " + fmt.Sprintf(format, args...) + "\n")
}

// printEvent prints one event; its link gets a line of its own.
func (s *screen) printEvent(e event) {
	what := s.paint(colours[e.what], fmt.Sprintf("%-11s", e.what))
	row := fmt.Sprintf("  %6.2fs  %-10s  %-8s  %s  %s", s.elapsed().Seconds(), e.environment, e.source, what, e.text)
	for _, line := range e.more {
		row += fmt.Sprintf("\n%46s%s", "", line)
	}
	if e.link != "" {
		row += fmt.Sprintf("\n%46s%s", "", s.paint(dim, e.link))
	}
	s.print(strings.TrimRight(row, " ") + "\n")
}

// elapsed is the time since it was first called.
func (s *screen) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = time.Now()
	}
	return time.Since(s.began)
}

func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.out, text) // a closed terminal is no reason to stop
}

func (s *screen) paint(code, text string) string {
	if !s.colour || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
