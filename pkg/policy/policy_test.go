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

var whenMany = Freeze{From: noon.Add(-time.Hour), To: noon.Add(3 * time.Hour)}

// together are rules beside one another: the hardest word counts, and of its kind the first.
var together = []ruling{
	{"all hold", all(allowOnly(Subjects{
		Users: []string{"alice"},
	}), refs("main"), ahead(Known(older), Known(Ahead)), checks(every, run("b", "", Green, 1)), after("dev"),
		past("dev", PriorSucceeded), freezes(weekend), approvals(single, yes(bob))), "allow"},
	{"reject before wait", all(checks(every), refs("x")), notMain + "x may"},
	{
		"wait before reject",
		all(checks(every, run("b", "", Red, 1)), locks(lock(1, carol, "x"))),
		`reject checks_failed: check "b" failed`,
	},
	{
		"the first wait speaks",
		all(checks(every), locks(lock(1, carol, "x"))),
		"wait checks_pending: the first check of a1b2c3d",
	},
	{"the first reject speaks", all(allowOnly(Subjects{Users: []string{"bob"}}), refs("x")), notAlice},
	{"an unknown fact is no reject", all(allowOnly(Subjects{
		Users: []string{"alice"},
	}), stranger("503"), refs("main")), "wait unknown: an answer about alice: who they are (503)"},
	{"a reject beside an unknown fact", all(allowOnly(Subjects{
		Users: []string{"alice"},
	}), stranger("503"), refs("x")), notMain + "x may"},
	{
		"the latest of two ends",
		all(freezes(whenMany), locks(lock(1, carol, "x").until(time.Hour))),
		"wait frozen: the freeze to end (Wed 15:00 UTC) | until 25 Nov 15:00",
	},
	{
		"one without an end",
		all(freezes(whenMany), locks(lock(1, carol, "x"))),
		"wait frozen: the freeze to end (Wed 15:00 UTC)",
	},
	{"frozen and in line", all(freezes(whenMany), line(Queue{
		Holder: 6,
	})), "wait frozen: the freeze to end (Wed 15:00 UTC)"},
	{"a reject has no end", all(freezes(whenMany), refs("x")), notMain + "x may"},
	{"superseded, and not allowed to wait", all(line(Queue{
		Started: 9,
	}), checks(every)), "reject superseded: superseded by #9"},
	{
		"approvals beside a lock",
		all(locks(lock(1, carol, "x")), approvals(two, yes(bob))),
		"wait locked: carol's lock on production: x",
	},
	{"approvals before the line", all(approvals(single), line(Queue{Holder: 6})), missingOne},
}

func TestTogether(t *testing.T) { judged(t, together) }

// rulings are all tables.
func rulings() []ruling {
	return slices.Concat(
		allowRulings,
		refRulings,
		aheadRulings,
		checkRulings,
		afterRulings,
		freezeRulings,
		lockRulings,
		approvalRulings,
		lineRulings,
		forceRulings,
		patienceRulings,
		together,
	)
}

