package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// pushedWorld is a GitHub whose refs somebody moves while a deployment is on its way, and a CircleCI that
// reads the configuration from the head of a ref at the moment of the trigger. It keeps what it was asked to
// run, and what was true at that moment. It is called from several goroutines at once.
type pushedWorld struct {
	emptyCircleCI
	pass func(time.Duration) // lets time pass

	mu     sync.Mutex
	refs   map[string]string // full name -> commit
	green  map[string]int    // commit -> from which call on its check is green; negative: it is red
	truth  *deployment.Request
	calls  int
	pushes []push
	failed []int // numbers of the calls that GitHub does not answer

	started []started
}

// push moves a ref, or deletes it, at a call to GitHub or CircleCI, before that is answered.
type push struct {
	at     int // number of the call
	ref    string
	commit string // empty: the ref is deleted
}

// started is one trigger.
type started struct {
	config string // commit whose configuration was read
	built  string // full name of the ref that is built
	green  bool   // the check of the deployment's commit was green
}

var (
	pushedCommits = []string{strings.Repeat("aa", 20), strings.Repeat("bb", 20), strings.Repeat("cc", 20)}
	pushedRefs    = []string{
		"refs/heads/main",
		"refs/heads/topic",
		"refs/heads/v1",
		"refs/tags/main",
		"refs/tags/v1",
		"refs/pull/1/head",
	}
)

// The ids of those who deploy. Only alice may where a rule says so.
const (
	alice   = 1
	mallory = 7
)

// call counts a call, makes the pushes that are due, and says whether GitHub does not answer. A push takes
// longer than the moment between the last look at the ref and the trigger, so time passes.
func (w *pushedWorld) call() error {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.calls++
	w.pushes = slices.DeleteFunc(w.pushes, func(p push) bool {
		if p.at > w.calls {
			return false
		}

		w.pass(2 * maxRefAge)
		delete(w.refs, p.ref)
		if p.commit != "" {
			w.refs[p.ref] = p.commit
		}
		return true
	})

	if slices.Contains(w.failed, w.calls) {
		return errors.New("502")
	}
	return nil
}

func (w *pushedWorld) head(ref string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refs[ref]
}

func (w *pushedWorld) isGreen(commit string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.green[commit] >= 0 && w.calls >= w.green[commit]
}

// resolve finds the commit of a ref as GitHub does when a deployment is created.
func (w *pushedWorld) resolve(ref string) string {
	for _, name := range []string{ref, "refs/" + ref, "refs/heads/" + ref, "refs/tags/" + ref} {
		if sha := w.head(name); sha != "" {
			return sha
		}
	}
	return ""
}

func (w *pushedWorld) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	return nil, w.call()
}

func (w *pushedWorld) Deployment(context.Context, deployment.Request) (deployment.Request, error) {
	if err := w.call(); err != nil {
		return deployment.Request{}, err
	}
	if w.truth == nil {
		return deployment.Request{}, policy.ErrMissing
	}
	return *w.truth, nil
}

func (w *pushedWorld) Heads(
	_ context.Context,
	_ deployment.Request,
	ref deployment.Ref,
	_ bool,
) (deployment.Heads, error) {
	if err := w.call(); err != nil {
		return deployment.Heads{}, err
	}

	heads := deployment.Heads{}
	switch ref.Kind {
	case deployment.RefBare:
		heads.Branch, heads.Tag = w.head("refs/heads/"+ref.Name), w.head("refs/tags/"+ref.Name)
	case deployment.RefBranch:
		heads.Branch = w.head(ref.Full())
	case deployment.RefTag:
		heads.Tag = w.head(ref.Full())
	case deployment.RefPull:
		heads.Pull = w.head(ref.Full())
	}

	return heads, nil
}

func (w *pushedWorld) Project(_ context.Context, slug string) (deployment.Project, deployment.Event) {
	_ = w.call() // CircleCI answers
	return deployment.Project{ID: "uuid", Slug: slug}, nil
}

// Trigger reads the configuration from the head of a ref. A bare name is a branch there.
func (w *pushedWorld) Trigger(
	_ context.Context,
	t deployment.Target,
	ref deployment.Ref,
	_ time.Time,
) deployment.Event {
	config := ref
	if t.ConfigRef.Name != "" {
		config = t.ConfigRef
	}

	commit := w.head(asBranch(config))
	if commit == "" {
		return deployment.TriggerRefused{Status: 400, Message: "Branch not found", RefNotFound: true}
	}

	s := started{config: commit, built: asBranch(ref)}
	if w.truth != nil {
		s.green = w.isGreen(w.truth.SHA)
	}
	w.started = append(w.started, s)
	return triggered(fmt.Sprintf("%s-%d", t.Key, len(w.started)))
}

