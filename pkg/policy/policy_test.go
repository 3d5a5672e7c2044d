package policy

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var longFreeze = Freeze{From: noon.Add(-time.Hour), To: noon.Add(3 * time.Hour)}

// together are rules beside one another: the hardest word counts, and of its kind the first.
var combinedCases = []verdictCase{
	{
		name: "all hold",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			allowedRefs("main"),
			requireAhead(Known(oldCommit), Known(Ahead)),
			requireChecks(allChecks, checkRun("b", "", Green, 1)),
			requireAfter("dev"),
			priorResult("dev", PriorSucceeded),
			frozenBy(weekend),
			requireApprovals(oneApproval, approvalBy(bob)),
		),
		want: "allow",
	},
	{
		name:  "reject before wait",
		given: combine(requireChecks(allChecks), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "wait before reject",
		given: combine(requireChecks(allChecks, checkRun("b", "", Red, 1)), withLocks(lockBy(1, carol, "x"))),
		want:  `reject checks_failed: check "b" failed`,
	},
	{
		name:  "the first wait speaks",
		given: combine(requireChecks(allChecks), withLocks(lockBy(1, carol, "x"))),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name:  "the first reject speaks",
		given: combine(restrictTo(Subjects{Users: []string{"bob"}}), allowedRefs("x")),
		want:  aliceNotAllowed,
	},
	{
		name: "an unknown fact is no reject",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			requesterUnknown("503"),
			allowedRefs("main"),
		),
		want: "wait unknown: alice's GitHub account, which could not be read (503)",
	},
	{
		name:  "a reject beside an unknown fact",
		given: combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterUnknown("503"), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "the latest of two ends",
		given: combine(frozenBy(longFreeze), withLocks(lockBy(1, carol, "x").until(time.Hour))),
		want:  "wait frozen: the freeze to end (Wed 15:00 UTC) | until 25 Nov 15:00",
	},
	{
		name:  "one without an end",
		given: combine(frozenBy(longFreeze), withLocks(lockBy(1, carol, "x"))),
		want:  "wait frozen: the freeze to end (Wed 15:00 UTC)",
	},
	{
		name:  "frozen and in line",
		given: combine(frozenBy(longFreeze), withQueue(Queue{Holder: 6})),
		want:  "wait frozen: the freeze to end (Wed 15:00 UTC)",
	},
	{
		name:  "a reject has no end",
		given: combine(frozenBy(longFreeze), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "superseded, and not allowed to wait",
		given: combine(withQueue(Queue{Started: 9}), requireChecks(allChecks)),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "approvals beside a lock",
		given: combine(withLocks(lockBy(1, carol, "x")), requireApprovals(twoApprovals, approvalBy(bob))),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "approvals before the line",
		given: combine(requireApprovals(oneApproval), withQueue(Queue{Holder: 6})),
		want:  needsOneApproval,
	},
}

func TestTogether(t *testing.T) { runVerdictCases(t, combinedCases) }

// rulings are all tables.
func allCases() []verdictCase {
	return slices.Concat(
		allowCases,
		refCases,
		aheadCases,
		checkCases,
		afterCases,
		freezeCases,
		lockCases,
		approvalCases,
		concurrencyCases,
		forceCases,
		maxWaitCases,
		combinedCases,
	)
}

// TestCases counts the cases, and wants every message to fit into a status behind "Waiting for ".
func TestCases(t *testing.T) {
	list := allCases()
	t.Logf("%d cases", len(list))
	if len(list) < 150 {
		t.Error("too few")
	}

	for _, c := range list {
		for _, o := range scenarioWith(c.given).evaluate().Outcomes {
			if n := utf8.RuneCountInString("Waiting for " + o.Message); n > deployment.MaxDescription {
				t.Errorf("%s: %d characters: %s", c.name, n, o.Message)
			}
		}
	}
}

