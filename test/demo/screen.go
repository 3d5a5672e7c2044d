package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// event is one line: where, who says so, what, and a link that people can follow in the real world.
type event struct {
	environment, who, what, text, link string
}

// screen prints events in columns, with the time since the start; in colour on a terminal.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	began  time.Time
	colour bool
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, began: time.Now(), colour: terminal(out) && os.Getenv("NO_COLOR") == ""}
}

func terminal(out io.Writer) bool {
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
	blue   = "36"
)

// colours are those of words that say how something stands.
var colours = map[string]string{
	"success": green, "succeeded": green, "failure": red, "failed": red, "error": red, "errored": red,
	"pending": yellow, "held": yellow, "on_hold": yellow, "warn": yellow, "in_progress": blue, "running": blue,
}

// title begins a part.
func (s *screen) title(format string, args ...any) {
	s.print("\n%s\n", s.paint(bold, fmt.Sprintf(format, args...)))
}

// note is a line outside the columns.
func (s *screen) note(format string, args ...any) { s.print("  %s\n", fmt.Sprintf(format, args...)) }

// line prints one event; its link gets a line of its own.
func (s *screen) line(e event) {
	what := s.paint(colours[e.what], fmt.Sprintf("%-11s", e.what))
	row := fmt.Sprintf("  %6.2fs  %-10s  %-8s  %s  %s", time.Since(s.began).Seconds(), e.environment, e.who, what, e.text)
	if e.link != "" {
		row += fmt.Sprintf("\n%46s%s", "", s.paint(dim, e.link))
	}
	s.print("%s\n", strings.TrimRight(row, " "))
}

func (s *screen) print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format, args...) // a closed terminal is no reason to stop
}

func (s *screen) paint(code, text string) string {
	if !s.colour || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
