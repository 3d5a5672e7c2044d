package arch

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var row = regexp.MustCompile("(?m)^\\| `((?:cmd|pkg)/[a-z-]+)` \\|[^|]*\\| ([^|]*) \\|$")

// packagesPage has the table of packages for people.
const packagesPage = "pkg/README.md"

// TestPackagesPage_EqualsTable compares the table in pkg/README.md with rooms.
func TestPackagesPage_EqualsTable(t *testing.T) {
	page, err := os.ReadFile("../../" + packagesPage)
	if err != nil {
		t.Fatal(err)
	}

	said := map[string]bool{}
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		room, imports := match[1], match[2]
		said[room] = true
		if imports == "all below" {
			continue
		}
		if want := spell(rooms[room]); !strings.HasPrefix(imports, want) {
			t.Errorf("%s says that %s imports %q, rooms says %q", packagesPage, room, imports, want)
		}
	}

	for room := range rooms {
		if (within(room, "cmd") || within(room, "pkg")) && !said[room] {
			t.Errorf("%s has no row for %s", packagesPage, room)
		}
	}
}

// spell writes imports as the page does.
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
