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

// The kinds of ref. A bare name is tried as a branch first and as a tag when CircleCI knows no such
// branch.
const (
	RefBare   RefKind = "bare"
	RefBranch RefKind = "branch"
	RefTag    RefKind = "tag"
	RefSHA    RefKind = "sha"
)

// Ref is a git ref without its refs/heads/ or refs/tags/ prefix.
type Ref struct {
	Kind RefKind `json:"kind,omitempty"`
	Name string  `json:"name,omitempty"`
}

var shaPattern = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)

// ParseRef reads a ref as GitHub sends it: refs/heads/x is a branch, refs/tags/x a tag, 40 or 64
// hex digits a SHA, anything else bare.
func ParseRef(s string) Ref {
	if name, ok := strings.CutPrefix(s, "refs/heads/"); ok {
		return Ref{Kind: RefBranch, Name: name}
	}
	if name, ok := strings.CutPrefix(s, "refs/tags/"); ok {
		return Ref{Kind: RefTag, Name: name}
	}
	if shaPattern.MatchString(s) {
		return Ref{Kind: RefSHA, Name: s}
	}

	return Ref{Kind: RefBare, Name: s}
}

// Revision says what to do when CircleCI built another commit than the deployment's.
type Revision string

// RevisionStrict cancels a pipeline on another commit; RevisionNote only writes it on the timeline.
const (
	RevisionStrict Revision = "strict"
	RevisionNote   Revision = "note"
)

// Parameter is one pipeline parameter, rendered. Value is a JSON string, integer or boolean.
type Parameter struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Target is where a request goes and with what: rendered once, at acceptance, and stored with the
// deployment.
type Target struct {
	// CircleCI project slug as configured, such as gh/acme/api
	Project string `json:"project"`
	// pipeline definition id; empty selects the classic route
	Definition     string        `json:"definition,omitempty"`
	Ref            Ref           `json:"ref"`
	ConfigRef      Ref           `json:"config_ref"` // with a definition: where the YAML is read from; zero means Ref
	Revision       Revision      `json:"revision"`
	Parameters     []Parameter   `json:"parameters,omitempty"`
	Key            string        `json:"key"`                   // unguessable, unique to this deployment
	CarriesKey     bool          `json:"carries_key,omitempty"` // a parameter contains Key
	KeyParameters  []string      `json:"key_parameters,omitempty"`
	EnvironmentURL string        `json:"environment_url,omitempty"`
	Timeout        time.Duration `json:"timeout"`
	HoldTimeout    time.Duration `json:"hold_timeout"`

	Ruled bool `json:"ruled,omitempty"` // its route had rules when it was accepted
	// TargetLock or TargetUnlock: no pipeline is started; empty: it is a deployment
	LockTask string        `json:"act,omitempty"`
	LockFor  time.Duration `json:"lock_for,omitempty"` // with TargetLock: how long; 0: until it is unlocked
	// why the creator wants rules to be passed; empty: that is not asked
	ForceReason string `json:"force_reason,omitempty"`
}

// What a deployment with a reserved task does instead of deploying.
const (
	TaskLock   = "lock"
	TaskUnlock = "unlock"
)

// SameConfig says whether two targets' pipelines read the same configuration and carry their keys
// in the same parameters.
func (t Target) SameConfig(o Target) bool {
	return t.CarriesKey && o.CarriesKey && t.Project == o.Project && t.Definition == o.Definition &&
		t.configRef() == o.configRef() &&
		slices.Equal(t.KeyParameters, o.KeyParameters)
}

func (t Target) configRef() Ref {
	if t.ConfigRef.Name != "" {
		return t.ConfigRef
	}
	return t.Ref
}

// Digest names what is built and with what: 128 bits of SHA-256 in hex. Approvals are bound to it.
// Values that hold the deployment's key do not count.
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
		return "" // a value that is no JSON, which nothing makes
	}

	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Admission is what the route table says of a request: where it goes, or why it is ignored, or why
// it must end at once.
type Admission struct {
	Ignored string   // not empty: this deployment is none of ours, and why
	Target  Target   // what to do, when it is ours
	Problem string   // not empty: it is ours but cannot run; the deployment ends errored with this reason
	Notes   []string // for the timeline, such as an environment URL that was left out
}
