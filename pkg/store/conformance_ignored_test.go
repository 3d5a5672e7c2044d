package store

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// ignoredListed: what led to no deployment is found by repository and environment for some days.
func testIgnoredListed(t *testing.T, b *testDB) {
	ignore := func(guid, repository, environment, reason string) deployment.IgnoredDelivery {
		del := deployment.Delivery{
			GUID:         guid,
			Event:        "deployment",
			Source:       deployment.SourceWebhook,
			RepositoryID: 7,
			DeploymentID: 50,
			ReceivedAt:   b.clock(),
			Repository:   repository,
			Environment:  environment,
		}
		if err := b.Ignored(t.Context(), del, reason); err != nil {
			t.Fatal(err)
		}
		return deployment.IgnoredDelivery{Delivery: del, Reason: reason}
	}

	ignore("old", "acme/api", "production", "no route")
	b.later(time.Hour)
	first := ignore("first", "Acme/API", "Production", "made by my-hubot")
	b.later(deployment.KeepIgnored - time.Minute)
	second := ignore("second", "acme/web", "staging", "no route")

	d := b.accept(1, "production", "")
	twice := b.newDeployment(1, "production", "")
	twice.Target.Key = "another"
	del := deployment.Delivery{GUID: "twice", RepositoryID: 7, DeploymentID: 1, ReceivedAt: b.clock()}
	if dup, err := b.Accept(t.Context(), del, twice); !dup || err != nil {
		t.Fatalf("got duplicate %v, %v, want a duplicate of row %d", dup, err, d.Row)
	}

	for _, test := range []struct {
		name   string
		filter deployment.DeliveryFilter
		want   []deployment.IgnoredDelivery
	}{
		{name: "all", filter: deployment.DeliveryFilter{Limit: 9}, want: []deployment.IgnoredDelivery{second, first}},
		{name: "the newest", filter: deployment.DeliveryFilter{Limit: 1}, want: []deployment.IgnoredDelivery{second}},
		{
			name:   "repository",
			filter: deployment.DeliveryFilter{Repository: "acme/api", Limit: 9},
			want:   []deployment.IgnoredDelivery{first},
		},
		{
			name:   "environment",
			filter: deployment.DeliveryFilter{Environment: "STAGING", Limit: 9},
			want:   []deployment.IgnoredDelivery{second},
		},
		{name: "both", filter: deployment.DeliveryFilter{Repository: "acme/api", Environment: "staging", Limit: 9}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := b.IgnoredDeliveries(t.Context(), test.filter)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}

	if _, err := b.Prune(t.Context(), b.clock().Add(-10*deployment.KeepIgnored)); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := b.rdb.QueryRow(`SELECT count(*) FROM deliveries WHERE guid = 'old'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("got %d old deliveries, %v, want none", left, err)
	}
}

// decisionFound: the newest decision about a deployment is read back from the audit.
func testDecisionFound(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	if v, decided, err := b.Decision(t.Context(), d); decided || err != nil {
		t.Errorf("got %+v, %v, want no decision", v, err)
	}

	want := policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     policy.RuleRefs,
			Decision: policy.DecisionReject,
			Code:     policy.CodeRefNotAllowed,
			Message:  "v1 may not be deployed",
		}},
	}
	detail, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}

	event := b.newEvent(deployment.AuditDecided).On(d, b.clock())
	event.Detail = detail
	b.mustSave(ended(d, deployment.Rejected), deployment.Changes{Audit: []deployment.AuditEvent{event}})

	if v, decided, err := b.Decision(t.Context(), d); !decided || err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("got %+v, decided %v, %v, want %+v", v, decided, err, want)
	}

	other := d
	other.Request.Repository.ID++
	if v, decided, err := b.Decision(t.Context(), other); decided || err != nil {
		t.Errorf("another repository: got %+v, %v, want no decision", v, err)
	}
}
