package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
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

// listEnvironments shows what runs, what waits and what is locked in each environment.
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

	page := api.EnvironmentList{Environments: make([]api.Environment, len(found))}
	for i, status := range found {
		page.Environments[i] = s.apiEnvironment(status, locks)
	}
	if last != (deployment.EnvironmentID{}) {
		page.NextCursor = encodeEnvironment(last)
	}

	return page, nil
}

func (s *Server) apiEnvironment(status deployment.EnvironmentStatus, locks []policy.Lock) api.Environment {
	request := status.Newest().Request
	out := api.Environment{
		Repository:   request.Repository.FullName(),
		RepositoryID: status.ID.RepositoryID,
		Environment:  request.Environment,
		Waiting:      s.apiDeployments(status.Waiting),
		WaitingCount: status.Queued,
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

	f.Environment, f.MaxWaiting = values.Get("environment"), maxWaiting
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
