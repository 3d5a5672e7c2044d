package webhook

import (
	"errors"
	"time"
)

// ErrRedeliveryRefused says that GitHub refused to repeat a delivery for a reason that lies in the delivery, so
// that it will hardly repeat it later.
var ErrRedeliveryRefused = errors.New("redelivery refused")

// Hook identifies a webhook at GitHub that sends to this service. It is the hook's path below the
// API, such as repos/acme/api/hooks/1 or app/hook.
type Hook string

// HookDelivery is one attempt of GitHub to deliver an event.
type HookDelivery struct {
	ID    int64
	GUID  string // the same for all attempts
	Event string
	Code  int // status code of the answer; 0 when there was none
	At    time.Time
}
