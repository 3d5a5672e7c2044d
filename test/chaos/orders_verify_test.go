package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// made is a deployment at GitHub that an order made, with what its payload says of the order.
type made struct {
	*evidence
	nonce string
	by    actor
	via   string
}

// orderResult is what became of an order.
type orderResult struct {
	*order
	made  []made // the oldest first
	audit []auditLine
}

// auditLine is a record of the audit as it is exported.
type auditLine struct {
	Kind       string `json:"kind"`
	ActorID    int64  `json:"actor_id"`
	ActorLogin string `json:"actor_login"`
	ActorToken string `json:"actor_token"`
	Deployment int64  `json:"deployment"`
	Detail     string `json:"detail"`
}

// repeatedEvery is how many orders there are for each that is repeated at the end.
const repeatedEvery = 5

// verify compares what GitHub and CircleCI saw, what the API answers and what the audit holds with what was
// asked for.
func (o *orders) verify(t *testing.T) {
	all := o.collect(t)
	results := o.results(t, all)
	counts := map[string]int{}
	for _, f := range results {
		var about strings.Builder
		for _, m := range f.made {
			about.WriteString(fmt.Sprintf("  deployment %d, nonce %s, %q\n%s", m.ID, m.nonce, m.Description, o.describe(m.evidence)))
		}
		for _, broken := range o.broken(t, f, all, counts) {
			t.Errorf("%s by %s (%s %s), answered %v after %d calls: deployment %d, refused %q: %s\n%s", f.key,
				f.person.login, f.repository, f.environment, f.answered, f.calls, f.deployment, f.refused, broken, about.String())
		}
	}

	if made := len(o.github.Deployments()); made != len(all) {
		t.Errorf("the orders that were repeated at the end made %d deployments, want none", made-len(all))
	}
	for key, ids := range o.circleci.ByParameter("seraph_key") {
		if len(ids) > 1 {
			t.Errorf("key %s: got %d pipelines, want 1: %v", key, len(ids), ids)
		}
	}

	o.verifySlots(t, all)
	o.verifyExits(t)
	for _, v := range append(o.github.Violations(), o.circleci.Violations()...) {
		t.Errorf("the simulator reports a violation: %s", v)
	}

	t.Logf("%d orders in %d calls; %d kills; %d deployments at GitHub, %d triggers, %d pipelines",
		len(o.all), counts["calls"], o.kills(), len(all), len(o.triggers.all()), len(o.circleci.Pipelines()))
	t.Logf("orders that ran: %d (rollbacks: %d); superseded: %d (made late: %d); failed with a reason: %d; refused: %d, "+
		"by CircleCI: %d",
		counts["ran"], counts["rolled back"], counts["superseded"], counts["made after they had failed"], counts["failed"],
		counts["refused"], counts["refused by CircleCI"])
	t.Logf("made twice at GitHub and recognised: %d; not recognised: %d; run twice: %d; lost: %d; wrong requester: %d",
		counts["duplicates"], counts["unrecognised"], counts["run twice"], counts["lost"], counts["wrong requester"])
	outcomes := ""
	for _, kind := range []string{"created", "unknown", "not_created", "not_sent", "refused"} {
		outcomes += fmt.Sprintf(" %s %d;", kind, o.countLogLines(fmt.Sprintf(`"outcome":%q`, kind)))
	}
	t.Logf("%d calls to create a deployment;%s the processes died during the others",
		o.github.Calls()[github.OpCreateDeployment], outcomes)
}

