package policy

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func (j *evaluation) refs() Outcome {
	ref := j.r.Ref
	switch {
	case ref == "":
		return unknown("the ref", "the question names none")
	case j.p.FitsRef(ref):
		return allow("%s may go there", shown(ref))
	}

	o := reject(
		CodeRefNotAllowed,
		"%s may not be deployed to %s: only %s may",
		shown(ref),
		j.r.Environment,
		few(j.p.Refs),
	)

	o.Who = "a deployment of another ref"
	return o
}

// FitsRef says whether the rules let a ref go there, as far as refs are concerned.
func (p Policy) FitsRef(ref string) bool {
	return len(p.Refs) == 0 || slices.ContainsFunc(p.Refs, func(glob string) bool { return fitsRef(glob, ref) })
}

// fitsRef says whether a ref fits a glob. One that does not name refs/ is for branches, by their
// names, and for what is sent without refs/: who may only push a tag, or open a pull request, must
// not pass by it. One that names refs/ wants the full form; a bare name has that of a branch, never
// of a tag, and a commit has none.
func fitsRef(glob, ref string) bool {
	parsed, bare := deployment.ParseRef(ref), !strings.HasPrefix(ref, "refs/")
	if !strings.HasPrefix(glob, "refs/") {
		return (bare || parsed.Kind == deployment.RefBranch) && Match(glob, parsed.Name)
	}
	if bare && parsed.Kind == deployment.RefBare {
		ref = "refs/heads/" + ref
	}
	return strings.HasPrefix(ref, "refs/") && Match(glob, ref)
}

// ahead wants the commit to contain what is deployed.
func (j *evaluation) ahead() Outcome {
	deployed, compared := j.f.Deployed, j.f.Compared
	switch {
	case !deployed.Known:
		return unknown("what is deployed to "+j.r.Environment, deployed.Problem)
	case deployed.Value == "":
		return allow("nothing is known to be deployed there")
	case strings.EqualFold(deployed.Value, j.r.SHA):
		return allow("%s is deployed there now", short(j.r.SHA))
	case !compared.Known:
		return unknown("how "+short(j.r.SHA)+" stands to "+short(deployed.Value), compared.Problem)
	}

	switch compared.Value {
	case Ahead, Identical:
		return allow("%s contains %s, which is deployed there", short(j.r.SHA), short(deployed.Value))
	case Behind, Diverged:
		o := reject(
			CodeNotAhead,
			"%s does not contain %s, which is deployed there (%s)",
			short(j.r.SHA),
			short(deployed.Value),
			compared.Value,
		)

		o.Who = j.passers("a newer commit")
		return o
	default:
		return unknown("how "+short(j.r.SHA)+" stands to "+short(deployed.Value), string(compared.Value))
	}
}

// passers adds those who may force to what else would help.
func (j *evaluation) passers(otherwise string) string {
	if j.p.Force == nil {
		return otherwise
	}
	return otherwise + ", or " + j.p.Force.String() + " by force"
}

// first are the environments that come before a request's own. One of the list needs only those
// that stand before it, so that a route for all environments does not have them wait for
// themselves.
func (p Policy) first(r Request) []string {
	own := slices.IndexFunc(p.After, func(e string) bool { return strings.EqualFold(e, r.Environment) })
	if own < 0 {
		return p.After
	}
	return p.After[:own]
}

// after wants the commit to have succeeded elsewhere. The hardest word of all environments counts.
func (j *evaluation) after() Outcome {
	first := j.p.first(j.r)
	if len(first) == 0 {
		return allow("%s comes first", j.r.Environment)
	}

	worst := allow("%s has succeeded in %s", short(j.r.SHA), few(first))
	for _, environment := range first {
		o := j.afterOne(environment)
		if o.Decision == DecisionReject {
			return o
		}
		if o.Decision == DecisionWait && worst.Decision == DecisionAllow {
			worst = o
		}
	}

	return worst
}

func (j *evaluation) afterOne(environment string) Outcome {
	past, sha := j.f.After[strings.ToLower(environment)], short(j.r.SHA)
	if !past.Known {
		return unknown(sha+" in "+environment, past.Problem)
	}

	switch past.Value {
	case PriorSucceeded:
		return allow("%s has succeeded in %s", sha, environment)
	case PriorOpen:
		return wait(CodeAfterPending, "%s to succeed in %s", sha, environment)
	case PriorNone, PriorFailed:
		o := reject(CodeAfterMissing, "%s has not succeeded in %s", sha, environment)
		o.Who = j.passers("a deployment to " + environment)
		return o
	default:
		return unknown(sha+" in "+environment, string(past.Value))
	}
}
