package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clockSpeed is how much faster than time the wall clock of the program goes in the small run of TestCards: it is
// certain only after a minute and a half that a post has not arrived, and a killed process keeps its lease for 20 s.
// What waits without looking at the clock, such as a timeout of a call, takes as long as ever. The simulators that tell
// the program times have the same clock.
const clockSpeed = 10

// beganVariable has when a fast clock was right, in nanoseconds since 1970, so that it does not go back at a restart.
const beganVariable = "CHAOS_BEGAN"

// fastClockSource is the file that the overlay adds to package app.
var fastClockSource = `package app

import (
	"os"
	"strconv"
	"time"
)

var clockBegan = func() time.Time {
	nanoseconds, err := strconv.ParseInt(os.Getenv("` + beganVariable + `"), 10, 64)
	if err != nil {
		panic(err)
	}
	return time.Unix(0, nanoseconds)
}()

func now() time.Time {
	return clockBegan.Add(` + strconv.Itoa(clockSpeed) + ` * time.Since(clockBegan))
}
`

// writeFastClock writes an overlay with a fast clock and returns its path. The program takes the time from one function.
func writeFastClock(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../pkg/app")
	if err != nil {
		t.Fatal(err)
	}

	original := filepath.Join(folder, "wire.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}

	const clock = "func now() time.Time { return time.Now().Round(0) }"
	text := string(source)
	if strings.Count(text, clock) != 1 {
		t.Fatalf("%s holds %q %d times, want once", original, clock, strings.Count(text, clock))
	}

	temp := t.TempDir()
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		original:                         filepath.Join(temp, "wire.go"),
		filepath.Join(folder, "fast.go"): filepath.Join(temp, "fast.go"),
	}})
	if err != nil {
		t.Fatal(err)
	}

	for name, content := range map[string]string{
		"wire.go":      strings.Replace(text, clock, "", 1),
		"fast.go":      fastClockSource,
		"overlay.json": string(overlay),
	} {
		if err := os.WriteFile(filepath.Join(temp, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return filepath.Join(temp, "overlay.json")
}

// fastClock is the clock of the program for a simulator.
func fastClock(began time.Time) func() time.Time {
	return func() time.Time { return began.Add(clockSpeed * time.Since(began)) }
}
