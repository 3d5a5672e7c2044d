package deployment

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// statesPage is the operator's page about states.
const statesPage = "../../deploy/docs/states.md"

// transitions matches the code block that lists all transitions.
var transitions = regexp.MustCompile("(?s)(\n## All transitions\n.*?\n```\n)(.*?)(```\n)")

// TestDiagram_EqualsStatesPage compares the transitions on the page with the table; `make generate` updates the page.
func TestDiagram_EqualsStatesPage(t *testing.T) {
	page := readStatesPage(t)
	block := transitions.FindStringSubmatchIndex(page)
	if block == nil {
		t.Fatalf("%s has no code block below \"All transitions\"", statesPage)
	}
	begin, end := block[4], block[5]

	if os.Getenv("UPDATE") != "" {
		page = page[:begin] + Diagram() + page[end:]
		if err := os.WriteFile(statesPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}

	if got, want := page[begin:end], Diagram(); got != want {
		t.Errorf("%s is not up to date, run `make generate`\ngot:\n%s\nwant:\n%s", statesPage, got, want)
	}
}

// TestStates_EqualStatesPage wants one row for each state, in order.
func TestStates_EqualStatesPage(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| [A-Z]")
	var got []State
	for _, match := range row.FindAllStringSubmatch(readStatesPage(t), -1) {
		got = append(got, State(match[1]))
	}

	if want := States(); !slices.Equal(got, want) {
		t.Errorf("got rows for %v, want %v", got, want)
	}
}

func readStatesPage(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(statesPage)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(content), "# States\n") {
		t.Fatalf("%s does not begin with its title", statesPage)
	}

	return string(content)
}
