package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// reader reads the values of a YAML tree and collects what is wrong with them. A method that finds a
// problem returns a value with which the others can go on, so that all problems are found at once.
type reader struct {
	file     string
	problems ParseError
	named    map[string]namedRoute // by name, in lower case
}

// problem adds a problem at a node. A nil node stands for the whole file.
func (r *reader) problem(n ast.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: lineOf(n), Text: fmt.Sprintf(format, args...)})
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// mapping is a YAML mapping: its values and the nodes of its keys, by key.
type mapping struct {
	node   ast.Node
	values map[string]ast.Node
	keys   map[string]ast.Node
	order  []string // the keys as they are written
}

// first returns the node that a problem with the whole mapping points at.
func (m mapping) first() ast.Node {
	if len(m.order) > 0 {
		return m.keys[m.order[0]]
	}
	return m.node
}

// mapping reads a mapping with known keys; nil allows any key. what names it in problems.
func (r *reader) mapping(n ast.Node, what string, known []string) (mapping, bool) {
	m := mapping{node: n, values: map[string]ast.Node{}, keys: map[string]ast.Node{}}

	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		r.problem(n, "%s must be a mapping (key: value)", what)
		return m, false
	}

	for _, pair := range pairs {
		r.addPair(&m, pair, what, known)
	}

	return m, true
}

func (r *reader) addPair(m *mapping, pair *ast.MappingValueNode, what string, known []string) {
	key, ok := scalar(pair.Key)
	switch {
	case !ok:
		r.problem(pair.Key, "%s: a key must be plain text", what)
	case m.keys[key] != nil:
		r.problem(pair.Key, "%s: %q is given twice (first in line %d)", what, key, lineOf(m.keys[key]))
	case known != nil && !slices.Contains(known, key):
		r.unknownKey(pair.Key, what, key, known)
	default:
		m.keys[key] = pair.Key
		m.values[key] = pair.Value
		m.order = append(m.order, key)
	}
}

// unknownKey adds the problem of a key that is not known, with the one that was probably meant.
func (r *reader) unknownKey(n ast.Node, what, key string, known []string) {
	hint := "known are " + strings.Join(known, ", ")
	if nearest := Nearest(key, known); nearest != "" {
		hint = fmt.Sprintf("did you mean %q?", nearest)
	}
	r.problem(n, "%s: unknown key %q; %s", what, key, hint)
}

// optionalMapping reads the mapping under a key; false if it is not there.
func (r *reader) optionalMapping(m mapping, key string, known ...string) (mapping, bool) {
	n, ok := m.values[key]
	if !ok {
		return mapping{}, false
	}
	return r.mapping(n, key, known)
}

// scalar returns a plain value as it is written; false for mappings, lists, null and the extras of
// YAML.
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

// text reads the text under a key. The node is nil if it is not there or wrong.
func (r *reader) text(m mapping, key string) (string, ast.Node) {
	n, ok := m.values[key]
	if !ok {
		return "", nil
	}

	s, ok := scalar(n)
	if !ok {
		r.problem(n, "%s must be text", key)
		return "", nil
	}
	if strings.TrimSpace(s) == "" {
		r.problem(n, "%s is empty: leave it out or give a value", key)
		return "", nil
	}

	return s, n
}

// duration reads the positive duration under a key.
func (r *reader) duration(m mapping, key string, otherwise time.Duration) time.Duration {
	s, n := r.text(m, key)
	if n == nil {
		return otherwise
	}

	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		r.problem(n, "%s %q is not a positive duration, such as 90s, 30m or 1h30m", key, s)
		return otherwise
	}

	return d
}

// number reads the whole number under a key, from 1 to a limit.
func (r *reader) number(m mapping, key string, limit int) int {
	s, n := r.text(m, key)
	if n == nil {
		return 1
	}

	number, err := strconv.Atoi(s)
	if err != nil || number < 1 || number > limit || !printsAsWritten(s) {
		r.problem(n, "%s %q must be a number from 1 to %d", key, s, limit)
	}

	return number
}

// boolean reads the true or false under a key; false if it is not there.
func (r *reader) boolean(m mapping, key string) bool {
	n, ok := m.values[key]
	if !ok {
		return false
	}

	b, ok := n.(*ast.BoolNode)
	if !ok {
		r.problem(n, "%s must be true or false", key)
	}

	return ok && b.Value
}

// choice reads the text under a key, which must be one of several; "" if it is not there.
func (r *reader) choice(m mapping, key string, choices ...string) string {
	s, n := r.text(m, key)
	if n != nil && !slices.Contains(choices, s) {
		last := len(choices) - 1
		r.problem(n, "%s %q must be %s or %s", key, s, strings.Join(choices[:last], ", "), choices[last])
		return ""
	}
	return s
}

// item is one text of a list.
type item struct {
	text string
	node ast.Node
}

// items reads the list of texts under a key.
func (r *reader) items(m mapping, key string) []item {
	n, ok := m.values[key]
	if !ok {
		return nil
	}

	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.problem(n, "%s must be a list", key)
		return nil
	}

	var items []item
	for _, element := range list.Values {
		s, ok := scalar(element)
		if !ok || strings.TrimSpace(s) == "" {
			r.problem(element, "%s: each element must be text", key)
			continue
		}

		items = append(items, item{text: s, node: element})
	}

	return items
}

// distinctItems reads the list of texts under a key, which must not be empty and must not hold two
// texts that are the same.
func (r *reader) distinctItems(m mapping, key string, same func(a, b string) bool) []item {
	if list, ok := m.values[key].(*ast.SequenceNode); ok && len(list.Values) == 0 {
		r.problem(m.keys[key], "%s is empty: leave it out or give a value", key)
	}

	var distinct []item
	for _, it := range r.items(m, key) {
		if i := slices.IndexFunc(distinct, func(d item) bool { return same(d.text, it.text) }); i >= 0 {
			r.problem(it.node, "%s: %q is given twice (first in line %d)", key, it.text, lineOf(distinct[i].node))
			continue
		}

		distinct = append(distinct, it)
	}

	return distinct
}

func sameText(a, b string) bool { return a == b }

func textsOf(items []item) []string {
	var texts []string
	for _, it := range items {
		texts = append(texts, it.text)
	}
	return texts
}
