package deployment

import "time"

// Pipeline is the CircleCI pipeline that belongs to a deployment.
type Pipeline struct {
	ID       string `json:"id"`
	Number   int64  `json:"number,omitempty"`
	Slug     string `json:"slug,omitempty"` // project slug as CircleCI returns it
	Revision string `json:"revision,omitempty"`
	By       string `json:"by,omitempty"` // how it became ours: one of the By constants
}

// How a pipeline became a deployment's.
const (
	ByAnswer = "answer" // CircleCI answered 201 to the trigger
	ByKey    = "key"    // its parameters carry the deployment's key
	ByClaim  = "claim"  // its job claimed the key
	ByWindow = "window" // the only pipeline it can be, without proof
)

// PipelineFacts is what CircleCI shows of one pipeline, vendor spelling kept.
type PipelineFacts struct {
	ID          string
	Number      int64
	Slug        string
	State       string // created, errored, setup-pending, setup, pending; open set
	Errors      []string
	Revision    string // empty where not shown
	Branch, Tag string
	TriggerType string // api, webhook, explicit, scheduled_pipeline; open set
	ActorLogin  string
	ActorID     string // shown for GitHub App projects only
	CreatedAt   time.Time
}

// Workflow is what CircleCI shows of one workflow. Status is vendor spelling, "" for null.
type Workflow struct {
	ID           string
	Name         string
	Status       string
	Setup        bool // tag "setup"
	CreatedAt    time.Time
	StoppedAt    time.Time
	AutoRerun    int // auto_rerun_number
	MaxAutoRerun int // max_auto_reruns
}

// Progress is one look at a pipeline, with every page of its workflows. At a glance nothing is
// known of the pipeline itself but its id.
type Progress struct {
	Pipeline  PipelineFacts
	Workflows []Workflow
}

// Listing is what CircleCI's two lists show of a project's pipelines, newest first, read back to
// Since.
type Listing struct {
	Mine            []PipelineFacts // of the token's user
	Project         []PipelineFacts
	MineComplete    bool          // read back to Since and to Control, or to its end
	ProjectComplete bool          // likewise
	Offset          time.Duration // CircleCI's clock minus ours, from the Date header
	Me              string        // login of the token's user
	MeID            string
}

// KeyEvidence is what a look into one pipeline says about a key.
type KeyEvidence string

// The evidence. KeyUnreadable: neither the values nor the config could be read.
const (
	KeyFound      KeyEvidence = "found"
	KeyOther      KeyEvidence = "other"  // the key's parameter is shown with another value
	KeyAbsent     KeyEvidence = "absent" // readable, and the key is nowhere
	KeyUnreadable KeyEvidence = "unreadable"
)
