package deployment

// LogFields returns the keys and values by which log lines name a deployment.
func (d Deployment) LogFields() []any {
	return []any{
		"deployment", d.Request.ID,
		"repository", d.Request.Repository.FullName(),
		"environment", d.Request.Environment,
		"state", string(d.State),
	}
}
