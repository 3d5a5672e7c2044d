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

// TestPackagesPage_EqualsTable compares the table in pkg/README.md with packages.
func TestPackagesPage_EqualsTable(t *testing.T) {
	page, err := os.ReadFile("../../" + packagesPage)
	if err != nil {
		t.Fatal(err)
	}

	listed := map[string]bool{}
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		name, imports := match[1], match[2]
		listed[name] = true
		if imports == "all below" {
			continue
		}
		if want := spell(packages[name]); !strings.HasPrefix(imports, want) {
			t.Errorf("%s: imports of %s: got %q, want %q as in packages", packagesPage, name, imports, want)
		}
	}

	for name := range packages {
		if (within(name, "cmd") || within(name, "pkg")) && !listed[name] {
			t.Errorf("%s has no row for %s", packagesPage, name)
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
