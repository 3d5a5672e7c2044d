package github

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

func (s *Server) listHooks(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	bodies := []wire.Object{}
	if hook := c.repo.hook; hook != nil {
		bodies = append(bodies, s.hookBody(c, hook))
	}
	return paginate(s, c, bodies)
}

// listOrgHooks answers 404, as GitHub does to everybody who is not an owner of the organization.
func (s *Server) listOrgHooks(*call) *response { return notFound() }

func (s *Server) hookBody(c *call, hook *hookshot.Hook) wire.Object {
	self := s.api() + "/repos/" + c.repo.FullName() + "/hooks/" + strconv.FormatInt(hook.ID, 10)
	created := wire.Time(c.repo.CreatedAt)
	return wire.Object{
		"type":   "Repository",
		"id":     hook.ID,
		"name":   "web",
		"active": true,
		"events": hook.Events,
		"config": wire.Object{
			"content_type": "json",
			"insecure_ssl": "0",
			"url":          hook.URL,
			"secret":       "********",
		},
		"created_at":     created,
		"updated_at":     created,
		"url":            self,
		"test_url":       self + "/test",
		"ping_url":       self + "/pings",
		"deliveries_url": self + "/deliveries",
		"last_response":  wire.Object{"code": nil, "status": "unused", "message": nil},
	}
}

// hookID returns the id of the webhook a call is about: the app's, or the one in the path. 0 means
// that there is none.
func (s *Server) hookID(c *call) int64 {
	if c.credential.isJWT {
		if hook := s.appHook(); hook != nil {
			return hook.ID
		}

		return 0
	}

	if hook := c.repo.hook; hook != nil && hook.ID == c.id("hook") {
		return hook.ID
	}

	return 0
}

// listDeliveries lists deliveries, newest first, with cursor pagination. The lists of app and
// repository webhooks work the same way.
func (s *Server) listDeliveries(c *call) *response {
	query := s.checkQuery(c, "per_page", "cursor", "redelivery", "status")
	hook := s.hookID(c)
	if hook == 0 {
		return notFound()
	}

	before := int64(1) << 62
	if cursor, given := strings.CutPrefix(query.Get("cursor"), "v1_"); given {
		before, _ = strconv.ParseInt(cursor, 10, 64)
	}

	size := clamp(query.Get("per_page"), 30, 100)
	items, more := []wire.Object{}, false
	var last int64
	for _, d := range slices.Backward(s.hooks.Deliveries()) {
		if d.Lost || d.Hook.ID != hook || d.ID >= before || !hasStatus(d, query.Get("status")) {
			continue
		}
		if more = len(items) == size; more {
			break
		}

		items, last = append(items, d.Item()), d.ID
	}

	resp := ok(items)
	if more {
		next := s.urlWith(c, "cursor", "v1_"+strconv.FormatInt(last, 10))
		resp.header = map[string]string{"Link": "<" + next + `>; rel="next"`}
	}

	return resp
}

// hasStatus applies the filter status=success (200 to 399) or failure (400 to 599).
func hasStatus(d hookshot.Delivery, want string) bool {
	switch want {
	case "success":
		return d.StatusCode >= 200 && d.StatusCode < 400
	case "failure":
		return d.StatusCode >= 400
	}
	return true
}

func (s *Server) delivery(c *call) (hookshot.Delivery, bool) {
	d, found := s.hooks.Find(c.id("delivery"))
	return d, found && !d.Lost && d.Hook.ID == s.hookID(c)
}

func (s *Server) getDelivery(c *call) *response {
	d, found := s.delivery(c)
	if !found {
		return notFound()
	}
	return ok(d.Full())
}

// maxRedeliveryHours is how old a delivery may be to be redelivered on github.com. On Enterprise
// Server it is 7 days, which the simulator does not check.
const maxRedeliveryHours = 3 * 24

func (s *Server) redeliver(c *call) *response {
	d, found := s.delivery(c)
	if !found {
		return notFound()
	}
	if s.options.Now().Sub(d.At).Hours() > maxRedeliveryHours && !s.enterprise() {
		return errorResponse(http.StatusUnprocessableEntity, "This delivery is too old to be redelivered.")
	}
	if err := s.hooks.Redeliver(d.ID); err != nil {
		return notFound()
	}

	return &response{status: http.StatusAccepted, body: wire.Object{}}
}

// Ping sends the event that GitHub sends when a webhook is created.
func (s *Server) Ping(repo string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mustRepository(repo)
	hooks := s.hooksFor(r)
	if len(hooks) == 0 {
		return
	}

	hook := hooks[0]
	s.send(r, "ping", wire.Object{
		"zen":        "Anything added dilutes everything else.",
		"hook_id":    hook.ID,
		"repository": r.Minimal(s.api(), s.web()),
		"sender":     s.account("octocat").JSON(s.api(), s.web()),
		"hook": wire.Object{
			"type":   "Repository",
			"id":     hook.ID,
			"name":   "web",
			"active": true,
			"events": hook.Events,
			"config": wire.Object{"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": hook.URL},
		},
	})
}
