package deployment

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
// spelled it last. There always is one.
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

// EnvironmentFilter selects environments. An empty field selects all.
type EnvironmentFilter struct {
	Repository  string        // owner/name, in any case
	Environment string        // in any case
	After       EnvironmentID // only those that come after it, by repository id and then by name
	Limit       int           // how many environments
	MaxWaiting  int           // how many waiting deployments of each
}
