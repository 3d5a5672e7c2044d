package deployment

import (
	"fmt"
	"strings"
)

// NoRefError says that a repository has no branch, tag or commit of some name.
type NoRefError struct {
	Ref  string
	Near []string // names of branches and tags that are like it, best first; may be empty
}

// Error names the ref and those that may have been meant.
func (e *NoRefError) Error() string {
	text := fmt.Sprintf("no branch, tag or commit %q", Readable(e.Ref))
	if len(e.Near) > 0 {
		text += ", but there is " + strings.Join(e.Near, ", ")
	}
	return text
}
