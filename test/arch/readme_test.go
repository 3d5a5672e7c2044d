package arch

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var row = regexp.MustCompile("(?m)^\\| `((?:cmd|pkg)/[a-z-]+)` \\|[^|]*\\| ([^|]*) \\|$")

// TestReadmeSaysTheSame compares the table in README.md with rooms.
func TestReadmeSaysTheSame(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}

	said := map[string]bool{}
	for _, match := range row.FindAllStringSubmatch(string(readme), -1) {
		room, imports := match[1], match[2]
		said[room] = true
		if imports == "all below" {
			continue
		}
		if want := spell(rooms[room]); !strings.HasPrefix(imports, want) {
			t.Errorf("README.md says that %s imports %q, rooms says %q", room, imports, want)
		}
	}

	for room := range rooms {
		if (within(room, "cmd") || within(room, "pkg")) && !said[room] {
			t.Errorf("README.md has no row for %s", room)
		}
	}
}

// spell writes imports as README.md does.
func spell(imports []string) string {
	if len(imports) == 0 {
		return "–"
	}
	short := slices.Clone(imports)
	for i := range short {
		short[i] = strings.TrimPrefix(short[i], "pkg/")
	}
	return strings.Join(short, ", ")
}
