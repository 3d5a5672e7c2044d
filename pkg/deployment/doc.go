// Package deployment contains the deployment, its states and events, and the state machine that
// connects them. It makes no calls and reads no clock; Machine.Apply is the only function that
// changes a deployment.
//
// The page deploy/docs/states.md lists all transitions.
package deployment

//go:generate env UPDATE=1 go test -run TestDiagram .
