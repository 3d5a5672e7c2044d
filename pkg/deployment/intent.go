package deployment

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Intent is a request that somebody made through this service: to create a deployment at GitHub. It is
// stored before GitHub is asked, and changes only through the methods of IntentMachine.
//
// GitHub has no idempotency key, so the deployment carries Nonce in its payload. After a call of unknown
// outcome GitHub's list is searched for it, and of several deployments with one nonce only the one that was
// stored first is run.
type Intent struct {
	// Storage. The store fills these in; they are columns of the row and not in the JSON.

	Row     int64 `json:"-"`
	Version int64 `json:"-"` // raised by each write; a write that was made from another version is refused

	// What was asked for, and by whom. Set once.

	Asker   string `json:"asker"`            // the client that chose Key: a channel and a token
	Key     string `json:"key"`              // unique among those of the asker
	Nonce   string `json:"nonce"`            // 128 random bits in hex, unique
	By      Actor  `json:"by"`               // the requester of the deployment
	Channel string `json:"channel"`          // one of the Channel constants
	Via     string `json:"via,omitempty"`    // through what, for people: "hubot"
	Place   string `json:"place,omitempty"`  // the channel or room of a chat system
	Text    string `json:"text,omitempty"`   // what the person typed
	Reason  string `json:"reason,omitempty"` // why, in the person's words
	Wish    string `json:"wish"`             // digest of what was asked for, as it was written; see SameWish

	Repository   Repository      `json:"repository"`
	Installation int64           `json:"installation,omitempty"`
	Environment  string          `json:"environment"`
	Ref          string          `json:"ref"` // the branch or tag that was named; GitHub is given the commit
	SHA          string          `json:"sha"`
	Task         string          `json:"task"`
	Payload      json.RawMessage `json:"payload,omitempty"` // the person's own, an object; empty: none
	Production   bool            `json:"production,omitempty"`
	Force        bool            `json:"force,omitempty"` // rules are to be bypassed; Reason says why
	Cause        IntentCause     `json:"cause"`
	BackTo       int64           `json:"back_to,omitempty"`    // with CauseRollback: GitHub's id of the earlier success
	Unproven     bool            `json:"unproven,omitempty"`   // with CauseRollback: the rules about what is new hold for it
	Supersedes   bool            `json:"supersedes,omitempty"` // what is open in the environment ends when it is stored
	CreatedAt    time.Time       `json:"created_at"`

	// What became of it.

	State        IntentState `json:"state"`
	Due          time.Time   `json:"due,omitzero"`          // when a worker takes its next step; zero: never
	Maker        Maker       `json:"maker,omitzero"`        // as whom GitHub knows us; set before the first call
	Attempts     int         `json:"attempts,omitempty"`    // calls that may have left
	SendBefore   time.Time   `json:"send_before,omitzero"`  // the newest call must not leave after this moment
	Failures     int         `json:"failures,omitempty"`    // calls or look-ups without a useful answer, in a row
	NotCreated   int         `json:"not_created,omitempty"` // answers 202 and 409 so far
	HeldUntil    time.Time   `json:"held_until,omitzero"`   // until when our own pace of writes held it back last
	Superseded   string      `json:"superseded,omitempty"`  // why its deployment must not run; empty: it may
	DeploymentID int64       `json:"deployment,omitempty"`  // GitHub's id; 0: none is known
	Problem      string      `json:"problem,omitempty"`     // why it failed, for people
	EndedAt      time.Time   `json:"ended_at,omitzero"`
}

// IntentState says where an intent stands.
type IntentState string

// The states of an intent. The last two are final, except that a deployment with the nonce of a failed
// intent, which GitHub shows after all, makes it created.
const (
	IntentWanted  IntentState = "wanted"  // GitHub was not asked, or has certainly created nothing
	IntentSending IntentState = "sending" // one worker is asking GitHub
	IntentUnknown IntentState = "unknown" // GitHub may have created it; it is being looked for
	IntentCreated IntentState = "created" // the deployment is stored
	IntentFailed  IntentState = "failed"  // there will be none
)

// Open says whether the intent has not ended.
func (s IntentState) Open() bool { return s != IntentCreated && s != IntentFailed }

// IntentCause says what an intent is for.
type IntentCause string

// The causes.
const (
	CauseDeploy   IntentCause = "deploy"
	CauseRollback IntentCause = "rollback" // deploy again what ran before
)

// Maker is how GitHub shows the account with which this service creates deployments.
type Maker struct {
	AppID int64  `json:"app_id,omitempty"` // of our GitHub App; 0: a token is used
	ID    int64  `json:"id,omitempty"`     // of the token's owner; 0: not known
	Login string `json:"login,omitempty"`  // of the token's owner, or of the App's bot
}

