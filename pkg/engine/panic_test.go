package engine

import (
	"context"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// panickingGate panics for one deployment.
type panickingGate struct {
	Gate
	id    int64
	asked int
}

func (g *panickingGate) Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	if d.Request.ID == g.id {
		g.asked++
		panic("a row that nobody thought of")
	}
	return g.Gate.Decide(ctx, d)
}

// A panic in one step leaves the process and the other rows alone; its row waits a minute.
func TestWork_PanicKeepsToItsRow(t *testing.T) {
	e := newTestEngine(t)
	rules := &panickingGate{Gate: e.Gate, id: 1}
	e.Gate = rules
	task := deployment.Task{Kind: deployment.TaskAdvance, Row: e.accept(t, 1, nil).Row}

	e.work(t.Context(), task)
	e.pass(panicPause - time.Second)
	e.work(t.Context(), task)
	if rules.asked != 1 {
		t.Errorf("within the pause: got %d steps, want 1", rules.asked)
	}

	e.pass(2 * time.Second)
	e.work(t.Context(), task)
	if rules.asked != 2 {
		t.Errorf("after the pause: got %d steps, want 2", rules.asked)
	}
}
