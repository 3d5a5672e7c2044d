// Package wire builds the JSON bodies of GitHub's REST API and webhooks, as in GitHub's OpenAPI
// description (3.0.3, npm package @octokit/openapi) and its official webhook samples.
package wire

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// Object is one JSON object.
type Object = map[string]any

// Time formats t as GitHub does: UTC, whole seconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// NodeID returns GitHub's older GraphQL id of an object: base64 of a type name and the number.
func NodeID(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%02d:%s%d", len(kind), kind, id))
}

// Account is a user, bot or organization.
type Account struct {
	ID    int64
	Login string
	Type  string // User, Bot or Organization
}

// JSON is the account as the schema "simple-user". api and web are base URLs without a trailing
// slash.
func (a Account) JSON(api, web string) Object {
	self := api + "/users/" + strings.NewReplacer("[", "%5B", "]", "%5D").Replace(a.Login)
	page := web + "/" + a.Login
	if slug, bot := strings.CutSuffix(a.Login, "[bot]"); bot {
		page = web + "/apps/" + slug
	}

	return Object{
		"login":               a.Login,
		"id":                  a.ID,
		"node_id":             NodeID(a.Type, a.ID),
		"type":                a.Type,
		"site_admin":          false,
		"avatar_url":          fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", a.ID),
		"gravatar_id":         "",
		"url":                 self,
		"html_url":            page,
		"user_view_type":      "public",
		"followers_url":       self + "/followers",
		"following_url":       self + "/following{/other_user}",
		"gists_url":           self + "/gists{/gist_id}",
		"starred_url":         self + "/starred{/owner}{/repo}",
		"subscriptions_url":   self + "/subscriptions",
		"organizations_url":   self + "/orgs",
		"repos_url":           self + "/repos",
		"events_url":          self + "/events{/privacy}",
		"received_events_url": self + "/received_events",
	}
}

// Public is the account as the schema "public-user".
func (a Account) Public(api, web string) Object {
	user := a.JSON(api, web)
	for _, field := range []string{"name", "company", "email", "bio", "hireable", "location"} {
		user[field] = nil
	}

	for _, field := range []string{"public_repos", "public_gists", "followers", "following"} {
		user[field] = 0
	}

	user["blog"], user["created_at"], user["updated_at"] = "", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
	return user
}

// Organization is the short form that webhook payloads contain beside the repository.
func (a Account) Organization(api string) Object {
	self := api + "/orgs/" + a.Login
	return Object{
		"login":              a.Login,
		"id":                 a.ID,
		"node_id":            NodeID("Organization", a.ID),
		"url":                self,
		"description":        "",
		"repos_url":          self + "/repos",
		"events_url":         self + "/events",
		"hooks_url":          self + "/hooks",
		"issues_url":         self + "/issues",
		"members_url":        self + "/members{/member}",
		"public_members_url": self + "/public_members{/member}",
		"avatar_url":         fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", a.ID),
	}
}

// App is a GitHub App.
type App struct {
	ID          int64
	Slug        string
	Owner       Account
	Permissions map[string]string
	Events      []string
	CreatedAt   time.Time
}

// JSON is the app as the schema "integration".
func (a App) JSON(api, web string) Object {
	return Object{
		"id":           a.ID,
		"slug":         a.Slug,
		"node_id":      NodeID("Integration", a.ID),
		"name":         a.Slug,
		"description":  "",
		"client_id":    fmt.Sprintf("Iv1.%016x", a.ID),
		"owner":        a.Owner.JSON(api, web),
		"external_url": "https://example.com/" + a.Slug,
		"html_url":     web + "/apps/" + a.Slug,
		"created_at":   Time(a.CreatedAt),
		"updated_at":   Time(a.CreatedAt),
		"permissions":  a.Permissions,
		"events":       a.Events,
	}
}
