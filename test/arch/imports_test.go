// Package arch holds the rules of the tree as tests: which package may import which, and rules that
// no linter checks.
//
// A new package fails TestImports until it has a line in the table packages. That is on purpose:
// think about where it belongs.
package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// packages says which of our packages each package may import outside its tests. Folders below those
// in treeRoots belong to them.
var packages = map[string][]string{
	"cmd/seraph":     {"pkg/app", "pkg/cli", "pkg/config", "pkg/route", "pkg/slack", "api", "deploy/docs"},
	"cmd/seraph-sim": {"test/sim"},

	"pkg/app": {
		"pkg/telemetry",
		"pkg/config",
		"pkg/server",
		"pkg/engine",
		"pkg/events",
		"pkg/report",
		"pkg/recovery",
		"pkg/store",
		"pkg/route",
		"pkg/circleci",
		"pkg/github",
		"pkg/slack",
		"pkg/notify",
		"pkg/outbound",
		"pkg/slackapp",
		"pkg/chat",
		"pkg/command",
		"pkg/gate",
		"pkg/intake",
		"pkg/intent",
		"pkg/link",
		"pkg/audit",
		"pkg/policy",
		"pkg/deployment",
	},
	"pkg/config":    {"pkg/route"},
	"pkg/telemetry": {"pkg/deployment", "pkg/outbound"},
	"pkg/cli":       {"pkg/client", "pkg/api", "pkg/config", "pkg/route"},
	"pkg/client":    {"pkg/api"},
	"pkg/api":       {},
	"pkg/server": {
		"pkg/api",
		"pkg/webhook",
		"pkg/command",
		"pkg/events",
		"pkg/intake",
		"pkg/policy",
		"pkg/deployment",
	},
	"pkg/events":     {"pkg/deployment"},
	"pkg/command":    {"pkg/policy", "pkg/deployment"},
	"pkg/gate":       {"pkg/policy", "pkg/deployment"},
	"pkg/intake":     {"pkg/deployment"},
	"pkg/link":       {"pkg/command", "pkg/phrase", "pkg/outbound", "pkg/policy", "pkg/deployment"},
	"pkg/intent":     {"pkg/intake", "pkg/webhook", "pkg/deployment"},
	"pkg/engine":     {"pkg/queue", "pkg/policy", "pkg/deployment"},
	"pkg/report":     {"pkg/deployment"},
	"pkg/queue":      {},
	"pkg/recovery":   {"pkg/intake", "pkg/webhook", "pkg/deployment"},
	"pkg/store":      {"pkg/audit", "pkg/policy", "pkg/deployment"},
	"pkg/webhook":    {"pkg/deployment"},
	"pkg/route":      {"pkg/grammar", "pkg/policy", "pkg/deployment"},
	"pkg/circleci":   {"pkg/deployment", "pkg/outbound"},
	"pkg/github":     {"pkg/policy", "pkg/webhook", "pkg/deployment", "pkg/outbound"},
	"pkg/policy":     {"pkg/deployment"},
	"pkg/audit":      {"pkg/deployment"},
	"pkg/outbound":   {},
	"pkg/deployment": {},
	"pkg/slack":      {"pkg/notify", "pkg/outbound", "pkg/deployment"},
	"pkg/slackapp": {
		"pkg/slack",
		"pkg/notify",
		"pkg/link",
		"pkg/command",
		"pkg/phrase",
		"pkg/grammar",
		"pkg/queue",
		"pkg/policy",
		"pkg/deployment",
	},
	"pkg/grammar": {},
	"pkg/phrase":  {"pkg/grammar", "pkg/policy", "pkg/deployment"},
	"pkg/notify":  {"pkg/phrase", "pkg/policy", "pkg/deployment"},
	"pkg/chat":    {"pkg/phrase", "pkg/grammar", "pkg/command", "pkg/policy", "pkg/deployment"},

	"api":           {},
	"deploy/docs":   {},
	"test/arch":     {},
	"test/deploy":   {"pkg/config", "deploy/docs"},
	"test/sim":      {},
	"test/pgtest":   {},
	"test/memnet":   {},
	"test/judge":    {},
	"test/demo":     {"test/sim"},
	"test/pictures": {"test/sim"},
	"test/e2e":      {"test/sim", "test/pgtest"},
	"test/bench":    {"test/sim"},
	"test/chaos":    {"test/sim"},
}

// treeRoots are the packages of the table that stand for all packages below them.
var treeRoots = []string{"test/judge", "test/sim"}

// libraries says which packages may import a library. Its types stay out of all others.
var libraries = map[string][]string{
	"github.com/google/go-github":             {"pkg/github"},
	"github.com/bradleyfalzon/ghinstallation": {"pkg/github"},
	"github.com/kelseyhightower/envconfig":    {"pkg/config"},
	"github.com/slack-go/slack":               {"pkg/slack"},
	"github.com/prometheus/client_golang":     {"pkg/telemetry"},
	"github.com/pressly/goose":                {"pkg/store"},
	"github.com/jackc/pgx":                    {"pkg/store", "test/pgtest"},
	"modernc.org/sqlite":                      {"pkg/store"},
	"github.com/robfig/cron":                  {"pkg/policy"},
	"golang.org/x/oauth2":                     {"pkg/link"},
	"github.com/spf13/cobra":                  {"cmd/seraph", "pkg/cli"},
	"github.com/spf13/pflag":                  {"cmd/seraph"},
}

