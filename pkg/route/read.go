package route

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// reader walks a YAML tree and collects what is wrong with it, with lines.
type reader struct {
	file     string
	problems Problems
}

func (r *reader) wrong(n ast.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: lineOf(n), Text: fmt.Sprintf(format, args...)})
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// mapping is one YAML mapping: its values by key, and where they stand.
type mapping struct {
	node   ast.Node
	values map[string]ast.Node
	keys   map[string]ast.Node
	order  []string
}

// mapping reads a mapping whose keys are known; nil known allows any. what names it for people.
func (r *reader) mapping(n ast.Node, what string, known []string) (mapping, bool) {
	m := mapping{node: n, values: map[string]ast.Node{}, keys: map[string]ast.Node{}}
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		r.wrong(n, "%s must be a mapping (key: value)", what)
		return m, false
	}
	for _, pair := range pairs {
		r.pair(&m, pair, what, known)
	}
	return m, true
}

func (r *reader) pair(m *mapping, pair *ast.MappingValueNode, what string, known []string) {
	key, ok := scalar(pair.Key)
	switch {
	case !ok:
		r.wrong(pair.Key, "%s: a key must be plain text", what)
	case m.keys[key] != nil:
		r.wrong(pair.Key, "%s: %q is given twice (first in line %d)", what, key, lineOf(m.keys[key]))
	case known != nil && !contains(known, key):
		hint := "known are " + strings.Join(known, ", ")
		if near := Nearest(key, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		r.wrong(pair.Key, "%s: unknown key %q; %s", what, key, hint)
	default:
		m.keys[key], m.values[key] = pair.Key, pair.Value
		m.order = append(m.order, key)
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// scalar is a plain value as it was written; ok is false for mappings, lists, null and YAML's own extras.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

// text reads a key that must be text, if it is there.
func (r *reader) text(m mapping, key string) (string, ast.Node) {
	n, ok := m.values[key]
	if !ok {
		return "", nil
	}
	s, ok := scalar(n)
	if !ok {
		r.wrong(n, "%s must be text", key)
		return "", nil
	}
	if strings.TrimSpace(s) == "" {
		r.wrong(n, "%s is empty: leave it out, or say what it is", key)
		return "", nil
	}
	return s, n
}

// duration reads a key that must be a positive duration.
func (r *reader) duration(m mapping, key string, otherwise time.Duration) time.Duration {
	s, n := r.text(m, key)
	if n == nil {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		r.wrong(n, "%s %q is no positive duration, such as 90s, 30m or 1h30m", key, s)
		return otherwise
	}
	return d
}

// texts reads a list of texts.
func (r *reader) texts(m mapping, key string) []string {
	n, ok := m.values[key]
	if !ok {
		return nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.wrong(n, "%s must be a list", key)
		return nil
	}
	var texts []string
	for _, item := range list.Values {
		s, ok := scalar(item)
		if !ok || strings.TrimSpace(s) == "" {
			r.wrong(item, "%s: each element must be text", key)
			continue
		}
		texts = append(texts, s)
	}
	return texts
}
