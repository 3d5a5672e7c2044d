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
func drawScenario(r *rapid.T) *scenario {
	list := allCases()
	s := newScenario()
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(list)-1), 1, 6).Draw(r, "cases") {
		list[i].given(s)
	}

	if rapid.Bool().Draw(r, "fresh") {
		s.request.AcceptedAt = s.now
	}

	s.bindApprovals()
	return s
}

// bind gives every approval the digest of the rules.
func (s *scenario) bindApprovals() {
	s.facts.Approvals.Value = slices.Clone(s.facts.Approvals.Value)
	for i := range s.facts.Approvals.Value {
		if s.facts.Approvals.Value[i].Policy != "others" {
			s.facts.Approvals.Value[i].Policy = s.policy.Digest()
		}
	}
}

func decisionRank(d Decision) int {
	return slices.Index([]Decision{DecisionAllow, DecisionWait, DecisionReject}, d)
}

func TestPropertyOrderOfFactsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		before := summarize(s.evaluate())
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		s.facts.Checks.Value, s.facts.Locks.Value, s.facts.Approvals.Value = slices.Clone(
			s.facts.Checks.Value,
		), slices.Clone(
			s.facts.Locks.Value,
		), slices.Clone(
			s.facts.Approvals.Value,
		)

		shuffle(dice, s.facts.Checks.Value)
		shuffle(dice, s.facts.Locks.Value)
		shuffle(dice, s.facts.Approvals.Value)
		s.facts.Required.Value = slices.Clone(s.facts.Required.Value)
		shuffle(dice, s.facts.Required.Value)
		if got := summarize(s.evaluate()); got != before {
			r.Fatalf("%s, and in another order %s", before, got)
		}
	})
}

func shuffle[T any](dice *rand.Rand, list []T) {
	dice.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func removeFact[T any](f *Fact[T]) { *f = Unknown[T]("forgotten") }

// forgetting are the facts that can be lost.
var factRemovals = []func(*Facts){
	func(f *Facts) { removeFact(&f.Requester) }, func(f *Facts) { removeFact(&f.Requester.Value.Permission) }, func(f *Facts) { f.Requester.Value.Teams = nil },
	func(f *Facts) { removeFact(&f.Forcer) }, func(f *Facts) { f.Forcer.Value.Teams = nil }, func(f *Facts) { removeFact(&f.Deployed) },
	func(f *Facts) { removeFact(&f.Compared) }, func(f *Facts) { removeFact(&f.Checks) }, func(f *Facts) { removeFact(&f.Required) }, func(f *Facts) { f.After = nil },
	func(f *Facts) { removeFact(&f.Locks) }, func(f *Facts) { removeFact(&f.Approvals) }, func(f *Facts) { removeFact(&f.Queue) },
}

func TestPropertyAnUnknownFactNeverAllows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		before := s.evaluate()
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(factRemovals)-1), 1, 4).Draw(r, "forgotten") {
			factRemovals[i](&s.facts)
		}

		if got := s.evaluate(); before.Decision != DecisionAllow && got.Decision == DecisionAllow {
			r.Fatalf("%s, and with facts unknown %s", summarize(before), summarize(got))
		}
	})
}

// additions are rules that a policy may lack.
var ruleAdditions = map[string]func(*Policy){
	RuleAllow:        func(p *Policy) { p.Allow = &Subjects{Users: []string{"alice"}} },
	RuleRefs:         func(p *Policy) { p.Refs = []string{"main"} },
	RuleRequireAhead: func(p *Policy) { p.RequireAhead = true },
	RuleChecks:       func(p *Policy) { p.Checks = &Checks{Set: ChecksAll} },
	RuleAfter:        func(p *Policy) { p.After = []string{"staging"} },
	RuleFreeze:       func(p *Policy) { p.Freezes = []Freeze{weekend} },
	RuleApprovals:    func(p *Policy) { p.Approvals = &Approvals{Count: 1, Users: []string{"bob"}} },
}

