package deployment

import (
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	for _, c := range []struct {
		ref  string
		want Ref
		full string
	}{
		{ref: "main", want: Ref{RefBare, "main"}, full: "main"},
		{ref: "refs/heads/a/b", want: Ref{RefBranch, "a/b"}, full: "refs/heads/a/b"},
		{ref: "heads/main", want: Ref{RefBranch, "main"}, full: "refs/heads/main"},
		{ref: "refs/tags/v1", want: Ref{RefTag, "v1"}, full: "refs/tags/v1"},
		{ref: "tags/v1.0", want: Ref{RefTag, "v1.0"}, full: "refs/tags/v1.0"},
		{ref: "refs/pull/1654/merge", want: Ref{RefPull, "pull/1654/merge"}, full: "refs/pull/1654/merge"},
		{ref: "refs/pull/12/head", want: Ref{RefPull, "pull/12/head"}, full: "refs/pull/12/head"},
		{ref: "pull/12/head", want: Ref{RefPull, "pull/12/head"}, full: "refs/pull/12/head"},
		{ref: "pull/request", want: Ref{RefBare, "pull/request"}, full: "pull/request"},
		{ref: "refs/notes/commits", want: Ref{RefOther, "refs/notes/commits"}, full: "refs/notes/commits"},
		{ref: "refs/pull/12/other", want: Ref{RefOther, "refs/pull/12/other"}, full: "refs/pull/12/other"},
		{ref: testSHA, want: Ref{RefSHA, testSHA}, full: testSHA},
		{ref: testSHA[:39], want: Ref{RefBare, testSHA[:39]}, full: testSHA[:39]},
	} {
		t.Run(c.ref, func(t *testing.T) {
			got := ParseRef(c.ref)
			if got != c.want || got.Full() != c.full {
				t.Errorf("got %+v, full name %q, want %+v, full name %q", got, got.Full(), c.want, c.full)
			}
		})
	}
}

