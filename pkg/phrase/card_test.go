package phrase

import (
	"fmt"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func TestStateWords(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    deployment.Deployment
		code policy.Code
		want string
	}{
		{name: "running", d: deployment.Deployment{State: deployment.Running}, want: "running"},
		{
			name: "being canceled", want: "being canceled",
			d: deployment.Deployment{State: deployment.Running, Cancel: &deployment.Cancel{}},
		},
		{
			name: "approvals", code: policy.CodeApprovalsMissing, want: "waits for approval",
			d: deployment.Deployment{State: deployment.Waiting},
		},
		{name: "no reason", d: deployment.Deployment{State: deployment.Waiting}, want: "waiting"},
		{name: "errored", d: deployment.Deployment{State: deployment.Errored}, want: "could not be run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := StateWords(tt.d, tt.code); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}

	for _, s := range deployment.States() {
		if StateWords(deployment.Deployment{State: s}, "") == "" {
			t.Errorf("got no words for %s", s)
		}
	}
}

func TestInLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		q    policy.Queue
		want string
	}{
		{name: "first", want: "It is its turn."},
		{
			name: "next", q: policy.Queue{Holder: 9, HolderState: deployment.Running},
			want: "It is next, behind #9, which is running.",
		},
		{name: "second", q: policy.Queue{Before: []int64{9}}, want: "It is 2nd in line, behind #9."},
		{name: "third", q: policy.Queue{Holder: 8, Before: []int64{9}}, want: "It is 3rd in line, behind #9."},
		{name: "twelfth", q: policy.Queue{Before: make([]int64, 11)}, want: "It is 12th in line, behind #0."},
		{name: "twenty-first", q: policy.Queue{Before: make([]int64, 20)}, want: "It is 21st in line, behind #0."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := InLine(tt.q); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCommits(t *testing.T) {
	for _, tt := range []struct {
		ahead, behind int
		want          string
	}{
		{want: "no new commits"},
		{ahead: 1, want: "1 new commit"},
		{behind: 2, want: "2 commits back"},
		{ahead: 2, behind: 1, want: "2 new commits, without 1 that run now"},
	} {
		t.Run(fmt.Sprintf("%d ahead, %d behind", tt.ahead, tt.behind), func(t *testing.T) {
			if got := Commits(tt.ahead, tt.behind); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
