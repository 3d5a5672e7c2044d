package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// Limits of size. They are the most that is accepted, not what to aim at.
const (
	longestFunction = 60  // lines, outside tests
	longestFile     = 500 // lines
)

// mayPanic lists the functions of pkg that may call panic or recover, each with its reason.
var mayPanic = map[string]string{
	"pkg/engine.recoverPanic":   "a row whose step panics would end the process again at each start",
	"pkg/server.serveRecovered": "net/http would log a panic without the request, and answer nothing",
	"pkg/slackapp.attempt":      "a request of Slack whose step panics would end the process again at each start",
	"pkg/store.run":             "the writes of one batch share a goroutine: a panic in one would end them all",
}

// rule checks one file. It returns each violation as file:line and a sentence.
type rule func(source) []string

// rules are all the rules, by the name of their subtest.
var rules = map[string]rule{
	"tests do not sleep":            noSleepInTests,
	"pkg does not print":            noPrint,
	"only main exits":               noExit,
	"panic is not control flow":     noPanic,
	"exported names are documented": documented,
	"functions are short":           shortFunctions,
	"files are short":               shortFile,
}

// TestRules reports every violation of every rule.
func TestRules(t *testing.T) {
	all := sources(t)
	for name, check := range rules {
		t.Run(name, func(t *testing.T) {
			for _, file := range all {
				for _, violation := range check(file) {
					t.Error(violation)
				}
			}
		})
	}
}

// TestPackages_HaveComments wants a package comment in each package.
func TestPackages_HaveComments(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range sources(t) {
		if file.test && !strings.HasPrefix(file.dir, "test/") {
			continue
		}

		documented[file.dir] = documented[file.dir] || file.tree.Doc != nil
	}

	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

// uses returns where a file names one of names of the package at importPath.
func uses(s source, importPath string, names ...string) []*ast.SelectorExpr {
	local := s.name(importPath)
	var found []*ast.SelectorExpr
	if local == "" {
		return nil
	}

	ast.Inspect(s.tree, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(names, selector.Sel.Name) {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == local {
			found = append(found, selector)
		}

		return true
	})

	return found
}

// violations returns each use of one of names as a violation, with a sentence of advice.
func violations(s source, advice, importPath string, names ...string) []string {
	var found []string
	for _, use := range uses(s, importPath, names...) {
		found = append(found, fmt.Sprintf("%s: %s.%s: %s", s.at(use.Pos()), importPath, use.Sel.Name, advice))
	}
	return found
}

// synctests returns the calls of synctest.Test. Inside them the clock is synthetic, and a sleep takes
// no time.
func synctests(s source) []*ast.CallExpr {
	names := uses(s, "testing/synctest", "Test")
	var found []*ast.CallExpr
	ast.Inspect(s.tree, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(names, selector) {
				found = append(found, call)
			}
		}

		return true
	})

	return found
}

func noSleepInTests(s source) []string {
	if !s.test {
		return nil
	}

	inside := synctests(s)
	var found []string
	for _, sleep := range uses(s, "time", "Sleep") {
		synthetic := slices.ContainsFunc(inside, func(call *ast.CallExpr) bool {
			return call.Pos() <= sleep.Pos() && sleep.Pos() < call.End()
		})
		if !synthetic {
			found = append(found, s.at(sleep.Pos())+": time.Sleep: wait on a signal, or sleep inside synctest.Test")
		}
	}

	return found
}

func noPrint(s source) []string {
	if s.test || !within(s.dir, "pkg") {
		return nil
	}
	return violations(s, "log with zerolog, or write to an io.Writer", "fmt", "Print", "Printf", "Println")
}

func noExit(s source) []string {
	if s.test || !within(s.dir, "pkg") {
		return nil
	}
	const advice = "return an error; only main ends the process"
	exits := violations(s, advice, "os", "Exit")
	return append(exits, violations(s, advice, "log",
		"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln")...)
}

func noPanic(s source) []string {
	if s.test || !within(s.dir, "pkg") {
		return nil
	}

	var found []string
	for _, decl := range s.tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || mayPanic[s.dir+"."+f.Name.Name] != "" {
			continue
		}

		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}

			if name, ok := call.Fun.(*ast.Ident); ok && (name.Name == "panic" || name.Name == "recover") {
				found = append(found, fmt.Sprintf(
					"%s: %s: return an error, or name the function in mayPanic with the reason",
					s.at(n.Pos()), name.Name,
				))
			}

			return true
		})
	}

	return found
}

func documented(s source) []string {
	if s.test || s.tree.Name.Name == "main" {
		return nil
	}

	var missing []string
	for _, decl := range s.tree.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
				missing = append(missing, s.at(d.Pos())+": "+d.Name.Name+" has no doc comment")
			}
		case *ast.GenDecl:
			for _, name := range undocumented(d) {
				missing = append(missing, s.at(name.Pos())+": "+name.Name+" has no doc comment")
			}
		}
	}

	return missing
}

// exportedReceiver reports whether a function has no receiver, or one of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return true
	}

	expr := f.Recv.List[0].Type
	for {
		switch x := expr.(type) {
		case *ast.StarExpr:
			expr = x.X
		case *ast.IndexExpr:
			expr = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// undocumented returns the exported names of a declaration that have no comment, neither of their own
// nor of the whole declaration.
func undocumented(d *ast.GenDecl) []*ast.Ident {
	if d.Tok == token.IMPORT || d.Doc != nil {
		return nil
	}

	var missing []*ast.Ident
	for _, spec := range d.Specs {
		switch x := spec.(type) {
		case *ast.TypeSpec:
			if x.Name.IsExported() && x.Doc == nil && x.Comment == nil {
				missing = append(missing, x.Name)
			}
		case *ast.ValueSpec:
			for _, name := range x.Names {
				if name.IsExported() && x.Doc == nil && x.Comment == nil {
					missing = append(missing, name)
				}
			}
		}
	}

	return missing
}

func shortFunctions(s source) []string {
	if s.test {
		return nil
	}

	var long []string
	for _, decl := range s.tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}

		if lines := s.lines(f); lines > longestFunction {
			long = append(long, fmt.Sprintf(
				"%s: %s has %d lines, more than %d",
				s.at(f.Pos()), f.Name.Name, lines, longestFunction,
			))
		}
	}

	return long
}

func shortFile(s source) []string {
	lines := s.set.File(s.tree.FileStart).LineCount()
	if lines <= longestFile {
		return nil
	}
	return []string{fmt.Sprintf("%s has %d lines, more than %d: split it by topic", s.path, lines, longestFile)}
}
