package deployment

import "errors"

// ErrClaimRefused says that a key belongs to another pipeline, or that its deployment has ended
// and no rerun counts any more: the job that claims it must stop.
var ErrClaimRefused = errors.New("the deployment belongs to another pipeline or has ended")
