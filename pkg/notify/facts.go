package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Facts are what a card of a deployment shows. A Source gathers them; what it does not know stays zero, and the
// card leaves it out.
type Facts struct {
	Deployment deployment.Deployment

	Verdict   *policy.Verdict   // what its rules say, as explain shows it; nil: not known
	Approvals []policy.Approval // those that were given
	Queue     *policy.Queue     // what else is open in its environment; nil: not known
	Lock      *policy.Lock      // somebody else's lock that keeps it from starting; nil: none
	Held      []string          // names of the jobs that CircleCI holds, as ApproveHold takes them

	HeldUnknown bool // CircleCI did not say which jobs it holds

	Current *deployment.Success // what runs in its environment now, perhaps the deployment itself; nil: nothing known
	Before  *deployment.Success // what ran there before it; nil: nothing known
	Back    *deployment.Success // what "Roll back" deploys, by deployment.RollbackFrom; nil: nothing
	Ahead   *Ahead              // its commit compared with that of Before; nil: not compared

	Route Route
	Links Links

	// The Worker sets these, and no Source.
	InBurst bool    // its card began while too many others began in the same channel
	Listed  []Facts // of a list: the deployments that it shows, as Source.Outline knows them
}

// Ahead says by how many commits one is ahead of another one, and how many it lacks.
type Ahead struct {
	Ahead  int `json:"ahead"`
	Behind int `json:"behind"`
}

// Route is what a card needs of the route of a deployment, as it is configured now.
type Route struct {
	App           string // what people call it; empty: the name of the repository
	Production    bool
	Logs          bool // the last lines of a failing step may be shown
	MaxWait       time.Duration
	HoldApprovers string   // who may approve jobs that CircleCI holds, for people; empty: nobody through this service
	Ask           []string // ids of the channels in which a deployment may be asked for; nil: in any
}

// Links are the addresses of web pages, without a slash at the end. Empty: nothing is linked.
type Links struct {
	GitHub   string // https://github.com
	CircleCI string // https://app.circleci.com
}

// app is what people call what is deployed.
func (f Facts) app() string {
	if f.Route.App != "" {
		return f.Route.App
	}
	return f.Deployment.Request.Repository.Name
}

// deciding is the outcome of the rules that decided; the zero Outcome: none is known, or all allow it.
func (f Facts) deciding() policy.Outcome {
	if f.Verdict == nil {
		return policy.Outcome{}
	}
	return f.Verdict.Deciding()
}

// NeedsApproval says whether a waiting deployment lacks approvals.
func (f Facts) NeedsApproval() bool {
	if f.Deployment.State != deployment.Waiting || f.Verdict == nil {
		return false
	}
	return slices.ContainsFunc(f.Verdict.Outcomes, isMissingApproval)
}

func isMissingApproval(o policy.Outcome) bool {
	return o.Code == policy.CodeApprovalsMissing && o.Decision == policy.DecisionWait
}

// ButtonsUnknown says whether it is not known now which buttons a card has: CircleCI did not say which jobs it holds, or
// GitHub whether those who approved still may. The card then keeps the buttons that it has.
func (f Facts) ButtonsUnknown() bool {
	switch f.Deployment.State {
	case deployment.Held:
		return f.HeldUnknown && f.Route.HoldApprovers != "" && f.Deployment.Cancel == nil
	case deployment.Waiting:
		return f.Verdict != nil && slices.ContainsFunc(f.Verdict.Outcomes, func(o policy.Outcome) bool {
			return o.Rule == policy.RuleApprovals && o.Code == policy.CodeUnknown
		})
	default:
		return false
	}
}

// Generation returns what is the same for two cards of a deployment if their buttons mean the same: 12 hex digits
// over the state, the buttons, the commit, what an approval binds and what the buttons act on. That something
// merely goes on changes nothing.
func Generation(f Facts) string {
	d := f.Deployment
	meaning := struct {
		Row        int64
		State      deployment.State
		Verbs      []string
		SHA        string
		Parameters string
		Payload    string
		Lock       int64
		Current    int64
		Back       int64 `json:",omitzero"`
	}{Row: d.Row, State: d.State, SHA: d.Request.SHA, Parameters: d.Target.Digest(), Payload: d.Request.PayloadDigest}

	for _, b := range buttons(f) {
		switch b.Verb {
		case VerbOpen, VerbWhy:
			continue
		case VerbAskForLock:
			meaning.Lock = f.Lock.ID
		case VerbRollback:
			meaning.Current, meaning.Back = f.Current.DeploymentID, f.Back.DeploymentID
		}
		meaning.Verbs = append(meaning.Verbs, string(b.Verb)+" "+b.Job)
	}

	text, _ := json.Marshal(meaning) // it has no field that can fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// commitURL is the page of a commit at GitHub; empty: there is none.
func (f Facts) commitURL(sha string) string {
	if f.Links.GitHub == "" || sha == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/commit/%s", f.Links.GitHub, f.Deployment.Request.Repository.FullName(), sha)
}

// compareURL is the page at GitHub that shows what the deployment changes; empty: there is none.
func (f Facts) compareURL() string {
	sha := f.Deployment.Request.SHA
	if f.Links.GitHub == "" || sha == "" || f.Before == nil || strings.EqualFold(f.Before.SHA, sha) {
		return ""
	}

	const format = "%s/%s/compare/%s...%s"
	return fmt.Sprintf(format, f.Links.GitHub, f.Deployment.Request.Repository.FullName(), f.Before.SHA, sha)
}

// logURL is the page at CircleCI on which the deployment runs; empty: there is none.
func (f Facts) logURL() string {
	d := f.Deployment
	switch {
	case d.Pipeline == nil:
		return ""
	case strings.HasPrefix(d.LastReport.LogURL, f.Links.CircleCI+"/") && f.Links.CircleCI != "":
		return d.LastReport.LogURL
	case d.Pipeline.Number != 0 && f.Links.CircleCI != "":
		return deployment.PipelineURL(f.Links.CircleCI, *d.Pipeline)
	default:
		return ""
	}
}
