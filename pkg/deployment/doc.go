// Package deployment is the domain of the service: what a deployment is, which states it has, what
// each event does to it, and what is reported to GitHub.
//
// Machine.Apply is the only way a deployment's state changes. It takes a deployment, an event and the time,
// and returns the changed deployment together with what is to be written beside it: lines of the
// timeline and reports to GitHub. The package is pure: it imports only the standard library, reads
// no clock and does no input or output. Callers in pkg/engine ask CircleCI, turn the answer into an
// Event, apply it and commit the result.
//
// It knows GitHub's and CircleCI's words, because its rules are about them: the states of GitHub's
// deployment statuses, and the states of CircleCI's pipelines and workflows, which FoldPipeline
// reads. It does not know their APIs; those are pkg/github and pkg/circleci.
//
// Where to begin: State explains the states, Event lists what can happen, and the variable table
// says what each event does in each state. Machine.EvaluateLookup decides how a look-up of a lost trigger
// ended. The page deploy/docs/states.md lists all transitions.
package deployment

//go:generate env UPDATE=1 go test -run TestDiagram .
