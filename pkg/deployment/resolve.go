package deployment

import "fmt"

// Heads is what GitHub shows of the refs that a target's ref may be: the commit of each, empty where
// there is no such ref.
type Heads struct {
	Branch string // refs/heads/NAME
	Tag    string // refs/tags/NAME, the commit behind an annotated tag
	Pull   string // refs/pull/N/merge or /head
}

// MustBeAtSHA says whether the target's ref must be at the deployment's commit right before the trigger.
// It must where the route wants the same commit, and where rules have judged that commit and the
// configuration is read from a ref that the requester chooses.
func (t Target) MustBeAtSHA(hasRules bool) bool {
	return t.Revision == RevisionStrict || hasRules && !t.FixedConfig && t.ConfigRef.Name == ""
}

// ConfigMustBeAtSHA says the same of a ref of its own that the configuration is read from.
func (t Target) ConfigMustBeAtSHA(hasRules bool) bool {
	return hasRules && !t.FixedConfig && t.ConfigRef.Name != ""
}

// MustBeResolved says whether the target's ref has to be looked up at GitHub before the trigger: a bare
// name, to learn what it is, and for a route with rules a ref that must be at the deployment's commit.
func (t Target) MustBeResolved(hasRules bool) bool {
	return t.Ref.Kind == RefBare || hasRules && t.MustBeAtSHA(hasRules)
}

// ResolveRef returns the branch, the tag or the pull request's ref that is to be built, or why none may
// be. mustBeAtSHA says that its commit must be sha. A bare name is the branch or the tag of that name
// whose commit is sha. Where neither must be there and neither is, it is the only one of that name.
func ResolveRef(ref Ref, sha string, at Heads, mustBeAtSHA bool) (found Ref, problem string) {
	switch ref.Kind {
	case RefBranch:
		return ref, refProblem("branch "+ref.Name, ref.Name, sha, at.Branch, mustBeAtSHA)
	case RefTag:
		return ref, refProblem("tag "+ref.Name, ref.Name, sha, at.Tag, mustBeAtSHA)
	case RefPull:
		return ref, refProblem("ref "+ref.Full(), ref.Name, sha, at.Pull, mustBeAtSHA)
	case RefBare:
		return resolveBare(ref.Name, sha, at, mustBeAtSHA)
	default:
		return ref, fmt.Sprintf("%s is no branch and no tag, which is all that CircleCI builds", ref.Name)
	}
}

func resolveBare(name, sha string, at Heads, mustBeAtSHA bool) (found Ref, problem string) {
	branch, tag := Ref{Kind: RefBranch, Name: name}, Ref{Kind: RefTag, Name: name}
	const both = "%s is a branch and a tag: write refs/heads/%s or refs/tags/%s"

	switch {
	case at.Branch == "" && at.Tag == "":
		return Ref{}, fmt.Sprintf("GitHub shows no branch and no tag %s", name)
	case at.Branch == sha && at.Tag == sha:
		return Ref{}, fmt.Sprintf(both, name, name, name)
	case at.Branch == sha:
		return branch, ""
	case at.Tag == sha:
		return tag, ""
	case at.Tag == "":
		return branch, refProblem("branch "+name, name, sha, at.Branch, mustBeAtSHA)
	case at.Branch == "":
		return tag, refProblem("tag "+name, name, sha, at.Tag, mustBeAtSHA)
	case mustBeAtSHA:
		return Ref{}, fmt.Sprintf("%s moved: wanted %s, the branch is %s, the tag is %s",
			name, short(sha), short(at.Branch), short(at.Tag))
	default:
		return Ref{}, fmt.Sprintf(both, name, name, name)
	}
}

// refProblem says why a ref may not be built; empty: it may.
func refProblem(what, name, sha, commit string, mustBeAtSHA bool) string {
	switch {
	case commit == "":
		return "GitHub shows no " + what
	case mustBeAtSHA && commit != sha:
		return fmt.Sprintf("%s moved: wanted %s, is %s", name, short(sha), short(commit))
	default:
		return ""
	}
}

// RefsHiddenError says that GitHub shows a repository to the credentials, but none of its refs.
type RefsHiddenError struct{ Err error }

// Error names the permission that is missing.
func (e *RefsHiddenError) Error() string {
	return "read refs: the credentials need the permission contents: read: " + e.Err.Error()
}

// Unwrap returns what GitHub said.
func (e *RefsHiddenError) Unwrap() error { return e.Err }
