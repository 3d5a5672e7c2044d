package route

import (
	"fmt"
	"text/template/parse"
)

// The functions that templates have beside those of text/template. rewritePayload and addEscaping
// put calls to them into templates.
const (
	payloadFunc      = "payload"
	payloadItemsFunc = "payloadItems"
	hostPartFunc     = "hostPart"
	pathPartFunc     = "pathPart"
)

// rewritePayload turns every .Payload.a.b of a template into (payload "a" "b"), a lookup in which a
// missing key is empty at any depth. text/template itself fails there, or prints <no value>. It
// returns the fields of the data that the template names.
func rewritePayload(root *parse.ListNode) (fields []string) {
	replaceOperands(root, func(operand parse.Node) parse.Node {
		field, keys := fieldOf(operand)
		if field == "" {
			return operand
		}

		fields = append(fields, field)
		if field == "Payload" && len(keys) > 0 {
			return payloadCall(keys)
		}

		return operand
	})

	return fields
}

// fieldOf returns the field of the data that an operand reads, and the keys below it.
func fieldOf(operand parse.Node) (field string, keys []string) {
	switch operand := operand.(type) {
	case *parse.FieldNode:
		return operand.Ident[0], operand.Ident[1:]
	case *parse.VariableNode:
		if operand.Ident[0] == "$" && len(operand.Ident) > 1 {
			return operand.Ident[1], operand.Ident[2:]
		}
	}

	return "", nil
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

// replaceOperands replaces every operand of a template by what f returns for it.
func replaceOperands(n parse.Node, f func(parse.Node) parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			replaceOperands(child, f)
		}

	case *parse.ActionNode:
		replaceOperands(n.Pipe, f)
	case *parse.IfNode:
		replaceBranchOperands(&n.BranchNode, f)
	case *parse.WithNode:
		replaceBranchOperands(&n.BranchNode, f)

	case *parse.RangeNode:
		replaceOperands(n.Pipe, func(operand parse.Node) parse.Node { return toRangeable(f(operand)) })
		replaceOperands(n.List, f)
		replaceOperands(n.ElseList, f)

	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, command := range n.Cmds {
			replaceArgs(command, f)
		}
	}
}

func replaceBranchOperands(b *parse.BranchNode, f func(parse.Node) parse.Node) {
	replaceOperands(b.Pipe, f)
	replaceOperands(b.List, f)
	replaceOperands(b.ElseList, f)
}

func replaceArgs(command *parse.CommandNode, f func(parse.Node) parse.Node) {
	for i, arg := range command.Args {
		if pipe, ok := arg.(*parse.PipeNode); ok {
			replaceOperands(pipe, f)
			continue
		}
		command.Args[i] = f(arg)
	}
}

// toRangeable makes the payload call of a range return a list or an object, so that a range over a
// missing key does nothing.
func toRangeable(operand parse.Node) parse.Node {
	if pipe, ok := operand.(*parse.PipeNode); ok {
		pipe.Cmds[0].Args[0] = parse.NewIdentifier(payloadItemsFunc)
	}
	return operand
}
