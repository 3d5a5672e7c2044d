package policy

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// evaluateRefs says whether the ref may be deployed.
func (e *evaluation) evaluateRefs() Outcome {
	ref := e.request.Ref
	if ref == "" {
		return wait(CodeUnknown, "the ref, which the question does not name")
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
	return len(p.Refs) == 0 || slices.ContainsFunc(p.Refs, func(glob string) bool { return matchRef(glob, ref) })
}

// matchRef says whether a ref fits a glob.
//
// A glob that begins with refs/ is compared with the full form of the ref. A bare name counts as the
// branch of that name, never as a tag, and a commit has no full form.
//
// Any other glob is compared with the short name, and only of branches and of refs that were sent
// without refs/. So a tag, or the ref of a pull request, cannot pass as the branch of the same name.
func matchRef(glob, ref string) bool {
	parsed := deployment.ParseRef(ref)
	bare := !strings.HasPrefix(ref, "refs/")

	if !strings.HasPrefix(glob, "refs/") {
		return (bare || parsed.Kind == deployment.RefBranch) && Match(glob, parsed.Name)
	}

	if bare && parsed.Kind == deployment.RefBare {
		ref = "refs/heads/" + ref
	}

	return strings.HasPrefix(ref, "refs/") && Match(glob, ref)
}
