package api

import "time"

// Lock is the lock of an environment.
type Lock struct {
	ID          int64      `json:"id"`
	Repository  string     `json:"repository"`  // empty: every repository
	Environment string     `json:"environment"` // empty: every environment
	Owner       Actor      `json:"owner"`
	Reason      string     `json:"reason"`
	TakenAt     *time.Time `json:"taken_at"`
	ExpiresAt   *time.Time `json:"expires_at"` // nil: it holds until it is released
}

// LockList is all open locks.
type LockList struct {
	Locks []Lock `json:"locks"`
}

// LockDetail is a lock and the deployments that wait for it, the next one first.
type LockDetail struct {
	Lock
	Waiting []Deployment `json:"waiting"`
}

// Notice tells the owner of a lock what somebody else did to it.
type Notice struct {
	ID   int64      `json:"id"`
	At   *time.Time `json:"at"`
	To   Actor      `json:"to"`
	Text string     `json:"text"`
	Lock int64      `json:"lock"`
}

// NoticeList is the next notices, oldest first.
type NoticeList struct {
	Notices []Notice `json:"notices"`
}
