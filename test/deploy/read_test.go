// Package deploy tests that deploy/ and the documents are true: examples parse, times add up, and
// the code knows every name, message, link and curl line.
package deploy

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// root is the repository, seen from this folder.
const root = "../.."

// closing is what a stop needs beyond SHUTDOWN_DELAY and SHUTDOWN_GRACE, to close the database.
const closing = 5 * time.Second

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// node is any YAML mapping.
type node = map[string]any

// documents parses YAML, one mapping a document.
func documents(t *testing.T, name, text string) []node {
	t.Helper()
	var all []node
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}

		all = append(all, doc)
	}
}

// document parses a file that holds one mapping.
func document(t *testing.T, name string) node {
	t.Helper()
	docs := documents(t, name, read(t, name))
	if len(docs) != 1 {
		t.Fatalf("%s holds %d documents, want 1", name, len(docs))
	}
	return docs[0]
}

// at walks into mappings by key and into lists by number, and fails where the way ends.
func at(t *testing.T, from any, way ...any) any {
	t.Helper()
	here := from
	for i, step := range way {
		next, ok := into(here, step)
		if !ok {
			t.Fatalf("nothing at %v", way[:i+1])
		}

		here = next
	}

	return here
}

func into(here, step any) (any, bool) {
	switch step := step.(type) {
	case string:
		mapping, ok := here.(node)
		if !ok {
			return nil, false
		}

		next, ok := mapping[step]
		return next, ok
	case int:
		list, ok := here.([]any)
		if !ok || step >= len(list) {
			return nil, false
		}

		return list[step], true
	}

	return nil, false
}

// seconds reads a YAML number as seconds.
func seconds(t *testing.T, n any) time.Duration {
	t.Helper()
	switch n := n.(type) {
	case uint64:
		return time.Duration(n) * time.Second
	case int64:
		return time.Duration(n) * time.Second
	}

	t.Fatalf("%v (%T) is no whole number", n, n)
	return 0
}

// duration reads a Go duration.
func duration(t *testing.T, text any) time.Duration {
	t.Helper()
	s, _ := text.(string)
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
