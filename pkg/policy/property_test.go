package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// anyScene puts several cases of the tables on top of one another, and binds what approvals there
// are to the rules that come out.
func anyScene(r *rapid.T) *scene {
	list := rulings()
	s := base()
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(list)-1), 1, 6).Draw(r, "cases") {
		list[i].do(s)
	}

	if rapid.Bool().Draw(r, "fresh") {
		s.r.AcceptedAt = s.now
	}

	s.bind()
	return s
}

// bind gives every approval the digest of the rules.
func (s *scene) bind() {
	s.f.Approvals.Value = slices.Clone(s.f.Approvals.Value)
	for i := range s.f.Approvals.Value {
		if s.f.Approvals.Value[i].Policy != "others" {
			s.f.Approvals.Value[i].Policy = s.p.Digest()
		}
	}
}

func hardness(d Decision) int {
	return slices.Index([]Decision{DecisionAllow, DecisionWait, DecisionReject}, d)
}

func TestPropertyOrderOfFactsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := anyScene(r)
		before := said(s.verdict())
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		s.f.Checks.Value, s.f.Locks.Value, s.f.Approvals.Value = slices.Clone(
			s.f.Checks.Value,
		), slices.Clone(
			s.f.Locks.Value,
		), slices.Clone(
			s.f.Approvals.Value,
		)

		shuffle(dice, s.f.Checks.Value)
		shuffle(dice, s.f.Locks.Value)
		shuffle(dice, s.f.Approvals.Value)
		s.f.Required.Value = slices.Clone(s.f.Required.Value)
		shuffle(dice, s.f.Required.Value)
		if got := said(s.verdict()); got != before {
			r.Fatalf("%s, and in another order %s", before, got)
		}
	})
}

func shuffle[T any](dice *rand.Rand, list []T) {
	dice.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func forget[T any](f *Fact[T]) { *f = Unknown[T]("forgotten") }

// forgetting are the facts that can be lost.
var forgetting = []func(*Facts){
	func(f *Facts) { forget(&f.Requester) }, func(f *Facts) { forget(&f.Requester.Value.Permission) }, func(f *Facts) { f.Requester.Value.Teams = nil },
	func(f *Facts) { forget(&f.Forcer) }, func(f *Facts) { f.Forcer.Value.Teams = nil }, func(f *Facts) { forget(&f.Deployed) },
	func(f *Facts) { forget(&f.Compared) }, func(f *Facts) { forget(&f.Checks) }, func(f *Facts) { forget(&f.Required) }, func(f *Facts) { f.After = nil },
	func(f *Facts) { forget(&f.Locks) }, func(f *Facts) { forget(&f.Approvals) }, func(f *Facts) { forget(&f.Queue) },
}

func TestPropertyAnUnknownFactNeverAllows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := anyScene(r)
		before := s.verdict()
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(forgetting)-1), 1, 4).Draw(r, "forgotten") {
			forgetting[i](&s.f)
		}

		if got := s.verdict(); before.Decision != DecisionAllow && got.Decision == DecisionAllow {
			r.Fatalf("%s, and with facts unknown %s", said(before), said(got))
		}
	})
}

// additions are rules that a policy may lack.
var additions = map[string]func(*Policy){
	RuleAllow:        func(p *Policy) { p.Allow = &Subjects{Users: []string{"alice"}} },
	RuleRefs:         func(p *Policy) { p.Refs = []string{"main"} },
	RuleRequireAhead: func(p *Policy) { p.RequireAhead = true },
	RuleChecks:       func(p *Policy) { p.Checks = &Checks{Set: ChecksAll} },
	RuleAfter:        func(p *Policy) { p.After = []string{"staging"} },
	RuleFreeze:       func(p *Policy) { p.Freezes = []Freeze{weekend} },
	RuleApprovals:    func(p *Policy) { p.Approvals = &Approvals{Count: 1, Users: []string{"bob"}} },
}

func (p Policy) has(rule string) bool {
	for _, known := range rules {
		if known.name == rule && known.exists != nil {
			return known.exists(p)
		}
	}
	return false
}

