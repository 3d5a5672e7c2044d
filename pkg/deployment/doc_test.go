package deployment

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const diagramMark = "// The transitions, each with the events that lead to it:\n//\n"

// TestDiagram_IsTheTable holds the transitions in doc.go equal to the table. UPDATE=1, as in
// `make generate`, writes them.
func TestDiagram_IsTheTable(t *testing.T) {
	got, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}

	before, after, found := strings.Cut(string(got), diagramMark)
	_, after, foundEnd := strings.Cut(after, "package deployment\n")
	if !found || !foundEnd {
		t.Fatalf("doc.go has no line %q", diagramMark)
	}

	want := before + diagramMark + comment(diagram()) + "package deployment\n" + after
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("doc.go", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}

		return
	}

	if string(got) != want {
		t.Errorf("doc.go differs from the table; run `make generate`. got:\n%s\nwant:\n%s", got, want)
	}
}

// diagram lists the transitions of the table: one line per state and next state, with the events
// that lead there. Events that leave the state as it is are left out.
func diagram() string {
	var b strings.Builder
	for _, from := range States() {
		for _, to := range States() {
			var events []string
			for name, row := range table[from] {
				if from != to && slices.Contains(row.to, to) {
					events = append(events, name)
				}
			}

			if len(events) > 0 {
				slices.Sort(events)
				fmt.Fprintf(&b, "%-11s -> %-11s  %s\n", from, to, strings.Join(events, ", "))
			}
		}
	}

	return b.String()
}

func comment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("//\t" + line)
	}
	return b.String()
}
