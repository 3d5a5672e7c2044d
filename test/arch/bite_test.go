package arch

import (
	"strings"
	"testing"
)

// TestHabitsBite breaks each habit once in a made-up file, and keeps it once.
func TestHabitsBite(t *testing.T) {
	long := "// Package x is x.\npackage x\n\nfunc f() {\n" + strings.Repeat("\tg()\n", longestFunction) + "}\n"
	cases := map[string]struct {
		habit  string
		path   string
		code   string
		breach string // part of it; empty: none
	}{
		"sleep": {
			"tests wait on signals",
			"pkg/x/x_test.go",
			"package x\nimport \"time\"\nfunc f() { time.Sleep(1) }",
			"x_test.go:3: time.Sleep",
		},
		"sleep by another name": {
			"tests wait on signals",
			"pkg/x/x_test.go",
			"package x\nimport c \"time\"\nfunc f() { c.Sleep(1) }",
			"time.Sleep",
		},
		"sleep of another time": {
			"tests wait on signals",
			"pkg/x/x_test.go",
			"package x\nimport \"example.org/time\"\nfunc f() { time.Sleep(1) }",
			"",
		},
		"sleep in a bubble": {
			"tests wait on signals",
			"pkg/x/x_test.go",
			"package x\nimport (\n\"time\"\n\"testing/synctest\"\n)\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }",
			"",
		},
		"sleep after a bubble": {
			"tests wait on signals",
			"pkg/x/x_test.go",
			"package x\nimport (\n\"time\"\n\"testing/synctest\"\n)\nfunc f() {\nsynctest.Test(nil, func() {})\ntime.Sleep(1)\n}",
			"x_test.go:8: time.Sleep",
		},
		"sleep outside tests": {
			"tests wait on signals",
			"pkg/x/x.go",
			"package x\nimport \"time\"\nfunc f() { time.Sleep(1) }",
			"",
		},
		"print": {
			"pkg does not print",
			"pkg/x/x.go",
			"package x\nimport \"fmt\"\nfunc f() { fmt.Println() }",
			"fmt.Println",
		},
		"print in cmd": {
			"pkg does not print",
			"cmd/x/x.go",
			"package x\nimport \"fmt\"\nfunc f() { fmt.Println() }",
			"",
		},
		"exit": {
			"only main exits",
			"pkg/x/x.go",
			"package x\nimport \"os\"\nfunc f() { os.Exit(1) }",
			"os.Exit",
		},
		"panic": {
			"panic is not control flow",
			"pkg/x/x.go",
			"package x\nfunc f() { panic(1) }",
			"x.go:2: panic",
		},
		"recover": {
			"panic is not control flow",
			"pkg/x/x.go",
			"package x\nfunc f() { defer func() { recover() }() }",
			"recover",
		},
		"function without a word": {
			"exported names are explained",
			"pkg/x/x.go",
			"package x\nfunc F() {}",
			"F has no doc comment",
		},
		"method of a hidden type": {
			"exported names are explained",
			"pkg/x/x.go",
			"package x\ntype t int\nfunc (*t) F() {}",
			"",
		},
		"type without a word": {
			"exported names are explained",
			"pkg/x/x.go",
			"package x\ntype T int",
			"T has no doc comment",
		},
		"group with a word": {
			"exported names are explained",
			"pkg/x/x.go",
			"package x\n// Both.\nconst (\n\tA = 1\n\tB = 2\n)",
			"",
		},
		"constant with its own": {
			"exported names are explained",
			"pkg/x/x.go",
			"package x\nconst (\n\tA = 1 // one\n\tB = 2\n)",
			"x.go:4: B has no doc comment",
		},
		"long function": {"functions are short", "pkg/x/x.go", long, "f has 82 lines"},
		"long test":     {"functions are short", "pkg/x/x_test.go", long, ""},
		"long file": {
			"files are short",
			"pkg/x/x.go",
			"package x\n" + strings.Repeat("\n", longestFile),
			"what wall is missing",
		},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rule, ok := habits[c.habit]
			if !ok {
				t.Fatalf("no habit %q", c.habit)
			}

			got := strings.Join(rule(parse(t, "", c.path, c.code)), "\n")
			if (got == "") != (c.breach == "") || !strings.Contains(got, c.breach) {
				t.Errorf("got %q, want %q", got, c.breach)
			}
		})
	}
}

// TestImportsBite asks the table about imports that it must refuse, and their lawful twins.
func TestImportsBite(t *testing.T) {
	cases := map[string]struct {
		path, to string
		want     string // part of the refusal; empty: allowed
	}{
		"engine to deployment":        {"pkg/engine/x.go", "pkg/deployment", ""},
		"engine to store":             {"pkg/engine/x.go", "pkg/store", "pkg/engine may not import pkg/store"},
		"engine's test to store":      {"pkg/engine/x_test.go", "pkg/store", ""},
		"engine's test to app":        {"pkg/engine/x_test.go", "pkg/app", "may not import"},
		"adapter to adapter":          {"pkg/github/x.go", "pkg/circleci", "may not import"},
		"product to simulator":        {"pkg/github/x.go", "test/sim/github", "may not import test/sim"},
		"test to simulator":           {"pkg/github/x_test.go", "test/sim/github", ""},
		"simulator to simulator":      {"test/sim/github/x.go", "test/sim/shapes", ""},
		"simulator to product":        {"test/sim/github/x.go", "pkg/deployment", "may not import"},
		"simulator's test to product": {"test/sim/github/x_test.go", "pkg/deployment", "may not import"},
		"main to app":                 {"cmd/seraph/main.go", "pkg/app", ""},
		"main to store":               {"cmd/seraph/main.go", "pkg/store", "may not import"},
		"end-to-end test to app":      {"test/e2e/x_test.go", "pkg/app", ""},
		"unknown room":                {"pkg/attic/x.go", "pkg/deployment", "has no line in rooms"},
		"folder below a room":         {"pkg/store/inner/x.go", "pkg/deployment", "has no line in rooms"},
		"to an unknown room":          {"pkg/app/x.go", "pkg/attic", "has no line in rooms"},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := mayImport(parse(t, "", c.path, "package x"), c.to)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
