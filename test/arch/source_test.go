package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the path that all of our packages begin with.
const module = "github.com/seraph-deploy/seraph/"

// source is one parsed Go file of the tree.
type source struct {
	path string // from the root, with slashes
	dir  string // the package's folder, from the root
	test bool   // *_test.go
	set  *token.FileSet
	tree *ast.File
}

// parse reads one file. The text is taken from content where it is not nil.
func parse(t *testing.T, root, name string, content any) source {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(
		set,
		filepath.Join(root, name),
		content,
		parser.ParseComments|parser.SkipObjectResolution,
	)
	if err != nil {
		t.Fatal(err)
	}

	return source{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), set: set, tree: tree}
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	const root = "../.."
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(root, name)
		}

		if strings.HasSuffix(name, ".go") {
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}

			all = append(all, parse(t, root, filepath.ToSlash(relative), nil))
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found: the root is expected two folders up")
	}

	return all
}

// enter returns fs.SkipDir for folders that the go command does not enter either.
func enter(root, dir string) error {
	if dir == root {
		return nil
	}

	base := filepath.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}

	return nil
}

// imports returns the paths that a file imports.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// ours returns the folders of this module that a file imports.
func (s source) ours() []string {
	var dirs []string
	for _, p := range s.imports() {
		if dir, ok := strings.CutPrefix(p, module); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// name returns what the file calls the package with that import path, or "" where it does not
// import it.
func (s source) name(importPath string) string {
	for _, spec := range s.tree.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}

		return path.Base(importPath)
	}

	return ""
}

// at names a place as file:line.
func (s source) at(pos token.Pos) string {
	return s.path + ":" + strconv.Itoa(s.set.Position(pos).Line)
}

// within reports whether dir is the folder above, or one below it.
func within(dir, above string) bool {
	return dir == above || strings.HasPrefix(dir, above+"/")
}

// lines counts the lines of a node.
func (s source) lines(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}
