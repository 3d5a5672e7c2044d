package policy

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

func TestPolicy_Digest(t *testing.T) {
	t.Run("is stable", func(t *testing.T) {
		first, second := fullScenario().policy.Digest(), fullScenario().policy.Digest()
		if first != second || len(first) != 32 {
			t.Errorf("got %q and %q, want the same 32 digits", first, second)
		}

		// Every approval that was given is void when this changes.
		if got, want := (Policy{}).Digest(), "44136fa355b3678a1146ad16f7e8649e"; got != want {
			t.Errorf("got %s for the empty policy, want %s", got, want)
		}
	})

	t.Run("covers every part", func(t *testing.T) {
		p := fullScenario().policy
		seen := map[string]string{p.Digest(): "the full policy"}
		forEachPart(reflect.ValueOf(&p), "policy", func(path string, part reflect.Value) {
			before := reflect.ValueOf(part.Interface())
			part.SetZero()
			digest := p.Digest()
			part.Set(before)

			if other, known := seen[digest]; known && !before.IsZero() {
				t.Errorf("the digest without %s is that of %s", path, other)
			}

			seen[digest] = "the policy without " + path
		})

		if len(seen) < 30 {
			t.Errorf("got %d digests, want at least 30", len(seen))
		}
	})
}

// forEachPart calls f for every field below v, and for the fields of the first element of a list.
func forEachPart(v reflect.Value, path string, f func(path string, part reflect.Value)) {
	switch {
	case v.Kind() == reflect.Pointer:
		forEachPart(v.Elem(), path, f)
		return
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			forEachPart(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}

		return
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		forEachPart(v.Index(0), path+"[0]", f)
	}

	f(path, v)
}

func TestPolicy_Empty(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		want   bool
	}{
		{policy: Policy{}, want: true},
		{policy: Policy{SharedAccounts: []string{"deploy-bot"}}, want: true},
		{policy: Policy{Force: &Subjects{}}, want: false},
		{policy: Policy{HoldApprovers: &Subjects{}}, want: false},
		{policy: Policy{RollbackAllow: &Subjects{}}, want: false},
		{policy: fullScenario().policy, want: false},
	} {
		t.Run(fmt.Sprint(c.want, " ", c.policy.Digest()), func(t *testing.T) {
			if got := c.policy.Empty(); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestEvaluate_NoDigestNoApproval checks that no approval counts where the policy has no digest.
func TestEvaluate_NoDigestNoApproval(t *testing.T) {
	s := scenarioWith(requireApprovals(oneApproval, approvalBy(bob)), frozenBy(Freeze{
		From: noon.AddDate(8000, 0, 0),
		To:   noon.AddDate(8001, 0, 0),
	}))
	if got := s.policy.Digest(); got != "" {
		t.Fatalf("got digest %q, want none", got)
	}

	s.facts.Approvals.Value[0].Policy = ""
	if got := summarize(s.evaluate()); got != needsOneApproval {
		t.Errorf("got %s, want %s", got, needsOneApproval)
	}
}
