package deployment

import (
	"encoding/json"
	"strings"
	"time"
)

// Repository names a GitHub repository. Rows are keyed by ID, because names move.
type Repository struct {
	ID    int64  `json:"id"`
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// FullName is "owner/name" as GitHub spelled it.
func (r Repository) FullName() string { return r.Owner + "/" + r.Name }

// Creator is who made the deployment, as GitHub says. Type is "User", "Bot" or "Organization"; all
// may be empty.
type Creator struct {
	ID    int64  `json:"id,omitempty"`
	Login string `json:"login,omitempty"`
	Type  string `json:"type,omitempty"`
}

// App is the GitHub App through which a deployment was made (performed_via_github_app); the zero
// App means none.
type App struct {
	ID   int64  `json:"id,omitempty"`
	Slug string `json:"slug,omitempty"`
}

// MaxPayload is how large a payload may be for a template to use it, in bytes of JSON.
const MaxPayload = 1 << 20

// Request is what a GitHub deployment asks for.
type Request struct {
	ID          int64           `json:"id"` // GitHub's deployment id; it also orders deployments of one environment
	Repository  Repository      `json:"repository"`
	Environment string          `json:"environment"`
	Ref         string          `json:"ref"`
	SHA         string          `json:"sha"`
	Task        string          `json:"task"`
	Description string          `json:"description,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty"` // as GitHub sent it: object, string, null or anything else
	// PayloadTooLarge says that the payload was over MaxPayload and is not in Payload.
	PayloadTooLarge bool    `json:"-"`
	Creator         Creator `json:"creator"`
	App             App     `json:"app"`
	WorkflowRun     bool    `json:"workflow_run,omitempty"` // a GitHub Actions run made it
	// of the GitHub App that the event came through; 0 when unknown
	Installation int64     `json:"installation,omitempty"`
	CreatedAt    time.Time `json:"created_at"` // GitHub's time
}

// Requester is who asked for it: the creator. A bot counts as its app; names in the payload are
// never believed.
func (r Request) Requester() Actor {
	a := Actor{ID: r.Creator.ID, Login: r.Creator.Login}
	if r.Creator.Type == "Bot" {
		a.App = strings.TrimSuffix(r.Creator.Login, "[bot]")
	}
	return a
}

// EnvironmentKey is the lower-cased environment: with the repository id it says what "the same
// environment" is.
func (r Request) EnvironmentKey() string { return strings.ToLower(r.Environment) }

// Delivery is one verified webhook, or one deployment found by recovery.
type Delivery struct {
	GUID         string // X-GitHub-Delivery; for recovery a name made from the deployment's ids
	Event        string
	Source       string // SourceWebhook or SourceListing
	RepositoryID int64
	DeploymentID int64
	ReceivedAt   time.Time
	Body         []byte // the verified JSON, kept for later questions; never shown
}

// Where deliveries come from.
const (
	SourceWebhook = "github"  // POST /webhooks/github
	SourceListing = "listing" // recovery: GitHub's list of deployments

	SourceRedelivery = "redelivery" // recovery: a webhook that GitHub was asked to deliver again
)