func TestNeeds(t *testing.T) {
	people := Subjects{Users: []string{"bob"}, Teams: []string{"Acme/SRE"}, Permission: PermissionWrite}
	asked := &PersonNeeds{Permission: true, Teams: []string{"acme/sre"}}
	for name, c := range map[string]struct {
		do   change
		want Needs
	}{
		"nothing": {do: unchanged, want: Needs{}},
		"refs, freezes, the line": {
			do: combine(
				allowedRefs("x"),
				frozenNow,
				withConcurrency(ConcurrencyCancel),
				whenLocked(RejectMode),
				withMaxWait(1),
			),
			want: Needs{},
		},
		"somebody":            {do: restrictTo(people), want: Needs{Requester: asked}},
		"an app":              {do: combine(restrictTo(people), requestedBy(hubot)), want: Needs{}},
		"a token":             {do: combine(restrictTo(people), requestedBy(token)), want: Needs{}},
		"by id alone":         {do: restrictTo(Subjects{Users: []string{"id:1"}}), want: Needs{}},
		"by another id alone": {do: restrictTo(Subjects{Users: []string{"id:2"}}), want: Needs{}},
		"by id with a permission": {
			do: restrictTo(
				Subjects{Users: []string{"id:1"}, Teams: []string{"acme/sre"}, Permission: PermissionAdmin},
			),
			want: Needs{Requester: &PersonNeeds{Permission: true}},
		},
		"by login":        {do: restrictTo(Subjects{Users: []string{"bob"}}), want: Needs{Requester: &PersonNeeds{}}},
		"everybody":       {do: restrictTo(Subjects{}), want: Needs{}},
		"only apps":       {do: restrictTo(Subjects{Apps: []string{"x"}}), want: Needs{}},
		"ahead":           {do: requireAhead(Known(""), Known(Ahead)), want: Needs{Deployed: true, Compared: true}},
		"checks":          {do: requireChecks(allChecks), want: Needs{Checks: true}},
		"required checks": {do: requireChecks(branchChecks), want: Needs{Checks: true, Required: true}},
		"after":           {do: requireAfter("Staging"), want: Needs{After: []string{"staging"}}},
		"after, of the second": {
			do:   combine(toEnvironment("STAGING"), requireAfter("Dev", "staging", "canary")),
			want: Needs{After: []string{"dev"}},
		},
		"after, of the first":      {do: combine(toEnvironment("dev"), requireAfter("Dev", "staging")), want: Needs{}},
		"approvals":                {do: requireApprovals(twoApprovals), want: Needs{Approvals: true}},
		"approvals, in a question": {do: combine(requireApprovals(twoApprovals), asQuestion), want: Needs{}},
		"force by another":         {do: combine(allowForce(people), forcedBy(bob)), want: Needs{Forcer: asked}},
		"force by the requester": {
			do:   combine(allowForce(people), forcedBy(alice)),
			want: Needs{Requester: asked},
		},
		"force by a token":      {do: combine(allowForce(people), forcedBy(token)), want: Needs{}},
		"force that nobody may": {do: forcedBy(bob), want: Needs{}},
		"no force":              {do: allowForce(people), want: Needs{}},
		"the requester, in two rules": {
			do:   combine(restrictTo(Subjects{Teams: []string{"acme/dba"}}), allowForce(people), forcedBy(alice)),
			want: Needs{Requester: &PersonNeeds{Permission: true, Teams: []string{"acme/dba", "acme/sre"}}},
		},
	} {
		s := scenarioWith(c.do)
		if diff := cmp.Diff(c.want, s.policy.Needs(s.request)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	if ask := (Policy{Approvals: &twoApprovals}).ApproverNeeds(); ask == nil || !slices.Equal(ask.Teams, []string{"acme/sre"}) {
		t.Errorf("%+v", ask)
	}

	if (Policy{}).ApproverNeeds() != nil || (Policy{
		Approvals: &tokenApproval,
	}).ApproverNeeds() != nil || (Policy{
		Approvals: &Approvals{Users: []string{"id:4"}},
	}).ApproverNeeds() != nil {
		t.Error("nothing is to be asked")
	}
}

// Every rule of a policy, and every part of it, is in the digest.
func TestDigest(t *testing.T) {
	full := func() Policy { return fullScenario().policy }
	if a, b := full().Digest(), full().Digest(); a != b || len(a) != 32 {
		t.Errorf("%q, and once more %q", a, b)
	}
	if (Policy{}).Digest() != "44136fa355b3678a1146ad16f7e8649e" {
		t.Errorf("the digest of no rules has changed, and with it every approval is void: %s", Policy{}.Digest())
	}

	seen := map[string]string{full().Digest(): "unchanged"}
	var walk func(v reflect.Value, path string, whole *Policy)
	walk = func(v reflect.Value, path string, whole *Policy) {
		switch {
		case v.Kind() == reflect.Pointer:
			walk(v.Elem(), path, whole)
			return
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name, whole)
			}

			return
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			walk(v.Index(0), path+"[0]", whole)
		}

		before := reflect.ValueOf(v.Interface())
		v.SetZero()
		digest := whole.Digest()
		v.Set(before)
		if other, known := seen[digest]; known && !before.IsZero() {
			t.Errorf("without %s the digest is the same as %s", path, other)
		}

		seen[digest] = "without " + path
	}

	p := full()
	walk(reflect.ValueOf(&p), "policy", &p)
	if len(seen) < 30 {
		t.Errorf("only %d parts were tried", len(seen))
	}
	if !(Policy{}).Empty() || (Policy{Force: &Subjects{}}).Empty() || full().Empty() {
		t.Error("None")
	}
}

