package route

import (
	"fmt"
	"text/template/parse"
)

// The functions that templates have beside those of text/template. rewrite and addEscaping put calls
// to them into templates.
const (
	payloadFunc      = "payload"
	payloadItemsFunc = "payloadItems"
	printedFunc      = "printed"
	hostPartFunc     = "hostPart"
	pathPartFunc     = "pathPart"
	queryPartFunc    = "queryPart"
)

// rewriting is a walk through a template, and what it found.
type rewriting struct {
	fields        []string // the fields of the data that the template names
	callsTemplate bool

	inBody int // in how many bodies of range and with the walk is: there the dot is not the data
}

// rewrite turns every .Payload.a.b of a template into (payload "a" "b"), a lookup in which a missing
// key is empty at any depth, and makes every action print nothing for a value that is not there.
// text/template itself fails there, or prints <no value>.
func rewrite(root *parse.ListNode) *rewriting {
	w := &rewriting{}
	w.list(root)
	return w
}

func (w *rewriting) list(list *parse.ListNode) {
	if list == nil {
		return
	}

	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			w.pipe(n.Pipe)
			if len(n.Pipe.Decl) == 0 { // otherwise it sets a variable and prints nothing
				n.Pipe.Cmds = append(n.Pipe.Cmds, callOf(printedFunc))
			}

		case *parse.IfNode:
			w.pipe(n.Pipe)
			w.list(n.List)
			w.list(n.ElseList)

		case *parse.WithNode:
			w.pipe(n.Pipe)
			w.body(n.List)
			w.list(n.ElseList)

		case *parse.RangeNode:
			w.pipe(n.Pipe)
			makeRangeable(n.Pipe)
			w.body(n.List)
			w.list(n.ElseList)

		case *parse.TemplateNode:
			w.callsTemplate = true
		}
	}
}

// body walks through what is repeated by range or guarded by with.
func (w *rewriting) body(list *parse.ListNode) {
	w.inBody++
	w.list(list)
	w.inBody--
}

func (w *rewriting) pipe(pipe *parse.PipeNode) {
	for _, command := range pipe.Cmds {
		for i, arg := range command.Args {
			if inner, ok := arg.(*parse.PipeNode); ok {
				w.pipe(inner)
				continue
			}
			command.Args[i] = w.operand(arg)
		}
	}
}

// operand returns what stands for an operand.
func (w *rewriting) operand(operand parse.Node) parse.Node {
	field, keys := w.fieldOf(operand)
	if field == "" {
		return operand
	}

	w.fields = append(w.fields, field)
	if field == "Payload" && len(keys) > 0 {
		return payloadCall(keys)
	}

	return operand
}

// fieldOf returns the field of the data that an operand reads, and the keys below it.
func (w *rewriting) fieldOf(operand parse.Node) (field string, keys []string) {
	switch operand := operand.(type) {
	case *parse.FieldNode:
		if w.inBody == 0 {
			return operand.Ident[0], operand.Ident[1:]
		}
	case *parse.VariableNode:
		if operand.Ident[0] == "$" && len(operand.Ident) > 1 {
			return operand.Ident[1], operand.Ident[2:]
		}
	}

	return "", nil
}

// callOf returns the call of a function at the end of a pipe.
func callOf(function string) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(function)}}
}

// payloadCall returns the call (payload "a" "b").
func payloadCall(keys []string) parse.Node {
	args := []parse.Node{parse.NewIdentifier(payloadFunc)}
	for _, key := range keys {
		args = append(args, &parse.StringNode{
			NodeType: parse.NodeString,
			Quoted:   fmt.Sprintf("%q", key),
			Text:     key,
		})
	}

	call := &parse.CommandNode{NodeType: parse.NodeCommand, Args: args}
	return &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{call}}
}

// makeRangeable makes the payload calls of a range return a list or an object, so that a range over a
// missing key does nothing.
func makeRangeable(pipe *parse.PipeNode) {
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			inner, ok := arg.(*parse.PipeNode)
			if !ok {
				continue
			}
			if name, ok := inner.Cmds[0].Args[0].(*parse.IdentifierNode); ok && name.Ident == payloadFunc {
				inner.Cmds[0].Args[0] = parse.NewIdentifier(payloadItemsFunc)
			}
		}
	}
}
