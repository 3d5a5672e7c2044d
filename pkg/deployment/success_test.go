package deployment

import (
	"strings"
	"testing"
	"time"
)

func TestRollbackTarget(t *testing.T) {
	success := func(id int64, digit string) Success {
		return Success{DeploymentID: id, SHA: strings.Repeat(digit, 40)}
	}
	of := func(s Success, task string) Success {
		s.Task = task
		return s
	}
	bad := func(s Success) Success {
		s.BadSince = time.Unix(1, 0)
		return s
	}

	for _, test := range []struct {
		name      string
		successes []Success
		to        string
		want      int64
		problem   string
	}{
		{name: "nothing", problem: "there is nothing to go back to: nothing has been deployed there"},
		{
			name:      "only one",
			successes: []Success{success(3, "a")},
			problem:   "there is nothing to go back to: no commit but aaaaaaa (#3) has succeeded there",
		},
		{
			name:      "named where there is only one",
			successes: []Success{success(3, "a")},
			to:        "#77",
			problem:   "there is nothing to go back to: no commit but aaaaaaa (#3) has succeeded there",
		},
		{name: "the one before", successes: []Success{success(3, "a"), success(2, "b"), success(1, "c")}, want: 2},
		{name: "not a bad one", successes: []Success{success(3, "a"), bad(success(2, "b")), success(1, "c")}, want: 1},
		{
			name:      "only bad ones",
			successes: []Success{success(3, "a"), bad(success(2, "b"))},
			problem: "there is nothing to go back to: everything before aaaaaaa (#3) was rolled back from; " +
				"name one to deploy it again",
		},
		{name: "by id", successes: []Success{success(3, "a"), success(2, "b"), success(1, "c")}, to: "#1", want: 1},
		{name: "a bad one by id", successes: []Success{success(3, "a"), bad(success(2, "b"))}, to: "2", want: 2},
		{
			name:      "another task has deployed what runs",
			successes: []Success{of(success(3, "a"), "docs"), of(success(2, "a"), "deploy"), of(success(1, "b"), "deploy")},
			want:      1,
		},
		{
			name:      "another task has deployed the one before, later",
			successes: []Success{success(4, "a"), of(success(3, "b"), "docs"), of(success(2, "b"), "deploy")},
			want:      2,
		},
		{
			name:      "only another task has deployed the one before",
			successes: []Success{success(4, "a"), of(success(3, "b"), "docs"), of(success(2, "c"), "deploy")},
			want:      3,
		},
		{
			name:      "by commit, of two tasks",
			successes: []Success{success(4, "a"), of(success(3, "b"), "docs"), of(success(2, "b"), "deploy")},
			to:        "bbbbbbb",
			want:      2,
		},
		{
			name:      "of another task, by id",
			successes: []Success{success(4, "a"), of(success(3, "b"), "docs"), of(success(2, "b"), "deploy")},
			to:        "#3",
			want:      3,
		},
		{
			name:      "by commit",
			successes: []Success{success(3, "a"), success(2, "b"), success(1, "c")},
			to:        "CCCCCCC",
			want:      1,
		},
		{
			name:      "too few digits",
			successes: []Success{success(3, "a"), success(2, "b")},
			to:        "bbbbbb",
			problem:   "bbbbbb is none of the successes that are kept: bbbbbbb (#2)",
		},
		{
			name:      "what runs",
			successes: []Success{success(3, "a"), success(2, "b")},
			to:        "#3",
			problem:   "aaaaaaa (#3) is what runs there",
		},
		{
			name:      "unknown",
			successes: []Success{success(9, "a"), success(8, "1"), success(7, "2"), success(6, "3"), success(5, "4"), success(4, "5"), success(3, "6")},
			to:        "#77",
			problem: "#77 is none of the successes that are kept: 1111111 (#8), 2222222 (#7), 3333333 (#6), " +
				"4444444 (#5), 5555555 (#4) and 1 more",
		},
		{
			name:      "an id that begins a commit, too",
			successes: []Success{success(9, "a"), success(1111111, "b"), success(2, "1")},
			to:        "1111111",
			problem:   "1111111 may be any of bbbbbbb (#1111111), 1111111 (#2)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problem := RollbackTarget(test.successes, test.to, "deploy")
			if got.DeploymentID != test.want || problem != test.problem {
				t.Errorf("got %d %q, want %d %q", got.DeploymentID, problem, test.want, test.problem)
			}
		})
	}
}

// TestRollbackFrom checks that a deployment that has failed goes back to what runs, which may be named, and that one
// that has not does not.
func TestRollbackFrom(t *testing.T) {
	success := func(id int64, digit string) Success {
		return Success{DeploymentID: id, SHA: strings.Repeat(digit, 40)}
	}
	bad := success(3, "a")
	bad.BadSince = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

	for _, test := range []struct {
		name    string
		newest  Success
		failed  int64
		to      string
		want    int64
		problem string
	}{
		{name: "none has failed", newest: success(3, "a"), want: 2},
		{name: "one has failed", newest: success(3, "a"), failed: 4, want: 3},
		{name: "what runs is named", newest: success(3, "a"), failed: 4, to: "#3", want: 3},
		{name: "another one is named", newest: success(3, "a"), failed: 4, to: "#2", want: 2},
		{name: "what runs is bad", newest: bad, failed: 4, want: 2},
		{name: "it failed before what runs", newest: success(3, "a"), failed: 2, want: 2},
		{
			name: "what runs is named, and none has failed", newest: success(3, "a"), to: "#3",
			problem: "aaaaaaa (#3) is what runs there",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := []Success{test.newest, success(2, "b"), success(1, "c")}
			got, problem := RollbackFrom(all, test.failed, test.to, "deploy")
			if got.DeploymentID != test.want || problem != test.problem {
				t.Errorf("got %d %q, want %d %q", got.DeploymentID, problem, test.want, test.problem)
			}
		})
	}
}
