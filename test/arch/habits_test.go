package arch

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The sizes beyond which code gets a wall. They are ends of the road, not aims.
const (
	longestFunction = 80  // lines, outside tests
	longestFile     = 600 // lines
)

// mayPanic lists the functions of pkg that may call panic or recover, each with its reason.
var mayPanic = map[string]string{}

// habit is a rule about one file. It returns each breach as file:line and a sentence.
type habit func(source) []string

// habits are all the rules, by the name of their subtest.
var habits = map[string]habit{
	"tests wait on signals":        noSleepInTests,
	"pkg does not print":           noPrint,
	"only main exits":              noExit,
	"panic is not control flow":    noPanic,
	"exported names are explained": documented,
	"functions are short":          shortFunctions,
	"files are short":              shortFile,
}

// TestHabits reports every breach of every habit.
func TestHabits(t *testing.T) {
	all := sources(t)
	for name, rule := range habits {
		t.Run(name, func(t *testing.T) {
			for _, file := range all {
				for _, breach := range rule(file) {
					t.Error(breach)
				}
			}
		})
	}
}

// TestPackagesAreExplained wants a package comment in each package.
func TestPackagesAreExplained(t *testing.T) {
	explained := map[string]bool{}
	for _, file := range sources(t) {
		if file.test && !strings.HasPrefix(file.dir, "test/") {
			continue
		}

		explained[file.dir] = explained[file.dir] || file.tree.Doc != nil
	}

	for dir, ok := range explained {
		if !ok {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

// spots returns where a file names one of names of the package at importPath.
func spots(s source, importPath string, names ...string) []*ast.SelectorExpr {
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

// calls returns spots as text.
func calls(s source, importPath string, names ...string) []string {
	var found []string
	for _, spot := range spots(s, importPath, names...) {
		found = append(found, s.at(spot.Pos())+": "+importPath+"."+spot.Sel.Name)
	}
	return found
}

// bubbles returns the calls of synctest.Test. Inside them the clock is made up, and a sleep takes
// no time.
func bubbles(s source) []*ast.CallExpr {
	marks := spots(s, "testing/synctest", "Test")
	var found []*ast.CallExpr
	ast.Inspect(s.tree, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(marks, selector) {
				found = append(found, call)
			}
		}

		return true
	})

	return found
}

// explain adds the same sentence to every place.
func explain(places []string, sentence string) []string {
	for i := range places {
		places[i] += ": " + sentence
	}
	return places
}

func noSleepInTests(s source) []string {
	if !s.test {
		return nil
	}

	inside := bubbles(s)
	var found []string
	for _, sleep := range spots(s, "time", "Sleep") {
		free := slices.ContainsFunc(
			inside,
			func(b *ast.CallExpr) bool { return b.Pos() <= sleep.Pos() && sleep.Pos() < b.End() },
		)

		if !free {
			found = append(found, s.at(sleep.Pos())+": time.Sleep: wait on a signal, or sleep inside synctest.Test")
		}
	}

	return found
}

func noPrint(s source) []string {
	if s.test || !within(s.dir, "pkg") {
		return nil
	}
	return explain(calls(s, "fmt", "Print", "Printf", "Println"), "log with zerolog, or write to an io.Writer")
}

func noExit(s source) []string {
	if s.test || !within(s.dir, "pkg") {
		return nil
	}
	exits := append(
		calls(s, "os", "Exit"),
		calls(s, "log", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln")...)
	return explain(exits, "return an error; only main ends the process")
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
				found = append(
					found,
					s.at(n.Pos())+": "+name.Name+": return an error, or name the function in mayPanic with the reason",
				)
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

// exportedReceiver says whether a function has no receiver, or one of an exported type.
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

// undocumented returns the exported names of a declaration that neither it nor their own line
// explains.
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
			long = append(
				long,
				s.at(
					f.Pos(),
				)+": "+f.Name.Name+" has "+strconv.Itoa(
					lines,
				)+" lines, more than "+strconv.Itoa(
					longestFunction,
				),
			)
		}
	}

	return long
}

func shortFile(s source) []string {
	if lines := s.set.File(s.tree.FileStart).LineCount(); lines > longestFile {
		return []string{
			s.path + " has " + strconv.Itoa(
				lines,
			) + " lines, more than " + strconv.Itoa(
				longestFile,
			) + ": what wall is missing?",
		}
	}

	return nil
}