// Made says whether the account created a deployment. GitHub shows the App of a deployment in most
// events, also of one that a person created through the App; where it does not, the bot's login, which
// nobody else can have, tells. The owner of a token is known by their id, because logins change.
func (m Maker) Made(r Request) bool {
	switch {
	case m.AppID != 0 && r.App.ID != 0:
		return r.App.ID == m.AppID && (r.Creator.Type == "Bot" || strings.EqualFold(m.Login, r.Creator.Login))
	case m.ID != 0 && r.Creator.ID != 0:
		return r.Creator.ID == m.ID
	}
	return m.Login != "" && strings.EqualFold(m.Login, r.Creator.Login)
}

// Asked is the part of an Intent that its deployment keeps: who asked this service for it, through what and
// why. It comes from the stored intent and never from the payload, which anybody can write.
type Asked struct {
	Nonce   string      `json:"nonce"`
	By      Actor       `json:"by"`
	Channel string      `json:"channel"`
	Via     string      `json:"via,omitempty"`
	Place   string      `json:"place,omitempty"`
	Reason  string      `json:"reason,omitempty"`
	Cause   IntentCause `json:"cause"`
	BackTo  int64       `json:"back_to,omitempty"` // with CauseRollback: GitHub's id of the earlier success

	// Unproven says, with CauseRollback, that the earlier success was rolled back from, or was forced, so that
	// the rules about what is new hold.
	Unproven bool `json:"unproven,omitempty"`

	Ref string `json:"ref"` // the ref as GitHub shows it: the commit
}

// Matches says whether a deployment is the one that an intent asked for: our account created it with what
// the intent names, payload included. Anybody may have copied the nonce from a payload.
func (i Intent) Matches(r Request) bool {
	asked, err := i.NewDeployment()
	return err == nil &&
		i.Maker.Made(r) &&
		PayloadDigest(asked.Payload) == PayloadDigest(r.Payload) &&
		i.Repository.ID == r.Repository.ID &&
		strings.EqualFold(i.Environment, r.Environment) &&
		strings.EqualFold(i.SHA, r.SHA) &&
		i.Task == r.Task
}

// Own returns a request that matches the intent as one of the person who asked: with the ref that they named,
// and with Asked.
func (i Intent) Own(r Request) Request {
	r.Asked = &Asked{
		Nonce:   i.Nonce,
		By:      i.By,
		Channel: i.Channel,
		Via:     i.Via,
		Place:   i.Place,
		Reason:  i.Reason,
		Cause:   i.Cause,
		BackTo:  i.BackTo,

		Unproven: i.Unproven,
		Ref:      r.Ref,
	}
	r.Ref = i.Ref

	return r
}

// Source returns the repository, and through which installation it is read.
func (i Intent) Source() Source {
	return Source{Repository: i.Repository, Installation: i.Installation}
}

// SameWish says whether the same person asks for the same thing with both intents. If they have one key as
// well, the later one is a repetition of the first.
func (i Intent) SameWish(o Intent) bool { return i.By.Same(o.By) && i.Wish == o.Wish }

// IntentMachine decides what happens to an intent. It is pure: the caller asks GitHub and gives it the time.
type IntentMachine struct {
	CallTimeout time.Duration // how long one call to GitHub may take
}

// Times of an intent.
const (
	// IntentGrace is how long GitHub may take to list a deployment after the call that created it must
	// have ended. How long it really takes is documented nowhere.
	IntentGrace = time.Minute

	intentGivesUp   = 15 * time.Minute // without a call that left, but for our own pace: GitHub cannot be reached
	lookupGivesUp   = time.Hour        // without a look-up that was answered
	intentRetry     = 30 * time.Second // the longest pause between two calls
	lookupRetry     = 10 * time.Second // the longest pause between two look-ups
	intentTries     = 3                // calls of unknown outcome, each proven to have created nothing
	notCreatedTries = 3                // answers that say that nothing was created
)

// Send moves a wanted intent to sending. Only the worker whose own write of it succeeds may call GitHub,
// once and not after SendBefore.
func (m IntentMachine) Send(i Intent, maker Maker, now time.Time) (Intent, error) {
	if i.State != IntentWanted {
		return i, &InvalidTransitionError{State: State(i.State), Event: "send"}
	}

	i.State, i.Maker = IntentSending, maker
	i.Attempts++
	i.SendBefore = now.Add(SendWindow)
	i.Due = now // the lease of the row keeps others away; whoever gets it next finds that the sender has died
	return i, nil
}

// listedBy is when the newest call has ended and GitHub must list what it created.
func (m IntentMachine) listedBy(i Intent) time.Time {
	return i.SendBefore.Add(m.CallTimeout + IntentGrace)
}

