package command

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Requests keeps what people asked for. Its error is deployment.ErrNotFound.
type Requests interface {
	// AddRequest stores an intent, unless its asker has used its key before: then added is false, and the
	// intent of that time is returned. deployment.ErrTooManyOpen: the person has too many open there.
	AddRequest(
		ctx context.Context,
		i deployment.Intent,
		events ...deployment.AuditEvent,
	) (stored deployment.Intent, added bool, err error)
	Request(ctx context.Context, row int64) (deployment.Intent, error)
	RequestByKey(ctx context.Context, asker, key string) (deployment.Intent, error)
	RequestByNonce(ctx context.Context, nonce string) (deployment.Intent, error)
}

// Refs reads refs at GitHub.
type Refs interface {
	// ResolveRef returns what a person's name of a ref stands for, and its commit. *deployment.NoRefError:
	// there is nothing of that name. *deployment.RefsHiddenError: the credentials may read no ref.
	ResolveRef(ctx context.Context, in deployment.Source, name string) (ref deployment.Ref, sha string, err error)
	// Maker is as whom GitHub shows the creator of this service's deployments.
	Maker(ctx context.Context) (deployment.Maker, error)
}

// DeployOrder is a deployment that somebody wants.
type DeployOrder struct {
	Repository  string // owner/name
	Ref         string // a branch, a tag, or a commit of at least 7 digits
	Environment string
	Task        string          // empty: the usual one
	Payload     json.RawMessage // a JSON object; empty: none
	Reason      string          // required with Force
	Force       bool            // bypass the rules that can be
	SHA         string          // the commit that the person saw at Ref; empty: whatever is there now
	Origin
}

// Origin says how an order came in.
type Origin struct {
	Key   string // the same key of the same client gives the same deployment; empty: a new one
	Via   string // through what, for people, such as "hubot"; empty: the channel
	Place string // the channel or room of a chat system; empty: none
	Text  string // what the person typed; empty: nothing
}

// Ordered is what became of an order. Deployment is nil while it is not known whether GitHub has created it.
type Ordered struct {
	Intent     deployment.Intent
	Deployment *deployment.Deployment
	Verdict    *policy.Verdict // nil: the rules were not asked
}

// How long an order waits for GitHub, and how often it looks. The row may be worked on by another replica,
// so that nobody tells this one.
const (
	orderWait      = 10 * time.Second
	orderFirstLook = 10 * time.Millisecond
	orderLook      = 200 * time.Millisecond
)

// Limits of what an order names, in characters.
const (
	maxRef     = 255
	maxTask    = 255
	maxKey     = 200
	maxPayload = 32 << 10 // bytes
	shortSHA   = 7
)

// Deploy asks the rules, and has the deployment created at GitHub unless they reject it already now. It
// waits up to 10 s for GitHub.
func (s *Service) Deploy(ctx context.Context, c Caller, o DeployOrder) (Ordered, error) {
	i, err := s.newIntent(c, o)
	if err != nil {
		return Ordered{}, err
	}
	if again, repeated, err := s.repeated(ctx, i); repeated || err != nil {
		return again, err
	}

	if err := s.locate(ctx, &i); err != nil {
		return Ordered{}, err
	}
	allowed, err := s.allowed(ctx, i)
	if err != nil {
		return Ordered{}, err
	}
	if err := s.pin(ctx, &i, o, allowed); err != nil {
		return Ordered{}, err
	}

	return s.order(ctx, c, i)
}

// startIntent sets and checks what orders of every cause name.
func (s *Service) startIntent(c Caller, o DeployOrder) (deployment.Intent, error) {
	i := deployment.Intent{
		Key:         o.Key,
		By:          c.By,
		Channel:     c.Channel,
		Via:         o.Via,
		Place:       o.Place,
		Text:        o.Text,
		Reason:      strings.TrimSpace(o.Reason),
		Environment: strings.TrimSpace(o.Environment),
		Ref:         strings.TrimSpace(o.Ref),
		Task:        o.Task,
		Force:       o.Force,
		Cause:       deployment.CauseDeploy,
	}
	if i.Task == "" {
		i.Task = s.o.Task
	}

	if o.Repository == "" {
		return i, invalid("repository_missing", "the repository is missing: write OWNER/NAME")
	}
	owner, name, err := policy.ParseRepository(o.Repository)
	if err != nil {
		return i, refuseUnknown(err)
	}
	i.Repository = deployment.Repository{Owner: owner, Name: name}

	check := checkReason
	if o.Force {
		check = requireReason
	}
	return i, check(i.Reason)
}

