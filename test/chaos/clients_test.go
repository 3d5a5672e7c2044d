package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// order is a deployment or a rollback that a person asks for through a client.
type order struct {
	rng         *rand.Rand
	key         string // the reason names it, too, so that GitHub's description shows it
	client      client
	person      person
	path        string
	body        []byte
	repository  string
	environment string
	rollback    bool
	namesTarget bool   // of the rollback
	sha         string // that must be deployed; empty: the success before the current one

	// What the client was answered.

	calls      int
	deployment int64  // 0: there is none
	refused    string // why, with its code; empty: it was not refused
	answered   bool
}

// request is the body of an order.
type request struct {
	Actor       *actor          `json:"actor,omitempty"`
	Person      *chatUser       `json:"person,omitempty"`
	Repository  string          `json:"repository"`
	Environment string          `json:"environment"`
	Ref         string          `json:"ref,omitempty"`
	SHA         string          `json:"sha,omitempty"`
	To          string          `json:"to,omitempty"`
	Reason      string          `json:"reason"`
	Payload     json.RawMessage `json:"payload,omitempty"`
}

type actor struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Token string `json:"token,omitempty"`
}

type chatUser struct {
	Face      string `json:"face"`
	Workspace string `json:"workspace"`
	User      string `json:"user"`
}

// drawOrder draws a deployment of a random branch, or sometimes a rollback.
func (o *orders) drawOrder(t *testing.T, i int) *order {
	rng := o.rng(streamDeployment + i)
	name := o.repositories[rng.IntN(len(o.repositories))]
	if i%rollbackEvery == 0 {
		return o.newRollback(t, i, name)
	}
	return o.newOrder(t, i, name, environments[rng.IntN(len(environments))], scenarios[rng.IntN(len(scenarios))])
}

// newOrder returns an order for a deployment of a branch of its own.
func (o *orders) newOrder(t *testing.T, i int, repository, environment, scenario string) *order {
	n := &order{repository: repository, environment: environment, path: "/api/v1/deployments"}
	branch := fmt.Sprint("work-", i)
	n.sha = o.github.Push(repository, branch, "")
	in := request{Ref: branch, Payload: json.RawMessage(fmt.Sprintf(`{"scenario":%q}`, scenario))}
	if i%2 == 0 {
		in.SHA = n.sha[:10]
	}

	o.add(t, i, n, in)
	return n
}

// newRollback returns an order for a rollback in production, to what was deployed there first or to the
// success before the current one.
func (o *orders) newRollback(t *testing.T, i int, repository string) *order {
	n := &order{repository: repository, environment: environments[0], path: "/api/v1/rollbacks", rollback: true}
	in := request{}
	if o.rng(streamRollback+i).IntN(2) == 0 {
		n.namesTarget, n.sha = true, o.first[repository]
		in.To = n.sha[:10]
	}

	o.add(t, i, n, in)
	return n
}

// add completes an order: with its key, and with who asks through which client.
func (o *orders) add(t *testing.T, i int, n *order, in request) {
	t.Helper()
	n.rng = o.rng(streamClient + i)
	n.key = fmt.Sprintf("order-%03d", i)
	n.person = o.people[n.rng.IntN(len(o.people))]
	n.client = clients[n.rng.IntN(len(clients))]
	in.Repository, in.Environment, in.Reason = n.repository, n.environment, n.key
	if n.client.token == botToken {
		in.Person = &chatUser{"hubot-slack", "T0ACME001", n.person.slack}
	} else {
		in.Actor = &actor{ID: n.person.id, Login: n.person.login}
	}

	var err error
	n.body, err = json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, n)
}

// answer is the answer to an order, or what became of one.
type answer struct {
	State      string          `json:"state"`
	Problem    string          `json:"problem"`
	By         actor           `json:"by"`
	Reason     string          `json:"reason"`
	SHA        string          `json:"sha"`
	Deployment *answerDeployed `json:"deployment"`
	Error      struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

type answerDeployed struct {
	ID        int64  `json:"id"`
	SHA       string `json:"sha"`
	State     string `json:"state"`
	Requester actor  `json:"requester"`
}

// place has a client ask until it knows what became of its order, or until ctx ends: it repeats a request
// without a good answer with the same key.
func (o *orders) place(ctx context.Context, n *order) {
	for ctx.Err() == nil && !n.answered {
		status, a := o.post(ctx, n)
		switch {
		case status == http.StatusAccepted:
			o.follow(ctx, n)
		case status == http.StatusCreated:
			n.answered, n.deployment = true, a.Deployment.ID
		case status == 0, status >= 500, status == http.StatusTooManyRequests:
			pause(ctx, interval{100 * time.Millisecond, 500 * time.Millisecond}.pick(n.rng))
		default:
			n.answered, n.refused = true, fmt.Sprintf("%d %s: %s", status, a.Error.Code, a.Error.Message)
		}
	}
}

// follow asks for some time what became of an order for which there was no deployment yet.
func (o *orders) follow(ctx context.Context, n *order) {
	for range 20 {
		pause(ctx, 500*time.Millisecond)
		status, a := o.send(ctx, http.MethodGet, "/api/v1/requests/"+n.key, n, nil)
		switch {
		case status != http.StatusOK:
		case a.State == "failed":
			n.answered, n.refused = true, "failed: "+a.Problem
			return
		case a.Deployment != nil:
			n.answered, n.deployment = true, a.Deployment.ID
			return
		}
	}
}

// post sends an order. Some clients do not wait for the answer.
func (o *orders) post(ctx context.Context, n *order) (status int, a answer) {
	n.calls++
	if n.rng.IntN(10) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, interval{10 * time.Millisecond, 500 * time.Millisecond}.pick(n.rng))
		defer cancel()
	}
	return o.send(ctx, http.MethodPost, n.path, n, n.body)
}

// send calls the API as an order's client. Without a whole answer the status is 0.
func (o *orders) send(ctx context.Context, method, path string, n *order, body []byte) (status int, a answer) {
	req, err := http.NewRequestWithContext(ctx, method, o.address+path, bytes.NewReader(body))
	if err != nil {
		return 0, a
	}
	req.Header.Set("Authorization", "Bearer "+n.client.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", n.key)

	res, err := o.clients.Do(req)
	if err != nil {
		return 0, a
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, a
	}
	if json.Unmarshal(text, &a) != nil && res.StatusCode < 300 {
		return 0, a
	}

	return res.StatusCode, a
}