func TestPropertyAnotherRuleNeverAllowsMore(t *testing.T) {
	names := []string{RuleAllow, RuleRefs, RuleRequireAhead, RuleChecks, RuleAfter, RuleFreeze, RuleApprovals}
	rapid.Check(t, func(r *rapid.T) {
		s := anyScene(r)
		before := s.verdict()
		name := rapid.SampledFrom(names).Draw(r, "rule")
		if s.p.has(name) {
			r.Skip()
		}

		additions[name](&s.p)
		s.bind()
		if got := s.verdict(); hardness(got.Decision) < hardness(before.Decision) {
			r.Fatalf("%s, and with %s %s", said(before), name, said(got))
		}
	})
}

func TestPropertyForcePassesOnlyWhatItMay(t *testing.T) {
	firm := []string{RuleAllow, RuleRefs, RuleApprovals, RuleConcurrency}
	rapid.Check(t, func(r *rapid.T) {
		s := anyScene(r)
		s.p.Force, s.r.Force = &Subjects{Users: []string{"id:2"}}, &deployment.Force{By: bob, Reason: "fire"}
		s.bind()
		forced := s.verdict()
		s.r.Force = nil
		plain := s.verdict()
		for _, o := range plain.Outcomes {
			i := slices.IndexFunc(forced.Outcomes, func(f Outcome) bool { return f.Rule == o.Rule })
			switch {
			case slices.Contains(firm, o.Rule) && forced.Outcomes[i] != o:
				r.Fatalf("%+v, and forced %+v", o, forced.Outcomes[i])
			case slices.Contains(firm, o.Rule) && o.Decision != DecisionAllow && hardness(forced.Decision) < hardness(o.Decision):
				r.Fatalf("%s in spite of %+v", said(forced), o)
			case !slices.Contains(firm, o.Rule) && o.Rule != RuleMaxWait && forced.Outcomes[i].Decision != DecisionAllow:
				r.Fatalf("%+v is not passed", forced.Outcomes[i])
			}
		}

		if forced.Forced != slices.ContainsFunc(forced.Outcomes, func(o Outcome) bool { return o.Forced }) {
			r.Fatalf("%+v", forced)
		}
	})
}

func TestPropertyVerdictFitsItsOutcomes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := anyScene(r)
		v := s.verdict()
		hardest, waits := DecisionAllow, 0
		for _, o := range v.Outcomes {
			if hardness(o.Decision) > hardness(hardest) {
				hardest = o.Decision
			}
			if o.Decision == DecisionWait && o.Rule != RuleConcurrency {
				waits++
			}
			if !o.Until.IsZero() && !o.Until.After(s.now) || o.Decision == DecisionAllow && !o.Until.IsZero() {
				r.Fatalf("%+v is over at %s", o, s.now)
			}
		}

		switch first := v.First(); {
		case v.Decision != hardest:
			r.Fatalf("%s of %+v", v.Decision, v.Outcomes)
		case !v.Until.IsZero() && (!v.Until.After(s.now) || v.Decision != DecisionWait):
			r.Fatalf("%s at %s", said(v), s.now)
		case v.Cancels != 0 && (v.Decision != DecisionWait || waits > 0 || first.Code != CodeCanceling):
			r.Fatalf("%s", said(v))
		case v.Unsure() != slices.ContainsFunc(v.Outcomes, func(o Outcome) bool { return o.Code == CodeUnknown }):
			r.Fatalf("%s", said(v))
		}
	})
}

// What our own rows allow may still be turned away, but what they turn away is never allowed.
func TestPropertyHereIsPartOfTheWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := anyScene(r)
		if s.now.Sub(s.r.AcceptedAt) > time.Hour {
			s.r.AcceptedAt = s.now
		}

		here, whole := s.p.EvaluateLocal(s.r, s.f, s.now), s.verdict()
		if hardness(whole.Decision) < hardness(here.Decision) || here.Cancels != 0 {
			r.Fatalf("here %s, but %s", said(here), said(whole))
		}
	})
}

// Globs agree with the way that route tables read them, but for case.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		glob, text string
		want       bool
	}{
		{"", "", true}, {"*", "", true}, {"?", "", false}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"*/x", "a/b/x", true}, {"?", "ü", true}, {"??", "ü", false},
		{"*ü", "aüü", true}, {"A", "a", false}, {"a*b*c", "a-b-b-c", true}, {"**", "x", true}, {"v?.?", "v1.2", true}, {"[a]", "a", false}, {"a?b", "a/b", true}, {"a.c", "abc", false},
	} {
		if got := Match(c.glob, c.text); got != c.want {
			t.Errorf("%q on %q: %v", c.glob, c.text, got)
		}
	}
}
