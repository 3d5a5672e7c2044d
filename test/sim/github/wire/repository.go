package wire

import (
	"strings"
	"time"
)

// Repository is the data of a repository that the JSON bodies contain.
type Repository struct {
	ID            int64
	Owner         Account
	Name          string
	DefaultBranch string
	Private       bool
	Archived      bool
	CreatedAt     time.Time
}

// FullName is owner/name.
func (r Repository) FullName() string { return r.Owner.Login + "/" + r.Name }

// repositoryLinks maps each link field of a repository to its path below the repository's URL.
var repositoryLinks = map[string]string{
	"forks_url":         "/forks",
	"keys_url":          "/keys{/key_id}",
	"collaborators_url": "/collaborators{/collaborator}",
	"teams_url":         "/teams",
	"hooks_url":         "/hooks",
	"issue_events_url":  "/issues/events{/number}",
	"events_url":        "/events",
	"assignees_url":     "/assignees{/user}",
	"branches_url":      "/branches{/branch}",
	"tags_url":          "/tags",
	"blobs_url":         "/git/blobs{/sha}",
	"git_tags_url":      "/git/tags{/sha}",
	"git_refs_url":      "/git/refs{/sha}",
	"trees_url":         "/git/trees{/sha}",
	"statuses_url":      "/statuses/{sha}",
	"languages_url":     "/languages",
	"stargazers_url":    "/stargazers",
	"contributors_url":  "/contributors",
	"subscribers_url":   "/subscribers",
	"subscription_url":  "/subscription",
	"commits_url":       "/commits{/sha}",
	"git_commits_url":   "/git/commits{/sha}",
	"comments_url":      "/comments{/number}",
	"issue_comment_url": "/issues/comments{/number}",
	"contents_url":      "/contents/{+path}",
	"compare_url":       "/compare/{base}...{head}",
	"merges_url":        "/merges",
	"archive_url":       "/{archive_format}{/ref}",
	"downloads_url":     "/downloads",
	"issues_url":        "/issues{/number}",
	"pulls_url":         "/pulls{/number}",
	"milestones_url":    "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}",
	"labels_url":        "/labels{/name}",
	"releases_url":      "/releases{/id}",
	"deployments_url":   "/deployments",
}

// JSON is the repository as the schema "full-repository", which also serves in webhook payloads.
func (r Repository) JSON(api, web string) Object {
	self, page := api+"/repos/"+r.FullName(), web+"/"+r.FullName()
	body := Object{
		"id":                          r.ID,
		"node_id":                     NodeID("Repository", r.ID),
		"name":                        r.Name,
		"full_name":                   r.FullName(),
		"owner":                       r.Owner.JSON(api, web),
		"private":                     r.Private,
		"visibility":                  visibility(r.Private),
		"html_url":                    page,
		"url":                         self,
		"description":                 nil,
		"fork":                        false,
		"homepage":                    nil,
		"language":                    "Go",
		"default_branch":              r.DefaultBranch,
		"archived":                    r.Archived,
		"disabled":                    false,
		"is_template":                 false,
		"license":                     nil,
		"mirror_url":                  nil,
		"topics":                      []string{},
		"size":                        0,
		"has_issues":                  true,
		"has_projects":                true,
		"has_downloads":               true,
		"has_wiki":                    true,
		"has_pages":                   false,
		"has_discussions":             false,
		"forks":                       0,
		"forks_count":                 0,
		"open_issues":                 0,
		"open_issues_count":           0,
		"stargazers_count":            0,
		"watchers":                    0,
		"watchers_count":              0,
		"network_count":               0,
		"subscribers_count":           0,
		"allow_forking":               true,
		"web_commit_signoff_required": false,
		"created_at":                  Time(r.CreatedAt),
		"updated_at":                  Time(r.CreatedAt),
		"pushed_at":                   Time(r.CreatedAt),
		"git_url":                     strings.Replace(page, "https:", "git:", 1) + ".git",
		"ssh_url":                     "git@" + strings.TrimPrefix(web, "https://") + ":" + r.FullName() + ".git",
		"clone_url":                   page + ".git",
		"svn_url":                     page,
	}

	for field, path := range repositoryLinks {
		body[field] = self + path
	}

	return body
}

// fullOnly are the fields that only the body of a single repository has, not lists or other bodies.
var fullOnly = []string{"network_count", "subscribers_count"}

// Minimal is the repository as other bodies and webhooks contain it.
func (r Repository) Minimal(api, web string) Object {
	body := r.JSON(api, web)
	for _, field := range fullOnly {
		delete(body, field)
	}
	return body
}

func visibility(private bool) string {
	if private {
		return "private"
	}
	return "public"
}
