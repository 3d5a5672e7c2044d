package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence  = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```$")
	link   = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	target = regexp.MustCompile("(?m)`make ([a-z]+)`|^make ([a-z]+)")
)

// TestReadmeYAML parses each YAML example of README.md, and wants that no script of CircleCI's has
// a parameter pasted into it.
func TestReadmeYAML(t *testing.T) {
	blocks := fence.FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d YAML examples, want the CircleCI config and the routes", len(blocks))
	}

	for _, block := range blocks {
		for _, doc := range documents(t, "README.md", block[1]) {
			for _, script := range scripts(doc) {
				if strings.Contains(script, "<<") {
					t.Errorf("README.md: a script has a parameter substituted into it:\n%s", script)
				}
			}
		}
	}
}

// scripts returns the shell text of every run step, in its short and its long form.
func scripts(v any) []string {
	var found []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			found = append(found, scripts(item)...)
		}
	case node:
		for key, item := range v {
			if text, ok := item.(string); ok && (key == "run" || key == "command") {
				found = append(found, text)
				continue
			}

			found = append(found, scripts(item)...)
		}
	}

	return found
}

// TestScripts makes sure that the search above finds both forms.
func TestScripts(t *testing.T) {
	doc := documents(t, "made up", "steps:\n  - run: one\n  - run: {name: n, command: two}\n  - checkout\n")[0]
	if got := strings.Join(scripts(doc), " "); got != "one two" {
		t.Errorf("found %q, want both scripts", got)
	}
}

// TestReadmeLinks wants that what README.md links to is there.
func TestReadmeLinks(t *testing.T) {
	for _, match := range link.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
			t.Errorf("README.md links to %s, which is not there", match[1])
		}
	}
}

// TestReadmeTargets wants that each `make` command in README.md is a target with a line of help.
func TestReadmeTargets(t *testing.T) {
	makefile := "\n" + read(t, "Makefile")
	for _, match := range target.FindAllStringSubmatch(read(t, "README.md"), -1) {
		name := match[1] + match[2]
		if !regexp.MustCompile(`\n` + name + `:.* ## `).MatchString(makefile) {
			t.Errorf("README.md names make %s, which make help does not", name)
		}
	}
}
