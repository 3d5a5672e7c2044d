package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// LockCommands changes locks for people. It refuses with *command.Error; any other error is a fault
// of this service.
type LockCommands interface {
	TakeLock(ctx context.Context, c command.Caller, r command.LockRequest) (policy.Lock, error)
	ExtendLock(ctx context.Context, c command.Caller, id int64, until time.Time) (policy.Lock, error)
	HandOverLock(ctx context.Context, c command.Caller, id int64, to deployment.Actor) (policy.Lock, error)
	ReleaseLock(ctx context.Context, c command.Caller, id int64) error
}

// LockReader reads locks and the notices to their owners. Errors are as those of LockCommands.
type LockReader interface {
	Lock(ctx context.Context, id int64) (command.LockState, error)
	Locks(ctx context.Context) ([]policy.Lock, error)
	Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error)
}

func (s *Server) listLocks(ctx context.Context, r *http.Request) (any, error) {
	if _, err := parseQuery(r.URL.RawQuery); err != nil {
		return nil, badRequest(err.Error())
	}

	all, err := s.o.LockReader.Locks(ctx)
	if err != nil {
		return nil, err
	}

	list := api.LockList{Locks: make([]api.Lock, len(all))}
	for i, l := range all {
		list.Locks[i] = apiLock(l)
	}

	return list, nil
}

func (s *Server) getLock(ctx context.Context, r *http.Request) (any, error) {
	state, err := s.o.LockReader.Lock(ctx, idOf(r))
	return api.LockDetail{Lock: apiLock(state.Lock), Waiting: s.apiDeployments(state.Waiting)}, err
}

func (s *Server) listNotices(ctx context.Context, r *http.Request) (any, error) {
	values, err := parseQuery(r.URL.RawQuery, "after")
	if err != nil {
		return nil, badRequest(err.Error())
	}

	var after int64
	if text := values.Get("after"); text != "" {
		after, err = strconv.ParseInt(text, 10, 64)
		if err != nil || after < 0 {
			return nil, badRequest("after must be the id of a notice")
		}
	}

	all, err := s.o.LockReader.Notices(ctx, after, maxPage)
	if err != nil {
		return nil, err
	}

	list := api.NoticeList{Notices: make([]api.Notice, len(all))}
	for i, n := range all {
		list.Notices[i] = api.Notice{ID: n.ID, At: apiTime(n.At), To: apiActor(n.To), Text: n.Text, Lock: n.Lock}
	}

	return list, nil
}

func (s *Server) takeLock(ctx context.Context, c command.Caller, _ int64, req api.TakeLockRequest) (any, error) {
	until, err := expiry(req.Expiry, s.o.Now())
	if err != nil {
		return nil, err
	}
	if req.Repository != "" && strings.Count(req.Repository, "/") != 1 {
		return nil, badRequest("repository must be OWNER/NAME")
	}

	l, err := s.o.Locks.TakeLock(ctx, c, command.LockRequest{
		Repository:  req.Repository,
		Environment: req.Environment,
		Reason:      req.Reason,
		Until:       until,
		Steal:       req.Steal,
	})
	return apiLock(l), err
}

func (s *Server) extendLock(ctx context.Context, c command.Caller, id int64, req api.ExtendLockRequest) (any, error) {
	until, err := expiry(req.Expiry, s.o.Now())
	if err != nil {
		return nil, err
	}
	if until.IsZero() != req.Never {
		const message = `one of expires_at and expires_in is required, or "never": true for a lock without an end`
		return nil, badRequest(message)
	}

	l, err := s.o.Locks.ExtendLock(ctx, c, id, until)
	return apiLock(l), err
}

func (s *Server) handOverLock(
	ctx context.Context,
	c command.Caller,
	id int64,
	req api.HandOverLockRequest,
) (any, error) {
	if !validPerson(req.To) {
		return nil, badRequest(`"to" needs the GitHub id and login of the new owner`)
	}

	l, err := s.o.Locks.HandOverLock(ctx, c, id, deployment.Actor{ID: req.To.ID, Login: req.To.Login})
	return apiLock(l), err
}

func (s *Server) releaseLock(ctx context.Context, c command.Caller, id int64, _ api.ReleaseLockRequest) (any, error) {
	return nil, s.o.Locks.ReleaseLock(ctx, c, id)
}

// expiry is when a lock ends. The zero time means never.
func expiry(e api.Expiry, now time.Time) (time.Time, error) {
	if e.ExpiresIn == "" {
		return e.ExpiresAt.UTC(), nil
	}

	in, err := time.ParseDuration(e.ExpiresIn)
	if err != nil || in <= 0 || !e.ExpiresAt.IsZero() {
		return time.Time{}, badRequest("expires_in must be a positive duration, such as 2h, without expires_at")
	}

	return now.Add(in).UTC(), nil
}