// A policy whose rules cannot be written has no digest, and an approval that is bound to nothing
// does not count.
func TestNoDigestNoApproval(t *testing.T) {
	s := scenarioWith(requireApprovals(oneApproval, approvalBy(bob)), frozenBy(Freeze{
		From: noon.AddDate(8000, 0, 0),
		To:   noon.AddDate(8001, 0, 0),
	}))
	s.facts.Approvals.Value[0].Policy = s.policy.Digest()
	if got := summarize(s.evaluate()); s.policy.Digest() != "" || got != needsOneApproval {
		t.Errorf("%q %s", s.policy.Digest(), got)
	}
}

func TestEvaluateHere(t *testing.T) {
	elsewhere := combine(restrictTo(Subjects{
		Users: []string{"bob"},
	}), allowedRefs("x"), failedBuild, requireAfter("dev"), requireAhead(Unknown[string](""), Known(Behind)))
	for name, c := range map[string]struct {
		do   change
		want string
	}{
		"what GitHub would have to say": {do: elsewhere, want: "allow"},
		"a freeze": {
			do:   combine(elsewhere, frozenNow),
			want: "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00",
		},
		"a lock": {
			do:   combine(elsewhere, withLocks(lockBy(1, carol, "x"))),
			want: "wait locked: carol's lock on production: x",
		},
		"approvals under all rules": {
			do:   combine(elsewhere, requireApprovals(oneApproval, approvalBy(bob))),
			want: "allow",
		},
		"no approvals": {do: combine(elsewhere, requireApprovals(oneApproval)), want: needsOneApproval},
		"the line": {
			do:   combine(elsewhere, withQueue(Queue{Holder: 6})),
			want: "wait in_line: deployment 6 of the same environment",
		},
		"one to cancel": {
			do:   combine(elsewhere, withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6})),
			want: "allow",
		},
		"force, whoever may": {
			do:   combine(frozenNow, withLocks(lockBy(1, carol, "x")), forcedBy(dave)),
			want: "allow | forced | passes [1]",
		},
		"force passes no approvals": {
			do:   combine(bobForces, requireApprovals(oneApproval)),
			want: needsOneApproval,
		},
		"too long": {
			do:   combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
			want: "reject waited_too_long: waited 168h for carol's lock on production: x",
		},
	} {
		s := scenarioWith(c.do)
		if got := summarize(s.policy.EvaluateLocal(s.request, s.facts, s.now)); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}

	s := scenarioWith(elsewhere, requireApprovals(twoApprovals))
	if diff := cmp.Diff(Needs{Approvals: true}, s.policy.NeedsLocal(s.request)); diff != "" {
		t.Error(diff)
	}
}