// maxDepth is the length of the longest import chain in the table.
const maxDepth = 7

// tableEntry returns the line of the table that a folder belongs to.
func tableEntry(dir string) (string, bool) {
	if _, ok := packages[dir]; ok {
		return dir, true
	}

	for _, root := range treeRoots {
		if within(dir, root) {
			return root, true
		}
	}

	return "", false
}

// checkImport applies the table to one import of one file.
func checkImport(from source, to string) error {
	importer, ok := tableEntry(from.dir)
	if !ok {
		return fmt.Errorf("%s: package %s is not in the table packages (test/arch): add it", from.path, from.dir)
	}

	imported, ok := tableEntry(to)
	if !ok {
		return fmt.Errorf("%s: imports %s, which is not in the table packages (test/arch)", from.path, to)
	}

	if imported == importer || slices.Contains(packages[importer], imported) {
		return nil
	}
	if from.test && testMayImport(importer, imported) {
		return nil
	}

	return fmt.Errorf("%s: %s may not import %s", from.path, importer, imported)
}

// testMayImport loosens the table for tests: they may use a package together with other packages and
// the simulators. The simulators stay apart, because a simulator that shares code with
// the product shares its mistakes.
func testMayImport(importer, imported string) bool {
	if importer == "test/sim" {
		return false
	}
	if imported == "pkg/app" {
		return within(importer, "cmd") || within(importer, "test")
	}
	return within(imported, "pkg") || imported == "api" ||
		slices.Contains([]string{"test/sim", "test/pgtest", "test/memnet"}, imported)
}

// TestImports compares the imports of every file with the table.
func TestImports(t *testing.T) {
	for _, file := range sources(t) {
		if _, ok := tableEntry(file.dir); !ok {
			t.Errorf("%s: package %s is not in the table packages (test/arch): add it", file.path, file.dir)
			continue
		}

		for _, to := range file.ours() {
			if err := checkImport(file, to); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestImports_NoUnusedPermission reports permissions of both tables that no import uses. Tests of the
// product need none, so their imports do not count; the packages below test consist of tests.
func TestImports_NoUnusedPermission(t *testing.T) {
	for _, permission := range unusedPermissions(sources(t), packages, libraries) {
		t.Errorf("%s: no import uses this permission (test/arch): remove it", permission)
	}
}

// unusedPermissions returns the permissions as "importer -> imported", sorted.
func unusedPermissions(files []source, packages, libraries map[string][]string) []string {
	unused := map[string]bool{}
	for importer, allowed := range packages {
		for _, imported := range allowed {
			unused[importer+" -> "+imported] = true
		}
	}
	for library, allowed := range libraries {
		for _, importer := range allowed {
			unused[importer+" -> "+library] = true
		}
	}

	for _, file := range files {
		importer, _ := tableEntry(file.dir)
		if file.test && !within(file.dir, "test") {
			continue
		}

		for _, to := range file.ours() {
			imported, _ := tableEntry(to)
			delete(unused, importer+" -> "+imported)
		}
		for _, p := range file.imports() {
			for library := range libraries {
				if within(p, library) {
					delete(unused, importer+" -> "+library)
				}
			}
		}
	}

	return slices.Sorted(maps.Keys(unused))
}

// TestImports_DeploymentIsPure keeps pkg/deployment free of everything but the standard library.
func TestImports_DeploymentIsPure(t *testing.T) {
	for _, file := range sources(t) {
		if file.dir != "pkg/deployment" || file.test {
			continue
		}

		for _, p := range file.imports() {
			if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
				t.Errorf("%s: imports %s; pkg/deployment uses the standard library only", file.path, p)
			}
		}
	}
}

// TestImports_Libraries compares the imports of libraries with the table.
func TestImports_Libraries(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || !within(file.dir, "pkg") {
			continue
		}

		for _, p := range file.imports() {
			for library, allowed := range libraries {
				if within(p, library) && !slices.Contains(allowed, file.dir) {
					t.Errorf("%s: imports %s, which only %s may import", file.path, p, strings.Join(allowed, " and "))
				}
			}
		}
	}
}

// TestTable_NoCycleAndNotDeep checks the table itself.
func TestTable_NoCycleAndNotDeep(t *testing.T) {
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if slices.Contains(path, name) {
			t.Fatalf("cycle: %s", strings.Join(append(path, name), " -> "))
		}

		path = append(path, name)
		if depth := len(path) - 1; depth > maxDepth {
			t.Errorf("depth: got %d, want at most %d: %s", depth, maxDepth, strings.Join(path, " -> "))
		}

		for _, next := range packages[name] {
			visit(next, path)
		}
	}

	for name := range packages {
		visit(name, nil)
	}
}
