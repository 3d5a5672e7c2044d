package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

const docs = "https://docs.github.com/rest"

// call is one request, with what the preconditions have found out about it.
type call struct {
	r          *http.Request
	route      route
	credential *credential
	repo       *repository
}

// param returns a path parameter, unescaped.
func (c *call) param(name string) string {
	raw := chi.URLParam(c.r, name)
	if plain, err := url.PathUnescape(raw); err == nil {
		return plain
	}
	return raw
}

func (c *call) id(name string) int64 {
	id, _ := strconv.ParseInt(c.param(name), 10, 64)
	return id
}

// text is a body that is sent as it is, with the content type of the response's header.
type text string

// response is one HTTP response. With a nil body, none is sent.
type response struct {
	status int
	body   any
	header map[string]string
}

func ok(body any) *response { return &response{status: http.StatusOK, body: body} }

func errorResponse(status int, message string) *response {
	return &response{
		status: status,
		body: wire.Object{
			"message":           message,
			"documentation_url": docs,
			"status":            strconv.Itoa(status),
		},
	}
}

func notFound() *response { return errorResponse(http.StatusNotFound, "Not Found") }

// validationError is GitHub's 422 with one entry in errors.
func validationError(resource, field, code, message string) *response {
	problem := wire.Object{"resource": resource, "field": field, "code": code}
	if message != "" {
		problem["message"] = message
	}
	resp := errorResponse(http.StatusUnprocessableEntity, "Validation Failed")
	resp.body.(wire.Object)["errors"] = []any{problem}
	return resp
}

func (s *Server) writeResponse(w http.ResponseWriter, c *call, resp *response) {
	h := w.Header()
	s.rateHeaders(h, c.credential)
	for k, v := range resp.header {
		h.Set(k, v)
	}

	h.Set("X-GitHub-Request-Id", fmt.Sprintf("SIM0:%04X", s.nextID("request")))
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	if c.route.permission != "" {
		h.Set("X-Accepted-GitHub-Permissions", c.route.permission)
	}
	if resp.body == nil {
		w.WriteHeader(resp.status)
		return
	}

	if plain, ok := resp.body.(text); ok {
		w.WriteHeader(resp.status)
		io.WriteString(w, string(plain)) // an error means that the caller closed the connection
		return
	}

	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(resp.status)
	json.NewEncoder(w).Encode(resp.body) // an error means that the caller closed the connection
}

func (s *Server) reportViolation(c *call, format string, args ...any) {
	s.violations = append(s.violations, c.r.Method+" "+c.r.URL.Path+": "+fmt.Sprintf(format, args...))
}

// decode reads a JSON body into target. Unknown fields are violations, though GitHub ignores them.
// A wrong type is a violation and answered with 422.
func (s *Server) decode(c *call, target any) *response {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, 1<<20))
	if err != nil {
		return errorResponse(http.StatusBadRequest, "Problems parsing JSON")
	}
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		s.reportViolation(c, "Content-Type is %q", c.r.Header.Get("Content-Type"))
	}

	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	err = strict.Decode(target)
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "unknown field") {
		s.reportViolation(c, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}

	return s.decodeLenient(c, body, target)
}

// decodeLenient decodes the body as GitHub does, which ignores unknown fields.
func (s *Server) decodeLenient(c *call, body []byte, target any) *response {
	err := json.Unmarshal(body, target)
	if err == nil {
		return nil
	}

	s.reportViolation(c, "body: %v", err)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return errorResponse(
			http.StatusUnprocessableEntity,
			fmt.Sprintf(
				"Invalid request.\n\nFor 'properties/%s', %s is not a %s.",
				wrong.Field,
				wrong.Value,
				wrong.Type,
			),
		)
	}

	return errorResponse(http.StatusBadRequest, "Problems parsing JSON")
}

// checkQuery returns the query parameters and reports those that GitHub does not document for this
// call.
func (s *Server) checkQuery(c *call, known ...string) url.Values {
	values := c.r.URL.Query()
	for name := range values {
		if !slices.Contains(known, name) {
			s.reportViolation(c, "unknown query parameter %q", name)
		}
	}
	return values
}

// paginate returns one page of items, with the other pages in the Link header, as GitHub does with
// page and per_page.
func paginate[T any](s *Server, c *call, items []T) *response {
	size := clamp(c.r.URL.Query().Get("per_page"), 30, 100)
	number := clamp(c.r.URL.Query().Get("page"), 1, 1<<30)
	last := max(1, (len(items)+size-1)/size)
	from := min((number-1)*size, len(items))
	resp := ok(append([]T{}, items[from:min(from+size, len(items))]...)) // never null
	var links []string
	link := func(rel string, number int) {
		links = append(links, fmt.Sprintf("<%s>; rel=%q", s.urlWith(c, "page", strconv.Itoa(number)), rel))
	}
	if number > 1 {
		link("prev", number-1)
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if number > 1 {
		link("first", 1)
	}
	if len(links) > 0 {
		resp.header = map[string]string{"Link": strings.Join(links, ", ")}
	}

	return resp
}

// urlWith returns the URL of this call with one query parameter changed.
func (s *Server) urlWith(c *call, name, value string) string {
	query := c.r.URL.Query()
	query.Set(name, value)
	return s.base + c.r.URL.Path + "?" + query.Encode()
}

// clamp reads a number from 1 to limit, or returns the default.
func clamp(text string, fallback, limit int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fallback
	}
	return min(n, limit)
}
