package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Question asks what the rules would say about a deployment that does not exist.
type Question struct {
	Repository  string // owner/name
	Environment string
	Ref         string // may be empty
	SHA         string
	Actor       string // login; may be empty
	Task        string // empty: the default task
}

// ErrMissing reports that GitHub answered and has no repository or account of that name. Any other
// error leaves open whether there is one.
var ErrMissing = errors.New("not found at GitHub")

// NotFoundError reports that a question names something that does not exist.
type NotFoundError struct {
	What string
	Err  error // what GitHub said; nil when it was not asked
}

// Error names what was not found.
func (e *NotFoundError) Error() string {
	if e.Err == nil {
		return "there is no " + e.What
	}
	return fmt.Sprintf("%s cannot be found: %v", e.What, e.Err)
}

// Unwrap returns what GitHub said.
func (e *NotFoundError) Unwrap() error { return e.Err }

// LookupError explains why GitHub did not return a repository or an account. It is a *NotFoundError
// if err is ErrMissing, so that callers can tell a wrong name from an outage. It is nil if err is.
func LookupError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrMissing):
		return &NotFoundError{What: what, Err: err}
	default:
		return fmt.Errorf("%s cannot be looked up: %w", what, err)
	}
}

// Names that GitHub allows. Others need not be asked for, and must not be part of a URL.
var (
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)
	loginName      = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[bot\])?$`)
)

// ParseRepository splits owner/name. It returns a *NotFoundError if no repository can have that name.
func ParseRepository(fullName string) (owner, name string, err error) {
	owner, name, _ = strings.Cut(fullName, "/")
	if !repositoryName.MatchString(fullName) || isPathStep(owner) || isPathStep(name) {
		return "", "", &NotFoundError{What: "repository " + fullName}
	}
	return owner, name, nil
}

// ParseLogin checks a login. It returns a *NotFoundError if no account can have it.
func ParseLogin(login string) error {
	if !loginName.MatchString(login) || isPathStep(login) {
		return &NotFoundError{What: "person " + login}
	}
	return nil
}

// isPathStep reports whether a name would move a URL's path elsewhere.
func isPathStep(name string) bool { return name == "." || name == ".." }
