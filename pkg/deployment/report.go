package deployment

import "time"

// GitHubState is the state of a deployment status, as GitHub spells it.
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

// ReportStatus says what became of a report. ReportPending and ReportUnknown still have to be dealt
// with; the others are final.
type ReportStatus string

// The statuses of a report.
const (
	ReportPending       ReportStatus = "owed"          // to be sent
	ReportUnknown       ReportStatus = "unknown"       // may have arrived: read GitHub's statuses before writing again
	ReportSent          ReportStatus = "sent"          // GitHub has it
	ReportSuperseded    ReportStatus = "superseded"    // not sent, because a newer report replaces it
	ReportDropped       ReportStatus = "dropped"       // GitHub refused it for good
	ReportFull          ReportStatus = "full"          // GitHub takes no more statuses for this deployment
	ReportUndeliverable ReportStatus = "undeliverable" // given up after a day of tries
)

// Report is one deployment status for GitHub, written or pending. Description is cleaned and at most
// MaxDescription code points long.
type Report struct {
	Seq            int // position among the deployment's reports, from 1; given by the store
	State          GitHubState
	Description    string
	LogURL         string
	EnvironmentURL string
	Final          bool // it ends the deployment at GitHub
	CreatedAt      time.Time
	NotBefore      time.Time // not to be sent earlier, because it may be superseded soon
	KeepActive     bool      // nothing was deployed: GitHub must not end older successes of the environment; not stored

	Status   ReportStatus
	StatusID int64 // GitHub's id of the status, once it is sent
	SentAt   time.Time
	Tries    int       // writes so far
	TriedAt  time.Time // of a write whose answer is not known and that may still take effect; else zero
	RetryAt  time.Time // not to be tried again earlier
}

// WriteKind says how an attempt to write a status went.
type WriteKind string

// The kinds.
const (
	WriteDone    WriteKind = "done"    // GitHub has it
	WriteRetry   WriteKind = "retry"   // it did not arrive and may be repeated
	WritePaced   WriteKind = "paced"   // it was not sent, because our own pace held it back
	WriteUnknown WriteKind = "unknown" // it may have arrived: read the statuses before repeating it
	WriteFull    WriteKind = "full"    // GitHub takes no more statuses for this deployment
	WriteDropped WriteKind = "dropped" // GitHub refused it for good
)

// WriteOutcome is the answer to one attempt to write a status.
type WriteOutcome struct {
	Kind     WriteKind
	StatusID int64
	After    time.Duration // wait at least this long before the next try; 0: GitHub did not say
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
