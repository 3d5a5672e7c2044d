package server

import (
	"context"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// fakeStore is the store behind the intake.
type fakeStore struct {
	mu        sync.Mutex
	byGUID    map[string]deployment.Deployment
	byID      map[[2]int64]bool
	ignored   map[string]string
	err       error         // what every call fails with
	mayAccept chan struct{} // Accept waits until it is closed; nil: it does not wait
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		byGUID:  map[string]deployment.Deployment{},
		byID:    map[[2]int64]bool{},
		ignored: map[string]string{},
	}
}

func (f *fakeStore) Accept(
	ctx context.Context,
	del deployment.Delivery,
	d deployment.Deployment,
	_ ...deployment.Entry,
) (duplicate bool, err error) {
	if f.mayAccept != nil {
		select {
		case <-f.mayAccept:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false, f.err
	}

	id := [2]int64{del.RepositoryID, del.DeploymentID}
	if _, known := f.byGUID[del.GUID]; known || f.byID[id] {
		return true, nil
	}

	f.byGUID[del.GUID], f.byID[id] = d, true
	return false, nil
}

func (f *fakeStore) Ignored(_ context.Context, del deployment.Delivery, reason string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.ignored[del.GUID] = reason
	}
	return f.err
}

func (f *fakeStore) RequestByNonce(context.Context, string) (deployment.Intent, error) {
	return deployment.Intent{}, deployment.ErrNotFound
}

func (f *fakeStore) AcceptAsked(
	ctx context.Context,
	del deployment.Delivery,
	d deployment.Deployment,
	notes ...deployment.Entry,
) (duplicate bool, err error) {
	return f.Accept(ctx, del, d, notes...)
}

func (f *fakeStore) Known(_ context.Context, del deployment.Delivery) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.byGUID[del.GUID]
	return ok, f.err
}

// fakeRoutes admit every request but those of one environment, and keep the last one.
type fakeRoutes struct {
	ignored string
	mu      sync.Mutex
	last    deployment.Request
}

func (f *fakeRoutes) Admit(req deployment.Request, key string) deployment.Admission {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = req
	if req.Environment == f.ignored {
		return deployment.Admission{Ignored: "no route matches"}
	}
	return deployment.Admission{Target: deployment.Target{Key: key}}
}

// fakeWaker knows the pipeline "known".
type fakeWaker struct {
	mu    sync.Mutex
	woken []string
	err   error
}

func (f *fakeWaker) WakeByPipeline(_ context.Context, id string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.woken = append(f.woken, id)
	return id == "known", f.err
}

// fakeClaims gives each known key to the first pipeline that claims it.
type fakeClaims struct {
	mu        sync.Mutex
	pipelines map[string]string // by key
	err       error
}

func (f *fakeClaims) Claim(_ context.Context, key, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	owner, known := f.pipelines[key]
	switch {
	case f.err != nil:
		return f.err
	case !known:
		return deployment.ErrNotFound
	case owner != "" && owner != id:
		return deployment.ErrClaimRefused
	}

	f.pipelines[key] = id
	return nil
}

// fakeReader reads deployments from a list and keeps the last filter.
type fakeReader struct {
	records      []deployment.Record
	filter       deployment.Filter
	deliveries   deployment.DeliveryFilter    // the last one
	environments deployment.EnvironmentFilter // the last one
	statuses     []deployment.EnvironmentStatus
	last         deployment.EnvironmentID
	err          error
}

func (f *fakeReader) ListEnvironments(
	_ context.Context,
	filter deployment.EnvironmentFilter,
) ([]deployment.EnvironmentStatus, deployment.EnvironmentID, error) {
	f.environments = filter
	return f.statuses, f.last, f.err
}

func (f *fakeReader) IgnoredDeliveries(
	_ context.Context,
	filter deployment.DeliveryFilter,
) ([]deployment.IgnoredDelivery, error) {
	f.deliveries = filter
	return []deployment.IgnoredDelivery{{
		Delivery: deployment.Delivery{
			GUID:         "guid-1",
			RepositoryID: 7,
			DeploymentID: 42,
			Repository:   "acme/api",
			Environment:  "production",
			ReceivedAt:   time.Unix(0, 0),
		},
		Reason: "no route matches",
	}}, f.err
}

func (f *fakeReader) List(_ context.Context, filter deployment.Filter) ([]deployment.Deployment, error) {
	f.filter = filter
	var found []deployment.Deployment
	for _, rec := range f.records {
		if (filter.Before == 0 || rec.Deployment.Row < filter.Before) && len(found) < filter.Limit {
			found = append(found, rec.Deployment)
		}
	}
	return found, f.err
}

func (f *fakeReader) Get(_ context.Context, id int64) ([]deployment.Record, error) {
	for _, rec := range f.records {
		if rec.Deployment.Request.ID == id {
			return []deployment.Record{rec}, nil
		}
	}
	return nil, f.err
}
