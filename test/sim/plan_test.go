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

// counter is an operation that counts its effects and echoes its body.
type counter struct{ effects atomic.Int32 }

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.effects.Add(1)
	w.WriteHeader(http.StatusCreated)
	io.Copy(w, r.Body) // the caller hung up
}

func call(plan *sim.Plan, op string, c *counter) (status int) {
	defer func() {
		if recover() != nil {
			status = 0 // the connection broke
		}
	}()
	w := httptest.NewRecorder()
	plan.Wrap(op, c).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body")))
	return w.Code
}

// TestQueues play in order, an operation's own before those of any, and are forgotten by Clear.
func TestQueues(t *testing.T) {
	plan, c := sim.NewPlan(1), &counter{}
	defer plan.Close()
	plan.Next("", sim.Fault{Status: 500}, 1)
	plan.Next("a", sim.Fault{Status: 501}, 2)
	plan.Next("a", sim.Fault{ResetAfter: true}, 1)
	plan.Next("b", sim.Fault{Status: 502}, 1)
	plan.Clear("b")
	for i, want := range []int{501, 501, 0, 500, 201} {
		if got := call(plan, "a", c); got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
	}

	if got := call(plan, "b", c); got != 201 || c.effects.Load() != 3 {
		t.Errorf("got %d after %d effects", got, c.effects.Load())
	}
}

// TestRandom throws the same dice for the same seed.
func TestRandom(t *testing.T) {
	throws := func(seed uint64) (out string) {
		plan := sim.NewPlan(seed)
		defer plan.Close()
		plan.Random("", 0.5, sim.Fault{Status: 500})
		plan.Random("calm", 0)
		for range 64 {
			out += http.StatusText(call(plan, "a", &counter{}))
			if call(plan, "calm", &counter{}) != 201 {
				t.Error("odds of its own were not heard")
			}
		}

		return out
	}

	one := throws(1)
	if one != throws(1) || one == throws(2) || !strings.Contains(one, "Created") || !strings.Contains(one, "Internal") {
		t.Error("the dice are loaded")
	}
}

// TestCloseCancelsLateEffects answers at once and drops the effect when the plan ends first.
func TestCloseCancelsLateEffects(t *testing.T) {
	plan, c := sim.NewPlan(1), &counter{}
	plan.Next("a", sim.Fault{LateEffect: time.Hour}, 2)
	if got := call(plan, "a", c); got != http.StatusGatewayTimeout {
		t.Errorf("got %d", got)
	}

	plan.Close()
	call(plan, "a", c) // nothing may be begun any more
	if c.effects.Load() != 0 {
		t.Error("it had its effect all the same")
	}
}
