package deployment

import "errors"

// PublicCause says why a service could not be asked, once for everybody and once for the log and the
// timeline. A call that brought no answer names addresses of our network, and what everybody reads,
// such as a status at GitHub, must not.
func PublicCause(service string, err error) (public, detail string) {
	var silent interface{ NoAnswer() bool } // of package outbound
	var network interface {                 // an answer that broke off, see net.Error
		Timeout() bool
		Temporary() bool
	}
	if errors.As(err, &silent) || errors.As(err, &network) {
		return service + " could not be reached", err.Error()
	}
	return err.Error(), ""
}

// withDetail is a cause with its detail, for the timeline.
func withDetail(cause, detail string) string {
	if detail == "" {
		return clean(cause)
	}
	return clean(cause + ": " + detail)
}
