package deployment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Success is a commit that was deployed to an environment with success, by its newest deployment of a task.
type Success struct {
	DeploymentID int64 // GitHub's
	SHA          string
	Ref          string // as the deployment named it
	Task         string
	Delivery     string // GUID of the delivery with the payload
	EndedAt      time.Time
	BadSince     time.Time // when it was rolled back from; zero: it was not, or has succeeded since
	BadBy        Actor     // who rolled back
	Forced       bool      // it has succeeded only while rules were bypassed
}

// String is the commit and the id of the deployment, for people.
func (s Success) String() string { return fmt.Sprintf("%s (#%d)", short(s.SHA), s.DeploymentID) }

// IsBad says whether it was rolled back from.
func (s Success) IsBad() bool { return !s.BadSince.IsZero() }

// IsProven says whether a rollback to it may pass the rules about what is new: it has met them, and nobody
// rolled back from it.
func (s Success) IsProven() bool { return !s.IsBad() && !s.Forced }

// RollbackTarget returns which of the successes of an environment is deployed again, or why none is.
// successes are the newest first; the first one is what runs there. to is GitHub's id of a deployment, with
// or without #, or at least 7 digits of a commit; empty: the newest commit that was not rolled back from. Of a
// commit that several tasks have deployed, the success of the usual task is taken, else the newest.
func RollbackTarget(successes []Success, to, usualTask string) (target Success, problem string) {
	if len(successes) == 0 {
		return target, "there is nothing to go back to: nothing has been deployed there"
	}

	current, earlier := successes[0], successes[1:]
	if to == "" {
		others := func(s Success) bool { return !s.IsBad() && !strings.EqualFold(s.SHA, current.SHA) }
		i := slices.IndexFunc(earlier, others)
		switch {
		case i >= 0:
			return ofUsualTask(earlier, earlier[i], usualTask), ""
		case len(earlier) == 0:
			return target, onlySuccess(current)
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

	found := slices.DeleteFunc(slices.Clone(earlier), func(s Success) bool { return !is(s) })
	sameCommit := func(a, b Success) bool { return strings.EqualFold(a.SHA, b.SHA) }
	commits := slices.CompactFunc(slices.Clone(found), sameCommit)
	switch {
	case len(found) == 1:
		return found[0], ""
	case len(commits) == 1:
		return ofUsualTask(found, found[0], usualTask), ""
	case len(earlier) == 0:
		return target, onlySuccess(current)
	case len(found) == 0:
		return target, fmt.Sprintf("%s is none of the successes that are kept: %s", to, listSuccesses(earlier))
	default:
		return target, fmt.Sprintf("%s may be any of %s", to, listSuccesses(found))
	}
}

// onlySuccess says that nothing but what is deployed has succeeded.
func onlySuccess(current Success) string {
	return fmt.Sprintf("there is nothing to go back to: no commit but %s has succeeded there", current)
}

// RollbackFrom is RollbackTarget for going back from a deployment that has failed; failed is GitHub's id of it, 0: none
// has. If it is newer than the newest success, that success is what ran before it, and is the target, unless to names
// another one or the success was rolled back from itself.
func RollbackFrom(successes []Success, failed int64, to, usualTask string) (target Success, problem string) {
	if len(successes) == 0 || failed <= successes[0].DeploymentID {
		return RollbackTarget(successes, to, usualTask)
	}

	current := successes[0]
	if to == "#"+strconv.FormatInt(current.DeploymentID, 10) || to == "" && !current.IsBad() {
		return current, ""
	}
	return RollbackTarget(successes, to, usualTask)
}

// ofUsualTask returns the success of a commit by the usual task, if that has deployed it, too.
func ofUsualTask(successes []Success, found Success, usualTask string) Success {
	for _, s := range successes {
		if strings.EqualFold(s.SHA, found.SHA) && s.Task == usualTask {
			return s
		}
	}
	return found
}

// listSuccesses names the newest successes for people.
func listSuccesses(list []Success) string {
	const most = 5
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
