package client

import (
	"context"
	"net/http"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// Locks lists all open locks.
func (c *Client) Locks(ctx context.Context) (api.LockList, error) {
	return get(ctx, c, "api/v1/locks", nil, "locks", func(list api.LockList) bool { return list.Locks != nil })
}

// Lock returns an open lock with the deployments that wait for it.
func (c *Client) Lock(ctx context.Context, id int64) (api.LockDetail, error) {
	return get(ctx, c, of("locks", id, ""), nil, "id", func(l api.LockDetail) bool { return l.ID != 0 })
}

// TakeLock locks an environment.
func (c *Client) TakeLock(ctx context.Context, r api.TakeLockRequest) (api.Lock, error) {
	return post(ctx, c, "api/v1/locks", r, "id", func(l api.Lock) bool { return l.ID != 0 })
}

// ExtendLock moves the end of a lock.
func (c *Client) ExtendLock(ctx context.Context, id int64, r api.ExtendLockRequest) (api.Lock, error) {
	return post(ctx, c, of("locks", id, "extend"), r, "id", func(l api.Lock) bool { return l.ID != 0 })
}

// HandOverLock gives a lock to another owner. It then has another id.
func (c *Client) HandOverLock(ctx context.Context, id int64, r api.HandOverLockRequest) (api.Lock, error) {
	return post(ctx, c, of("locks", id, "hand-over"), r, "id", func(l api.Lock) bool { return l.ID != 0 })
}

// ReleaseLock releases a lock.
func (c *Client) ReleaseLock(ctx context.Context, id int64, r api.ReleaseLockRequest) error {
	req, err := c.request(ctx, http.MethodPost, of("locks", id, "release"), nil, r)
	if err != nil {
		return err
	}

	_, err = c.send(req)
	return err
}

// Notices lists at most 200 notices to owners of locks, oldest first, behind the id that was read last.
func (c *Client) Notices(ctx context.Context, after int64) (api.NoticeList, error) {
	query := values("after", number(after))
	found := func(list api.NoticeList) bool { return list.Notices != nil }
	return get(ctx, c, "api/v1/notices", query, "notices", found)
}