func TestRef_ShortOf(t *testing.T) {
	for _, c := range []struct {
		name string
		ref  string
		want bool
	}{
		{name: "beginning", ref: testSHA[:7], want: true},
		{name: "upper case", ref: strings.ToUpper(testSHA[:12]), want: true},
		{name: "too short", ref: testSHA[:3], want: false},
		{name: "other commit", ref: otherSHA[:7], want: false},
		{name: "whole", ref: testSHA, want: false},
		{name: "branch by its full name", ref: "refs/heads/" + testSHA[:7], want: false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ParseRef(c.ref).ShortOf(testSHA); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestResolveRef(t *testing.T) {
	const moved = "main moved: wanted a1b2c3d, is 0f0f0f0"
	branch, tag := Ref{RefBranch, "main"}, Ref{RefTag, "main"}

	for _, c := range []struct {
		name    string
		ref     string
		at      Heads
		any     bool // the commit need not be the deployment's
		want    Ref
		problem string
	}{
		{name: "branch", ref: "refs/heads/main", at: Heads{Branch: testSHA}, want: branch},
		{name: "branch that moved", ref: "refs/heads/main", at: Heads{Branch: otherSHA}, problem: moved},
		{name: "branch that may move", ref: "refs/heads/main", at: Heads{Branch: otherSHA}, any: true, want: branch},
		{name: "no branch", ref: "refs/heads/main", problem: "GitHub shows no branch main"},
		{name: "tag", ref: "refs/tags/main", at: Heads{Tag: testSHA}, want: tag},
		{name: "tag that moved", ref: "refs/tags/main", at: Heads{Tag: otherSHA}, problem: moved},
		{
			name: "merge of a pull request",
			ref:  "refs/pull/1/merge",
			at:   Heads{Pull: testSHA},
			want: Ref{RefPull, "pull/1/merge"},
		},
		{name: "bare name of a branch", ref: "main", at: Heads{Branch: testSHA}, want: branch},
		{name: "bare name of a tag", ref: "main", at: Heads{Tag: testSHA}, want: tag},
		{name: "the branch is another commit", ref: "main", at: Heads{Branch: otherSHA, Tag: testSHA}, want: tag},
		{name: "the tag is another commit", ref: "main", at: Heads{Branch: testSHA, Tag: otherSHA}, want: branch},
		{
			name:    "both",
			ref:     "main",
			at:      Heads{Branch: testSHA, Tag: testSHA},
			problem: "main is a branch and a tag: write refs/heads/main or refs/tags/main",
		},
		{name: "neither", ref: "main", problem: "GitHub shows no branch and no tag main"},
		{name: "bare name that moved", ref: "main", at: Heads{Branch: otherSHA}, problem: moved},
		{name: "bare tag that moved", ref: "main", at: Heads{Tag: otherSHA}, problem: moved},
		{
			name:    "both moved",
			ref:     "main",
			at:      Heads{Branch: otherSHA, Tag: strings.Repeat("1", 40)},
			problem: "main moved: wanted a1b2c3d, the branch is 0f0f0f0, the tag is 1111111",
		},
		{name: "bare name that may move", ref: "main", at: Heads{Branch: otherSHA}, any: true, want: branch},
		{
			name:    "both may move",
			ref:     "main",
			at:      Heads{Branch: otherSHA, Tag: otherSHA},
			any:     true,
			problem: "main is a branch and a tag: write refs/heads/main or refs/tags/main",
		},
		{
			name:    "no branch and no tag",
			ref:     "refs/notes/commits",
			problem: "refs/notes/commits is no branch and no tag, which is all that CircleCI builds",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problem := ResolveRef(ParseRef(c.ref), testSHA, c.at, !c.any)
			if problem != c.problem {
				t.Errorf("got problem %q, want %q", problem, c.problem)
			}
			if problem == "" && got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTarget_MustBeAtSHA(t *testing.T) {
	config := Ref{RefBranch, "config"}

	for _, c := range []struct {
		name     string
		target   Target
		hasRules bool
		ref      bool // the ref that is built must be at the commit
		config   bool // so must the ref of the configuration
		resolved bool // GitHub is asked
	}{
		{name: "no rules, branch, strict", target: Target{Ref: ParseRef("heads/a"), Revision: RevisionStrict}, ref: true},
		{name: "no rules, branch, note", target: Target{Ref: ParseRef("heads/a"), Revision: RevisionNote}},
		{name: "no rules, bare, note", target: Target{Ref: ParseRef("a"), Revision: RevisionNote}, resolved: true},
		{
			name:     "rules, requester's configuration, note",
			target:   Target{Ref: ParseRef("heads/a"), Revision: RevisionNote},
			hasRules: true,
			ref:      true,
			resolved: true,
		},
		{
			name:     "rules, fixed configuration, note",
			target:   Target{Ref: ParseRef("heads/a"), Revision: RevisionNote, FixedRef: true, FixedConfig: true},
			hasRules: true,
		},
		{
			name:     "rules, fixed configuration, strict",
			target:   Target{Ref: ParseRef("heads/a"), Revision: RevisionStrict, FixedRef: true, FixedConfig: true},
			hasRules: true,
			ref:      true,
			resolved: true,
		},
		{
			name: "rules, fixed ref, configuration of the requester",
			target: Target{
				Ref:       ParseRef("heads/a"),
				ConfigRef: config,
				Revision:  RevisionNote,
				FixedRef:  true,
			},
			hasRules: true,
			config:   true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref, config := c.target.MustBeAtSHA(c.hasRules), c.target.ConfigMustBeAtSHA(c.hasRules)
			if resolved := c.target.MustBeResolved(c.hasRules); ref != c.ref || config != c.config || resolved != c.resolved {
				t.Errorf("got ref %v, config %v, resolved %v, want %v, %v, %v",
					ref, config, resolved, c.ref, c.config, c.resolved)
			}
		})
	}
}
