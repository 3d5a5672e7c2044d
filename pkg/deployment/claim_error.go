package deployment

import "errors"

// Errors of a claim: the job that claims the deployment must stop.
var (
	// ErrClaimRefused says that a key belongs to another pipeline, or that its deployment has ended
	// and no rerun counts any more.
	ErrClaimRefused = errors.New("the deployment belongs to another pipeline or has ended")

	// ErrClaimCanceled says that somebody has asked to cancel the deployment.
	ErrClaimCanceled = errors.New("the deployment is being canceled")
)