// asBranch is the full name of a ref. A bare name counts as the branch.
func asBranch(ref deployment.Ref) string {
	if ref.Kind == deployment.RefBare {
		return "refs/heads/" + ref.Name
	}
	return ref.Full()
}

func (w *pushedWorld) Poll(context.Context, string) (deployment.Progress, *deployment.PollFailed) {
	return deployment.Progress{}, &deployment.PollFailed{Cause: "not now"}
}

func (w *pushedWorld) PollWorkflows(ctx context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	return w.Poll(ctx, id)
}

func (w *pushedWorld) CancelWorkflow(context.Context, string) error { return nil }

// Person implements gate.People.
func (w *pushedWorld) Person(_ context.Context, id int64, _ deployment.Repository, _ int64) (string, error) {
	return map[int64]string{alice: "alice", mallory: "mallory"}[id], w.call()
}

// PersonByLogin implements gate.People.
func (w *pushedWorld) PersonByLogin(context.Context, string, deployment.Repository, int64) (deployment.Actor, error) {
	return deployment.Actor{}, errNotAsked
}

// Permission implements gate.People.
func (w *pushedWorld) Permission(
	context.Context,
	deployment.Repository,
	int64,
	int64,
	string,
) (policy.Permission, error) {
	return "", errNotAsked
}

// TeamMember implements gate.People.
func (w *pushedWorld) TeamMember(context.Context, string, string, string, deployment.Repository, int64) (bool, error) {
	return false, errNotAsked
}

// TeamID implements gate.People.
func (w *pushedWorld) TeamID(context.Context, string, string, deployment.Repository, int64) (int64, error) {
	return 0, errNotAsked
}

// Checks implements gate.Commits.
func (w *pushedWorld) Checks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	if err := w.call(); err != nil {
		return nil, err
	}

	check := policy.Check{Name: "build", Status: true, State: policy.CheckPending}
	switch {
	case w.isGreen(q.SHA):
		check.State = policy.CheckGreen
	case w.green[q.SHA] < 0:
		check.State = policy.CheckRed
	}

	return []policy.Check{check}, nil
}

// RequiredChecks implements gate.Commits.
func (w *pushedWorld) RequiredChecks(
	context.Context,
	deployment.Repository,
	int64,
	string,
) ([]policy.CheckName, error) {
	return nil, errNotAsked
}

// Compare implements gate.Commits.
func (w *pushedWorld) Compare(context.Context, deployment.Repository, int64, string, string) (policy.Comparison, error) {
	return "", errNotAsked
}

var errNotAsked = errors.New("no rule of this test asks that")

// drawWorld draws commits, their checks, pushes, and calls that fail.
func drawWorld(rt *rapid.T, pass func(time.Duration)) *pushedWorld {
	w := &pushedWorld{pass: pass, refs: map[string]string{}, green: map[string]int{}}
	for _, name := range pushedRefs {
		if rapid.IntRange(0, 4).Draw(rt, "there is "+name) > 0 {
			w.refs[name] = rapid.SampledFrom(pushedCommits).Draw(rt, name)
		}
	}
	for _, commit := range pushedCommits {
		w.green[commit] = rapid.SampledFrom([]int{0, 0, 0, 0, 4, 4, -1}).Draw(rt, "green")
	}

	for range rapid.IntRange(0, 3).Draw(rt, "pushes") {
		p := push{
			at:     rapid.IntRange(1, 8).Draw(rt, "push at"),
			ref:    rapid.SampledFrom(pushedRefs).Draw(rt, "pushed ref"),
			commit: rapid.SampledFrom(pushedCommits).Draw(rt, "pushed commit"),
		}
		if rapid.IntRange(0, 4).Draw(rt, "deleted") == 0 {
			p.commit = ""
		}
		w.pushes = append(w.pushes, p)
	}

	w.failed = rapid.SliceOfN(rapid.IntRange(1, 8), 0, 1).Draw(rt, "failed calls")
	return w
}

// CommitExists implements gate.Commits.
func (w *pushedWorld) CommitExists(context.Context, deployment.Repository, int64, string) error {
	return errNotAsked
}
