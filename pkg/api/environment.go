package api

// Environment says what runs in an environment of a repository.
type Environment struct {
	Repository   string       `json:"repository"`
	RepositoryID int64        `json:"repository_id"`
	Environment  string       `json:"environment"`
	Current      *Deployment  `json:"current"`       // the newest success; nil: none is known
	Active       *Deployment  `json:"active"`        // the one that occupies the environment now
	Waiting      []Deployment `json:"waiting"`       // the next one first, at most 10
	WaitingCount int          `json:"waiting_count"` // of all that wait
	Lock         *Lock        `json:"lock"`          // the oldest of those that cover it; nil: none does
}

// EnvironmentList is one page of environments, by repository id and then by environment.
type EnvironmentList struct {
	Environments []Environment `json:"environments"`
	NextCursor   string        `json:"next_cursor"` // of the next page; empty: this is the last one
}

// DeploymentEvent is the data of a server-sent event "deployment": a deployment has changed.
type DeploymentEvent struct {
	ID          int64  `json:"id"` // GitHub's deployment id
	Repository  string `json:"repository"`
	Environment string `json:"environment"`
	State       string `json:"state"`
	Version     int64  `json:"version"` // rises with each change of this deployment
}
