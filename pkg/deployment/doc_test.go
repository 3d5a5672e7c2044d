package deployment

import (
	"os"
	"strings"
	"testing"
)

// The diagram in the package's documentation is the table's own; `make generate` writes it.
func TestDiagramIsTheTables(t *testing.T) {
	want := "// Package deployment holds the words and the rules: what a deployment is, which states it passes, and what each event does to it. It knows\n" +
		"// no vendor, no clock and no database; Rules.Apply is the only way a deployment changes.\n//\n" +
		"// The states and the events that lead from one to the next:\n//\n" +
		comment(
			Diagram(),
		) + "package deployment\n\n//go:generate env UPDATE=1 go test -run TestDiagram .\n"

	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("doc.go", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	got, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("doc.go does not show the state machine as it is; run `make generate`. It should be:\n%s", want)
	}
}

func comment(diagram string) string {
	var b strings.Builder
	for line := range strings.Lines(diagram) {
		b.WriteString("//\t" + line)
	}
	return b.String()
}
