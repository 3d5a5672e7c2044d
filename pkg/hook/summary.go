package hook

// Summary is the little that is read from every event of GitHub, whatever its name. What is absent or of another type is zero.
type Summary struct {
	Action       string
	HookID       int64 // a ping's
	RepositoryID int64
	DeploymentID int64
	Deployment   bool // the event carries a deployment
	Status       bool // the event carries a deployment status
}

// Summarize reads what all events have in common. It fails only for what is not a JSON object: nothing is known of other events that
// would justify to refuse them.
func Summarize(payload []byte) (Summary, error) {
	var e struct {
		Action     loose[string] `json:"action"`
		HookID     loose[int64]  `json:"hook_id"`
		Deployment numbered      `json:"deployment"`
		Status     present       `json:"deployment_status"`
		Repository numbered      `json:"repository"`
	}
	if err := decode(payload, &e); err != nil {
		return Summary{}, err
	}
	return Summary{
		Action:       e.Action.value,
		HookID:       e.HookID.value,
		RepositoryID: e.Repository.id,
		DeploymentID: e.Deployment.id,
		Deployment:   bool(e.Deployment.present),
		Status:       bool(e.Status),
	}, nil
}

// numbered is an object of which only the id counts.
type numbered struct {
	present
	id int64
}

// UnmarshalJSON never fails.
func (n *numbered) UnmarshalJSON(raw []byte) error {
	var object loose[struct {
		ID loose[int64] `json:"id"`
	}]
	_ = object.UnmarshalJSON(raw)
	n.id = object.value.ID.value
	return n.present.UnmarshalJSON(raw)
}
