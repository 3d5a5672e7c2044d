package policy

import (
	"testing"
)

const mainNotAllowed = "reject ref_not_allowed: main may not be deployed to production (allowed: "

var refCases = []verdictCase{
	{name: "branch name", given: allowedRefs("main"), want: "allow"},
	{
		name:  "one of several globs",
		given: combine(allowedRefs("release/*", "main"), requestedRef("release/1/2")),
		want:  "allow",
	},
	{
		name:  "none of several globs",
		given: allowedRefs("release/*", "hotfix-?"),
		want:  mainNotAllowed + "release/*, hotfix-?)",
	},
	{name: "case counts", given: allowedRefs("Main"), want: mainNotAllowed + "Main)"},
	{
		name:  "star matches slashes",
		given: combine(allowedRefs("feature/*"), requestedRef("feature/a/b")),
		want:  "allow",
	},
	{name: "question mark matches one character", given: combine(allowedRefs("v?"), requestedRef("v1")), want: "allow"},
	{
		name:  "question mark does not match two",
		given: combine(allowedRefs("v?"), requestedRef("v12")),
		want:  "reject ref_not_allowed: v12 may not be deployed to production (allowed: v?)",
	},
	{
		name:  "full branch, short glob",
		given: combine(allowedRefs("main"), requestedRef("refs/heads/main")),
		want:  "allow",
	},
	{
		name:  "full tag, short glob",
		given: combine(allowedRefs("v*"), requestedRef("refs/tags/v1")),
		want:  "reject ref_not_allowed: refs/tags/v1 may not be deployed to production (allowed: v*)",
	},
	{
		name:  "tag with a branch's name",
		given: combine(allowedRefs("main"), requestedRef("refs/tags/main")),
		want:  "reject ref_not_allowed: refs/tags/main may not be deployed to production (allowed: main)",
	},
	{
		name:  "tag, any branch allowed",
		given: combine(allowedRefs("*"), requestedRef("refs/tags/v1")),
		want:  "reject ref_not_allowed: refs/tags/v1 may not be deployed to production (allowed: *)",
	},
	{
		name:  "pull request, any branch allowed",
		given: combine(allowedRefs("*"), requestedRef("refs/pull/1/head")),
		want:  "reject ref_not_allowed: refs/pull/1/head may not be deployed to production (allowed: *)",
	},
	{
		name:  "branch with a tag's full name",
		given: combine(allowedRefs("*"), requestedRef("refs/heads/refs/tags/v1")),
		want:  "allow",
	},
	{
		name:  "full branch, full glob",
		given: combine(allowedRefs("refs/heads/main"), requestedRef("refs/heads/main")),
		want:  "allow",
	},
	{name: "bare name, full branch glob", given: allowedRefs("refs/heads/main"), want: "allow"},
	{
		name:  "full tag, full tag glob",
		given: combine(allowedRefs("refs/tags/v*"), requestedRef("refs/tags/v1")),
		want:  "allow",
	},
	{
		name:  "bare name, full tag glob",
		given: combine(allowedRefs("refs/tags/v*"), requestedRef("v1")),
		want:  "reject ref_not_allowed: v1 may not be deployed to production (allowed: refs/tags/v*)",
	},
	{
		name:  "full tag, full branch glob",
		given: combine(allowedRefs("refs/heads/*"), requestedRef("refs/tags/v1")),
		want:  "reject ref_not_allowed: refs/tags/v1 may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "commit, full branch glob",
		given: combine(allowedRefs("refs/heads/*"), requestedRef(newCommit)),
		want:  "reject ref_not_allowed: " + newCommit + " may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "commit, short glob",
		given: combine(allowedRefs("*"), requestedRef(newCommit)),
		want:  "reject ref_not_allowed: " + newCommit + " may not be deployed to production (allowed: *)",
	},
	{
		name:  "commit that a glob names",
		given: combine(allowedRefs(newCommit), requestedRef(newCommit)),
		want:  "allow",
	},
	{
		name:  "tag without refs/, any branch allowed",
		given: combine(allowedRefs("*"), requestedRef("tags/v1")),
		want:  "reject ref_not_allowed: tags/v1 may not be deployed to production (allowed: *)",
	},
	{
		name:  "tag without refs/, any full branch allowed",
		given: combine(allowedRefs("refs/heads/*"), requestedRef("tags/v1")),
		want:  "reject ref_not_allowed: tags/v1 may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "pull request without refs/, any branch allowed",
		given: combine(allowedRefs("*", "refs/heads/*"), requestedRef("pull/1/head")),
		want:  "reject ref_not_allowed: pull/1/head may not be deployed to production (allowed: *, refs/heads/*)",
	},
	{
		name:  "what looks like the ref of a pull request",
		given: combine(allowedRefs("*"), requestedRef("pull/1/evil")),
		want:  "reject ref_not_allowed: pull/1/evil may not be deployed to production (allowed: *)",
	},
	{
		name:  "remote branch without refs/, any branch allowed",
		given: combine(allowedRefs("*"), requestedRef("remotes/origin/main")),
		want:  "reject ref_not_allowed: remotes/origin/main may not be deployed to production (allowed: *)",
	},
	{
		name:  "branch that only resembles one of these",
		given: combine(allowedRefs("*"), requestedRef("tagsoup")),
		want:  "allow",
	},
	{
		name:  "pull request, full branch glob",
		given: combine(allowedRefs("refs/heads/*"), requestedRef("refs/pull/1/head")),
		want:  "reject ref_not_allowed: refs/pull/1/head may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "pull request, any full ref allowed",
		given: combine(allowedRefs("refs/*"), requestedRef("refs/pull/1/head")),
		want:  "allow",
	},
	{
		name:  "many globs",
		given: allowedRefs("a", "b", "c", "d", "e"),
		want:  mainNotAllowed + "a, b, c and 2 more)",
	},
	{
		name:  "question without a ref",
		given: combine(asQuestion, allowedRefs("main"), requestedRef("")),
		want:  "wait unknown: the ref, which the question does not name",
	},
	{name: "question without a ref, no refs rule", given: combine(asQuestion, requestedRef("")), want: "allow"},
}

func TestEvaluate_Refs(t *testing.T) { runVerdictCases(t, refCases) }
