package route

import (
	"fmt"
	"slices"
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

// scalar is a plain value as it was written; ok is false for mappings, lists, null and YAML's own
// extras.
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

// item is one text of a list, and where it stands.
type item struct {
	text string
	node ast.Node
}

// items reads a list of texts.
func (r *reader) items(m mapping, key string) []item {
	n, ok := m.values[key]
	if !ok {
		return nil
	}

	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.wrong(n, "%s must be a list", key)
		return nil
	}

	var all []item
	for _, one := range list.Values {
		s, ok := scalar(one)
		if !ok || strings.TrimSpace(s) == "" {
			r.wrong(one, "%s: each element must be text", key)
			continue
		}

		all = append(all, item{s, one})
	}

	return all
}

// texts reads a list of texts.
func (r *reader) texts(m mapping, key string) []string { return texts(r.items(m, key)) }

func texts(items []item) []string {
	var all []string
	for _, i := range items {
		all = append(all, i.text)
	}
	return all
}

// distinct reads a list of texts that is not empty and does not repeat itself; same says what is a
// repetition.
func (r *reader) distinct(m mapping, key string, same func(a, b string) bool) []item {
	if list, ok := m.values[key].(*ast.SequenceNode); ok && len(list.Values) == 0 {
		r.wrong(m.keys[key], "%s is empty: leave it out, or say what it is", key)
	}

	var all []item
	for _, one := range r.items(m, key) {
		if i := slices.IndexFunc(all, func(known item) bool { return same(known.text, one.text) }); i >= 0 {
			r.wrong(one.node, "%s: %q is given twice (first in line %d)", key, one.text, lineOf(all[i].node))
			continue
		}

		all = append(all, one)
	}

	return all
}

func sameText(a, b string) bool { return a == b }

// choice reads a key that must be one of some words; empty: it is not there.
func (r *reader) choice(m mapping, key string, words ...string) string {
	s, n := r.text(m, key)
	if n != nil && !slices.Contains(words, s) {
		r.wrong(n, "%s %q must be %s or %s", key, s, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
		return ""
	}
	return s
}

// flag reads a key that must be true or false.
func (r *reader) flag(m mapping, key string) bool {
	n, ok := m.values[key]
	if !ok {
		return false
	}

	b, ok := n.(*ast.BoolNode)
	if !ok {
		r.wrong(n, "%s must be true or false", key)
	}

	return ok && b.Value
}
