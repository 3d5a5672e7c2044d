package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// screen prints aligned lines with the time since the start; in colour on a terminal.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	began  time.Time
	colour bool
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out, began: time.Now()}
	if f, ok := out.(*os.File); ok && os.Getenv("NO_COLOR") == "" {
		info, err := f.Stat()
		s.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// colours are terminal codes by state.
var colours = map[string]string{
	"success": "32", "succeeded": "32", "failure": "31", "failed": "31", "error": "31", "pending": "33", "held": "33", "in_progress": "36", "running": "36",
}

func (s *screen) title(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, "\n%s\n", s.paint("1", fmt.Sprintf(format, args...)))
}

func (s *screen) line(who, state, text, link string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if link != "" {
		text += "  " + link
	}
	_, _ = fmt.Fprintf(s.out, "  %6.2fs  %-8s  %s  %s\n", time.Since(s.began).Seconds(), who, s.paint(colours[state], fmt.Sprintf("%-11s", state)), text)
}

func (s *screen) paint(code, text string) string {
	if !s.colour || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
