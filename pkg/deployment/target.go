package deployment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// RefKind says what a git ref is.
type RefKind string

// The kinds of ref. CircleCI takes branches and tags only.
const (
	RefBare   RefKind = "bare"   // a name that may be a branch or a tag
	RefBranch RefKind = "branch" // refs/heads/…
	RefTag    RefKind = "tag"    // refs/tags/…
	RefPull   RefKind = "pull"   // refs/pull/N/merge or /head, which CircleCI knows as the branch pull/N/…
	RefSHA    RefKind = "sha"    // a commit, which cannot be triggered
	RefOther  RefKind = "other"  // any other refs/…, which cannot be triggered either
)

// Ref is a git ref without its refs/heads/, refs/tags/ or refs/ prefix. With RefOther the name is the
// whole ref.
type Ref struct {
	Kind RefKind `json:"kind,omitempty"`
	Name string  `json:"name,omitempty"`
}

var (
	shaPattern  = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
	pullPattern = regexp.MustCompile(`^pull/[0-9]+/(merge|head)$`)
	hexPattern  = regexp.MustCompile(`^[0-9a-fA-F]{4,}$`)
)

// ParseRef reads a ref as GitHub sends it. Full names may lack their refs/: heads/x is a branch, tags/x
// a tag, pull/N/merge and pull/N/head the ref of a pull request. 40 or 64 hex digits are a SHA, any
// other name is bare.
func ParseRef(s string) Ref {
	short, full := strings.CutPrefix(s, "refs/")
	if name, ok := strings.CutPrefix(short, "heads/"); ok {
		return Ref{Kind: RefBranch, Name: name}
	}
	if name, ok := strings.CutPrefix(short, "tags/"); ok {
		return Ref{Kind: RefTag, Name: name}
	}

	switch {
	case pullPattern.MatchString(short):
		return Ref{Kind: RefPull, Name: short}
	case full:
		return Ref{Kind: RefOther, Name: s}
	case shaPattern.MatchString(s):
		return Ref{Kind: RefSHA, Name: s}
	default:
		return Ref{Kind: RefBare, Name: s}
	}
}

// Full returns the full name of a branch, of a tag, or of the ref of a pull request. Of any other ref it
// returns the name as it is.
func (r Ref) Full() string {
	switch r.Kind {
	case RefBranch:
		return "refs/heads/" + r.Name
	case RefTag:
		return "refs/tags/" + r.Name
	case RefPull:
		return "refs/" + r.Name
	default:
		return r.Name
	}
}

// ShortOf says whether a ref is the beginning of a commit's id in place of the name of a branch or tag.
func (r Ref) ShortOf(sha string) bool {
	return r.Kind == RefBare && len(r.Name) < len(sha) && hexPattern.MatchString(r.Name) &&
		strings.HasPrefix(strings.ToLower(sha), strings.ToLower(r.Name))
}

// Revision says what to do when CircleCI built another commit than the deployment's.
type Revision string

// What to do.
const (
	RevisionStrict Revision = "strict" // cancel the pipeline and end the deployment as errored
	RevisionNote   Revision = "note"   // note it on the timeline
)

// Parameter is one pipeline parameter, rendered. Value is a JSON string, integer or boolean.
type Parameter struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Target is what a route makes of a request: which CircleCI project to trigger and with what. It is
// rendered once, when the request is accepted, and stored with the deployment.
//
// Digest hashes the JSON of a Target, in the order of these fields: keep the order.
type Target struct {
	Project        string        `json:"project"`              // CircleCI project slug as configured: gh/acme/api
	Definition     string        `json:"definition,omitempty"` // pipeline definition id; empty: the classic route
	Ref            Ref           `json:"ref"`                  // what is built
	ConfigRef      Ref           `json:"config_ref"`           // with Definition: where the YAML is read; zero: Ref
	Revision       Revision      `json:"revision"`
	Parameters     []Parameter   `json:"parameters,omitempty"`
	Key            string        `json:"key"`                       // unguessable, unique to this deployment
	CarriesKey     bool          `json:"carries_key,omitempty"`     // a parameter contains Key
	KeyParameters  []string      `json:"key_parameters,omitempty"`  // names of the parameters that contain Key
	EnvironmentURL string        `json:"environment_url,omitempty"` // for GitHub, after success
	Timeout        time.Duration `json:"timeout"`                   // time spent running
	HoldTimeout    time.Duration `json:"hold_timeout"`              // time spent held, without a break

	HasRules    bool          `json:"ruled,omitempty"`        // its route had rules when the request was accepted
	FixedRef    bool          `json:"fixed_ref,omitempty"`    // Ref is written out in the route, without a template
	FixedConfig bool          `json:"fixed_config,omitempty"` // so is the ref that the YAML is read from
	LockTask    string        `json:"act,omitempty"`          // TaskLock or TaskUnlock; empty: it starts a pipeline
	LockFor     time.Duration `json:"lock_for,omitempty"`     // with TaskLock: how long; 0: until it is unlocked
	ShowLogs    bool          `json:"logs,omitempty"`         // the last lines of a failing step may be shown
	ForceReason string        `json:"force_reason,omitempty"` // why the creator asks to bypass rules; empty: not asked
	Operation   bool          `json:"operation,omitempty"`    // it deploys nothing: a restart, a teardown
	Keep        int           `json:"keep,omitempty"`         // earlier successes to keep for rollbacks; 0: the default
}

// What a deployment with a reserved task does. It starts no pipeline.
const (
	TaskLock   = "lock"
	TaskUnlock = "unlock"
)

// SameConfig says whether the pipelines of two targets read the same configuration and carry their
// keys in the same parameters.
func (t Target) SameConfig(o Target) bool {
	return t.CarriesKey && o.CarriesKey && t.Project == o.Project && t.Definition == o.Definition &&
		t.configRef() == o.configRef() &&
		slices.Equal(t.KeyParameters, o.KeyParameters)
}

// configRef returns the ref that the YAML is read from.
func (t Target) configRef() Ref {
	if t.ConfigRef.Name != "" {
		return t.ConfigRef
	}
	return t.Ref
}

// Digest returns a hash of what is built and with what: 128 bits of SHA-256 in hex. An approval is
// bound to it. Parameters that contain the deployment's key count without their value, because the
// key differs with each deployment.
func (t Target) Digest() string {
	parameters := slices.Clone(t.Parameters)
	for i, p := range parameters {
		if slices.Contains(t.KeyParameters, p.Name) {
			parameters[i].Value = nil
		}
	}

	text, err := json.Marshal(Target{
		Project:    t.Project,
		Definition: t.Definition,
		Ref:        t.Ref,
		ConfigRef:  t.ConfigRef,
		Revision:   t.Revision,
		Parameters: parameters,
	})

	if err != nil {
		return "" // only a parameter value that is not JSON fails, and routes make none
	}

	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Admission is what the route table says about a request: where it goes, why it is ignored, or why
// it must end at once.
type Admission struct {
	Ignored string   // why it is not for us; empty: a route matches
	Target  Target   // where it goes, unless it is ignored
	Problem string   // why it cannot run: the deployment ends errored with this reason; empty: it can
	Notes   []string // for the timeline, such as an environment URL that was left out
}
