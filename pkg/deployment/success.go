package deployment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Success is a commit that was deployed to an environment with success, by its newest deployment.
type Success struct {
	DeploymentID int64 // GitHub's
	SHA          string
	Ref          string // as the deployment named it
	Task         string
	Delivery     string // GUID of the delivery with the payload
	EndedAt      time.Time
	BadSince     time.Time // when it was rolled back from; zero: it was not, or has succeeded since
	BadBy        Actor     // who rolled back
}

// String is the commit and the id of the deployment, for people.
func (s Success) String() string { return fmt.Sprintf("%s (#%d)", short(s.SHA), s.DeploymentID) }

// IsBad says whether it was rolled back from.
func (s Success) IsBad() bool { return !s.BadSince.IsZero() }

// RollbackTarget returns which of the successes of an environment is deployed again, or why none is.
// successes are the newest first; the first one is what runs there. to is GitHub's id of a deployment, with
// or without #, or at least 7 digits of a commit; empty: the newest one that was not rolled back from.
func RollbackTarget(successes []Success, to string) (target Success, problem string) {
	if len(successes) == 0 {
		return target, "there is nothing to go back to: nothing has been deployed there"
	}

	current, earlier := successes[0], successes[1:]
	if to == "" {
		i := slices.IndexFunc(earlier, func(s Success) bool { return !s.IsBad() })
		switch {
		case i >= 0:
			return earlier[i], ""
		case len(earlier) == 0:
			return target, fmt.Sprintf("there is nothing to go back to: no commit but %s has succeeded there", current)
		default:
			const format = "there is nothing to go back to: everything before %s was rolled back from; " +
				"name one to deploy it again"
			return target, fmt.Sprintf(format, current)
		}
	}

	named := strings.ToLower(strings.TrimPrefix(to, "#"))
	id, _ := strconv.ParseInt(named, 10, 64)
	is := func(s Success) bool {
		return id != 0 && s.DeploymentID == id || len(named) >= 7 && strings.HasPrefix(strings.ToLower(s.SHA), named)
	}
	if is(current) {
		return target, fmt.Sprintf("%s is what runs there", current)
	}

	switch found := slices.DeleteFunc(slices.Clone(earlier), func(s Success) bool { return !is(s) }); len(found) {
	case 1:
		return found[0], ""
	case 0:
		return target, fmt.Sprintf("%s is none of the successes that are kept: %s", to, listSuccesses(earlier))
	default:
		return target, fmt.Sprintf("%s may be any of %s", to, listSuccesses(found))
	}
}

// listSuccesses names the newest successes for people.
func listSuccesses(list []Success) string {
	const most = 5
	if len(list) == 0 {
		return "there is none"
	}

	names := make([]string, 0, most)
	for _, s := range list[:min(most, len(list))] {
		names = append(names, s.String())
	}

	text := strings.Join(names, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
