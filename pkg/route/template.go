package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxRendered bounds what one template may render, in bytes.
const maxRendered = 64 << 10

var errTooLong = errors.New("it renders more than 64 KiB")

// data is what templates see.
type data struct {
	ID                                                                              int64
	Key, SHA, Ref, Task, Environment, Repository, Owner, Name, Creator, Description string
	Payload                                                                         object
	PayloadText                                                                     string
}

// fields are the names of data.
var fields = []string{
	"ID",
	"Key",
	"SHA",
	"Ref",
	"Task",
	"Environment",
	"Repository",
	"Owner",
	"Name",
	"Creator",
	"Description",
	"Payload",
	"PayloadText",
}

func newData(req deployment.Request, key string) data {
	payload, text := readPayload(req.Payload)
	return data{
		ID:          req.ID,
		Key:         key,
		SHA:         req.SHA,
		Ref:         req.Ref,
		Task:        req.Task,
		Environment: req.Environment,
		Repository:  req.Repository.FullName(),
		Owner:       req.Repository.Owner,
		Name:        req.Repository.Name,
		Creator:     req.Creator.Login,
		Description: req.Description,
		Payload:     payload,
		PayloadText: text,
	}
}

// object and list are JSON's, and render as JSON.
type (
	object map[string]any
	list   []any
)

// String is the object as JSON.
func (o object) String() string { return jsonText(map[string]any(o)) }

// String is the list as JSON.
func (l list) String() string { return jsonText([]any(l)) }

func jsonText(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// readPayload normalises a deployment's payload: an object, or a string that holds one, is an
// object; anything else is text.
func readPayload(raw json.RawMessage) (object, string) {
	v, ok := decodeJSON(raw)
	if !ok {
		return object{}, string(raw)
	}

	switch v := v.(type) {
	case nil:
		return object{}, ""
	case object:
		return v, ""
	case string:
		if inner, ok := decodeJSON([]byte(v)); ok {
			if o, ok := inner.(object); ok {
				return o, ""
			}
		}

		return object{}, v
	default:
		return object{}, fmt.Sprint(v)
	}
}

// decodeJSON keeps the digits of numbers, and gives objects and lists their own rendering.
func decodeJSON(raw []byte) (any, bool) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, true
	}

	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return nil, false
	}

	return dressed(v), true
}

func dressed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = dressed(v[k])
		}

		return object(v)
	case []any:
		for i := range v {
			v[i] = dressed(v[i])
		}

		return list(v)
	default:
		return v
	}
}

// text is a template that was checked.
type text struct {
	t       *template.Template
	uses    []string // fields of data that it names
	payload bool     // it may read the payload
}

// newText parses a template, refuses names that data does not have, and tries it once.
func newText(source string) (*text, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"payload":      func(...string) any { return "" },
		"payloadItems": func(...string) any { return nil },
		"hostPart":     hostPart,
		"pathPart":     pathPart,
	}).Parse(source)

	if err != nil {
		return nil, tidy(err)
	}

	x := &text{t: t, payload: strings.Contains(strings.ToLower(source), "payload")}
	if t.Tree == nil {
		return x, nil
	}

	var unknown string
	rewrite(t.Root, func(n parse.Node) parse.Node {
		name, rest := fieldOf(n)
		if name == "" {
			return n
		}

		x.uses = append(x.uses, name)
		if !slices.Contains(fields, name) && unknown == "" {
			unknown = name
		}
		if name == "Payload" && len(rest) > 0 {
			return payloadCall(rest)
		}

		return n
	})

	if unknown != "" && !changesDot(source) {
		return nil, fmt.Errorf("there is no .%s; there are .%s", unknown, strings.Join(fields, " ."))
	}
	if _, err := x.render(newData(deployment.Request{}, "")); err != nil {
		return nil, err
	}

	return x, nil
}

// changesDot says whether a template moves the dot, so that names cannot be checked without running
// it.
func changesDot(source string) bool {
	return strings.Contains(source, "range") || strings.Contains(source, "with") || strings.Contains(source, "define")
}

