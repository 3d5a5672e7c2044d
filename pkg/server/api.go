package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// How many deployments one page of the API holds.
const (
	defaultPage = 50
	maxPage     = 200
)

// filters are the query parameters of the list. Any other is refused: a misspelt filter must not
// show everything.
var filters = []string{"repository", "environment", "state", "limit", "cursor"}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.RawQuery)
	if err != nil {
		writeError(w, r, badRequest(err))
		return
	}

	ctx, cancel := context.WithTimeout(r.Context(), s.o.StoreTimeout)
	defer cancel()
	found, err := s.o.Reader.List(ctx, f)
	if err != nil {
		s.unreadable(w, r, err)
		return
	}

	page := api.DeploymentList{Deployments: s.apiDeployments(found)}
	if len(found) == f.Limit {
		page.NextCursor = encodeCursor(found[len(found)-1].Row)
	}

	writeJSON(w, r, http.StatusOK, page)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil || id <= 0 {
		writeError(w, r, unknownDeployment())
		return
	}

	ctx, cancel := context.WithTimeout(r.Context(), s.o.StoreTimeout)
	defer cancel()
	records, err := s.o.Reader.Get(ctx, id)
	switch {
	case err != nil && !errors.Is(err, deployment.ErrNotFound):
		s.unreadable(w, r, err)
	case len(records) == 0:
		writeError(w, r, unknownDeployment())
	default:
		writeJSON(w, r, http.StatusOK, s.apiDetail(records[0]))
	}
}

func unknownDeployment() *apiError {
	return newError(
		http.StatusNotFound,
		"not_found",
		"no deployment has this id; it is GitHub's deployment id that is asked for",
	)
}

func (s *Server) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	zerolog.Ctx(r.Context()).Error().Err(err).Msg("the deployments could not be read")
	writeError(w, r, unavailable("the deployments could not be read, ask again", err))
}

func parseFilter(query string) (deployment.Filter, error) {
	f := deployment.Filter{Limit: defaultPage}
	values, err := url.ParseQuery(query)
	if err != nil {
		return f, errors.New("the query is malformed")
	}

	for name, given := range values {
		if !slices.Contains(filters, name) || len(given) != 1 {
			return f, fmt.Errorf(
				"each query parameter must be one of %s and be given once",
				strings.Join(filters, ", "),
			)
		}
	}

	f.Repository, f.Environment, f.State = values.Get(
		"repository",
	), values.Get(
		"environment",
	), deployment.State(
		values.Get("state"),
	)

	if f.State != "" && !f.State.Valid() {
		return f, errors.New("state is none of the states of a deployment")
	}
	if f.Repository != "" && strings.Count(f.Repository, "/") != 1 {
		return f, errors.New("repository must be OWNER/NAME")
	}

	return f, parsePage(values, &f)
}

func parsePage(values url.Values, f *deployment.Filter) error {
	if limit := values.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > maxPage {
			return fmt.Errorf("limit must be a number from 1 to %d", maxPage)
		}

		f.Limit = n
	}

	if cursor := values.Get("cursor"); cursor != "" {
		row, err := decodeCursor(cursor)
		if err != nil {
			return err
		}

		f.Before = row
	}

	return nil
}

// encodeCursor hides that a cursor is a row number, so that nobody makes one up.
func encodeCursor(row int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(row, 10)))
}

func decodeCursor(cursor string) (int64, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		if row, err := strconv.ParseInt(string(raw), 10, 64); err == nil && row > 0 {
			return row, nil
		}
	}
	return 0, errors.New("cursor must be a next_cursor of an earlier answer")
}
