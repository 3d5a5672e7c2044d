package shapes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNPM_TriesAgain runs an npm that fails some times.
func TestNPM_TriesAgain(t *testing.T) {
	tests := []struct {
		name     string
		ci       string
		failures string // one letter for each
		wantRuns int
		wantErr  bool
	}{
		{name: "no failure", ci: "true", wantRuns: 1},
		{name: "two failures", ci: "true", failures: "xx", wantRuns: 3},
		{name: "no end of failures", ci: "true", failures: "xxxxxxxxx", wantRuns: npmTries, wantErr: true},
		{name: "not in CI", failures: "x", wantRuns: 1, wantErr: true},
	}
	pause := npmPause
	npmPause = time.Millisecond
	t.Cleanup(func() { npmPause = pause })

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			programs, work := t.TempDir(), t.TempDir()
			const npm = "#!/bin/sh\necho run >>runs\n[ $(wc -l <runs) -gt $(printf %s $FAILURES | wc -c) ]\n"
			if err := os.WriteFile(filepath.Join(programs, "npm"), []byte(npm), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
			t.Setenv("CI", test.ci)
			t.Setenv("FAILURES", test.failures)

			err := NPM(work, "ci")
			if (err != nil) != test.wantErr {
				t.Errorf("got %v, want an error: %t", err, test.wantErr)
			}
			runs, err := os.ReadFile(filepath.Join(work, "runs"))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(runs), "run\n"); got != test.wantRuns {
				t.Errorf("got %d runs, want %d", got, test.wantRuns)
			}
		})
	}
}