// Answer applies GitHub's answer to a call. The intent of a deployment that was created is not changed
// here: it becomes created when its deployment is stored.
func (m IntentMachine) Answer(i Intent, o CreateOutcome, now time.Time) Intent {
	if i.State != IntentSending {
		return i
	}

	switch o.Kind {
	case CreateDone, CreateUnknown:
		return m.startLookup(i, now)
	case CreateRefused:
		return fail(i, o.Cause, now)
	case CreateNothing:
		i.NotCreated++
		if i.NotCreated >= notCreatedTries {
			return fail(i, fmt.Sprintf("GitHub created no deployment, although it was asked %d times: %s",
				i.NotCreated, o.Cause), now)
		}

		i.Attempts-- // its outcome is known
		return again(i, max(o.After, Backoff(i.NotCreated+1, intentRetry)), now)
	default:
		i.Attempts--
		if o.Paced {
			i.HeldUntil = now.Add(o.After)
			return again(i, o.After, now)
		}
		return m.NotSent(i, o.Cause, o.After, now)
	}
}

// NotSent puts an intent off, whose call did not leave. After too long it fails with the cause. What our own
// pace held back does not count.
func (m IntentMachine) NotSent(i Intent, cause string, after time.Duration, now time.Time) Intent {
	since := i.CreatedAt
	if i.HeldUntil.After(since) {
		since = i.HeldUntil
	}
	if now.Sub(since) >= intentGivesUp {
		return fail(i, fmt.Sprintf("GitHub could not be asked for %s: %s", intentGivesUp, cause), now)
	}

	i.Failures++
	return again(i, max(after, Backoff(i.Failures, intentRetry)), now)
}

// again makes an intent wanted once more after a pause.
func again(i Intent, after time.Duration, now time.Time) Intent {
	i.State = IntentWanted
	i.Due = now.Add(after)
	if i.Superseded != "" {
		return fail(i, i.Superseded, now)
	}
	return i
}

// startLookup has the deployment of an intent looked for at GitHub.
func (m IntentMachine) startLookup(i Intent, now time.Time) Intent {
	i.State, i.Failures = IntentUnknown, 0
	i.Due = now.Add(time.Second)
	return i
}

// Interrupted applies that another worker than the sender found an intent in state sending: the sender has
// died, before or after it called.
func (m IntentMachine) Interrupted(i Intent, now time.Time) Intent {
	if i.State != IntentSending {
		return i
	}

	i = m.startLookup(i, now)
	i.Due = now
	return i
}

// Absent applies a look-up that found no deployment. Once GitHub must list what it created, the intent is
// wanted again, with the same nonce.
func (m IntentMachine) Absent(i Intent, now time.Time) Intent {
	if i.State != IntentUnknown {
		return i
	}
	if now.Before(m.listedBy(i)) {
		i.Failures++
		next := now.Add(Backoff(i.Failures, lookupRetry))
		if listed := m.listedBy(i); next.After(listed) {
			next = listed
		}

		i.Due = next
		return i
	}
	if i.Attempts >= intentTries {
		return fail(i, fmt.Sprintf("GitHub did not answer %d times, and shows no deployment", i.Attempts), now)
	}

	i.Failures = 0
	return again(i, 0, now)
}

// LookupFailed applies a look-up that GitHub did not answer.
func (m IntentMachine) LookupFailed(i Intent, cause string, after time.Duration, now time.Time) Intent {
	if now.Sub(i.SendBefore) >= lookupGivesUp {
		const format = "it is not known whether GitHub created the deployment: look at its list (%s)"
		return fail(i, fmt.Sprintf(format, cause), now)
	}

	i.Failures++
	i.Due = now.Add(max(after, Backoff(i.Failures, intentRetry)))
	return i
}

// Created applies that the deployment of an intent is stored.
func (m IntentMachine) Created(i Intent, deploymentID int64, now time.Time) Intent {
	i.State, i.DeploymentID, i.Problem = IntentCreated, deploymentID, ""
	i.Due, i.EndedAt = time.Time{}, now
	return i
}

// Reopen applies that the deployment of an intent was found to be made up: GitHub does not show it. The real
// one is looked for.
func (m IntentMachine) Reopen(i Intent, now time.Time) Intent {
	if i.State != IntentCreated {
		return i
	}

	i.State, i.DeploymentID, i.Failures = IntentUnknown, 0, 0
	i.Due, i.EndedAt = now, time.Time{}
	return i
}

// Supersede applies that somebody asked for something that takes the intent's place. One that GitHub was
// not asked for fails; the deployment of any other one, if there is one, will be rejected.
func (m IntentMachine) Supersede(i Intent, reason string, now time.Time) Intent {
	if !i.State.Open() {
		return i
	}

	i.Superseded = reason
	if i.State == IntentWanted {
		return fail(i, reason, now)
	}

	return i
}

// Fail applies that there will be no deployment.
func (m IntentMachine) Fail(i Intent, problem string, now time.Time) Intent {
	return fail(i, problem, now)
}

// fail ends an intent without a deployment. problem is for people.
func fail(i Intent, problem string, now time.Time) Intent {
	i.State, i.Problem = IntentFailed, Readable(problem)
	i.Due, i.EndedAt = time.Time{}, now
	return i
}
