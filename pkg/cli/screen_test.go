package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
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

// TestScreen_JSON wants that a document is no command to a terminal, and means the same there.
func TestScreen_JSON(t *testing.T) {
	const hostile = "a\x1b]0;title\x07b\u202ec\n\u007f\u009b2J\U000e0041 é <&>"
	for _, terminal := range []bool{false, true} {
		t.Run(fmt.Sprintf("terminal %v", terminal), func(t *testing.T) {
			var out bytes.Buffer
			s := &screen{out: &out, terminal: terminal}
			if err := s.json(map[string]string{"reason": hostile}); err != nil {
				t.Fatal(err)
			}

			var back map[string]string
			if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["reason"] != hostile {
				t.Errorf("got %q, %v, want the text as it was", back["reason"], err)
			}
			line, _ := strings.CutSuffix(out.String(), "\n")
			if hidden := strings.ContainsFunc(line, isHidden); hidden == terminal || !strings.Contains(line, "é <&>") {
				t.Errorf("got %q with hidden characters %v, want them only in a pipe", line, hidden)
			}
		})
	}
}

// TestFailure_Cleans wants that neither an error nor its hint is a command to the terminal.
func TestFailure_Cleans(t *testing.T) {
	err := &failure{err: errors.New("no\x1b[2J route"), hint: "did you mean a\x1b[2Jpi\u202e?"}
	if got := err.Error(); strings.ContainsAny(got, "\x1b\u202e") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, want two lines without control characters", got)
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestScreen_FullDisk wants commands that only read to fail if their answer cannot be printed. The exit code of the
// others tells whether they were carried out.
func TestScreen_FullDisk(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string][]answer{
		"GET /api/v1/locks": {{body: `{"locks":[` + lockJSON + `]}`}},
		"POST /api/v1/deployments/42/approve": {{
			body: `{"deployment":` + deploymentJSON(42, "waiting") + `,"verdict":` + verdictJSON + `}`,
		}},
	})

	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{args: []string{"locks"}, code: ExitFailed, want: "print the answer: no space left on device\n"},
		{args: []string{"locks", "-o", "json"}, code: ExitFailed, want: "print the answer: no space left on device\n"},
		{args: []string{"approve", "42"}, code: ExitOK},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			term := newTerminal(t, s.server.URL)
			term.options.Stdout = fullDisk{}
			code := term.run(test.args...)
			if got := term.stderr.String(); code != test.code || got != test.want {
				t.Errorf("got exit code %d and %q, want %d and %q", code, got, test.code, test.want)
			}
		})
	}
}
