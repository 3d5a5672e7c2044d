package recovery

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/webhook"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestWalk(t *testing.T) {
	now := t0
	at := func(age time.Duration) time.Time { return now.Add(-age) }
	item := func(id int64, guid string, code int, age time.Duration) webhook.HookDelivery {
		return webhook.HookDelivery{ID: id, GUID: guid, Event: "deployment", Code: code, At: at(age)}
	}
	status := item(5, "e", 500, time.Minute)
	status.Event = "deployment_status"
	read := Walk{Read: at(time.Hour)}
	for name, c := range map[string]struct {
		walk   Walk
		page   []webhook.HookDelivery
		next   string
		after  Walk
		failed []int64
	}{
		"nothing yet": {Walk{}, nil, "", Walk{}, nil},
		"the last page": {
			Walk{},
			[]webhook.HookDelivery{item(9, "a", 0, time.Minute), item(8, "b", 202, time.Hour)},
			"",
			Walk{Read: at(time.Minute)},
			[]int64{9},
		},
		"goes on": {
			Walk{},
			[]webhook.HookDelivery{item(9, "a", 503, time.Minute)},
			"c1",
			Walk{Top: at(time.Minute), Cursor: "c1"},
			[]int64{9},
		},
		"went on": {
			Walk{Top: at(0), Cursor: "c1"},
			[]webhook.HookDelivery{item(1, "z", 502, 2*time.Hour)},
			"",
			Walk{Read: at(0)},
			[]int64{1},
		},
		"read before": {
			read,
			[]webhook.HookDelivery{item(9, "a", 500, time.Minute), item(8, "b", 500, 2*time.Hour)},
			"c1",
			Walk{Read: at(time.Minute)},
			[]int64{9},
		},
		"overlap": {
			read,
			[]webhook.HookDelivery{item(8, "b", 500, time.Hour+5*time.Minute)},
			"",
			Walk{Read: at(time.Hour + 5*time.Minute)},
			[]int64{8},
		},
		"too old": {
			Walk{},
			[]webhook.HookDelivery{item(8, "b", 500, 73*time.Hour)},
			"c1",
			Walk{Read: at(73 * time.Hour)},
			nil,
		},
		"delivered in the end": {
			Walk{},
			[]webhook.HookDelivery{item(9, "a", 202, time.Minute), item(8, "a", 500, time.Hour)},
			"",
			Walk{Read: at(time.Minute)},
			nil,
		},
		"delivered before that": {
			Walk{},
			[]webhook.HookDelivery{item(9, "a", 500, time.Minute), item(8, "a", 200, time.Hour)},
			"",
			Walk{Read: at(time.Minute)},
			nil,
		},
		"failed twice": {
			Walk{},
			[]webhook.HookDelivery{item(9, "a", 500, time.Minute), item(8, "a", 500, time.Hour)},
			"",
			Walk{Read: at(time.Minute)},
			[]int64{9},
		},
		"another kind of event": {Walk{}, []webhook.HookDelivery{status}, "", Walk{Read: at(time.Minute)}, nil},
		"an answer that refuses": {
			Walk{},
			[]webhook.HookDelivery{item(9, "a", 401, time.Minute)},
			"",
			Walk{Read: at(time.Minute)},
			[]int64{9},
		},
	} {
		after, failed, more := c.walk.Page(c.page, c.next, now)
		var ids []int64
		for _, f := range failed {
			ids = append(ids, f.ID)
		}

		if diff := cmp.Diff(c.after, after) + cmp.Diff(c.failed, ids); diff != "" || more != (c.after.Cursor != "") {
			t.Errorf("%s: more %v\n%s", name, more, diff)
		}
	}
}

// Whatever the pages and wherever a walk is interrupted, each failed event of the window is found
// by the time the walk has ended.
func TestWalkMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 202, 500}), 1, 40).Draw(t, "codes")
		size := rapid.IntRange(1, 10).Draw(t, "size")
		var all []webhook.HookDelivery // newest first
		for i, code := range codes {
			all = append(all, webhook.HookDelivery{
				ID:    int64(i + 1),
				GUID:  fmt.Sprint(i),
				Event: "deployment",
				Code:  code,
				At:    t0.Add(-time.Duration(i) * time.Minute),
			})
		}

		found := map[string]bool{}
		walk := Walk{}
		for from, more := 0, true; more; from += size {
			next := ""
			if from+size < len(all) {
				next = "more"
			}

			var failed []webhook.HookDelivery
			walk, failed, more = walk.Page(all[from:min(from+size, len(all))], next, t0)
			for _, f := range failed {
				found[f.GUID] = true
			}
		}

		for _, d := range all {
			if found[d.GUID] != (d.Code != 202) {
				t.Fatalf("delivery %d with answer %d: found %v", d.ID, d.Code, found[d.GUID])
			}
		}

		if !walk.Read.Equal(all[0].At) || walk.Cursor != "" {
			t.Fatalf("left %+v", walk)
		}
	})
}
