// Package arch holds the house rules as tests: which package may import which, and the habits that
// no linter knows.
//
// A new package fails TestImports until it has a line in rooms. That is on purpose: think about
// where it stands.
package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rooms says which of our packages each package may import outside its tests. A package may always
// import what is below itself in the same room.
var rooms = map[string][]string{
	"cmd/seraph":     {"pkg/app", "pkg/config", "pkg/client", "pkg/route", "deploy/docs"},
	"cmd/seraph-sim": {"test/sim"},

	"pkg/app": {
		"pkg/telemetry",
		"pkg/config",
		"pkg/server",
		"pkg/engine",
		"pkg/report",
		"pkg/recovery",
		"pkg/store",
		"pkg/route",
		"pkg/circleci",
		"pkg/github",
		"pkg/outbound",
		"pkg/command",
		"pkg/gate",
		"pkg/intake",
		"pkg/policy",
		"pkg/audit",
		"pkg/deployment",
	},
	"pkg/config":     {"pkg/route"},
	"pkg/telemetry":  {"pkg/deployment", "pkg/outbound"},
	"pkg/client":     {"pkg/api"},
	"pkg/api":        {},
	"pkg/server":     {"pkg/api", "pkg/webhook", "pkg/command", "pkg/intake", "pkg/policy", "pkg/deployment"},
	"pkg/command":    {"pkg/policy", "pkg/deployment"},
	"pkg/gate":       {"pkg/policy", "pkg/deployment"},
	"pkg/intake":     {"pkg/deployment"},
	"pkg/engine":     {"pkg/queue", "pkg/policy", "pkg/deployment"},
	"pkg/report":     {"pkg/deployment"},
	"pkg/queue":      {},
	"pkg/recovery":   {"pkg/intake", "pkg/webhook", "pkg/deployment"},
	"pkg/store":      {"pkg/audit", "pkg/policy", "pkg/deployment"},
	"pkg/webhook":    {"pkg/deployment"},
	"pkg/route":      {"pkg/policy", "pkg/deployment"},
	"pkg/circleci":   {"pkg/deployment", "pkg/outbound"},
	"pkg/github":     {"pkg/policy", "pkg/webhook", "pkg/deployment", "pkg/outbound"},
	"pkg/policy":     {"pkg/deployment"},
	"pkg/audit":      {"pkg/deployment"},
	"pkg/outbound":   {},
	"pkg/deployment": {},

	"api":         {},
	"deploy/docs": {},
	"test/arch":   {},
	"test/deploy": {"pkg/config", "deploy/docs"},
	"test/sim":    {},
	"test/pgtest": {},
	"test/demo":   {"test/sim"},
	"test/e2e":    {"pkg/app", "pkg/config", "test/sim", "test/pgtest"},
	"test/bench":  {"pkg/app", "pkg/config", "test/sim"},
	"test/chaos":  {"pkg/app", "pkg/config", "test/sim"},
}

// manyPackages are the rooms whose folders below belong to the same room.
var manyPackages = []string{"test/sim"}

// vendors says which rooms may know a library, so that its types and its traps stay behind one
// wall.
var vendors = map[string][]string{
	"github.com/google/go-github":             {"pkg/github"},
	"github.com/bradleyfalzon/ghinstallation": {"pkg/github"},
	"github.com/kelseyhightower/envconfig":    {"pkg/config"},
	"github.com/prometheus/client_golang":     {"pkg/telemetry"},
	"github.com/pressly/goose":                {"pkg/store"},
	"github.com/jackc/pgx":                    {"pkg/store", "test/pgtest"},
	"modernc.org/sqlite":                      {"pkg/store"},
	"github.com/robfig/cron":                  {"pkg/policy"},
}

// roomOf returns the room that a folder belongs to.
func roomOf(dir string) (string, bool) {
	if _, ok := rooms[dir]; ok {
		return dir, true
	}

	for _, room := range manyPackages {
		if within(dir, room) {
			return room, true
		}
	}

	return "", false
}

// mayImport applies the table to one import of one file.
func mayImport(from source, to string) error {
	room, ok := roomOf(from.dir)
	if !ok {
		return fmt.Errorf(
			"%s: package %s has no line in rooms (test/arch): say what it may import",
			from.path,
			from.dir,
		)
	}

	target, ok := roomOf(to)
	switch {
	case !ok:
		return fmt.Errorf("%s: imports %s, which has no line in rooms (test/arch)", from.path, to)
	case target == room, slices.Contains(rooms[room], target):
		return nil
	case from.test && testMayImport(room, target):
		return nil
	}

	return fmt.Errorf("%s: %s may not import %s", from.path, room, target)
}

// testMayImport loosens the table for tests: they may stand a package beside its real neighbours
// and the simulators. Only the simulators stay apart, because a simulator that shares code with the
// product shares its mistakes.
func testMayImport(room, target string) bool {
	if room == "test/sim" {
		return false
	}
	if target == "pkg/app" {
		return within(room, "cmd") || within(room, "test")
	}
	return within(target, "pkg") || target == "test/sim" || target == "test/pgtest" || target == "api"
}

// TestImports holds the import table.
func TestImports(t *testing.T) {
	for _, file := range sources(t) {
		if _, ok := roomOf(file.dir); !ok {
			t.Errorf("%s: package %s has no line in rooms (test/arch): say what it may import", file.path, file.dir)
			continue
		}

		for _, to := range file.ours() {
			if err := mayImport(file, to); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestDeploymentIsPure keeps the rules free of everything but the standard library.
func TestDeploymentIsPure(t *testing.T) {
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

// TestVendors keeps each library behind its wall.
func TestVendors(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || !within(file.dir, "pkg") {
			continue
		}

		for _, p := range file.imports() {
			for library, allowed := range vendors {
				if within(p, library) && !slices.Contains(allowed, file.dir) {
					t.Errorf("%s: imports %s, which belongs in %s", file.path, p, strings.Join(allowed, " or "))
				}
			}
		}
	}
}

// TestTableHasNoCycle keeps the table itself honest: data flows one way.
func TestTableHasNoCycle(t *testing.T) {
	var visit func(room string, path []string)
	visit = func(room string, path []string) {
		if slices.Contains(path, room) {
			t.Fatalf("cycle: %s", strings.Join(append(path, room), " -> "))
		}

		for _, next := range rooms[room] {
			visit(next, append(path, room))
		}
	}

	for room := range rooms {
		visit(room, nil)
	}
}
