package api

import "time"

// Person is somebody at GitHub.
type Person struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

// OnBehalf names the person for whom a client asks: by their GitHub id, or as a user of a chat
// system. A token with the scope behalf must name one, any other token may not.
type OnBehalf struct {
	Actor *Person   `json:"actor,omitempty"`
	Chat  *ChatUser `json:"person,omitempty"`
}

// Person returns the person at GitHub for whom the client asks; nil: it names none.
func (o OnBehalf) Person() *Person { return o.Actor }

// ChatUser returns the user of a chat system for whom the client asks; nil: it names none.
func (o OnBehalf) ChatUser() *ChatUser { return o.Chat }

// ApproveRequest approves a waiting deployment.
type ApproveRequest struct {
	OnBehalf
	Comment string `json:"comment,omitempty"`
}

// CancelRequest cancels a deployment.
type CancelRequest struct {
	OnBehalf
	Reason string `json:"reason,omitempty"`
}

// ForceRequest makes a waiting deployment pass rules.
type ForceRequest struct {
	OnBehalf
	Reason string `json:"reason,omitempty"`
}

// Expiry is when a lock ends: at a time or after a duration such as "2h". Without either it never
// ends by itself.
type Expiry struct {
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	ExpiresIn string    `json:"expires_in,omitempty"`
}

// TakeLockRequest locks an environment.
type TakeLockRequest struct {
	OnBehalf
	Expiry
	Repository  string `json:"repository,omitempty"`
	Environment string `json:"environment,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Steal       bool   `json:"steal,omitempty"` // take the lock from its owner
}

// ExtendLockRequest moves the end of a lock. It must name the new end, or say that there is none.
type ExtendLockRequest struct {
	OnBehalf
	Expiry
	Never bool `json:"never,omitempty"` // the lock holds until it is released
}

// HandOverLockRequest gives a lock to another owner.
type HandOverLockRequest struct {
	OnBehalf
	To *Person `json:"to,omitempty"`
}

// ReleaseLockRequest releases a lock.
type ReleaseLockRequest struct {
	OnBehalf
}