func (p Policy) hasRule(rule string) bool {
	for _, known := range rules {
		if known.name == rule && known.configured != nil {
			return known.configured(p)
		}
	}
	return false
}

func TestPropertyAnotherRuleNeverAllowsMore(t *testing.T) {
	names := []string{RuleAllow, RuleRefs, RuleRequireAhead, RuleChecks, RuleAfter, RuleFreeze, RuleApprovals}
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		before := s.evaluate()
		name := rapid.SampledFrom(names).Draw(r, "rule")
		if s.policy.hasRule(name) {
			r.Skip()
		}

		ruleAdditions[name](&s.policy)
		s.bindApprovals()
		if got := s.evaluate(); decisionRank(got.Decision) < decisionRank(before.Decision) {
			r.Fatalf("%s, and with %s %s", summarize(before), name, summarize(got))
		}
	})
}

func TestPropertyForcePassesOnlyWhatItMay(t *testing.T) {
	firm := []string{RuleAllow, RuleRefs, RuleApprovals, RuleConcurrency}
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		s.policy.Force, s.request.Force = &Subjects{Users: []string{"id:2"}}, &deployment.Force{By: bob, Reason: "fire"}
		s.bindApprovals()
		forced := s.evaluate()
		s.request.Force = nil
		plain := s.evaluate()
		for _, o := range plain.Outcomes {
			i := slices.IndexFunc(forced.Outcomes, func(f Outcome) bool { return f.Rule == o.Rule })
			switch {
			case slices.Contains(firm, o.Rule) && forced.Outcomes[i] != o:
				r.Fatalf("%+v, and forced %+v", o, forced.Outcomes[i])
			case slices.Contains(firm, o.Rule) && o.Decision != DecisionAllow && decisionRank(forced.Decision) < decisionRank(o.Decision):
				r.Fatalf("%s in spite of %+v", summarize(forced), o)
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
		s := drawScenario(r)
		v := s.evaluate()
		hardest, waits := DecisionAllow, 0
		for _, o := range v.Outcomes {
			if decisionRank(o.Decision) > decisionRank(hardest) {
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
			r.Fatalf("%s at %s", summarize(v), s.now)
		case v.Cancels != 0 && (v.Decision != DecisionWait || waits > 0 || first.Code != CodeCanceling):
			r.Fatalf("%s", summarize(v))
		case v.Unsure() != slices.ContainsFunc(v.Outcomes, func(o Outcome) bool { return o.Code == CodeUnknown }):
			r.Fatalf("%s", summarize(v))
		}
	})
}

// What our own rows allow may still be turned away, but what they turn away is never allowed.
func TestPropertyHereIsPartOfTheWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		if s.now.Sub(s.request.AcceptedAt) > time.Hour {
			s.request.AcceptedAt = s.now
		}

		here, whole := s.policy.EvaluateLocal(s.request, s.facts, s.now), s.evaluate()
		if decisionRank(whole.Decision) < decisionRank(here.Decision) || here.Cancels != 0 {
			r.Fatalf("here %s, but %s", summarize(here), summarize(whole))
		}
	})
}

// Globs agree with the way that route tables read them, but for case.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		glob, text string
		want       bool
	}{
		{want: true},
		{glob: "*", want: true},
		{glob: "?"},
		{glob: "a*c", text: "abbc", want: true},
		{glob: "a*c", text: "abb"},
		{glob: "*/x", text: "a/b/x", want: true},
		{glob: "?", text: "ü", want: true},
		{glob: "??", text: "ü"},
		{glob: "*ü", text: "aüü", want: true},
		{glob: "A", text: "a"},
		{glob: "a*b*c", text: "a-b-b-c", want: true},
		{glob: "**", text: "x", want: true},
		{glob: "v?.?", text: "v1.2", want: true},
		{glob: "[a]", text: "a"},
		{glob: "a?b", text: "a/b", want: true},
		{glob: "a.c", text: "abc"},
	} {
		if got := Match(c.glob, c.text); got != c.want {
			t.Errorf("%q on %q: %v", c.glob, c.text, got)
		}
	}
}
