package route

import (
	"net/url"
	"strings"
	"text/template/parse"
)

// newURL parses environment_url and has every template value escaped for the place where it stands.
func newURL(source string) (*text, error) {
	x, err := newText(source)
	if err != nil || x.t.Tree == nil {
		return x, err
	}
	escape(x.t.Root, "")
	return x, nil
}

// escape ends every action of a list with the escaping of its place; before is the literal text so
// far.
func escape(l *parse.ListNode, before string) string {
	if l == nil {
		return before
	}

	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			before += string(n.Text)
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
					NodeType: parse.NodeCommand,
					Args:     []parse.Node{parse.NewIdentifier(placeOf(before))},
				})

				before += "x"
			}
		case *parse.IfNode:
			before = escapeBranch(&n.BranchNode, before)
		case *parse.RangeNode:
			before = escapeBranch(&n.BranchNode, before)
		case *parse.WithNode:
			before = escapeBranch(&n.BranchNode, before)
		}
	}

	return before
}

func escapeBranch(b *parse.BranchNode, before string) string {
	then, otherwise := escape(b.List, before), escape(b.ElseList, before)
	if placeOf(then) == "hostPart" || placeOf(otherwise) == "hostPart" {
		return before // the stricter of the two
	}
	return then
}

// placeOf says how a value is escaped that follows this text.
func placeOf(before string) string {
	_, rest, ok := strings.Cut(before, "://")
	if ok && strings.ContainsAny(rest, "/?#") {
		return "pathPart"
	}
	return "hostPart"
}

// hostPart leaves only what a host name may hold.
func hostPart(v any) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(textOf(v)))
}

// pathPart keeps a value from ending its path segment.
func pathPart(v any) string { return url.PathEscape(textOf(v)) }

// renderURL gives the environment's URL, or none and a note why.
func (r Route) renderURL(d data) (string, []string) {
	if r.environmentURL == nil {
		return "", nil
	}

	rendered, err := r.environmentURL.render(d)
	if err != nil {
		return "", []string{"environment_url was left out: " + err.Error()}
	}

	u, err := url.Parse(rendered)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", []string{"environment_url was left out: it is not an absolute http or https URL without user info"}
	}

	return rendered, nil
}