func TestWhoCouldChangeIt(t *testing.T) {
	sreMay := allowForce(Subjects{Teams: []string{"acme/sre"}})
	for name, c := range map[string]struct {
		do   change
		want string
	}{
		"allow": {do: restrictTo(Subjects{Users: []string{"bob", "carol"}}), want: "bob, carol"},
		"permission": {
			do:   restrictTo(Subjects{Permission: PermissionAdmin}),
			want: "anyone with admin permission",
		},
		"checks":             {do: combine(failedBuild, sreMay), want: "a rerun and a new deployment, or acme/sre by force"},
		"pending checks":     {do: combine(requireChecks(allChecks), sreMay), want: "acme/sre, by force"},
		"nobody":             {do: requireChecks(allChecks)},
		"after":              {do: combine(requireAfter("dev"), priorResult("dev", PriorNone)), want: "a deployment to dev"},
		"freeze":             {do: combine(frozenNow, sreMay), want: "acme/sre, by force"},
		"lock":               {do: withLocks(lockBy(1, carol, "x")), want: "carol, or an admin"},
		"approvals":          {do: requireApprovals(twoApprovals), want: "bob, acme/sre"},
		"force":              {do: combine(sreMay, forcedBy(bob), forcerFacts(bobOutsideSRE)), want: "acme/sre"},
		"everybody by force": {do: combine(frozenNow, allowForce(Subjects{})), want: "everybody, by force"},
	} {
		if got := scenarioWith(c.do).evaluate().First().Who; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// GitPloy blocks a rollback with a freeze and with a lock (peers.md §8, 6): here it passes both by
// force, and red or older commits too, and is still approved by somebody else.
func TestPeerBug6RollbackPassesFreezeAndLockByForce(t *testing.T) {
	rollback := combine(
		frozenBy(weekend, launch),
		withLocks(lockBy(1, carol, "investigating")),
		requireAhead(Known(oldCommit), Known(Behind)),
		failedBuild,
		bobForces,
	)

	if got := summarize(scenarioWith(rollback).evaluate()); got != "allow | forced | passes [1]" {
		t.Error(got)
	}
	if got := summarize(scenarioWith(rollback, requireApprovals(oneApproval)).evaluate()); got != "wait approvals_missing: 1 approval from bob | forced | passes [1]" {
		t.Error(got)
	}
}

// branch-deploy's lock belongs to a name, and anybody ends it (peers.md §8, 7): here it belongs to
// an id, keeps everybody else out and passes its owner only. That its owner undoes an own
// deployment is what require_ahead is for.
func TestPeerBug7OwnLockPassesItsOwnerOnly(t *testing.T) {
	held := withLocks(lockBy(1, alice, "testing"))
	for who, want := range map[deployment.Actor]string{
		alice:                                  "allow | passes [1]",
		bob:                                    "wait locked: alice's lock on production: testing",
		{ID: 11, Login: "alice"}:               "wait locked: alice's lock on production: testing",
		{Login: "alice"}:                       "wait locked: alice's lock on production: testing",
		{ID: 90, Login: "alice", App: "hubot"}: "wait locked: alice's lock on production: testing",
	} {
		if got := summarize(scenarioWith(requestedBy(who), held).evaluate()); got != want {
			t.Errorf("%+v: %s, want %s", who, got, want)
		}
	}

	if got := summarize(scenarioWith(held, requireAhead(Known(oldCommit), Known(Behind))).evaluate()); got != "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed to production (behind) | passes [1]" {
		t.Error(got)
	}
}

// busyScene has every rule, and all that they look at.
func fullScenario() *scenario {
	s := scenarioWith(
		restrictTo(Subjects{
			Users:      []string{"bob", "id:4"},
			Teams:      []string{"acme/dba", "acme/sre"},
			Apps:       []string{"my-hubot"},
			Permission: PermissionWrite,
		}),
		requesterTeam(
			"acme/sre",
			Known(true),
		),
		requesterTeam("acme/dba", Known(false)),
		allowedRefs("release/*", "refs/tags/v*", "main"),
		requireAhead(Known(oldCommit), Known(Ahead)),
		requireAfter(
			"dev",
			"staging",
		),
		priorResult("dev", PriorSucceeded),
		priorResult("staging", PriorSucceeded),
		withConcurrency(ConcurrencyCancel),
		whenLocked(RejectMode),
		withMaxWait(week),
		allowForce(Subjects{
			Users:      []string{"bob"},
			Teams:      []string{"acme/sre"},
			Apps:       []string{"my-hubot"},
			Permission: PermissionAdmin,
		}),
	)

	var runs []Check
	for i := range 50 {
		runs = append(runs, checkRun(fmt.Sprintf("check-%d", i%45), []string{"", "circleci"}[i%2], Green, i))
	}

	requireChecks(Checks{
		Set:    ChecksAll,
		Names:  []string{"x"},
		Ignore: []string{"codecov/*", "lint-*"},
		Wait:   time.Minute,
	}, runs...)(s)

	for i := range 5 {
		own := lockBy(int64(i), alice, "x").until(time.Hour)
		s.facts.Locks.Value = append(s.facts.Locks.Value, own)
	}

	once := launch
	once.Cron, once.Duration, once.Zone, once.Mode = "0 9 * * *", time.Hour, "Europe/Berlin", RejectMode
	quarter := Freeze{Cron: "*/15 9 1-7 */3 MON", Duration: 10 * time.Minute, Zone: "America/New_York"}
	frozenBy(once, weekend, night, quarter, Freeze{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)})(s)
	requireApprovals(Approvals{
		Count:   2,
		Users:   []string{"bob"},
		Teams:   []string{"acme/sre"},
		Tokens:  []string{"ops"},
		Expires: 2 * time.Hour,
	},
		approvalBy(bob), approvalBy(carol), approvalBy(dave), approvalBy(alice), approvalBy(bob))(s)

	return s
}

// BenchmarkEvaluate decides by every rule, with 50 checks, 5 freezes, 5 locks and 5 approvals.
func BenchmarkEvaluate(b *testing.B) {
	s := fullScenario()
	if got := summarize(s.evaluate()); got != "allow | passes [0 1 2 3 4]" {
		b.Fatal(got)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.evaluate()
	}
}

// BenchmarkEvaluateNone decides where there are no rules.
func BenchmarkEvaluateNone(b *testing.B) {
	s := newScenario()
	b.ReportAllocs()
	for b.Loop() {
		s.evaluate()
	}
}
