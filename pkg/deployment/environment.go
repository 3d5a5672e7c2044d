package deployment

import "time"

// EnvironmentID identifies an environment of a repository.
type EnvironmentID struct {
	RepositoryID int64
	Key          string // the lower-cased environment
}

// EnvironmentStatus says what runs and what waits in an environment.
type EnvironmentStatus struct {
	ID      EnvironmentID
	Current *Deployment  // the newest deployment that succeeded with a pipeline; nil: none
	Active  *Deployment  // the one that holds the environment's slot; nil: none
	Waiting []Deployment // the first ones in the queue, the next one first
	Queued  int          // how many wait, also those that are not in Waiting
}

// Newest returns the deployment with the largest GitHub id, by which the environment is named as GitHub
// spelled it last. If the environment is listed only for its lock, it is the zero Deployment.
func (s EnvironmentStatus) Newest() Deployment {
	newest := Deployment{}
	for _, d := range s.Waiting {
		if d.Request.ID > newest.Request.ID {
			newest = d
		}
	}

	for _, d := range []*Deployment{s.Current, s.Active} {
		if d != nil && d.Request.ID > newest.Request.ID {
			newest = *d
		}
	}

	return newest
}

// lately is for how long after its newest success an environment is shown that routes name only by a pattern.
const lately = 7 * 24 * time.Hour

// Lately says whether something runs or waits in an environment, or has succeeded there within the last 7 days. An
// environment that routes name only by a pattern, such as one for each pull request, may be gone after that.
func (s EnvironmentStatus) Lately(now time.Time) bool {
	return s.Active != nil || s.Queued > 0 || s.Current != nil && now.Sub(s.Current.EndedAt) < lately
}

// EnvironmentFilter selects environments. An empty field selects all.
type EnvironmentFilter struct {
	Repository  string        // owner/name, in any case
	Environment string        // in any case
	After       EnvironmentID // only those that come after it, by repository id and then by name
	Limit       int           // how many environments
	MaxWaiting  int           // how many waiting deployments of each

	// Locked also lists environments of which there is no deployment: those that are locked by themselves, and those
	// whose deployments were pruned.
	Locked bool
}
