package phrase

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// TestPrefix_Commands wants the prefix before each command that a text names.
func TestPrefix_Commands(t *testing.T) {
	const p = Prefix("/seraph ")
	held := example(func(d *deployment.Deployment) { d.State = deployment.Held })
	lock := policy.Lock{Owner: bob, TakenAt: now}
	rows := []struct {
		name string
		got  string
		want []string
	}{
		{name: "created", got: p.Created(example(nil), unchecked, now), want: []string{"approve #12", "why #12", "cancel #12"}},
		{name: "held", got: p.Follow(held), want: []string{"approve-hold #12", "cancel #12"}},
		{name: "pending", got: p.Pending("api", "status"), want: []string{"status"}},
		{name: "approved", got: p.Approved(bob, example(nil), unchecked, now), want: []string{"approve #12"}},
		{name: "hold approved", got: p.HoldApproved(bob, held), want: []string{"why #12"}},
		{name: "why", got: p.Why(example(nil), unchecked, now), want: []string{"approve #12"}},
		{name: "locked", got: p.Locked(lock, "unlock api in qa", now), want: []string{"unlock api in qa"}},
		{name: "not locked", got: p.NotLocked("api", "qa"), want: []string{"locks"}},
		{name: "status", got: p.Status(make([]Environment, 2), 1, now), want: []string{"status APP"}},
		{name: "where", got: p.Where("api", []string{"qa"}, nil, "deploy api to qa"),
			want: []string{"deploy api to qa", "status api"}},
		{name: "linked", got: p.Link(alice), want: []string{"unlink", "link"}},
		{name: "help", got: p.Help(""), want: []string{"help deploy"}},
		{name: "no such deployment", got: p.Hint("not_found", grammar.Command{ID: 12}),
			want: []string{"status", "deploys APP"}},
		{name: "too late", got: p.Hint("too_late", grammar.Command{ID: 12}), want: []string{"why #12"}},
		{name: "lock of somebody else", got: p.Hint("locked", grammar.Command{}), want: []string{"locks"}},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, want := range row.want {
				if !strings.Contains(row.got, `"/seraph `+want+`"`) {
					t.Errorf("got %s, want %q after the prefix", row.got, want)
				}
			}
			if n := strings.Count(row.got, `"/seraph `); n != len(row.want) {
				t.Errorf("got %s, want %d commands", row.got, len(row.want))
			}
		})
	}

	if got := p.Help(""); !strings.HasPrefix(got, `Seraph understands, after "/seraph":`) {
		t.Errorf("got %s, want what stands before each command", got)
	}
	if got := p.Help(grammar.Why); !strings.HasPrefix(got, "/seraph why #ID\n") {
		t.Errorf("got %s, want the whole form", got)
	}
}
