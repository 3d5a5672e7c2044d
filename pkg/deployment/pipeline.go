package deployment

import "time"

// Pipeline is the CircleCI pipeline that belongs to a deployment.
type Pipeline struct {
	ID       string `json:"id"`
	Number   int64  `json:"number,omitempty"`
	Slug     string `json:"slug,omitempty"` // project slug as CircleCI returns it
	Revision string `json:"revision,omitempty"`
	By       string `json:"by,omitempty"` // how it was identified: one of the By constants

	Jobs []int64 `json:"-"` // numbers of its jobs, where they were read
}

// How a deployment's pipeline was identified. All but ByWindow are proofs.
const (
	ByAnswer = "answer" // CircleCI answered the trigger with 201 and its id
	ByKey    = "key"    // its parameters carry the deployment's key
	ByClaim  = "claim"  // one of its jobs claimed the deployment with the key
	ByWindow = "window" // it is the only one that the trigger can have started
)

// PipelineFacts is what CircleCI shows of one pipeline, in CircleCI's spelling.
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

// Workflow is what CircleCI shows of one workflow. Status is in CircleCI's spelling, "" for null.
type Workflow struct {
	ID           string
	Name         string
	Status       string
	Setup        bool // it has the tag "setup": it computes the configuration of the others
	CreatedAt    time.Time
	StoppedAt    time.Time
	AutoRerun    int // auto_rerun_number: which automatic rerun it is; 0: none
	MaxAutoRerun int // max_auto_reruns: how many CircleCI makes when it fails
}

// Progress is what one poll shows: a pipeline with all of its workflows. A poll of the workflows
// alone knows only the id of the pipeline.
type Progress struct {
	Pipeline  PipelineFacts
	Workflows []Workflow
}

// Listing is what CircleCI's two lists show of a project's pipelines, newest first. Each is read
// back to a given time and to a given pipeline, the control.
type Listing struct {
	Mine            []PipelineFacts // those of the token's user
	Project         []PipelineFacts // all
	MineComplete    bool            // Mine was read back that far, or to its end
	ProjectComplete bool            // Project was
	Offset          time.Duration   // CircleCI's clock minus ours, from the Date header
	Me              string          // login of the token's user
	MeID            string
}

// KeyEvidence says whether a pipeline carries a deployment's key.
type KeyEvidence string

// The evidence.
const (
	KeyFound       KeyEvidence = "found"        // the key is in its values or its compiled configuration
	KeyOther       KeyEvidence = "other"        // the key's parameter is shown with another value
	KeyAbsent      KeyEvidence = "absent"       // its compiled configuration can be read, and the key is not in it
	KeyNotCompiled KeyEvidence = "not compiled" // its configuration can be read, and CircleCI compiled nothing of it
	KeyUnreadable  KeyEvidence = "unreadable"   // neither its values nor its configuration tell
)