// newIntent checks what can be checked without asking anybody.
func (s *Service) newIntent(c Caller, o DeployOrder) (deployment.Intent, error) {
	i, err := s.startIntent(c, o)
	if err != nil {
		return i, err
	}
	if i.Ref == "" || !PlainText(i.Ref, maxRef) {
		return i, invalid("ref_missing", "the ref is missing: name a branch, a tag or a commit, in plain characters")
	}
	if i.Payload, err = checkPayload(o.Payload); err != nil {
		return i, err
	}

	digest, saw := deployment.PayloadDigest(i.Payload), strings.ToLower(strings.TrimSpace(o.SHA))
	i.Wish = wish(o.Repository, i.Environment, i.Ref, saw, i.Task, i.Reason, i.Force, digest)
	return i, s.complete(c, &i)
}

// wish is a digest of what somebody asks for, as they wrote it: two orders with it ask for the same thing.
func wish(parts ...any) string {
	text, _ := json.Marshal(parts) // cannot fail: they are texts and flags
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// complete checks and sets what intents of every cause have.
func (s *Service) complete(c Caller, i *deployment.Intent) error {
	switch {
	case i.Environment == "":
		return invalid("environment_missing", "the environment is missing")
	case !PlainText(i.Task, maxTask):
		return invalid("task_not_plain", "the task must be plain characters")
	case s.isLockTask(i.Task):
		return invalid("task_reserved", "the task "+i.Task+" locks and unlocks: use the commands for locks")
	case len(i.Key) > maxKey || strings.ContainsFunc(i.Key, unicode.IsControl) || !utf8.ValidString(i.Key):
		return invalid("key_not_plain", fmt.Sprintf("the idempotency key must be at most %d plain characters", maxKey))
	}
	if err := checkEnvironment(i.Environment); err != nil {
		return err
	}

	i.Asker = asker(c)
	i.Nonce = newNonce()
	if i.Key == "" {
		i.Key = i.Nonce
	}

	i.State, i.CreatedAt = deployment.IntentWanted, s.o.Now()
	i.Due = i.CreatedAt
	return nil
}

// asker is the client that chose a key: the same key of another client means another request.
func asker(c Caller) string { return c.Channel + ":" + c.By.Token }

// newNonce returns 128 random bits.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

func (s *Service) isLockTask(task string) bool {
	unlock := strings.TrimSuffix(s.o.LockTask, deployment.TaskLock) + deployment.TaskUnlock
	return strings.EqualFold(task, s.o.LockTask) || strings.EqualFold(task, unlock)
}

// checkPayload returns the payload of an order, without the keys that have a meaning here: what they do is
// asked for in other ways, by which it is known who asks.
func checkPayload(payload json.RawMessage) (json.RawMessage, error) {
	if string(payload) == "null" {
		return nil, nil
	}
	if len(payload) > maxPayload {
		return nil, invalid("payload_too_large", fmt.Sprintf("the payload is larger than %d KiB", maxPayload>>10))
	}

	own, reserved, ok := deployment.OwnPayload(payload)
	if !ok || len(payload) > 0 && payload[0] != '{' {
		return nil, invalid("payload_invalid", "the payload must be a JSON object")
	}
	if reserved {
		return nil, invalid("payload_reserved", "the payload must not have the keys seraph and seraph_force: use force")
	}

	return own, nil
}

// repeated answers an order whose key was used before.
func (s *Service) repeated(ctx context.Context, i deployment.Intent) (Ordered, bool, error) {
	before, err := s.o.Requests.RequestByKey(ctx, i.Asker, i.Key)
	if errors.Is(err, deployment.ErrNotFound) {
		return Ordered{}, false, nil
	}
	if err != nil {
		return Ordered{}, false, err
	}
	if !before.SameWish(i) {
		return Ordered{}, true, keyReused()
	}

	again, err := s.await(ctx, before, nil)
	return again, true, err
}

func keyReused() error {
	return invalid("key_reused", "the idempotency key was used for another request: use a new one")
}

// locate finds the repository of an intent, if a route leads to its environment. A repository without one
// is not looked up, so that nobody learns here whether there is one.
func (s *Service) locate(ctx context.Context, i *deployment.Intent) error {
	fullName := i.Repository.FullName()
	noRoute := notFound(fmt.Sprintf("there is no route for %s and %s (task %s)", fullName, i.Environment, i.Task))
	req := deployment.Request{Repository: i.Repository, Environment: i.Environment, Task: i.Task}
	if _, ok := s.o.Routes.Policy(req); !ok {
		return noRoute
	}

	source, err := s.o.Resolver.ResolveRepository(ctx, i.Repository.Owner, i.Repository.Name)
	if errors.Is(err, policy.ErrMissing) {
		return refuseUnknown(policy.LookupError("repository "+fullName, err))
	}
	if err != nil {
		return unavailable("the repository "+fullName+" could not be looked up", err)
	}

	i.Repository, i.Installation = source.Repository, source.Installation
	req.Repository = source.Repository
	if _, ok := s.o.Routes.Policy(req); !ok {
		return noRoute
	}

	return s.settle(i)
}

// unavailable is the error of a question that GitHub did not answer.
func unavailable(what string, err error) error {
	cause, _ := deployment.PublicCause("GitHub", err)
	return &Error{Kind: KindUnavailable, Code: "unavailable", Message: what + ": " + cause, Err: err}
}

// order asks the rules about a whole intent, stores it, and waits for what becomes of it.
func (s *Service) order(ctx context.Context, c Caller, i deployment.Intent) (Ordered, error) {
	maker, err := s.o.Refs.Maker(ctx)
	if err != nil {
		return Ordered{}, unavailable("it could not be learnt as whom GitHub knows Seraph", err)
	}
	i.Maker = maker

	d, err := s.preview(i)
	if err != nil {
		return Ordered{}, err
	}
	if i.Force {
		if c.By.ID == 0 && !c.Admin {
			return Ordered{}, forbidden("a token needs the scope admin to force a deployment")
		}
		if err := refuseCaller(s.o.People.Forcer(ctx, d, c.By), "not_allowed"); err != nil {
			return Ordered{}, err
		}
	}

	verdict, err := s.o.Gate.Decide(ctx, d)
	if err != nil {
		return Ordered{}, err
	}
	if verdict.Decision == policy.DecisionReject {
		return Ordered{}, rejected(verdict)
	}
	if err := refuseCaller(policy.NoAccount(verdict), "not_allowed"); err != nil {
		return Ordered{}, err
	}

	// A rollback that the rules keep waiting ends nobody's deployment by having been asked for.
	i.Supersedes = i.Cause == deployment.CauseRollback &&
		(verdict.Decision == policy.DecisionAllow || verdict.OnlyQueued)
	stored, added, err := s.o.Requests.AddRequest(ctx, i, s.requestedEvents(c, i)...)
	if errors.Is(err, deployment.ErrTooManyOpen) {
		const format = "%s has %d open deployments to %s: cancel some, or wait until they have started"
		message := fmt.Sprintf(format, c.By, deployment.MaxOpenRequests, i.Environment)
		return Ordered{}, conflict("too_many_open", message)
	}
	if err != nil {
		return Ordered{}, err
	}
	if !added && !stored.SameWish(i) {
		return Ordered{}, keyReused()
	}

	return s.await(ctx, stored, &verdict)
}

// preview returns the deployment that an intent would become, as far as it is known before GitHub has it.
func (s *Service) preview(i deployment.Intent) (deployment.Deployment, error) {
	wanted, err := i.NewDeployment()
	if err != nil {
		return deployment.Deployment{}, invalid("payload_invalid", "the payload must be a JSON object")
	}

	req := i.Own(deployment.Request{
		Repository:   i.Repository,
		Installation: i.Installation,
		Environment:  i.Environment,
		Ref:          i.SHA,
		SHA:          i.SHA,
		Task:         i.Task,
		Description:  wanted.Description,
		Payload:      wanted.Payload,
		Creator:      deployment.Creator{ID: i.Maker.ID, Login: i.Maker.Login},
		App:          deployment.App{ID: i.Maker.AppID},
	})

	admission := s.o.Routes.Admit(req, newNonce())
	switch {
	case admission.Ignored != "":
		return deployment.Deployment{}, notFound(admission.Ignored)
	case admission.Problem != "":
		return deployment.Deployment{}, invalid("cannot_run", admission.Problem)
	}

	if i.Force {
		admission.Target.ForceReason = i.Reason
	}

	d, _ := deployment.Machine{}.New(req, admission, s.o.Now())
	return d, nil
}

// requestedEvents are the audit's records of an intent.
func (s *Service) requestedEvents(c Caller, i deployment.Intent) []deployment.AuditEvent {
	detail, _ := json.Marshal(map[string]any{ // it has no field that can fail
		"request": i.Key,
		"cause":   i.Cause,
		"ref":     i.Ref,
		"sha":     i.SHA,
		"task":    i.Task,
		"reason":  i.Reason,
		"force":   i.Force,
		"via":     i.Via,
		"place":   i.Place,
		"back_to": i.BackTo,
	})
	event := c.auditEvent(deployment.AuditRequested, detail)
	event.At = i.CreatedAt
	event.RepositoryID, event.Repository = i.Repository.ID, i.Repository.FullName()
	event.Environment = i.Environment

	return []deployment.AuditEvent{event}
}

// await waits until an intent has ended, and at most 10 s. An intent without a deployment by then is
// returned as it is. verdict is what the rules have just said; nil: they were not asked.
func (s *Service) await(ctx context.Context, i deployment.Intent, verdict *policy.Verdict) (Ordered, error) {
	waiting, cancel := context.WithTimeout(ctx, orderWait)
	defer cancel()

	for pause := orderFirstLook; i.State.Open(); pause = min(2*pause, orderLook) {
		select {
		case <-waiting.Done():
			return Ordered{Intent: i, Verdict: verdict}, nil // it is stored, and goes on
		case <-time.After(pause):
		}

		now, err := s.o.Requests.Request(ctx, i.Row)
		if err != nil {
			return Ordered{Intent: i}, err
		}

		i = now
	}

	if i.State == deployment.IntentFailed {
		return Ordered{Intent: i}, &Error{Kind: KindInvalid, Code: "not_created", Message: i.Problem}
	}
	if verdict != nil {
		d, err := s.find(ctx, i.DeploymentID)
		return Ordered{Intent: i, Deployment: &d, Verdict: verdict}, err
	}

	d, now, err := s.Explain(ctx, i.DeploymentID)
	return Ordered{Intent: i, Deployment: &d, Verdict: &now}, err
}

// Request says what became of an order. key is the one that the caller's client gave, or the one that any
// client was given.
func (s *Service) Request(ctx context.Context, c Caller, key string) (Ordered, error) {
	i, err := s.o.Requests.RequestByKey(ctx, asker(c), key)
	if errors.Is(err, deployment.ErrNotFound) {
		i, err = s.o.Requests.RequestByNonce(ctx, key)
	}
	if errors.Is(err, deployment.ErrNotFound) {
		return Ordered{}, notFound("no request has this key")
	}
	if err != nil || i.State != deployment.IntentCreated {
		return Ordered{Intent: i}, err
	}

	d, err := s.find(ctx, i.DeploymentID)
	var refused *Error
	if errors.As(err, &refused) && refused.Kind == KindNotFound {
		return Ordered{Intent: i}, nil // it was deleted since
	}

	return Ordered{Intent: i, Deployment: &d}, err
}
