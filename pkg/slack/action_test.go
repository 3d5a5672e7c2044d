package slack

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// FuzzParseAction checks that what is accepted is exactly what ActionValue writes.
func FuzzParseAction(f *testing.F) {
	for _, s := range []string{
		"v1 77 " + generation, "v1 77 " + generation + " approve eu", "v1m 77 " + generation + " approve eu", "v2 1 a", "v1 01 a", "v1 -1 a", "v1 1 a ", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		row, gen, job, err := ParseAction(s)
		if err != nil {
			if row != 0 || gen != "" || job != "" {
				t.Errorf("got %d %q %q beside an error", row, gen, job)
			}
			return
		}
		if again := ActionValue(row, gen, job, OpensModal(s)); again != s {
			t.Errorf("got %q, want %q", again, s)
		}
	})
}

func TestParseActionID(t *testing.T) {
	tests := map[string]struct {
		id   string
		want notify.Verb
		ok   bool
	}{
		"a verb":         {"seraph_approve", notify.VerbApprove, true},
		"a second one":   {"seraph_approve-hold_2", notify.VerbApproveHold, true},
		"an unknown one": {"seraph_explode", "explode", true},
		"another prefix": {"sarah_approve", "", false},
		"no verb":        {"seraph_", "", false},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := ParseActionID(tt.id); ok != tt.ok || ok && got != tt.want {
				t.Errorf("got %q %v, want %q %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestActionID_ReadsEveryVerb wants that no verb has the character that stands before the number of a second button.
func TestActionID_ReadsEveryVerb(t *testing.T) {
	for _, verb := range []notify.Verb{
		notify.VerbApprove, notify.VerbApproveHold, notify.VerbCancel, notify.VerbRollback, notify.VerbWhy, notify.VerbAgain,
		notify.VerbAskForLock, notify.VerbOpen,
	} {
		t.Run(string(verb), func(t *testing.T) {
			for _, id := range []string{ActionID(verb), ActionID(verb) + "_2"} {
				if got, ok := ParseActionID(id); !ok || got != verb {
					t.Errorf("%s: got %q, %t, want %q", id, got, ok, verb)
				}
			}
		})
	}
}

func TestParseAction(t *testing.T) {
	tests := map[string]struct {
		value, generation, job string
		row                    int64
		refused                bool
	}{
		"plain":            {value: "v1 77 3f9a", row: 77, generation: "3f9a"},
		"with a job":       {value: "v1 77 3f9a approve  eu ", row: 77, generation: "3f9a", job: "approve  eu "},
		"empty":            {value: "", refused: true},
		"another version":  {value: "v2 77 3f9a", refused: true},
		"no generation":    {value: "v1 77 ", refused: true},
		"capital letters":  {value: "v1 77 3F9A", refused: true},
		"row of zero":      {value: "v1 0 3f9a", refused: true},
		"row with a sign":  {value: "v1 +7 3f9a", refused: true},
		"row too large":    {value: "v1 99999999999999999999 3f9a", refused: true},
		"empty job":        {value: "v1 77 3f9a ", refused: true},
		"two spaces":       {value: "v1  77 3f9a", refused: true},
		"too long":         {value: "v1 77 3f9a " + strings.Repeat("j", 2000), refused: true},
		"no valid unicode": {value: "v1 77 3f9a \xff", refused: true},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			row, generation, job, err := ParseAction(tt.value)
			if (err != nil) != tt.refused || row != tt.row || generation != tt.generation || job != tt.job {
				t.Errorf("got %d %q %q %v, want %+v", row, generation, job, err, tt)
			}
		})
	}
}
