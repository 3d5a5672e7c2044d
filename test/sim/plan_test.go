package sim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/test/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is an operation that counts its effects and returns its body.
type counter struct{ effects atomic.Int32 }

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.effects.Add(1)
	w.WriteHeader(http.StatusCreated)
	io.Copy(w, r.Body) // an error means that the caller closed the connection
}

func call(plan *sim.Plan, op string, c *counter) (status int) {
	defer func() {
		if recover() != nil {
			status = 0 // the connection was closed
		}
	}()
	w := httptest.NewRecorder()
	plan.Wrap(op, c).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body")))
	return w.Code
}

// TestPlan_NextInOrder: faults are used in order, those of the operation before those of any operation,
// and Clear removes them.
func TestPlan_NextInOrder(t *testing.T) {
	plan, c := sim.NewPlan(1), &counter{}
	defer plan.Close()
	plan.Next("", sim.Fault{Status: 500}, 1)
	plan.Next("a", sim.Fault{Status: 501}, 2)
	plan.Next("a", sim.Fault{ResetAfter: true}, 1)
	plan.Next("b", sim.Fault{Status: 502}, 1)
	plan.Clear("b")
	for i, want := range []int{501, 501, 0, 500, 201} {
		if got := call(plan, "a", c); got != want {
			t.Errorf("call %d: got %d, want %d", i, got, want)
		}
	}

	if got := call(plan, "b", c); got != 201 || c.effects.Load() != 3 {
		t.Errorf("got %d after %d effects, want 201 after 3", got, c.effects.Load())
	}
}

func TestPlan_RandomFollowsSeed(t *testing.T) {
	results := func(seed uint64) (out string) {
		plan := sim.NewPlan(seed)
		defer plan.Close()
		plan.Random("", 0.5, sim.Fault{Status: 500})
		plan.Random("never", 0)
		for range 64 {
			out += http.StatusText(call(plan, "a", &counter{}))
			if call(plan, "never", &counter{}) != 201 {
				t.Error("the setting of the operation was not used")
			}
		}

		return out
	}

	one := results(1)
	if one != results(1) || one == results(2) {
		t.Error("the seed does not decide the results")
	}
	if !strings.Contains(one, "Created") || !strings.Contains(one, "Internal") {
		t.Errorf("got %s, want both results", one)
	}
}

// TestPlan_CloseCancelsLateEffects: the response is immediate, and Close cancels the effect.
func TestPlan_CloseCancelsLateEffects(t *testing.T) {
	plan, c := sim.NewPlan(1), &counter{}
	plan.Next("a", sim.Fault{LateEffect: time.Hour}, 2)
	if got := call(plan, "a", c); got != http.StatusGatewayTimeout {
		t.Errorf("got %d, want 504", got)
	}

	plan.Close()
	call(plan, "a", c) // late effects are not started after Close
	if c.effects.Load() != 0 {
		t.Errorf("got %d effects, want none", c.effects.Load())
	}
}
