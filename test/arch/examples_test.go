package arch

import (
	"slices"
	"strings"
	"testing"
)

// TestRules_Examples checks each rule with code that violates it and with similar code that does not.
func TestRules_Examples(t *testing.T) {
	longFunction := "// Package x is x.\npackage x\n\nfunc f() {\n" + strings.Repeat("\tg()\n", longestFunction) + "}\n"

	for name, c := range map[string]struct {
		rule string
		path string
		code string
		want string // part of the violation; empty: none
	}{
		"sleep": {
			rule: "tests do not sleep",
			path: "pkg/x/x_test.go",
			code: "package x\nimport \"time\"\nfunc f() { time.Sleep(1) }",
			want: "x_test.go:3: time.Sleep",
		},
		"sleep by another name": {
			rule: "tests do not sleep",
			path: "pkg/x/x_test.go",
			code: "package x\nimport c \"time\"\nfunc f() { c.Sleep(1) }",
			want: "time.Sleep",
		},
		"sleep of another package": {
			rule: "tests do not sleep",
			path: "pkg/x/x_test.go",
			code: "package x\nimport \"example.org/time\"\nfunc f() { time.Sleep(1) }",
		},
		"sleep inside synctest": {
			rule: "tests do not sleep",
			path: "pkg/x/x_test.go",
			code: "package x\nimport (\n\"time\"\n\"testing/synctest\"\n)\n" +
				"func f() { synctest.Test(nil, func() { time.Sleep(1) }) }",
		},
		"sleep after synctest": {
			rule: "tests do not sleep",
			path: "pkg/x/x_test.go",
			code: "package x\nimport (\n\"time\"\n\"testing/synctest\"\n)\n" +
				"func f() {\nsynctest.Test(nil, func() {})\ntime.Sleep(1)\n}",
			want: "x_test.go:8: time.Sleep",
		},
		"sleep outside tests": {
			rule: "tests do not sleep",
			path: "pkg/x/x.go",
			code: "package x\nimport \"time\"\nfunc f() { time.Sleep(1) }",
		},
		"print": {
			rule: "pkg does not print",
			path: "pkg/x/x.go",
			code: "package x\nimport \"fmt\"\nfunc f() { fmt.Println() }",
			want: "fmt.Println",
		},
		"print in cmd": {
			rule: "pkg does not print",
			path: "cmd/x/x.go",
			code: "package x\nimport \"fmt\"\nfunc f() { fmt.Println() }",
		},
		"exit": {
			rule: "only main exits",
			path: "pkg/x/x.go",
			code: "package x\nimport \"os\"\nfunc f() { os.Exit(1) }",
			want: "os.Exit",
		},
		"panic": {
			rule: "panic is not control flow",
			path: "pkg/x/x.go",
			code: "package x\nfunc f() { panic(1) }",
			want: "x.go:2: panic",
		},
		"recover": {
			rule: "panic is not control flow",
			path: "pkg/x/x.go",
			code: "package x\nfunc f() { defer func() { recover() }() }",
			want: "recover",
		},
		"function without a comment": {
			rule: "exported names are documented",
			path: "pkg/x/x.go",
			code: "package x\nfunc F() {}",
			want: "F has no doc comment",
		},
		"method of an unexported type": {
			rule: "exported names are documented",
			path: "pkg/x/x.go",
			code: "package x\ntype t int\nfunc (*t) F() {}",
		},
		"type without a comment": {
			rule: "exported names are documented",
			path: "pkg/x/x.go",
			code: "package x\ntype T int",
			want: "T has no doc comment",
		},
		"group with a comment": {
			rule: "exported names are documented",
			path: "pkg/x/x.go",
			code: "package x\n// Both.\nconst (\n\tA = 1\n\tB = 2\n)",
		},
		"one constant of a group without a comment": {
			rule: "exported names are documented",
			path: "pkg/x/x.go",
			code: "package x\nconst (\n\tA = 1 // one\n\tB = 2\n)",
			want: "x.go:4: B has no doc comment",
		},
		"long function": {
			rule: "functions are short",
			path: "pkg/x/x.go",
			code: longFunction,
			want: "f has 62 lines",
		},
		"long test": {
			rule: "functions are short",
			path: "pkg/x/x_test.go",
			code: longFunction,
		},
		"long file": {
			rule: "files are short",
			path: "pkg/x/x.go",
			code: "package x\n" + strings.Repeat("\n", longestFile),
			want: "split it by topic",
		},
	} {
		t.Run(name, func(t *testing.T) {
			check, ok := rules[c.rule]
			if !ok {
				t.Fatalf("no rule %q", c.rule)
			}

			got := strings.Join(check(parse(t, "", c.path, c.code)), "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestImports_Examples checks imports that the table must refuse, and similar ones that it allows.
func TestImports_Examples(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		to   string
		want string // part of the error; empty: allowed
	}{
		"engine to deployment":   {path: "pkg/engine/x.go", to: "pkg/deployment"},
		"engine to store":        {path: "pkg/engine/x.go", to: "pkg/store", want: "pkg/engine may not import pkg/store"},
		"engine's test to store": {path: "pkg/engine/x_test.go", to: "pkg/store"},
		"engine's test to app":   {path: "pkg/engine/x_test.go", to: "pkg/app", want: "may not import"},
		"adapter to adapter":     {path: "pkg/github/x.go", to: "pkg/circleci", want: "may not import"},
		"product to simulator":   {path: "pkg/github/x.go", to: "test/sim/github", want: "may not import test/sim"},
		"test to simulator":      {path: "pkg/github/x_test.go", to: "test/sim/github"},
		"simulator to simulator": {path: "test/sim/github/x.go", to: "test/sim/shapes"},
		"simulator to product":   {path: "test/sim/github/x.go", to: "pkg/deployment", want: "may not import"},
		"simulator's test to product": {
			path: "test/sim/github/x_test.go",
			to:   "pkg/deployment",
			want: "may not import",
		},
		"main to app":            {path: "cmd/seraph/main.go", to: "pkg/app"},
		"main to store":          {path: "cmd/seraph/main.go", to: "pkg/store", want: "may not import"},
		"end-to-end test to app": {path: "test/e2e/x_test.go", to: "pkg/app"},
		"unknown package":        {path: "pkg/attic/x.go", to: "pkg/deployment", want: "is not in the table packages"},
		"folder below a package": {
			path: "pkg/store/inner/x.go",
			to:   "pkg/deployment",
			want: "is not in the table packages",
		},
		"to an unknown package": {path: "pkg/app/x.go", to: "pkg/attic", want: "is not in the table packages"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := checkImport(parse(t, "", c.path, "package x"), c.to); err != nil {
				got = err.Error()
			}
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnusedPermissions_Examples(t *testing.T) {
	const ours = "package x\nimport \"" + module + "pkg/policy\""
	const theirs = "package x\nimport \"example.org/lib/v2/sub\""

	for name, c := range map[string]struct {
		path string
		code string
		want []string
	}{
		"used": {
			path: "pkg/gate/x.go",
			code: ours,
			want: []string{"pkg/gate -> example.org/lib"},
		},
		"used by a test only": {
			path: "pkg/gate/x_test.go",
			code: ours,
			want: []string{"pkg/gate -> example.org/lib", "pkg/gate -> pkg/policy"},
		},
		"used by another package": {
			path: "pkg/store/x.go",
			code: ours,
			want: []string{"pkg/gate -> example.org/lib", "pkg/gate -> pkg/policy"},
		},
		"used library": {
			path: "pkg/gate/x.go",
			code: theirs,
			want: []string{"pkg/gate -> pkg/policy"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := unusedPermissions(
				[]source{parse(t, "", c.path, c.code)},
				map[string][]string{"pkg/gate": {"pkg/policy"}},
				map[string][]string{"example.org/lib": {"pkg/gate"}},
			)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
