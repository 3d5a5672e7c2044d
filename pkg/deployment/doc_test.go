package deployment

import (
	"fmt"
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

// TestDiagram_EqualsStatesPage compares the transitions on the page with the table. `make generate`
// updates the page.
func TestDiagram_EqualsStatesPage(t *testing.T) {
	page := readStatesPage(t)
	block := transitions.FindStringSubmatchIndex(page)
	if block == nil {
		t.Fatalf("%s has no code block below \"All transitions\"", statesPage)
	}

	begin, end := block[4], block[5]
	if os.Getenv("UPDATE") != "" {
		page = page[:begin] + diagram() + page[end:]
		if err := os.WriteFile(statesPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}

		return
	}

	if got, want := page[begin:end], diagram(); got != want {
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
