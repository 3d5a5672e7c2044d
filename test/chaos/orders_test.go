package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	botToken = "chaos-bot-token-0123456789abcdef0123"
	askers   = 5  // people who order
	clients  = 16 // orders at once
	orderGap = 150 * time.Millisecond
)

// order is one deployment that somebody asks for, and what the API answered.
type order struct {
	key, login, repository, environment string

	ids     map[int64]bool // of the deployments that the API named
	problem string         // a final refusal
}

// TestOrders orders deployments through the API while processes are killed and a fifth of all calls fails,
// also such that GitHub creates a deployment long after it has not answered. Each order must become one
// deployment that runs, as that of whoever asked; others that GitHub has of it must be rejected.
//
// It takes minutes, because GitHub is given 80 s to show a deployment before it is asked again. So it runs
// only where SERAPH_CHAOS_ORDERS says how many orders there are.
func TestOrders(t *testing.T) {
	text := os.Getenv("SERAPH_CHAOS_ORDERS")
	if text == "" {
		t.Skip("takes minutes: set SERAPH_CHAOS_ORDERS, such as 200, to run it")
	}
	count, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SERAPH_CHAOS_ORDERS: %v", err)
	}

	for _, database := range databases(t) {
		t.Run(database, func(t *testing.T) {
			s := readSettings(t, database)
			s.env = append(slices.Clone(s.env),
				"SERAPH_API_TOKENS=chaos:read:"+apiToken+",bot:behalf:"+botToken,
				"SERAPH_LOOKUP_GRACE=1m", // kills go on for so long that a look-up needs more time than in the small run
			)

			h := newHarness(t, s)
			h.warmUp(t)
			h.startCallFaults()
			h.plans[atGitHub].Random(github.OpCreateDeployment, h.failureRate, creationFaults()...)

			ctx, stop := context.WithCancel(t.Context())
			var killing sync.WaitGroup
			killing.Go(func() { h.killAll(ctx) })
			orders := h.orderAll(t, count)
			stop()
			killing.Wait()

			h.finish(t)
			h.verifyOrders(t, orders)
			h.verify(t)
		})
	}
}

// creationFaults are the faults of calls that create a deployment.
func creationFaults() []sim.Fault {
	return []sim.Fault{
		{Status: http.StatusInternalServerError, AfterEffect: true},
		{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: "Rate limited."},
		{ResetAfter: true},
		{Truncate: true},
		{Delay: maxDelay},
		{Status: http.StatusInternalServerError},
		{ResetBefore: true, LateEffect: 20 * time.Second},
		{LateEffect: 2 * time.Minute}, // Seraph has asked again by then
	}
}

// orderAll places all orders, several at a time, each until the API gives a final answer.
func (h *harness) orderAll(t *testing.T, count int) []*order {
	t.Helper()
	orders := make([]*order, count)
	for i := range orders {
		rng := h.rng(streamDeployment + i)
		orders[i] = &order{
			key:         fmt.Sprintf("order %d", i),
			login:       fmt.Sprintf("person-%d", i%askers),
			repository:  h.repositories[rng.IntN(len(h.repositories))],
			environment: environments[rng.IntN(len(environments))],
			ids:         map[int64]bool{},
		}
	}

	next := make(chan *order)
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			for o := range next {
				h.place(t, o)
			}
		})
	}
	for _, o := range orders {
		next <- o
		pause(t.Context(), orderGap)
	}
	close(next)
	working.Wait()

	return orders
}

// place sends an order again and again, as a client does that gets no answer.
func (h *harness) place(t *testing.T, o *order) {
	body := fmt.Sprintf(`{"actor":{"id":%d,"login":%q},"repository":%q,"environment":%q,"ref":"main",`+
		`"payload":{"scenario":"success"},"reason":%q}`,
		h.github.AddUser(o.login), o.login, o.repository, o.environment, o.key)

	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline) && t.Context().Err() == nil; {
		code, answer := h.postOrder(t.Context(), o.key, body)
		var reply struct {
			Deployment *struct {
				ID        int64                  `json:"id"`
				Requester struct{ Login string } `json:"requester"`
			} `json:"deployment"`
			Error struct{ Code string } `json:"error"`
		}
		_ = json.Unmarshal(answer, &reply) // a broken answer is one without a deployment

		switch {
		case code == http.StatusCreated && reply.Deployment != nil:
			o.ids[reply.Deployment.ID] = true
			if got := reply.Deployment.Requester.Login; got != o.login {
				t.Errorf("%s: got requester %s, want %s", o.key, got, o.login)
			}
			return
		case code >= 400 && code < 500 && code != http.StatusTooManyRequests:
			o.problem = string(answer)
			return
		}

		pause(t.Context(), 200*time.Millisecond)
	}
	o.problem = "no answer in 10 minutes"
}

// postOrder sends an order once. The code is 0 if there was no whole answer.
func (h *harness) postOrder(ctx context.Context, key, body string) (code int, answer []byte) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.address+"/api/v1/deployments", strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	r.Header.Set("Authorization", "Bearer "+botToken)
	r.Header.Set("Idempotency-Key", key)

	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()

	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// verifyOrders checks that each order has one deployment that could run, and that GitHub's others of the same
// nonce were rejected as its duplicates and have run nothing.
func (h *harness) verifyOrders(t *testing.T, orders []*order) {
	t.Helper()
	byNonce := map[string][]github.Deployment{}
	for _, d := range h.github.Deployments() {
		var payload struct {
			Seraph struct{ Nonce string } `json:"seraph"`
		}
		if json.Unmarshal(d.Payload, &payload) == nil && payload.Seraph.Nonce != "" {
			byNonce[payload.Seraph.Nonce] = append(byNonce[payload.Seraph.Nonce], d)
		}
	}

	owner := map[int64]*order{}
	for _, o := range orders {
		if o.problem != "" || len(o.ids) != 1 {
			t.Errorf("%s: got deployments %v and problem %q, want one deployment", o.key, o.ids, o.problem)
			continue
		}
		for id := range o.ids {
			if owner[id] != nil {
				t.Errorf("%s and %s have deployment %d", o.key, owner[id].key, id)
			}
			owner[id] = o
		}
	}

	twins, started := 0, h.circleci.ByParameter("deployment_id")
	for nonce, list := range byNonce {
		var kept []int64
		for _, d := range list {
			last := lastStatus(d)
			if strings.HasPrefix(last, "duplicate of #") {
				twins++
				if n := len(started[formatID(d.ID)]); n != 0 {
					t.Errorf("duplicate %d has %d pipelines, want none", d.ID, n)
				}
				continue
			}

			kept = append(kept, d.ID)
			o := owner[d.ID]
			if o == nil {
				t.Errorf("deployment %d of nonce %s belongs to no order", d.ID, nonce)
				continue
			}
			if want := o.login + " via bot: " + o.key; d.Description != want {
				t.Errorf("deployment %d: got description %q, want %q", d.ID, d.Description, want)
			}
		}
		if len(kept) != 1 {
			t.Errorf("nonce %s: got %d deployments that count %v, want 1", nonce, len(kept), kept)
		}
	}

	if len(byNonce) != len(orders) {
		t.Errorf("got %d nonces at GitHub, want %d", len(byNonce), len(orders))
	}
	t.Logf("%d orders, %d kills, %d duplicates at GitHub", len(orders), h.kills(), twins)
}

// lastStatus is the description of a deployment's newest status.
func lastStatus(d github.Deployment) string {
	list := ownStatuses(d)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].Description
}
