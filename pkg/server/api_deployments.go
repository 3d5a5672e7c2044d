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
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// DeploymentReader reads deployments. Get returns all records with GitHub's deployment id, which
// may be none.
type DeploymentReader interface {
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	Get(ctx context.Context, id int64) ([]deployment.Record, error)
}

// How many entries one page of the API holds.
const (
	defaultPage = 50
	maxPage     = 200
)

func (s *Server) listDeployments(w http.ResponseWriter, r *http.Request) {
	filter, err := parseFilter(r.URL.RawQuery)
	if err != nil {
		writeError(w, r, badRequest(err.Error()))
		return
	}

	ctx, cancel := context.WithTimeout(r.Context(), s.o.StoreTimeout)
	defer cancel()
	limit := filter.Limit
	filter.Limit++ // one more than is shown tells whether there is another page
	found, err := s.o.Reader.List(ctx, filter)
	if err != nil {
		writeError(w, r, readFailed(r, err))
		return
	}

	page := api.DeploymentList{}
	if len(found) > limit {
		found = found[:limit]
		page.NextCursor = encodeCursor(found[limit-1].Row)
	}
	page.Deployments = s.apiDeployments(found)

	writeJSON(w, r, http.StatusOK, page)
}

func (s *Server) getDeployment(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.o.StoreTimeout)
	defer cancel()

	var records []deployment.Record
	if id := idOf(r); id > 0 {
		var err error
		records, err = s.o.Reader.Get(ctx, id)
		if err != nil && !errors.Is(err, deployment.ErrNotFound) {
			writeError(w, r, readFailed(r, err))
			return
		}
	}

	if len(records) == 0 {
		const message = "no deployment has this id; use GitHub's deployment id"
		writeError(w, r, newError(http.StatusNotFound, "not_found", message))
		return
	}

	writeJSON(w, r, http.StatusOK, s.apiDetail(records[0]))
}

func readFailed(r *http.Request, err error) *apiError {
	zerolog.Ctx(r.Context()).Error().Err(err).Msg("read deployments failed")
	return unavailable("the deployments could not be read; try again", err)
}

// idOf is the number in the path, or 0, which nothing has, where it is not a number.
func idOf(r *http.Request) int64 {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// parseFilter reads the query of a list. It refuses parameters that it does not know, because a
// misspelt filter must not show everything.
func parseFilter(query string) (deployment.Filter, error) {
	var f deployment.Filter
	values, err := parseQuery(query, "repository", "environment", "state", "limit", "cursor")
	if err != nil {
		return f, err
	}

	if f.Repository, err = parseRepository(values.Get("repository")); err != nil {
		return f, err
	}

	f.Environment = values.Get("environment")
	f.State = deployment.State(values.Get("state"))
	if f.State != "" && !f.State.Valid() {
		return f, errors.New("state is not a state of deployments")
	}

	if f.Limit, err = parseLimit(values.Get("limit")); err != nil {
		return f, err
	}

	if cursor := values.Get("cursor"); cursor != "" {
		f.Before, err = decodeCursor(cursor)
	}

	return f, err
}

// parseRepository reads the name of a repository, which may be empty.
func parseRepository(name string) (string, error) {
	if name != "" && strings.Count(name, "/") != 1 {
		return "", errors.New("repository must be OWNER/NAME")
	}
	return name, nil
}

// parseLimit reads how many entries a page holds.
func parseLimit(text string) (int, error) {
	if text == "" {
		return defaultPage, nil
	}

	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxPage {
		return 0, fmt.Errorf("limit must be a number from 1 to %d", maxPage)
	}
	return limit, nil
}

// parseQuery reads a query. It refuses parameters that are unknown or given more than once, and texts
// that a database cannot compare with: PostgreSQL takes neither U+0000 nor bytes that are not UTF-8.
func parseQuery(query string, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the query is malformed")
	}

	for name, given := range values {
		switch {
		case len(known) == 0:
			return nil, errors.New("unexpected query parameters: this path has none")
		case !slices.Contains(known, name) || len(given) != 1:
			list := strings.Join(known, ", ")
			return nil, fmt.Errorf("each query parameter must be one of %s and be given once", list)
		case checkText(given[0]) != nil:
			return nil, fmt.Errorf("%s %w", name, checkText(given[0]))
		}
	}

	return values, nil
}

// checkText refuses texts that a database cannot compare with.
func checkText(text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("must be UTF-8 text without control characters")
	}
	return nil
}

// encodeCursor makes the cursor of the page after a row. It is opaque so that clients do not
// calculate with row numbers.
func encodeCursor(row int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(row, 10)))
}

func decodeCursor(cursor string) (int64, error) {
	errInvalid := errors.New("cursor must be the next_cursor of an earlier answer")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, errInvalid
	}

	row, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || row <= 0 {
		return 0, errInvalid
	}

	return row, nil
}