// results assigns to each order what it made, by the key in the description, and its records of the audit.
func (o *orders) results(t *testing.T, all []*evidence) []*orderResult {
	t.Helper()
	byKey := map[string]*orderResult{}
	var results []*orderResult
	for _, n := range o.all {
		f := &orderResult{order: n}
		byKey[n.key] = f
		results = append(results, f)
	}

	for _, e := range all {
		_, key, _ := strings.Cut(e.Description, ": ")
		f := byKey[key]
		if f == nil {
			t.Errorf("deployment %d is of no order: %q", e.ID, e.Description)
			continue
		}

		var payload struct {
			Seraph struct {
				Nonce string `json:"nonce"`
				By    actor  `json:"by"`
				Via   string `json:"via"`
			} `json:"seraph"`
		}
		if err := json.Unmarshal(e.Payload, &payload); err != nil {
			t.Errorf("deployment %d: %v", e.ID, err)
		}
		f.made = append(f.made, made{e, payload.Seraph.Nonce, payload.Seraph.By, payload.Seraph.Via})
	}

	for _, line := range o.exportAudit(t) {
		var detail struct{ Request string }
		if json.Unmarshal([]byte(line.Detail), &detail) == nil && line.Kind == "requested" && byKey[detail.Request] != nil {
			f := byKey[detail.Request]
			f.audit = append(f.audit, line)
		}
	}

	for _, f := range results {
		slices.SortFunc(f.made, func(a, b made) int { return int(a.ID - b.ID) })
	}

	return results
}

// exportAudit verifies the audit and returns its records.
func (o *orders) exportAudit(t *testing.T) []auditLine {
	t.Helper()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), o.processes[0].binary, args...)
		cmd.Env = o.processes[0].env
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("seraph %v: %v\n%s", args, err, out)
		}
		return out
	}

	run("audit", "verify")
	var all []auditLine
	for line := range strings.Lines(string(run("audit", "export"))) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, l)
	}

	return all
}

// broken returns the promises that were broken for one order, and counts what became of it.
func (o *orders) broken(t *testing.T, f *orderResult, all []*evidence, counts map[string]int) []string {
	t.Helper()
	var list []string
	add := func(count, format string, args ...any) {
		counts[count]++
		list = append(list, fmt.Sprintf(format, args...))
	}

	counts["calls"] += f.calls
	pipelines := 0
	for _, m := range f.made {
		pipelines += len(m.pipelines)
		if m.nonce != f.made[0].nonce {
			add("unrecognised", "has the nonces %s and %s", f.made[0].nonce, m.nonce)
		}
	}
	if pipelines > 1 {
		add("run twice", "got %d pipelines, want at most 1", pipelines)
	}

	status, a := o.ask(t.Context(), http.MethodGet, "/api/v1/requests/"+f.key, f.order, nil)
	switch {
	case !f.answered:
		add("lost", "the client got no answer; the API says %d %+v", status, a)
	case status == http.StatusNotFound && f.refusedByRight() && len(f.made) == 0 && len(f.audit) == 0:
		counts["refused"]++
		return list
	case status != http.StatusOK:
		add("lost", "the API says %d %+v", status, a.Error)
		return list
	}

	if a.By != (actor{f.person.id, f.person.login, f.client.name}) || a.Reason != f.key {
		add("wrong requester", "the request is by %+v with the reason %q, want %s", a.By, a.Reason, f.person.login)
	}
	if len(f.audit) != 1 || !f.is(f.audit[0]) {
		add("wrong requester", "the audit says %+v, want one record of %s", f.audit, f.person.login)
	}

	switch {
	case a.State == "failed" && a.Problem != "" && len(f.made) == 0 && strings.Contains(f.refused, a.Problem):
		counts["failed"]++
		t.Logf("%s failed: %s", f.key, a.Problem)
		return list
	case a.State == "created" && a.Deployment != nil && f.wasSuperseded() && pipelines == 0:
		counts["made after they had failed"]++ // a call took effect after the client had its answer; nothing may run
	case a.State != "created" || a.Deployment == nil || a.Deployment.ID != f.deployment:
		add("lost", "the API says %+v, want the deployment or why there is none", a)
		return list
	}

	if counts["created"]++; counts["created"]%repeatedEvery == 0 {
		status, again := o.ask(t.Context(), http.MethodPost, f.path, f.order, f.body)
		if status != http.StatusCreated || again.Deployment == nil || again.Deployment.ID != a.Deployment.ID {
			add("wrong", "the same key once more: got %d %+v, want deployment %d", status, again, a.Deployment.ID)
		}
	}

	return append(list, o.brokenDeployments(f, a, all, counts)...)
}