// TestCases counts the cases, and wants every message to fit into a status behind "Waiting for ".
func TestCases(t *testing.T) {
	list := rulings()
	t.Logf("%d cases", len(list))
	if len(list) < 150 {
		t.Error("too few")
	}

	for _, c := range list {
		for _, o := range made(c.do).verdict().Outcomes {
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
		do   edit
		want Needs
	}{
		"nothing": {nothing, Needs{}},
		"refs, freezes, the line": {
			all(refs("x"), frozen, how(ConcurrencyCancel), lockedMode(RejectMode), maxWait(1)),
			Needs{},
		},
		"somebody":            {allowOnly(people), Needs{Requester: asked}},
		"an app":              {all(allowOnly(people), by(hubot)), Needs{}},
		"a token":             {all(allowOnly(people), by(token)), Needs{}},
		"by id alone":         {allowOnly(Subjects{Users: []string{"id:1"}}), Needs{}},
		"by another id alone": {allowOnly(Subjects{Users: []string{"id:2"}}), Needs{}},
		"by id with a permission": {
			allowOnly(Subjects{Users: []string{"id:1"}, Teams: []string{"acme/sre"}, Permission: PermissionAdmin}),
			Needs{Requester: &PersonNeeds{Permission: true}},
		},
		"by login":        {allowOnly(Subjects{Users: []string{"bob"}}), Needs{Requester: &PersonNeeds{}}},
		"everybody":       {allowOnly(Subjects{}), Needs{}},
		"only apps":       {allowOnly(Subjects{Apps: []string{"x"}}), Needs{}},
		"ahead":           {ahead(Known(""), Known(Ahead)), Needs{Deployed: true, Compared: true}},
		"checks":          {checks(every), Needs{Checks: true}},
		"required checks": {checks(branch), Needs{Checks: true, Required: true}},
		"after":           {after("Staging"), Needs{After: []string{"staging"}}},
		"after, of the second": {
			all(environment("STAGING"), after("Dev", "staging", "canary")),
			Needs{After: []string{"dev"}},
		},
		"after, of the first":      {all(environment("dev"), after("Dev", "staging")), Needs{}},
		"approvals":                {approvals(two), Needs{Approvals: true}},
		"approvals, in a question": {all(approvals(two), question), Needs{}},
		"force by another":         {all(forcers(people), force(bob)), Needs{Forcer: asked}},
		"force by the requester":   {all(forcers(people), force(alice)), Needs{Requester: asked}},
		"force by a token":         {all(forcers(people), force(token)), Needs{}},
		"force that nobody may":    {force(bob), Needs{}},
		"no force":                 {forcers(people), Needs{}},
		"the requester, in two rules": {
			all(allowOnly(Subjects{Teams: []string{"acme/dba"}}), forcers(people), force(alice)),
			Needs{Requester: &PersonNeeds{Permission: true, Teams: []string{"acme/dba", "acme/sre"}}},
		},
	} {
		s := made(c.do)
		if diff := cmp.Diff(c.want, s.p.Needs(s.r)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	if ask := (Policy{Approvals: &two}).ApproverNeeds(); ask == nil || !slices.Equal(ask.Teams, []string{"acme/sre"}) {
		t.Errorf("%+v", ask)
	}

	if (Policy{}).ApproverNeeds() != nil || (Policy{
		Approvals: &tokened,
	}).ApproverNeeds() != nil || (Policy{
		Approvals: &Approvals{Users: []string{"id:4"}},
	}).ApproverNeeds() != nil {
		t.Error("nothing is to be asked")
	}
}

// Every rule of a policy, and every part of it, is in the digest.
func TestDigest(t *testing.T) {
	full := func() Policy { return busyScene().p }
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
	if !(Policy{}).None() || (Policy{Force: &Subjects{}}).None() || full().None() {
		t.Error("None")
	}
}

// A policy whose rules cannot be written has no digest, and an approval that is bound to nothing
// does not count.
func TestNoDigestNoApproval(t *testing.T) {
	s := made(approvals(single, yes(bob)), freezes(Freeze{
		From: noon.AddDate(8000, 0, 0),
		To:   noon.AddDate(8001, 0, 0),
	}))
	s.f.Approvals.Value[0].Policy = s.p.Digest()
	if got := said(s.verdict()); s.p.Digest() != "" || got != missingOne {
		t.Errorf("%q %s", s.p.Digest(), got)
	}
}

func TestEvaluateHere(t *testing.T) {
	elsewhere := all(allowOnly(Subjects{
		Users: []string{"bob"},
	}), refs("x"), redBuild, after("dev"), ahead(Unknown[string](""), Known(Behind)))
	for name, c := range map[string]struct {
		do   edit
		want string
	}{
		"what GitHub would have to say": {elsewhere, "allow"},
		"a freeze":                      {all(elsewhere, frozen), "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00"},
		"a lock":                        {all(elsewhere, locks(lock(1, carol, "x"))), "wait locked: carol's lock on production: x"},
		"approvals under all rules":     {all(elsewhere, approvals(single, yes(bob))), "allow"},
		"no approvals":                  {all(elsewhere, approvals(single)), missingOne},
		"the line": {all(elsewhere, line(Queue{
			Holder: 6,
		})), "wait in_line: deployment 6 of the same environment"},
		"one to cancel":             {all(elsewhere, how(ConcurrencyCancel), line(Queue{Holder: 6})), "allow"},
		"force, whoever may":        {all(frozen, locks(lock(1, carol, "x")), force(dave)), "allow | forced | passes [1]"},
		"force passes no approvals": {all(forcing, approvals(single)), missingOne},
		"too long":                  {all(locks(lock(1, carol, "x")), accepted(week+1)), "reject waited_too_long: waited 168h for carol's lock on production: x"},
	} {
		s := made(c.do)
		if got := said(s.p.EvaluateLocal(s.r, s.f, s.now)); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}

	s := made(elsewhere, approvals(two))
	if diff := cmp.Diff(Needs{Approvals: true}, s.p.NeedsLocal(s.r)); diff != "" {
		t.Error(diff)
	}
}

func TestWhoCouldChangeIt(t *testing.T) {
	sreMay := forcers(Subjects{Teams: []string{"acme/sre"}})
	for name, c := range map[string]struct {
		do   edit
		want string
	}{
		"allow":              {allowOnly(Subjects{Users: []string{"bob", "carol"}}), "bob, carol"},
		"permission":         {allowOnly(Subjects{Permission: PermissionAdmin}), "whoever has admin permission"},
		"checks":             {all(redBuild, sreMay), "a rerun and a new deployment, or acme/sre by force"},
		"pending checks":     {all(checks(every), sreMay), "acme/sre, by force"},
		"nobody":             {checks(every), ""},
		"after":              {all(after("dev"), past("dev", PriorNone)), "a deployment to dev"},
		"freeze":             {all(frozen, sreMay), "acme/sre, by force"},
		"lock":               {locks(lock(1, carol, "x")), "carol, or an admin"},
		"approvals":          {approvals(two), "bob, acme/sre"},
		"force":              {all(sreMay, force(bob), forcer(outsider)), "acme/sre"},
		"everybody by force": {all(frozen, forcers(Subjects{})), "everybody, by force"},
	} {
		if got := made(c.do).verdict().First().Who; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// GitPloy blocks a rollback with a freeze and with a lock (peers.md §8, 6): here it passes both by
// force, and red or older commits too, and is still approved by somebody else.
func TestPeerBug6RollbackPassesFreezeAndLockByForce(t *testing.T) {
	rollback := all(
		freezes(weekend, party),
		locks(lock(1, carol, "investigating")),
		ahead(Known(older), Known(Behind)),
		redBuild,
		forcing,
	)

	if got := said(made(rollback).verdict()); got != "allow | forced | passes [1]" {
		t.Error(got)
	}
	if got := said(made(rollback, approvals(single)).verdict()); got != "wait approvals_missing: 1 of 1 approvals (bob) | forced | passes [1]" {
		t.Error(got)
	}
}

// branch-deploy's lock belongs to a name, and anybody ends it (peers.md §8, 7): here it belongs to
// an id, keeps everybody else out and passes its owner only. That its owner undoes an own
// deployment is what require_ahead is for.
func TestPeerBug7OwnLockPassesItsOwnerOnly(t *testing.T) {
	held := locks(lock(1, alice, "testing"))
	for who, want := range map[deployment.Actor]string{
		alice:                                  "allow | passes [1]",
		bob:                                    "wait locked: alice's lock on production: testing",
		{ID: 11, Login: "alice"}:               "wait locked: alice's lock on production: testing",
		{Login: "alice"}:                       "wait locked: alice's lock on production: testing",
		{ID: 90, Login: "alice", App: "hubot"}: "wait locked: alice's lock on production: testing",
	} {
		if got := said(made(by(who), held).verdict()); got != want {
			t.Errorf("%+v: %s, want %s", who, got, want)
		}
	}

	if got := said(made(held, ahead(Known(older), Known(Behind))).verdict()); got != "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed there (behind) | passes [1]" {
		t.Error(got)
	}
}

// busyScene has every rule, and all that they look at.
func busyScene() *scene {
	s := made(
		allowOnly(Subjects{
			Users:      []string{"bob", "id:4"},
			Teams:      []string{"acme/dba", "acme/sre"},
			Apps:       []string{"my-hubot"},
			Permission: PermissionWrite,
		}),
		team(
			"acme/sre",
			Known(true),
		),
		team("acme/dba", Known(false)),
		refs("release/*", "refs/tags/v*", "main"),
		ahead(Known(older), Known(Ahead)),
		after(
			"dev",
			"staging",
		),
		past("dev", PriorSucceeded),
		past("staging", PriorSucceeded),
		how(ConcurrencyCancel),
		lockedMode(RejectMode),
		maxWait(week),
		forcers(Subjects{
			Users:      []string{"bob"},
			Teams:      []string{"acme/sre"},
			Apps:       []string{"my-hubot"},
			Permission: PermissionAdmin,
		}),
	)

	var runs []Check
	for i := range 50 {
		runs = append(runs, run(fmt.Sprintf("check-%d", i%45), []string{"", "circleci"}[i%2], Green, i))
	}

	checks(Checks{
		Set:    ChecksAll,
		Names:  []string{"x"},
		Ignore: []string{"codecov/*", "lint-*"},
		Wait:   time.Minute,
	}, runs...)(s)

	for i := range 5 {
		own := lock(int64(i), alice, "x").until(time.Hour)
		s.f.Locks.Value = append(s.f.Locks.Value, own)
	}

	once := party
	once.Cron, once.Duration, once.Zone, once.Mode = "0 9 * * *", time.Hour, "Europe/Berlin", RejectMode
	quarter := Freeze{Cron: "*/15 9 1-7 */3 MON", Duration: 10 * time.Minute, Zone: "America/New_York"}
	freezes(once, weekend, night, quarter, Freeze{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)})(s)
	approvals(Approvals{
		Count:   2,
		Users:   []string{"bob"},
		Teams:   []string{"acme/sre"},
		Tokens:  []string{"ops"},
		Expires: 2 * time.Hour,
	},
		yes(bob), yes(carol), yes(dave), yes(alice), yes(bob))(s)

	return s
}

// BenchmarkEvaluate decides by every rule, with 50 checks, 5 freezes, 5 locks and 5 approvals.
func BenchmarkEvaluate(b *testing.B) {
	s := busyScene()
	if got := said(s.verdict()); got != "allow | passes [0 1 2 3 4]" {
		b.Fatal(got)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.verdict()
	}
}

// BenchmarkEvaluateNone decides where there are no rules.
func BenchmarkEvaluateNone(b *testing.B) {
	s := base()
	b.ReportAllocs()
	for b.Loop() {
		s.verdict()
	}
}
