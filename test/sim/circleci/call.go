package circleci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

// object is a JSON object.
type object map[string]any

// PageSize is the number of items on a page. CircleCI does not document its own.
const PageSize = 20

// call is one request.
type call struct {
	r     *http.Request
	route route
}

// param returns a path parameter, unescaped.
func (c *call) param(name string) string { return c.r.PathValue(name) }

// response is one HTTP response. A string body is sent as plain text.
type response struct {
	status int
	body   any
	header map[string]string
}

func ok(body any) *response { return &response{status: http.StatusOK, body: body} }

func errorResponse(status int, message string) *response {
	return &response{status: status, body: object{"message": message}}
}

func accepted() *response { return errorResponse(http.StatusAccepted, "Accepted.") }

func writeResponse(w http.ResponseWriter, resp *response) {
	header := map[string]string{"Content-Type": "application/json;charset=utf-8"}
	text, plain := resp.body.(string)
	if plain {
		header["Content-Type"] = "text/plain"
	}

	maps.Copy(header, resp.header)
	for name, value := range header {
		w.Header().Set(name, value)
	}

	w.WriteHeader(resp.status)
	if plain {
		io.WriteString(w, text) // an error means that the caller closed the connection
		return
	}

	json.NewEncoder(w).Encode(resp.body) // the same
}

func (s *Server) reportViolation(c *call, format string, args ...any) {
	s.violations = append(s.violations, c.r.Method+" "+c.r.URL.Path+": "+fmt.Sprintf(format, args...))
}

// decode reads a JSON body into target. An empty body counts as an empty object. Unknown fields and
// wrong types are violations and answered with 400. A body without a JSON Content-Type is ignored,
// as CircleCI does.
func (s *Server) decode(c *call, target any) *response {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, 1<<20))
	if err != nil {
		return errorResponse(http.StatusBadRequest, "Malformed JSON")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if kind := c.r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		s.reportViolation(c, "Content-Type is %q: the body is ignored", kind)
		return nil
	}

	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	strict.UseNumber()
	if err := strict.Decode(target); err != nil {
		s.reportViolation(c, "body: %v", err)
		return errorResponse(http.StatusBadRequest, "Invalid input: "+err.Error())
	}

	return nil
}

// paginate returns one page of items and the token of the next, as CircleCI does with page-token. A
// token contains the name of the last item of the previous page.
func paginate[T any](s *Server, c *call, items []T, name func(T) string, view func(T) object) *response {
	from := 0
	if token := c.r.URL.Query().Get("page-token"); token != "" {
		for from < len(items) && "after-"+name(items[from]) != token {
			from++
		}

		if from == len(items) {
			s.reportViolation(c, "unknown page-token")
			return errorResponse(http.StatusBadRequest, "Invalid page token")
		}

		from++
	}

	to := min(from+PageSize, len(items))
	views := []object{} // never null
	for _, item := range items[from:to] {
		views = append(views, view(item))
	}

	var next any
	if to < len(items) {
		next = "after-" + name(items[to-1])
	}

	return ok(object{"items": views, "next_page_token": next})
}
