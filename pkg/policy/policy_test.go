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
	{"all hold", combine(restrictTo(Subjects{
		Users: []string{"alice"},
	}), allowedRefs("main"), requireAhead(Known(oldCommit), Known(Ahead)), requireChecks(allChecks, checkRun("b", "", Green, 1)), requireAfter("dev"),
		priorResult("dev", PriorSucceeded), frozenBy(weekend), requireApprovals(oneApproval, approvalBy(bob))), "allow"},
	{"reject before wait", combine(requireChecks(allChecks), allowedRefs("x")), mainNotAllowed + "x may"},
	{
		"wait before reject",
		combine(requireChecks(allChecks, checkRun("b", "", Red, 1)), withLocks(lockBy(1, carol, "x"))),
		`reject checks_failed: check "b" failed`,
	},
	{
		"the first wait speaks",
		combine(requireChecks(allChecks), withLocks(lockBy(1, carol, "x"))),
		"wait checks_pending: the first check of a1b2c3d",
	},
	{"the first reject speaks", combine(restrictTo(Subjects{Users: []string{"bob"}}), allowedRefs("x")), aliceNotAllowed},
	{"an unknown fact is no reject", combine(restrictTo(Subjects{
		Users: []string{"alice"},
	}), requesterUnknown("503"), allowedRefs("main")), "wait unknown: an answer about alice: who they are (503)"},
	{"a reject beside an unknown fact", combine(restrictTo(Subjects{
		Users: []string{"alice"},
	}), requesterUnknown("503"), allowedRefs("x")), mainNotAllowed + "x may"},
	{
		"the latest of two ends",
		combine(frozenBy(longFreeze), withLocks(lockBy(1, carol, "x").until(time.Hour))),
		"wait frozen: the freeze to end (Wed 15:00 UTC) | until 25 Nov 15:00",
	},
	{
		"one without an end",
		combine(frozenBy(longFreeze), withLocks(lockBy(1, carol, "x"))),
		"wait frozen: the freeze to end (Wed 15:00 UTC)",
	},
	{"frozen and in line", combine(frozenBy(longFreeze), withQueue(Queue{
		Holder: 6,
	})), "wait frozen: the freeze to end (Wed 15:00 UTC)"},
	{"a reject has no end", combine(frozenBy(longFreeze), allowedRefs("x")), mainNotAllowed + "x may"},
	{"superseded, and not allowed to wait", combine(withQueue(Queue{
		Started: 9,
	}), requireChecks(allChecks)), "reject superseded: superseded by #9"},
	{
		"approvals beside a lock",
		combine(withLocks(lockBy(1, carol, "x")), requireApprovals(twoApprovals, approvalBy(bob))),
		"wait locked: carol's lock on production: x",
	},
	{"approvals before the line", combine(requireApprovals(oneApproval), withQueue(Queue{Holder: 6})), needsOneApproval},
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
		"nothing": {unchanged, Needs{}},
		"refs, freezes, the line": {
			combine(allowedRefs("x"), frozenNow, withConcurrency(ConcurrencyCancel), whenLocked(RejectMode), withMaxWait(1)),
			Needs{},
		},
		"somebody":            {restrictTo(people), Needs{Requester: asked}},
		"an app":              {combine(restrictTo(people), requestedBy(hubot)), Needs{}},
		"a token":             {combine(restrictTo(people), requestedBy(token)), Needs{}},
		"by id alone":         {restrictTo(Subjects{Users: []string{"id:1"}}), Needs{}},
		"by another id alone": {restrictTo(Subjects{Users: []string{"id:2"}}), Needs{}},
		"by id with a permission": {
			restrictTo(Subjects{Users: []string{"id:1"}, Teams: []string{"acme/sre"}, Permission: PermissionAdmin}),
			Needs{Requester: &PersonNeeds{Permission: true}},
		},
		"by login":        {restrictTo(Subjects{Users: []string{"bob"}}), Needs{Requester: &PersonNeeds{}}},
		"everybody":       {restrictTo(Subjects{}), Needs{}},
		"only apps":       {restrictTo(Subjects{Apps: []string{"x"}}), Needs{}},
		"ahead":           {requireAhead(Known(""), Known(Ahead)), Needs{Deployed: true, Compared: true}},
		"checks":          {requireChecks(allChecks), Needs{Checks: true}},
		"required checks": {requireChecks(branchChecks), Needs{Checks: true, Required: true}},
		"after":           {requireAfter("Staging"), Needs{After: []string{"staging"}}},
		"after, of the second": {
			combine(toEnvironment("STAGING"), requireAfter("Dev", "staging", "canary")),
			Needs{After: []string{"dev"}},
		},
		"after, of the first":      {combine(toEnvironment("dev"), requireAfter("Dev", "staging")), Needs{}},
		"approvals":                {requireApprovals(twoApprovals), Needs{Approvals: true}},
		"approvals, in a question": {combine(requireApprovals(twoApprovals), asQuestion), Needs{}},
		"force by another":         {combine(allowForce(people), forcedBy(bob)), Needs{Forcer: asked}},
		"force by the requester":   {combine(allowForce(people), forcedBy(alice)), Needs{Requester: asked}},
		"force by a token":         {combine(allowForce(people), forcedBy(token)), Needs{}},
		"force that nobody may":    {forcedBy(bob), Needs{}},
		"no force":                 {allowForce(people), Needs{}},
		"the requester, in two rules": {
			combine(restrictTo(Subjects{Teams: []string{"acme/dba"}}), allowForce(people), forcedBy(alice)),
			Needs{Requester: &PersonNeeds{Permission: true, Teams: []string{"acme/dba", "acme/sre"}}},
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
		"what GitHub would have to say": {elsewhere, "allow"},
		"a freeze":                      {combine(elsewhere, frozenNow), "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00"},
		"a lock":                        {combine(elsewhere, withLocks(lockBy(1, carol, "x"))), "wait locked: carol's lock on production: x"},
		"approvals under all rules":     {combine(elsewhere, requireApprovals(oneApproval, approvalBy(bob))), "allow"},
		"no approvals":                  {combine(elsewhere, requireApprovals(oneApproval)), needsOneApproval},
		"the line": {combine(elsewhere, withQueue(Queue{
			Holder: 6,
		})), "wait in_line: deployment 6 of the same environment"},
		"one to cancel":             {combine(elsewhere, withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6})), "allow"},
		"force, whoever may":        {combine(frozenNow, withLocks(lockBy(1, carol, "x")), forcedBy(dave)), "allow | forced | passes [1]"},
		"force passes no approvals": {combine(bobForces, requireApprovals(oneApproval)), needsOneApproval},
		"too long":                  {combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)), "reject waited_too_long: waited 168h for carol's lock on production: x"},
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
		"allow":              {restrictTo(Subjects{Users: []string{"bob", "carol"}}), "bob, carol"},
		"permission":         {restrictTo(Subjects{Permission: PermissionAdmin}), "whoever has admin permission"},
		"checks":             {combine(failedBuild, sreMay), "a rerun and a new deployment, or acme/sre by force"},
		"pending checks":     {combine(requireChecks(allChecks), sreMay), "acme/sre, by force"},
		"nobody":             {requireChecks(allChecks), ""},
		"after":              {combine(requireAfter("dev"), priorResult("dev", PriorNone)), "a deployment to dev"},
		"freeze":             {combine(frozenNow, sreMay), "acme/sre, by force"},
		"lock":               {withLocks(lockBy(1, carol, "x")), "carol, or an admin"},
		"approvals":          {requireApprovals(twoApprovals), "bob, acme/sre"},
		"force":              {combine(sreMay, forcedBy(bob), forcerFacts(bobOutsideSRE)), "acme/sre"},
		"everybody by force": {combine(frozenNow, allowForce(Subjects{})), "everybody, by force"},
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
	if got := summarize(scenarioWith(rollback, requireApprovals(oneApproval)).evaluate()); got != "wait approvals_missing: 1 of 1 approvals (bob) | forced | passes [1]" {
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

	if got := summarize(scenarioWith(held, requireAhead(Known(oldCommit), Known(Behind))).evaluate()); got != "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed there (behind) | passes [1]" {
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
