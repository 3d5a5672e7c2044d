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

// call is one request on its way through the gates.
type call struct {
	r     *http.Request
	route route
	who   *credential
	repo  *repository
}

// param is a path parameter, unescaped.
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

// answer is one response. A nil body sends none.
type answer struct {
	status int
	body   any
	header map[string]string
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

func refuse(status int, message string) *answer {
	return &answer{
		status: status,
		body: wire.Object{
			"message": message, "documentation_url": docs, "status": strconv.Itoa(status),
		},
	}
}

func notFound() *answer { return refuse(http.StatusNotFound, "Not Found") }

// invalid is GitHub's 422 with one entry in errors.
func invalid(resource, field, code, message string) *answer {
	problem := wire.Object{"resource": resource, "field": field, "code": code}
	if message != "" {
		problem["message"] = message
	}
	a := refuse(http.StatusUnprocessableEntity, "Validation Failed")
	a.body.(wire.Object)["errors"] = []any{problem}
	return a
}

func (s *Server) write(w http.ResponseWriter, c *call, a *answer) {
	h := w.Header()
	s.rateHeaders(h, c.who)
	for k, v := range a.header {
		h.Set(k, v)
	}

	h.Set("X-GitHub-Request-Id", fmt.Sprintf("SIM0:%04X", s.nextID("request")))
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	if c.route.permission != "" {
		h.Set("X-Accepted-GitHub-Permissions", c.route.permission)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}

	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	json.NewEncoder(w).Encode(a.body) // the caller hung up
}

func (s *Server) violate(c *call, format string, args ...any) {
	s.violations = append(s.violations, c.r.Method+" "+c.r.URL.Path+": "+fmt.Sprintf(format, args...))
}

// decode reads a JSON body into target. Fields that GitHub does not know are a violation, though
// GitHub ignores them; a wrong type is a violation and 422.
func (s *Server) decode(c *call, target any) *answer {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, 1<<20))
	if err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		s.violate(c, "Content-Type is %q", c.r.Header.Get("Content-Type"))
	}

	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(target); err == nil {
		return nil
	} else if strings.Contains(err.Error(), "unknown field") {
		s.violate(c, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}

	return s.decodeKnown(c, body, target)
}

func (s *Server) decodeKnown(c *call, body []byte, target any) *answer {
	err := json.Unmarshal(body, target)
	if err == nil {
		return nil
	}

	s.violate(c, "body: %v", err)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return refuse(
			http.StatusUnprocessableEntity,
			fmt.Sprintf(
				"Invalid request.\n\nFor 'properties/%s', %s is not a %s.",
				wrong.Field,
				wrong.Value,
				wrong.Type,
			),
		)
	}

	return refuse(http.StatusBadRequest, "Problems parsing JSON")
}

// query reports parameters GitHub does not know for this call.
func (s *Server) query(c *call, known ...string) url.Values {
	values := c.r.URL.Query()
	for name := range values {
		if !slices.Contains(known, name) {
			s.violate(c, "unknown query parameter %q", name)
		}
	}
	return values
}

// page cuts one page out of items and says in Link where the others are, as GitHub's numbered
// paging does.
func page[T any](s *Server, c *call, items []T) *answer {
	size := clamp(c.r.URL.Query().Get("per_page"), 30, 100)
	number := clamp(c.r.URL.Query().Get("page"), 1, 1<<30)
	last := max(1, (len(items)+size-1)/size)
	from := min((number-1)*size, len(items))
	a := ok(append([]T{}, items[from:min(from+size, len(items))]...)) // never null
	var links []string
	link := func(rel string, number int) {
		links = append(links, fmt.Sprintf("<%s>; rel=%q", s.address(c, "page", strconv.Itoa(number)), rel))
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
		a.header = map[string]string{"Link": strings.Join(links, ", ")}
	}

	return a
}

// address is the URL of this call with one query parameter changed.
func (s *Server) address(c *call, name, value string) string {
	query := c.r.URL.Query()
	query.Set(name, value)
	return s.base + c.r.URL.Path + "?" + query.Encode()
}

// clamp reads a number in 1..most, or the default.
func clamp(text string, standard, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return standard
	}
	return min(n, most)
}
