package deployment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Repository is a GitHub repository. Rows are keyed by ID, because repositories can be renamed.
type Repository struct {
	ID    int64  `json:"id"`
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// FullName returns "owner/name" as GitHub spelled it.
func (r Repository) FullName() string { return r.Owner + "/" + r.Name }

// Creator is the account that created the deployment, as GitHub shows it. Type is "User", "Bot" or
// "Organization". Each field may be empty.
type Creator struct {
	ID    int64  `json:"id,omitempty"`
	Login string `json:"login,omitempty"`
	Type  string `json:"type,omitempty"`
}

// App is the GitHub App through which a deployment was created (performed_via_github_app). The zero
// App means that there was none.
type App struct {
	ID   int64  `json:"id,omitempty"`
	Slug string `json:"slug,omitempty"`
}

// MaxPayload is how large a payload may be for a template to use it, in bytes of JSON.
const MaxPayload = 1 << 20

// Request is what a GitHub deployment asks for.
type Request struct {
	ID          int64           `json:"id"` // GitHub's deployment id; deployments of one environment start in its order
	Repository  Repository      `json:"repository"`
	Environment string          `json:"environment"`
	Ref         string          `json:"ref"`
	SHA         string          `json:"sha"`
	Task        string          `json:"task"`
	Description string          `json:"description,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty"` // as GitHub sent it: object, string, null or anything else
	Creator     Creator         `json:"creator"`
	App         App             `json:"app"`
	WorkflowRun bool            `json:"workflow_run,omitempty"` // a GitHub Actions run created it
	CreatedAt   time.Time       `json:"created_at"`             // by GitHub's clock

	Installation    int64 `json:"installation,omitempty"` // of our GitHub App, as the event shows it; 0: not known
	PayloadTooLarge bool  `json:"-"`                      // the payload was over MaxPayload and is not in Payload

	PayloadDigest string `json:"payload_digest,omitempty"` // of a stored request with rules; empty: not known
	ReadAtGitHub  bool   `json:"read_at_github,omitempty"` // GitHub's API showed it; false: an event did

	Asked *Asked `json:"asked,omitempty"` // who asked this service for it; nil: it was created by somebody else
}

// largePayload is the digest of every payload over MaxPayload, which no template may use.
const largePayload = "too large"

// PayloadDigest returns what is the same for payloads that mean the same to templates, however their JSON
// is written, so that a payload need not be kept to be compared. It is never empty.
func PayloadDigest(payload json.RawMessage) string {
	if len(payload) > MaxPayload {
		return largePayload
	}

	text := []byte(payload)
	if value, ok := decodePayload(payload); ok {
		if inner, isText := value.(string); isText {
			if object, ok := decodePayload([]byte(inner)); ok {
				if fields, isObject := object.(map[string]any); isObject {
					value = fields
				}
			}
		}

		switch fields, _ := value.(map[string]any); {
		case value == nil, value == "", fields != nil && len(fields) == 0:
			text = nil
		default:
			text, _ = json.Marshal(plainNumbers(value)) // cannot fail: it was decoded from JSON
		}
	}

	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// plainNumbers spells numbers with a fraction or an exponent in one way: 1.10 and 1.1 are the same.
// Integers keep their digits, however many they have.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			v[name] = plainNumbers(field)
		}
	case []any:
		for i, element := range v {
			v[i] = plainNumbers(element)
		}
	case json.Number:
		number, err := v.Float64()
		if err != nil || !strings.ContainsAny(v.String(), ".eE") {
			return v
		}
		return number
	}

	return value
}

// decodePayload decodes a JSON text whose numbers stay as they are written.
func decodePayload(text []byte) (value any, ok bool) {
	if !json.Valid(text) {
		return nil, false
	}

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(&value)

	return value, err == nil
}

// Requester returns who asked for the deployment: whoever asked this service, or else its creator. Names
// in the payload do not count, because anybody can write them.
func (r Request) Requester() Actor {
	if r.Asked != nil {
		return r.Asked.By
	}
	return r.CreatedBy()
}

// Channel returns through what the deployment was asked for, one of the Channel constants.
func (r Request) Channel() string {
	if r.Asked != nil {
		return r.Asked.Channel
	}
	return ChannelGitHub
}

// GitHubRef returns the ref as GitHub shows it. Of a deployment that this service created it is the commit.
func (r Request) GitHubRef() string {
	if r.Asked != nil {
		return r.Asked.Ref
	}
	return r.Ref
}

// IsRollback says whether the deployment was asked for as a rollback to an earlier one.
func (r Request) IsRollback() bool { return r.Asked != nil && r.Asked.Cause == CauseRollback }

// CreatedBy returns the creator that GitHub shows. A bot counts as its app.
func (r Request) CreatedBy() Actor {
	a := Actor{ID: r.Creator.ID, Login: r.Creator.Login}
	if r.Creator.Type == "Bot" {
		a.App = strings.TrimSuffix(r.Creator.Login, "[bot]")
	}
	return a
}

// EnvironmentKey returns the lower-cased environment. Two deployments are of the same environment if
// it and the repository's id are equal.
func (r Request) EnvironmentKey() string { return strings.ToLower(r.Environment) }

// Delivery is one verified webhook, or one deployment that recovery found at GitHub.
type Delivery struct {
	GUID         string // X-GitHub-Delivery; for recovery a name made from the deployment's ids
	Event        string
	Source       string // one of the Source constants
	RepositoryID int64
	DeploymentID int64
	ReceivedAt   time.Time
	Body         []byte // the verified JSON, kept to look into later; never shown

	// What a delivery that is ignored was about, for people who look for it.
	Repository  string // owner/name
	Environment string
}

// IgnoredDelivery is a delivery that led to no deployment.
type IgnoredDelivery struct {
	Delivery        // without its body
	Reason   string // why it was ignored
}

// KeepIgnored is how long ignored deliveries are kept and shown.
const KeepIgnored = 7 * 24 * time.Hour

// DeliveryFilter selects ignored deliveries. Case does not matter.
type DeliveryFilter struct {
	Repository  string // owner/name; empty: every repository
	Environment string // empty: every environment
	Limit       int
}

// Where a delivery came from.
const (
	SourceWebhook    = "github"     // POST /webhooks/github
	SourceListing    = "listing"    // recovery found the deployment in GitHub's list
	SourceRedelivery = "redelivery" // recovery had GitHub deliver the webhook again
	SourceRequest    = "request"    // this service created the deployment: GitHub's answer, or its list
)