// fieldOf names the field of data that a node reads, and the keys below it.
func fieldOf(n parse.Node) (name string, rest []string) {
	switch n := n.(type) {
	case *parse.FieldNode:
		return n.Ident[0], n.Ident[1:]
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			return n.Ident[1], n.Ident[2:]
		}
	}

	return "", nil
}

// payloadCall is (payload "a" "b"): a lookup in which a missing key at any depth is empty, where
// text/template would fail or print <no value>.
func payloadCall(keys []string) parse.Node {
	call := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier("payload")}}
	for _, k := range keys {
		call.Args = append(call.Args, &parse.StringNode{
			NodeType: parse.NodeString,
			Quoted:   fmt.Sprintf("%q", k),
			Text:     k,
		})
	}

	return &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{call}}
}

// rewrite gives every operand of a template to f and puts what it returns in its place.
func rewrite(n parse.Node, f func(parse.Node) parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				rewrite(c, f)
			}
		}
	case *parse.ActionNode:
		rewrite(n.Pipe, f)
	case *parse.IfNode:
		rewriteBranch(&n.BranchNode, f)
	case *parse.RangeNode:
		rewrite(n.Pipe, func(n parse.Node) parse.Node { return ranged(f(n)) })
		rewrite(n.List, f)
		rewrite(n.ElseList, f)
	case *parse.WithNode:
		rewriteBranch(&n.BranchNode, f)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				rewriteArgs(c, f)
			}
		}
	}
}

// ranged makes a lookup one that a range can walk: over what is missing it does nothing.
func ranged(n parse.Node) parse.Node {
	if pipe, ok := n.(*parse.PipeNode); ok {
		pipe.Cmds[0].Args[0] = parse.NewIdentifier("payloadItems")
	}
	return n
}

func rewriteBranch(b *parse.BranchNode, f func(parse.Node) parse.Node) {
	rewrite(b.Pipe, f)
	rewrite(b.List, f)
	rewrite(b.ElseList, f)
}

func rewriteArgs(c *parse.CommandNode, f func(parse.Node) parse.Node) {
	for i, arg := range c.Args {
		if pipe, ok := arg.(*parse.PipeNode); ok {
			rewrite(pipe, f)
			continue
		}
		c.Args[i] = f(arg)
	}
}

// render runs the template. Errors name no value.
func (x *text) render(d data) (string, error) {
	t, err := x.on(d)
	if err != nil {
		return "", err
	}

	out := &capped{}
	err = t.Execute(out, d)
	switch {
	case errors.Is(err, errTooLong):
		return "", errTooLong
	case err != nil:
		return "", tidy(err)
	}

	return strings.ReplaceAll(out.String(), "<no value>", ""), nil
}

// on is the template with this payload's functions; one that asks for none is used as it is.
func (x *text) on(d data) (*template.Template, error) {
	if !x.payload {
		return x.t, nil
	}

	t, err := x.t.Clone()
	if err != nil {
		return nil, err
	}

	return t.Funcs(template.FuncMap{
		"payload":      func(keys ...string) any { return d.Payload.at(keys) },
		"payloadItems": func(keys ...string) any { return items(d.Payload.at(keys)) },
	}), nil
}

// at walks down to a key; nothing there is "".
func (o object) at(keys []string) any {
	var v any = o
	for _, k := range keys {
		inner, ok := v.(object)
		if !ok {
			return ""
		}

		v = inner[k]
	}

	if v == nil {
		return ""
	}

	return v
}

// items is what a range can walk: an object or a list; anything else is nothing.
func items(v any) any {
	switch v.(type) {
	case object, list:
		return v
	default:
		return nil
	}
}

// tidy takes the template engine's own words out of an error, and every quoted value.
func tidy(err error) error {
	message := strings.TrimPrefix(err.Error(), "template: ")
	if i := strings.Index(message, ": "); i >= 0 && i < 12 {
		message = message[i+2:]
	}

	var run template.ExecError
	if errors.As(err, &run) {
		return errors.New("the template does not fit this deployment (a field that is not there, or of another type)")
	}

	return errors.New(message)
}

// capped is a buffer that refuses to grow too long.
type capped struct{ strings.Builder }

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	return c.Builder.Write(p)
}

func (x *text) usesField(name string) bool { return slices.Contains(x.uses, name) }

// textOf is a value as a template would print it.
func textOf(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
