package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// maxWaiting is how many waiting deployments of each environment are listed.
const maxWaiting = 10

// EnvironmentReader reads what runs where. last is the environment after which the list goes on; the
// zero value: it ends here.
type EnvironmentReader interface {
	ListEnvironments(ctx context.Context, f deployment.EnvironmentFilter) (
		list []deployment.EnvironmentStatus, last deployment.EnvironmentID, err error)
}

// listEnvironments shows what runs, what waits and what is locked in each environment. A lock that covers several is
// shown with those that are listed anyway.
func (s *Server) listEnvironments(ctx context.Context, r *http.Request) (any, error) {
	filter, err := parseEnvironmentFilter(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest(err.Error())
	}

	found, last, err := s.o.Environments.ListEnvironments(ctx, filter)
	if err != nil {
		return nil, err
	}

	locks, err := s.o.LockReader.Locks(ctx)
	if err != nil {
		return nil, err
	}

	page := api.EnvironmentList{Environments: []api.Environment{}}
	for _, status := range found {
		if e := s.apiEnvironment(status, locks); e.Environment != "" {
			page.Environments = append(page.Environments, e)
		}
	}
	if last != (deployment.EnvironmentID{}) {
		page.NextCursor = encodeEnvironment(last)
	}

	return page, nil
}

// apiEnvironment shows an environment. Its newest deployment names it, or without one its own lock, which may have
// ended meanwhile: then Environment is empty.
func (s *Server) apiEnvironment(status deployment.EnvironmentStatus, locks []policy.Lock) api.Environment {
	out := api.Environment{
		RepositoryID: status.ID.RepositoryID,
		Waiting:      s.apiDeployments(status.Waiting),
		WaitingCount: status.Queued,
	}

	request := status.Newest().Request
	own := slices.IndexFunc(locks, func(l policy.Lock) bool { return lockedID(l) == status.ID })
	switch {
	case request.ID != 0:
		out.Repository, out.Environment = request.Repository.FullName(), request.Environment
	case own >= 0:
		out.Repository, out.Environment = locks[own].Repository, locks[own].Environment
	}

	if status.Current != nil {
		current := s.apiDeployment(*status.Current)
		out.Current = &current
	}
	if status.Active != nil {
		active := s.apiDeployment(*status.Active)
		out.Active = &active
	}

	if oldest := oldestLock(locks, status.ID); oldest != nil {
		l := apiLock(*oldest)
		out.Lock = &l
	}

	return out
}

// lockedID is the environment that a lock names; without a repository or an environment it covers several.
func lockedID(l policy.Lock) deployment.EnvironmentID {
	return deployment.EnvironmentID{RepositoryID: l.RepositoryID, Key: strings.ToLower(l.Environment)}
}

// oldestLock finds the oldest of the locks that cover an environment; nil: none does.
func oldestLock(locks []policy.Lock, id deployment.EnvironmentID) (oldest *policy.Lock) {
	for i, l := range locks {
		covers := (l.RepositoryID == 0 || l.RepositoryID == id.RepositoryID) &&
			(l.Environment == "" || strings.ToLower(l.Environment) == id.Key)
		if covers && (oldest == nil || l.TakenAt.Before(oldest.TakenAt)) {
			oldest = &locks[i]
		}
	}

	return oldest
}

func parseEnvironmentFilter(query string) (f deployment.EnvironmentFilter, err error) {
	values, err := parseQuery(query, "repository", "environment", "limit", "cursor")
	if err != nil {
		return f, err
	}

	f.Environment, f.MaxWaiting, f.Locked = values.Get("environment"), maxWaiting, true
	if f.Repository, err = parseRepository(values.Get("repository")); err != nil {
		return f, err
	}

	f.Limit = maxPage
	if values.Get("limit") != "" {
		if f.Limit, err = parseLimit(values.Get("limit")); err != nil {
			return f, err
		}
	}

	if cursor := values.Get("cursor"); cursor != "" {
		f.After, err = decodeEnvironment(cursor)
	}

	return f, err
}

// encodeEnvironment makes the cursor of the page after an environment.
func encodeEnvironment(id deployment.EnvironmentID) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", id.RepositoryID, id.Key))
}

func decodeEnvironment(cursor string) (id deployment.EnvironmentID, err error) {
	errInvalid := errors.New("cursor must be the next_cursor of an earlier answer")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return id, errInvalid
	}

	number, key, found := strings.Cut(string(raw), " ")
	repositoryID, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil || repositoryID <= 0 || checkText(key) != nil {
		return id, errInvalid
	}

	return deployment.EnvironmentID{RepositoryID: repositoryID, Key: key}, nil
}
