package route

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Notification says which changes of a route's deployments are sent to a channel. Package notify sends them.
type Notification struct {
	Face             string   // slack
	Channel          string   // its id there
	As               string   // card: one message that is edited; post: a message for each state
	Lists            bool     // many cards that begin together are shown as one list
	States           []string // states, or StateEnds; nil: the route does not say
	Broadcast        []string // those that are to reach the whole channel
	MentionApprovals string   // id of the group or person to mention where approvals are missing; empty: nobody
}

// StateEnds stands for every state in which a deployment has ended.
const StateEnds = "ends"

const (
	maxAppName = 100 // characters
	maxPlace   = 100 // characters
	maxAsk     = 100
	maxNotify  = 50
)

var appNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// commandWords stand between the parts of a command, so that no app can be called by them.
var commandWords = []string{"to", "in", "on", "for", "because"}

// asking reads how people ask for a route's deployments, and to which channels their changes are sent.
func (r *reader) asking(route *Route, m mapping) {
	r.appName(route, m)
	if m.values["production"] != nil {
		production := r.boolean(m, "production")
		route.isProduction = &production
	}

	route.Logs = r.boolean(m, "logs")
	ask := r.distinctItems(m, "ask", sameText)
	for _, it := range ask {
		if utf8.RuneCountInString(it.text) > maxPlace || strings.ContainsFunc(it.text, isNotInPlace) {
			r.problem(it.node, "ask: %+q is not the id of a channel, such as C0DEPLOYS1", it.text)
		}
	}
	if len(ask) > maxAsk {
		r.problem(m.keys["ask"], "ask: a route has at most %d channels", maxAsk)
	}
	route.Ask = textsOf(ask)
	route.Notify = r.notifications(m)
}

// isNotInPlace says whether a character is none of a channel's id.
func isNotInPlace(c rune) bool {
	return c > unicode.MaxASCII || !unicode.IsGraphic(c) || unicode.IsSpace(c)
}

// appName reads what people call the route. Only routes of one repository may share a name.
func (r *reader) appName(route *Route, m mapping) {
	name, n := r.text(m, "name")
	if n == nil {
		return
	}
	if problem := appProblem(name); problem != "" {
		r.problem(n, "name %+q %s", name, problem)
		return
	}
	if !glob(route.Repository).literal() {
		r.problem(n, "name needs a repository without * and ?")
		return
	}

	if r.named == nil {
		r.named = map[string]namedRoute{}
	}
	first, taken := r.named[strings.ToLower(name)]
	if taken && !strings.EqualFold(first.repository, route.Repository) {
		r.problem(n, "name %q is that of %s in line %d: only routes of one repository may share a name",
			name, first.repository, first.line)
		return
	}

	r.named[strings.ToLower(name)] = namedRoute{repository: route.Repository, line: lineOf(n)}
	route.App = name
}

// namedRoute is where a name was given first.
type namedRoute struct {
	repository string
	line       int
}

// appProblem says why nobody could call an app by a name; empty: they can.
func appProblem(name string) string {
	word := func(w string) bool { return strings.EqualFold(w, name) }
	switch {
	case len(name) > maxAppName || !appNamePattern.MatchString(name):
		return "must be letters, digits, '.', '_' and '-', such as api"
	case slices.ContainsFunc(commandWords, word):
		return "is a word of the commands: choose another one"
	default:
		return ""
	}
}

// notifications reads the channels to which changes are sent. No channel may be named twice.
func (r *reader) notifications(m mapping) []Notification {
	n, ok := m.values["notify"]
	if !ok {
		return nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 || len(list.Values) > maxNotify {
		r.problem(m.keys["notify"], "notify must be a list of 1 to %d channels, each {slack: C…}", maxNotify)
		return nil
	}

	var all []Notification
	lines := map[string]int{}
	for _, element := range list.Values {
		inner, ok := r.mapping(element, "notify", []string{faceSlack, "as", "lists", "states", "broadcast", "mention"})
		if !ok {
			continue
		}

		one := r.notification(inner)
		if first := lines[one.Channel]; first != 0 && one.Channel != "" {
			r.problem(element, "notify: channel %q is given twice (first in line %d)", one.Channel, first)
			continue
		}

		lines[one.Channel] = lineOf(inner.first())
		all = append(all, one)
	}

	return all
}

func (r *reader) notification(m mapping) Notification {
	one := Notification{Face: faceSlack, As: "card"}
	channel, n := r.text(m, faceSlack)
	switch {
	case m.values[faceSlack] == nil:
		r.problem(m.first(), "notify: an element needs slack, the id of a channel, such as C0DEPLOYS1")
	case n != nil && !slackChannelPattern.MatchString(channel):
		r.problem(n, "slack %+q is not the id of a channel, such as C0DEPLOYS1", channel)
	}
	one.Channel = channel

	if as := r.choice(m, "as", "card", "post"); as != "" {
		one.As = as
	}
	one.Lists = r.boolean(m, "lists")
	if one.Lists && one.As == "post" {
		r.problem(m.keys["lists"], "lists is for as: card; a message for each state cannot be in a list")
	}
	one.States = r.states(m, "states")
	one.Broadcast = r.states(m, "broadcast")

	mention, ok := r.optionalMapping(m, "mention", "approvals")
	if !ok {
		return one
	}

	approvals, n := r.text(mention, "approvals")
	switch {
	case mention.values["approvals"] == nil:
		r.problem(m.keys["mention"], "mention needs approvals: whom to mention where approvals are missing")
	case n != nil && !slackMentionPattern.MatchString(approvals):
		r.problem(n, "approvals %+q is not the id of a user group or person, such as S0ONCALL1", approvals)
	}
	one.MentionApprovals = approvals

	return one
}

// states reads a list of states.
func (r *reader) states(m mapping, key string) []string {
	known := []string{StateEnds}
	for _, s := range deployment.States() {
		known = append(known, string(s))
	}

	items := r.distinctItems(m, key, sameText)
	for _, it := range items {
		if !slices.Contains(known, it.text) {
			r.problem(it.node, "%s: %q is no state; known are %s", key, it.text, strings.Join(known, ", "))
		}
	}

	return textsOf(items)
}
