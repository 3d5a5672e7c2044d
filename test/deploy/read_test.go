// Package deploy tests that deploy/ and the documents are correct: examples parse, times are consistent,
// and every name, message, link and curl command matches the code.
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

// root is the path of the repository from this folder.
const root = "../.."

// closeTime is what a stop needs beyond SHUTDOWN_DELAY and SHUTDOWN_GRACE, to close the database.
const closeTime = 5 * time.Second

// read returns the content of a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// node is a YAML mapping.
type node = map[string]any

// documents parses YAML and returns one mapping per document.
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

// document parses a file with one mapping.
func document(t *testing.T, name string) node {
	t.Helper()
	docs := documents(t, name, read(t, name))
	if len(docs) != 1 {
		t.Fatalf("documents of %s: got %d, want 1", name, len(docs))
	}
	return docs[0]
}

// at returns the value at a path of keys of mappings and indexes of lists, and fails if there is none.
func at(t *testing.T, from any, path ...any) any {
	t.Helper()
	value := from
	for i, step := range path {
		next, ok := child(value, step)
		if !ok {
			t.Fatalf("got no value at %v", path[:i+1])
		}

		value = next
	}

	return value
}

// child returns the value at one key or index.
func child(value, step any) (any, bool) {
	switch step := step.(type) {
	case string:
		mapping, _ := value.(node)
		next, ok := mapping[step]
		return next, ok
	case int:
		list, ok := value.([]any)
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

	t.Fatalf("got %v (%T), want a whole number", n, n)
	return 0
}

// duration parses a Go duration.
func duration(t *testing.T, text any) time.Duration {
	t.Helper()
	s, _ := text.(string)
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