// ask calls the API as an order's client, and again every second while there is no answer or the API answers 429: on a
// slow machine the clients of the orders may have used up how much one token, or one person, may ask.
func (o *orders) ask(ctx context.Context, method, path string, n *order, body []byte) (status int, a answer) {
	ctx, cancel := context.WithTimeout(ctx, o.maxWait)
	defer cancel()
	for {
		status, a = o.send(ctx, method, path, n, body)
		if ctx.Err() != nil || status != 0 && status != http.StatusTooManyRequests {
			return status, a
		}
		pause(ctx, time.Second)
	}
}

// brokenDeployments returns the promises that were broken for what an order made, which is at least one
// deployment at GitHub.
func (o *orders) brokenDeployments(f *orderResult, a answer, all []*evidence, counts map[string]int) (list []string) {
	add := func(count, format string, args ...any) {
		counts[count]++
		list = append(list, fmt.Sprintf(format, args...))
	}

	if got := a.Deployment.Requester; got != (actor{f.person.id, f.person.login, f.client.name}) {
		add("wrong requester", "the API shows the requester %+v, want %s", got, f.person.login)
	}

	i := slices.IndexFunc(f.made, func(m made) bool { return m.ID == a.Deployment.ID })
	if i < 0 {
		add("lost", "GitHub has no deployment %d of it", a.Deployment.ID)
		return list
	}
	for _, m := range f.made {
		if m.by != (actor{ID: f.person.id, Login: f.person.login}) || m.via != f.client.via ||
			!strings.Contains(m.Description, f.person.login+" via "+f.client.via+": ") {
			add("wrong requester", "GitHub shows %+v via %s in %d, want %s", m.by, m.via, m.ID, f.person.login)
		}
		if f.sha != "" && m.SHA != f.sha || m.Repository != f.repository || m.Environment != f.environment {
			add("wrong", "deployment %d is of %s %s %s, want %s", m.ID, m.Repository, m.Environment, m.SHA, f.sha)
		}

		want := fmt.Sprintf("duplicate of #%d", a.Deployment.ID)
		switch recognised := m.last().State == "error" && m.last().Description == want && len(m.pipelines) == 0; {
		case m.ID == a.Deployment.ID:
		case recognised:
			counts["duplicates"]++
		default:
			add("unrecognised", "deployment %d ended with %q, want %q", m.ID, m.last().Description, want)
		}
	}

	first := f.made[i].evidence
	if o.supersededByRollback(first) {
		counts["superseded"]++
		return list
	}
	if o.superseded(first, all) {
		counts["superseded"]++
	}
	for _, broken := range o.violations(first, all) {
		add("wrong", "%s", broken)
	}
	if len(first.pipelines) == 0 && first.scenario() == "odd-refusal" {
		counts["refused by CircleCI"]++
	}
	if len(first.pipelines) > 0 {
		counts["ran"]++
		if f.rollback {
			counts["rolled back"]++
		}
	}

	return list
}

// refusedByRight says whether an order was refused because there was nothing that it could go back to, or
// because what it names runs there.
func (n *order) refusedByRight() bool {
	reason := "there is nothing to go back to"
	if n.namesTarget {
		reason = "is what runs there"
	}
	return n.rollback && strings.HasPrefix(n.refused, "409 no_target: ") && strings.Contains(n.refused, reason)
}

// wasSuperseded says whether the client was answered that a rollback took the place of its order.
func (n *order) wasSuperseded() bool {
	return strings.Contains(n.refused, "superseded by the rollback that ")
}

// is says whether a record of the audit names the order's person.
func (n *order) is(line auditLine) bool {
	return line.ActorID == n.person.id && line.ActorLogin == n.person.login && line.ActorToken == n.client.name
}

// supersededByRollback says whether a deployment was correctly rejected because somebody rolled its
// environment back before it began.
func (o *orders) supersededByRollback(e *evidence) bool {
	if len(e.pipelines) > 0 || e.last().State != "error" {
		return false
	}

	text := e.last().Description
	return slices.ContainsFunc(o.all, func(n *order) bool {
		same := n.rollback && n.repository == e.Repository && n.environment == e.Environment
		later := n.deployment > e.ID && text == fmt.Sprintf("superseded by #%d", n.deployment)
		return same && (later || text == "superseded by the rollback that "+n.person.login+" asked for")
	})
}
