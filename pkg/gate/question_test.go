package gate

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// A question gets the verdict that the deployment would get. What GitHub does not have is distinguished
// from what it does not answer.
func TestAsk(t *testing.T) {
	p := policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}, Apps: []string{"my-hubot"}}}
	outage := errors.New("503")

	for name, c := range map[string]struct {
		question policy.Question
		down     error
		want     string // the verdict or the error
		notFound bool
	}{
		"a person who may": {
			question: policy.Question{Repository: "acme/api", Actor: "alice"},
			want:     "allow",
		},
		"an app that may": {
			question: policy.Question{Repository: "acme/api", Actor: "my-hubot[bot]"},
			want:     "allow",
		},
		"an unknown person": {
			question: policy.Question{Repository: "acme/api", Actor: "nobody"},
			want:     "person nobody cannot be found: not found at GitHub: 404",
			notFound: true,
		},
		"an impossible login": {
			question: policy.Question{Repository: "acme/api", Actor: "../api"},
			want:     "there is no person ../api",
			notFound: true,
		},
		"an unknown repository": {
			question: policy.Question{Repository: "acme/gone"},
			want:     "repository acme/gone cannot be found: not found at GitHub: 404",
			notFound: true,
		},
		"a path step as repository": {
			question: policy.Question{Repository: "acme/.."},
			want:     "there is no repository acme/..",
			notFound: true,
		},
		"a repository of three names": {
			question: policy.Question{Repository: "acme/api/x"},
			want:     "there is no repository acme/api/x",
			notFound: true,
		},
		"no route": {
			question: policy.Question{Repository: "acme/api", Environment: "nowhere"},
			want:     "there is no route for acme/api and nowhere",
			notFound: true,
		},
		"no route, a repository that does not exist": {
			question: policy.Question{Repository: "acme/gone", Environment: "nowhere"},
			want:     "there is no route for acme/gone and nowhere",
			notFound: true,
		},
		"no route in an outage": {
			question: policy.Question{Repository: "acme/api", Environment: "nowhere"},
			down:     outage,
			want:     "there is no route for acme/api and nowhere",
			notFound: true,
		},
		"a commit": {
			question: policy.Question{Repository: "acme/api", Actor: "alice", SHA: "c0ffee0c0ffee"},
			want:     "allow",
		},
		"an unknown commit": {
			question: policy.Question{Repository: "acme/api", Actor: "alice", SHA: "bad0000bad0000"},
			want:     "commit bad0000 of acme/api cannot be found: not found at GitHub: 404",
			notFound: true,
		},
		"a commit that the credentials may not read": {
			question: policy.Question{Repository: "acme/api", Actor: "alice", SHA: "hidden"},
			want:     "allow",
		},
		"an outage when the commit is looked up": {
			question: policy.Question{Repository: "acme/api", Actor: "alice", SHA: "outage0outage0"},
			want:     "commit outage0 of acme/api cannot be looked up: 503",
		},
		"nobody named, and only some may": {
			question: policy.Question{Repository: "acme/api"},
			want:     "reject the question names nobody who deploys: add actor (seraph gate --actor LOGIN)",
		},
		"an outage": {
			question: policy.Question{Repository: "acme/api"},
			down:     outage,
			want:     "repository acme/api cannot be looked up: 503",
		},
		"an unknown repository in an outage": {
			question: policy.Question{Repository: "acme/gone"},
			down:     outage,
			want:     "repository acme/gone cannot be found: not found at GitHub: 404",
			notFound: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := newTestGate(p, c.down).Ask(t.Context(), c.question)

			got := summary(v)
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}

			var notFound *policy.NotFoundError
			if is := errors.As(err, &notFound); is != c.notFound {
				t.Errorf("policy.NotFoundError: got %v, want %v", is, c.notFound)
			}
		})
	}
}

// silentError is a call that brought no answer.
type silentError struct{}

func (silentError) Error() string { return "dial tcp 10.0.0.1:9: connect: connection refused" }

func (silentError) NoAnswer() bool { return true }

// A verdict is shown in public statuses: it names no address of our network.
func TestDecide_HidesNetwork(t *testing.T) {
	p := policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}}}
	g := newTestGate(p, fmt.Errorf("GitHub person: %w", silentError{}))
	v, err := g.Decide(t.Context(), deploymentOf(0))
	if err != nil {
		t.Fatal(err)
	}

	const want = "wait alice's GitHub account, which could not be read (GitHub could not be reached)"
	if got := summary(v); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAsk_NoRef(t *testing.T) {
	g := newTestGate(policy.Policy{Refs: []string{"main"}}, nil)
	v, err := g.Ask(t.Context(), policy.Question{Repository: "acme/api"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "the question names no ref: add ref (seraph gate --ref NAME)"
	if got := v.Deciding().Message; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCreator_OutageIsNotNotFound(t *testing.T) {
	const want = "person alice cannot be looked up: 503"

	_, err := newTestGate(policy.Policy{}, errors.New("503")).creator(t.Context(), "alice", deployment.Source{})
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
