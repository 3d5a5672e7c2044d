package policy

import (
	"fmt"
	"testing"
	"time"
)

// fullScenario configures every rule, with all that the rules look at: 50 checks, 5 freezes, 5 locks
// and 5 approvals.
func fullScenario() *scenario {
	s := scenarioWith(
		restrictTo(Subjects{
			Users:      []string{"bob", "id:4"},
			Teams:      []string{"acme/dba", "acme/sre"},
			Apps:       []string{"my-hubot"},
			Permission: PermissionWrite,
		}),
		requesterTeam("acme/sre", Known(true)),
		requesterTeam("acme/dba", Known(false)),
		allowedRefs("release/*", "refs/tags/v*", "main"),
		requireAhead(Known(oldCommit), Known(ComparisonAhead)),
		requireAfter("dev", "staging"),
		priorResult("dev", PriorSucceeded),
		priorResult("staging", PriorSucceeded),
		withConcurrency(ConcurrencyCancel),
		whenLocked(ModeReject),
		withMaxWait(week),
		sharedAccounts("deploy-bot"),
		allowForce(Subjects{
			Users:      []string{"bob"},
			Teams:      []string{"acme/sre"},
			Apps:       []string{"my-hubot"},
			Permission: PermissionAdmin,
		}),
	)
	s.policy.HoldApprovers = &Subjects{Users: []string{"carol"}, Teams: []string{"acme/leads"}}
	s.policy.RollbackAllow = &Subjects{Users: []string{"erin"}, Teams: []string{"acme/oncall"}, Permission: PermissionWrite}

	var runs []Check
	for i := range 50 {
		runs = append(runs, checkRun(fmt.Sprintf("check-%d", i%45), []string{"", "circleci"}[i%2], CheckGreen, i))
	}

	requireChecks(Checks{
		Set:    ChecksAll,
		Names:  []CheckName{{Name: "x", App: "id:5"}},
		Ignore: []string{"codecov/*", "lint-*"},
		Wait:   time.Minute,
	}, runs...)(s)

	for i := range 5 {
		s.facts.Locks.Value = append(s.facts.Locks.Value, lockBy(int64(i), alice, "x").until(time.Hour))
	}

	// The digest test wants a freeze of which every field is set.
	everyField := launch
	everyField.Cron = "0 9 * * *"
	everyField.Duration = time.Hour
	everyField.Zone = "Europe/Berlin"
	everyField.Mode = ModeReject
	frozenBy(
		everyField,
		weekend,
		night,
		Freeze{Cron: "*/15 9 1-7 */3 MON", Duration: 10 * time.Minute, Zone: "America/New_York"},
		Freeze{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)},
	)(s)

	requireApprovals(
		Approvals{
			Count:   2,
			Users:   []string{"bob"},
			Teams:   []string{"acme/sre"},
			Tokens:  []string{"ops"},
			Expires: 2 * time.Hour,
		},
		approvalBy(bob),
		approvalBy(carol),
		approvalBy(dave),
		approvalBy(alice),
		approvalBy(bob),
	)(s)

	return s
}

func BenchmarkEvaluate_EveryRule(b *testing.B) {
	s := fullScenario()
	if got, want := summarize(s.evaluate()), "allow | passes [0 1 2 3 4]"; got != want {
		b.Fatalf("got %s, want %s", got, want)
	}

	b.ReportAllocs()
	for b.Loop() {
		s.evaluate()
	}
}

func BenchmarkEvaluate_NoRules(b *testing.B) {
	s := newScenario()
	b.ReportAllocs()
	for b.Loop() {
		s.evaluate()
	}
}
