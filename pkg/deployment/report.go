package deployment

import "time"

// GitHubState is a deployment status state as GitHub spells it.
type GitHubState string

// The states that Seraph writes.
const (
	GitHubQueued     GitHubState = "queued"
	GitHubPending    GitHubState = "pending"
	GitHubInProgress GitHubState = "in_progress"
	GitHubSuccess    GitHubState = "success"
	GitHubFailure    GitHubState = "failure"
	GitHubError      GitHubState = "error"
)

// ReportStatus says what became of a report.
type ReportStatus string

// The fates. An unsent report is one whose fate is ReportOwed or ReportUnknown.
const (
	ReportPending ReportStatus = "owed"
	// being sent, or sent and the answer was lost: look before sending again
	ReportUnknown       ReportStatus = "unknown"
	ReportSent          ReportStatus = "sent"
	ReportSuperseded    ReportStatus = "superseded" // a newer one said it all
	ReportDropped       ReportStatus = "dropped"    // GitHub refused it for good
	ReportFull          ReportStatus = "full"       // GitHub takes no more statuses for this deployment
	ReportUndeliverable ReportStatus = "undeliverable"
)

// Report is one status owed to GitHub. Description is cleaned and at most 140 code points.
type Report struct {
	Seq            int // position in the deployment's history, given by the store, from 1
	State          GitHubState
	Description    string
	LogURL         string
	EnvironmentURL string
	Final          bool // the word that ends the deployment
	CreatedAt      time.Time
	NotBefore      time.Time // not worth sending earlier
	Status         ReportStatus
	SentAt         time.Time
	StatusID       int64 // GitHub's id of the status
	Tries          int
	RetryAt        time.Time // not to be tried again before
	TriedAt        time.Time // of a try that may still take effect: nobody knows of its answer
	// nothing was deployed, so GitHub must not end older successes of the environment; not stored
	KeepActive bool
}

// WriteKind says how a status write went.
type WriteKind string

// The kinds. WriteUnknown: it may have arrived, the statuses must be read before it is repeated.
// WriteRetry: it did not, and may be repeated. WriteFull: GitHub takes no more statuses for this
// deployment. WriteDropped: GitHub refused it for good.
const (
	WriteDone    WriteKind = "done"
	WriteRetry   WriteKind = "retry"
	WritePaced   WriteKind = "paced" // not tried: our own pace held it back
	WriteUnknown WriteKind = "unknown"
	WriteFull    WriteKind = "full"
	WriteDropped WriteKind = "dropped"
)

// WriteOutcome is the answer to one attempt to write a report.
type WriteOutcome struct {
	Kind     WriteKind
	StatusID int64
	After    time.Duration // at least this long before the next try; 0: no opinion
	Late     bool          // with WriteUnknown: there was no answer at all, so the write may still take effect
	Cause    string        // for log and timeline; never a secret
}

// Status is a deployment status as GitHub lists it.
type Status struct {
	ID           int64
	State        GitHubState
	Description  string
	LogURL       string
	CreatorID    int64
	CreatorLogin string
	CreatedAt    time.Time
}
