package deployment

// Actor is who does something: a person by GitHub's id, an app by its slug, or an API token by its
// name. A client that authenticates people itself sends a person's id together with its own token.
type Actor struct {
	ID    int64  `json:"id,omitempty"`    // GitHub's id of the person or bot; 0: not known
	Login string `json:"login,omitempty"` // GitHub's login for that id at the time; shown and never compared
	App   string `json:"app,omitempty"`   // slug of the GitHub App or bot through which it was done
	Token string `json:"token,omitempty"` // name of the API token that was used
}

// String names the actor for people.
func (a Actor) String() string {
	switch {
	case a.Login != "":
		return a.Login
	case a.App != "":
		return a.App
	case a.Token != "":
		return "token " + a.Token
	default:
		return "nobody known"
	}
}

// Same says whether two actors are the same: they have the same id, or, where neither has an id, the
// same app, or, where neither has an app, the same token.
func (a Actor) Same(b Actor) bool {
	if a.ID != 0 || b.ID != 0 {
		return a.ID == b.ID
	}
	if a.App != "" || b.App != "" {
		return a.App == b.App
	}
	return a.Token != "" && a.Token == b.Token
}

// Force is somebody's request to bypass rules and locks, with the reason. The rules decide whether
// this person may do so, and which of them can be bypassed.
type Force struct {
	By     Actor  `json:"by"`
	Reason string `json:"reason"`
}
