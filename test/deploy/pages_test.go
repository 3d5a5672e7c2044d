package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/deploy/docs"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// longestReadme is the maximum size of README.md in bytes. Details belong in the pages of deploy/docs.
const longestReadme = 12 << 10

var (
	fence  = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```$")
	link   = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	target = regexp.MustCompile("(?m)`make ([a-z]+)`|^(?:\\$ )?make ([a-z]+)")
)

// pages returns the paths of README.md and of every page for operators, from the root of the repository.
func pages() []string {
	list := []string{"README.md"}
	for _, topic := range docs.Topics() {
		list = append(list, "deploy/docs/"+topic+".md")
	}

	return list
}

// TestPages_YAML parses each YAML example, and checks that CircleCI would substitute no parameter in a
// script.
func TestPages_YAML(t *testing.T) {
	count := 0
	for _, page := range pages() {
		for _, block := range fence.FindAllStringSubmatch(read(t, page), -1) {
			count++
			for _, doc := range documents(t, page, block[1]) {
				for _, script := range scripts(doc) {
					if strings.Contains(script, "<<") {
						t.Errorf("%s: a script has a parameter substituted into it:\n%s", page, script)
					}
				}
			}
		}
	}

	if count < 3 {
		t.Errorf("got %d YAML examples, want at least the CircleCI config, the routes and the rules", count)
	}
}

// TestPages_RoutesExamples reads each example of a routes file as Seraph does.
func TestPages_RoutesExamples(t *testing.T) {
	count := 0
	for _, page := range pages() {
		for _, block := range fence.FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(block[1], "\nroutes:\n") && !strings.HasPrefix(block[1], "routes:\n") {
				continue
			}
			count++
			if _, err := route.Parse([]byte(block[1]), page, route.Options{}); err != nil {
				t.Error(err)
			}
		}
	}

	if count < 2 {
		t.Errorf("got %d examples of routes files, want those of routes.md and rules.md", count)
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

// TestScripts_BothForms checks that scripts finds both forms.
func TestScripts_BothForms(t *testing.T) {
	doc := documents(t, "example", "steps:\n  - run: one\n  - run: {name: n, command: two}\n  - checkout\n")[0]
	if got, want := strings.Join(scripts(doc), " "), "one two"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPages_Links checks that every file exists to which a document links.
func TestPages_Links(t *testing.T) {
	documents := append(pages(), "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "pkg/README.md")
	for _, document := range documents {
		for _, match := range link.FindAllStringSubmatch(read(t, document), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", document, match[1])
			}
		}
	}
}

// TestPages_MakeTargets checks that each `make` command names a target with help text.
func TestPages_MakeTargets(t *testing.T) {
	makefile := "\n" + read(t, "Makefile")
	for _, document := range append(pages(), "CONTRIBUTING.md") {
		for _, match := range target.FindAllStringSubmatch(read(t, document), -1) {
			name := match[1] + match[2]
			if !regexp.MustCompile(`\n` + name + `:.* ## `).MatchString(makefile) {
				t.Errorf("%s names make %s, which make help does not list", document, name)
			}
		}
	}
}

// TestReadme_LinksEveryPage checks that README.md links to every page and is not too long.
func TestReadme_LinksEveryPage(t *testing.T) {
	readme := read(t, "README.md")

	for _, page := range pages()[1:] {
		if !strings.Contains(readme, "]("+page+")") {
			t.Errorf("README.md has no link to %s", page)
		}
	}
	if len(readme) > longestReadme {
		t.Errorf("README.md has %d bytes, want at most %d: move details into deploy/docs", len(readme), longestReadme)
	}
}

// TestPages_OneLoginPerID checks that the examples give each id of an account one login, so that nobody who copies two of
// them acts as, or for, another person than they mean.
func TestPages_OneLoginPerID(t *testing.T) {
	person := regexp.MustCompile(`"?id"?: ?(\d+), ?"?login"?: ?"?([a-z-]+)`)
	logins := map[string]string{}
	for _, name := range append(pages(), "deploy/routes.example.yaml", "api/openapi.yaml") {
		for _, match := range person.FindAllStringSubmatch(read(t, name), -1) {
			id, login := match[1], match[2]
			if before, ok := logins[id]; ok && before != login {
				t.Errorf("%s: login of id %s: got %s, want %s as elsewhere", name, id, login, before)
			}
			logins[id] = login
		}
	}

	if len(logins) < 3 {
		t.Errorf("got %v, want the people of the examples", logins)
	}
}

var (
	anchorLink = regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the anchors that GitHub gives the headings of a page.
func anchors(page string) []string {
	var all []string
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		text := notInSlug.ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(text, " ", "-"))
	}
	return all
}

// TestPages_Anchors checks that every link into a page leads to one of its headings.
func TestPages_Anchors(t *testing.T) {
	count := 0
	for _, document := range append(pages(), "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "pkg/README.md") {
		for _, match := range anchorLink.FindAllStringSubmatch(read(t, document), -1) {
			count++
			page := document
			if match[1] != "" {
				page = filepath.Join(filepath.Dir(document), match[1])
			}
			if !slices.Contains(anchors(read(t, page)), match[2]) {
				t.Errorf("%s links to the heading #%s of %s, which does not exist", document, match[2], page)
			}
		}
	}

	if count < 10 {
		t.Errorf("got %d links to headings, want those of the pages", count)
	}
}
