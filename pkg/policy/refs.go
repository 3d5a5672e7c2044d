package policy

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// evaluateRefs says whether the ref may be deployed: the one that was asked for and, where the route's
// template makes another one of it, the one that is built.
func (e *evaluation) evaluateRefs() Outcome {
	ref := e.request.Ref
	if ref == "" {
		return wait(CodeUnknown, "the ref, which the question does not name")
	}
	if built := e.request.BuildRef; built != "" && e.policy.AllowsRef(ref) {
		ref = built
	}
	if e.policy.AllowsRef(ref) {
		return allow("%s may be deployed to %s", truncateName(ref), e.request.Environment)
	}

	o := reject(CodeRefNotAllowed, "%s may not be deployed to %s (allowed: %s)",
		truncateName(ref), e.request.Environment, listNames(e.policy.Refs))
	o.Who = "a deployment of another ref"
	return o
}

// AllowsRef says whether the refs rule lets a ref be deployed.
func (p Policy) AllowsRef(ref string) bool {
	return len(p.Refs) == 0 || slices.ContainsFunc(p.Refs, func(glob string) bool {
		if prefix := notBranch(ref); prefix != "" {
			return strings.HasPrefix(glob, prefix) && Match(glob, ref)
		}
		return matchRef(glob, ref)
	})
}

// notBranch returns the part of a bare name by which it is no branch: a commit, or a name that GitHub may
// read as a full name without refs/. A glob must begin with that part to match the ref, so that * stands
// for branches only.
func notBranch(ref string) string {
	parsed := deployment.ParseRef(ref)
	if parsed.Kind == deployment.RefSHA {
		return ref
	}
	if parsed.Kind != deployment.RefBare {
		return ""
	}

	for _, prefix := range []string{"pull/", "remotes/"} {
		if strings.HasPrefix(ref, prefix) {
			return prefix
		}
	}

	return ""
}

// matchRef says whether a ref fits a glob.
//
// A glob that begins with refs/ is compared with the full form of the ref. A bare name counts as the
// branch of that name, never as a tag, and a commit has no full form.
//
// Any other glob is compared with the short name, and only of branches, bare names and commits. So a
// tag, or the ref of a pull request, cannot pass as the branch of the same name, however it was sent.
func matchRef(glob, ref string) bool {
	parsed := deployment.ParseRef(ref)

	if !strings.HasPrefix(glob, "refs/") {
		switch parsed.Kind {
		case deployment.RefBare, deployment.RefBranch, deployment.RefSHA:
			return Match(glob, parsed.Name)
		default:
			return false
		}
	}

	full := parsed.Full()
	if parsed.Kind == deployment.RefBare {
		full = "refs/heads/" + full
	}

	return strings.HasPrefix(full, "refs/") && Match(glob, full)
}
