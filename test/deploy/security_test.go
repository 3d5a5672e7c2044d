package deploy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName    = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")
	testDeclare = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
)

// testNames returns the names of all tests of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}

		text, err := os.ReadFile(path)
		for _, found := range testDeclare.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return names
}

// claims returns the items of lists and the rows of tables on a page, without the headers of tables.
func claims(page string) []string {
	var all []string
	listed := false
	for line := range strings.Lines(page) {
		text := strings.TrimSpace(line)
		row := strings.HasPrefix(text, "|")
		switch {
		case strings.HasPrefix(text, "|---"):
			all = all[:len(all)-1] // it was the header
		case strings.HasPrefix(text, "- "), row:
			all = append(all, text)
		case text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "```"):
			listed = false
			continue
		case listed:
			all[len(all)-1] += " " + text
		}

		listed = !row && (listed || strings.HasPrefix(text, "- "))
	}

	return all
}

// TestSecurity_ClaimsNameTests checks that each claim of the security page names a test that exists, or says
// that only the operator can do it.
func TestSecurity_ClaimsNameTests(t *testing.T) {
	all := claims(read(t, "deploy/docs/security.md"))
	if len(all) < 35 {
		t.Fatalf("got %d claims, want the tables and lists of the page", len(all))
	}

	existing := testNames(t)
	for _, claim := range all {
		named := testName.FindAllStringSubmatch(claim, -1)
		if len(named) == 0 && !strings.Contains(strings.ToLower(claim), "only the operator can") {
			t.Errorf("the claim names no test and is not the operator's: %s", claim)
		}
		for _, name := range named {
			if !existing[name[1]] {
				t.Errorf("the claim names the test %s, which does not exist: %s", name[1], claim)
			}
		}
	}
}
