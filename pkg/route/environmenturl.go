package route

import (
	"net/url"
	"slices"
	"strings"
	"text/template/parse"
)

// parseURLTemplate parses environment_url, and has every value in it escaped for where it stands in
// the URL.
func parseURLTemplate(source string) (*textTemplate, error) {
	t, err := parseTemplate(source)
	if err != nil || t.template.Tree == nil {
		return t, err
	}
	addEscaping(t.template.Root, "")
	return t, nil
}

// addEscaping adds the escaping function to the end of every action of a list. before is the text
// that precedes the list; addEscaping returns it with the text of the list, in which x stands for a
// value.
func addEscaping(list *parse.ListNode, before string) string {
	if list == nil {
		return before
	}

	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			before += string(n.Text)

		case *parse.ActionNode:
			if len(n.Pipe.Decl) > 0 { // it sets a variable and prints nothing
				continue
			}
			n.Pipe.Cmds = append(n.Pipe.Cmds, callOf(escapingFor(before)))
			before += "x"

		case *parse.IfNode:
			before = addBranchEscaping(&n.BranchNode, before)
		case *parse.RangeNode:
			before = addBranchEscaping(&n.BranchNode, before)
		case *parse.WithNode:
			before = addBranchEscaping(&n.BranchNode, before)
		}
	}

	return before
}

// addBranchEscaping adds escaping to both branches, and returns the text after which the stricter
// function escapes what follows.
func addBranchEscaping(b *parse.BranchNode, before string) string {
	strictest := addEscaping(b.List, before)
	for _, text := range []string{addEscaping(b.ElseList, before), before} {
		if escapingRank(text) > escapingRank(strictest) {
			strictest = text
		}
	}
	return strictest
}

// escapingRank orders the escaping functions by how much they escape.
func escapingRank(before string) int {
	return slices.Index([]string{pathPartFunc, queryPartFunc, hostPartFunc}, escapingFor(before))
}

// escapingFor returns the function that escapes a value after some text of a URL.
func escapingFor(before string) string {
	_, rest, ok := strings.Cut(before, "://")
	if !ok || !strings.ContainsAny(rest, "/?#") {
		return hostPartFunc
	}

	beforeFragment, _, _ := strings.Cut(rest, "#")
	if strings.Contains(beforeFragment, "?") {
		return queryPartFunc
	}

	return pathPartFunc
}

// hostPart replaces whatever a label of a host name cannot hold.
func hostPart(v any) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(printed(v)))
}

// pathPart escapes a value so that it stays within one segment of a path.
func pathPart(v any) string { return url.PathEscape(printed(v)) }

// queryPart escapes a value so that it stays within one value of a query.
func queryPart(v any) string { return url.QueryEscape(printed(v)) }

// renderURL returns the URL of the environment. If there is none although the route has a template,
// the notes say why.
func (r Route) renderURL(data templateData) (rendered string, notes []string) {
	if r.environmentURL == nil {
		return "", nil
	}

	rendered, err := r.environmentURL.render(data)
	if err != nil {
		return "", []string{"environment_url was left out: " + err.Error()}
	}

	u, err := url.Parse(rendered)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", []string{"environment_url was left out: not an absolute http or https URL without user info"}
	}

	// A browser resolves these, also if they are escaped, so that a value could lead to another path.
	isStep := func(segment string) bool { return segment == "." || segment == ".." }
	if slices.ContainsFunc(strings.Split(u.Path, "/"), isStep) {
		return "", []string{"environment_url was left out: a part of its path is . or .."}
	}

	return rendered, nil
}
