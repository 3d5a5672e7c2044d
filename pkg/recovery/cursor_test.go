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

func ago(d time.Duration) time.Time { return t0.Add(-d) }

// delivery is a delivery of a deployment event, made some time before t0.
func delivery(id int64, guid string, code int, age time.Duration) webhook.HookDelivery {
	return webhook.HookDelivery{ID: id, GUID: guid, Event: "deployment", Code: code, At: ago(age)}
}

func TestCursor_Read(t *testing.T) {
	for name, c := range map[string]struct {
		from   cursor
		page   []webhook.HookDelivery
		next   string
		to     cursor
		failed []int64
	}{
		"no deliveries": {},
		"last page": {
			page:   []webhook.HookDelivery{delivery(9, "a", 0, time.Minute), delivery(8, "b", 202, time.Hour)},
			to:     cursor{Read: ago(time.Minute)},
			failed: []int64{9},
		},
		"more pages follow": {
			page:   []webhook.HookDelivery{delivery(9, "a", 503, time.Minute)},
			next:   "c1",
			to:     cursor{Newest: ago(time.Minute), Page: "c1"},
			failed: []int64{9},
		},
		"last page of an interrupted reading": {
			from:   cursor{Newest: t0, Page: "c1"},
			page:   []webhook.HookDelivery{delivery(1, "z", 502, 2*time.Hour)},
			to:     cursor{Read: t0},
			failed: []int64{1},
		},
		"the rest was read before": {
			from:   cursor{Read: ago(time.Hour)},
			page:   []webhook.HookDelivery{delivery(9, "a", 500, time.Minute), delivery(8, "b", 500, 2*time.Hour)},
			next:   "c1",
			to:     cursor{Read: ago(time.Minute)},
			failed: []int64{9},
		},
		"within the overlap": {
			from:   cursor{Read: ago(time.Hour)},
			page:   []webhook.HookDelivery{delivery(8, "b", 500, time.Hour+5*time.Minute)},
			to:     cursor{Read: ago(time.Hour + 5*time.Minute)},
			failed: []int64{8},
		},
		"too old for a redelivery": {
			page: []webhook.HookDelivery{delivery(8, "b", 500, 73*time.Hour)},
			next: "c1",
			to:   cursor{Read: ago(73 * time.Hour)},
		},
		"delivered after a failure": {
			page: []webhook.HookDelivery{delivery(9, "a", 202, time.Minute), delivery(8, "a", 500, time.Hour)},
			to:   cursor{Read: ago(time.Minute)},
		},
		"delivered before a failure": {
			page: []webhook.HookDelivery{delivery(9, "a", 500, time.Minute), delivery(8, "a", 200, time.Hour)},
			to:   cursor{Read: ago(time.Minute)},
		},
		"failed twice": {
			page:   []webhook.HookDelivery{delivery(9, "a", 500, time.Minute), delivery(8, "a", 500, time.Hour)},
			to:     cursor{Read: ago(time.Minute)},
			failed: []int64{9},
		},
		"another kind of event": {
			page: []webhook.HookDelivery{
				{ID: 5, GUID: "e", Event: "deployment_status", Code: 500, At: ago(time.Minute)},
			},
			to: cursor{Read: ago(time.Minute)},
		},
		"refused": {
			page:   []webhook.HookDelivery{delivery(9, "a", 401, time.Minute)},
			to:     cursor{Read: ago(time.Minute)},
			failed: []int64{9},
		},
	} {
		t.Run(name, func(t *testing.T) {
			to, failed, more := c.from.read(c.page, c.next, t0)

			var ids []int64
			for _, f := range failed {
				ids = append(ids, f.ID)
			}
			if diff := cmp.Diff(c.to, to); diff != "" {
				t.Errorf("cursor (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.failed, ids); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			if want := c.to.Page != ""; more != want {
				t.Errorf("more: got %v, want %v", more, want)
			}
		})
	}
}

// Whatever the pages are, each failed event of the window is found by the time the reading ends.
func TestCursor_FindsEveryFailure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 202, 500}), 1, 40).Draw(t, "codes")
		size := rapid.IntRange(1, 10).Draw(t, "size")

		var all []webhook.HookDelivery // newest first
		for i, code := range codes {
			all = append(all, delivery(int64(i+1), fmt.Sprint(i), code, time.Duration(i)*time.Minute))
		}

		found := map[string]bool{}
		at := cursor{}
		for from, more := 0, true; more; from += size {
			next := ""
			if from+size < len(all) {
				next = "more"
			}

			var failed []webhook.HookDelivery
			at, failed, more = at.read(all[from:min(from+size, len(all))], next, t0)
			for _, f := range failed {
				found[f.GUID] = true
			}
		}

		for _, d := range all {
			if want := d.Code != 202; found[d.GUID] != want {
				t.Fatalf("delivery %d with answer %d: found %v, want %v", d.ID, d.Code, found[d.GUID], want)
			}
		}

		if diff := cmp.Diff(cursor{Read: all[0].At}, at); diff != "" {
			t.Fatalf("cursor (-want +got):\n%s", diff)
		}
	})
}
