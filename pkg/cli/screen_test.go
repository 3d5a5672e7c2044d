package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestScreen_ColoursOnlyOnTerminals(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()

	if newScreen(file).colour || newScreen(&bytes.Buffer{}).colour {
		t.Error("got colours in a file or a pipe, want none")
	}
}

// TestScreen_AlignsColours wants that the codes of colours take no place in a table.
func TestScreen_AlignsColours(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, colour: true}
	s.table("", []cell{coloured("running"), {text: "x"}}, []cell{{text: "ä"}, {text: "y"}})
	want := "\x1b[36mrunning\x1b[0m  x\nä        y\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestScreen_Cleans wants that nothing which a service sends is a command to the terminal.
func TestScreen_Cleans(t *testing.T) {
	const hostile = "a\x1b]0;title\x07b\u202ec\nd\r\u009b2J"
	var out bytes.Buffer
	s := &screen{out: &out}
	s.line(hostile)
	s.table("", plain(hostile))
	if got := out.String(); strings.ContainsAny(got, "\x1b\x07\r\u202e\u009b") || strings.Count(got, "\n") != 2 {
		t.Errorf("got %q, want two lines without control characters", got)
	}
}
