package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/route"
)

var errForceWithoutReason = errors.New("--force needs --reason: everybody sees who forced it and why")

// requestFlags are the flags that deploy and rollback have in common.
type requestFlags struct {
	key     string
	watch   bool
	timeout time.Duration
}

func (f *requestFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "print each change until the deployment ends")
	addTimeoutFlag(cmd, &f.timeout)
	cmd.Flags().StringVar(&f.key, "key", "", "name this request `KEY`: asked again with the same key, the same\n"+
		"deployment is answered; default a new random one")
}

func (c *commands) deployCommand() *cobra.Command {
	var flagged requestFlags
	var req api.DeployRequest
	var fields []string
	cmd := &cobra.Command{
		Use:   "deploy OWNER/NAME@REF ENVIRONMENT",
		Short: "deploy a branch, a tag or a commit to an environment",
		Long: "Ask for a deployment. The rules are asked first: what they reject is not made at GitHub.\n" +
			"With --watch each change is printed until the deployment ends, and the exit code says how it\n" +
			"ended: 0 succeeded, 1 failed or errored, 3 it has not ended at --timeout, 4 rejected, 5 canceled.\n" +
			"Ctrl-C leaves the deployment running.",
		Example: "seraph deploy acme/api@main production --watch\n" +
			"seraph deploy acme/api@v1.4.2 staging -f hosts=web-1,web-2 --reason \"try the new cache\"",

		Args: func(cmd *cobra.Command, args []string) (err error) {
			if err := wantArguments(2, 2, "OWNER/NAME@REF and ENVIRONMENT")(cmd, args); err != nil {
				return err
			}

			req.Environment = args[1]
			req.Repository, req.Ref, _ = strings.Cut(args[0], "@")
			switch {
			case req.Force && req.Reason == "":
				return errForceWithoutReason
			case req.Ref == "":
				return fmt.Errorf("deploy needs to know what to deploy: %s@BRANCH, @TAG or @COMMIT", req.Repository)
			}

			req.Payload, err = payloadOf(fields)
			return errors.Join(checkRepository(req.Repository), err)
		},
		ValidArgsFunction: c.completeDeploy,
	}

	flags := cmd.Flags()
	flags.StringArrayVarP(&fields, "field", "f", nil, "put `KEY=VALUE` into the payload, as text; may be repeated")
	flags.StringVar(&req.Reason, "reason", "", "why, `TEXT` of one line; shown wherever the deployment is")
	flags.BoolVar(&req.Force, "force", false, "pass rules by force; needs --reason, and the rule force")
	flags.StringVar(&req.SHA, "sha", "", "refuse where REF is not at the commit `SHA` any more")
	flags.StringVar(&req.Task, "task", "", "another `TASK` than the usual one, such as deploy:migrations")
	flagged.addTo(cmd)
	return c.acting(cmd, func(ctx context.Context, s *session, _ []string) error {
		req.OnBehalf = c.behalf()
		err := s.ask(ctx, flagged, func(ctx context.Context, key string) (api.DeployResponse, error) {
			return s.client.Deploy(ctx, key, req)
		})
		return s.explainPlace(ctx, err, req.Repository, req.Environment)
	})
}

func (c *commands) rollbackCommand() *cobra.Command {
	var flagged requestFlags
	var req api.RollbackRequest
	cmd := &cobra.Command{
		Use:   "rollback OWNER/NAME ENVIRONMENT",
		Short: "deploy again what ran in an environment before",
		Long: "Ask for a new deployment of what succeeded in the environment before the current deployment,\n" +
			"with its payload. Exit codes are those of `seraph deploy`.",
		Example: "seraph rollback acme/api production --reason \"errors since 14:00\" --watch\n" +
			"seraph rollback acme/api production --to 3145728007",

		Args: func(cmd *cobra.Command, args []string) error {
			if err := wantArguments(2, 2, "OWNER/NAME and ENVIRONMENT")(cmd, args); err != nil {
				return err
			}
			if req.Force && req.Reason == "" {
				return errForceWithoutReason
			}
			req.Repository, req.Environment = args[0], args[1]
			return checkRepository(req.Repository)
		},
		ValidArgsFunction: c.completePlace,
	}

	flags := cmd.Flags()
	flags.StringVar(&req.To, "to", "", "roll back to this deployment or commit, `ID|SHA`")
	flags.StringVar(&req.Reason, "reason", "", "why, `TEXT` of one line; shown wherever the deployment is")
	flags.BoolVar(&req.Force, "force", false, "pass rules by force; needs --reason, and the rule force")
	flagged.addTo(cmd)
	return c.acting(cmd, func(ctx context.Context, s *session, _ []string) error {
		req.OnBehalf = c.behalf()
		err := s.ask(ctx, flagged, func(ctx context.Context, key string) (api.DeployResponse, error) {
			return s.client.Rollback(ctx, key, req)
		})
		return s.explainPlace(ctx, err, req.Repository, req.Environment)
	})
}

// repositoryName is what GitHub lets a repository be called.
var repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// checkRepository refuses what is no name of a repository.
func checkRepository(name string) error {
	if !repositoryName.MatchString(name) {
		return fmt.Errorf("write the repository as OWNER/NAME, such as acme/api, not %q", name)
	}
	return nil
}

// payloadOf makes a payload of fields KEY=VALUE.
func payloadOf(fields []string) (json.RawMessage, error) {
	if len(fields) == 0 {
		return nil, nil
	}

	payload := map[string]string{}
	for _, field := range fields {
		key, value, found := strings.Cut(field, "=")
		if _, twice := payload[key]; twice {
			return nil, fmt.Errorf("--field %s is given twice", key)
		}
		if !found || key == "" {
			return nil, fmt.Errorf("--field must be KEY=VALUE, not %q", field)
		}
		payload[key] = value
	}

	return json.Marshal(payload)
}

// How a request is repeated whose answer was lost, and how its outcome is asked for.
const (
	askLimit   = 6 // requests
	lookLimit  = 5 * time.Minute
	askAgain   = "run the same command with --key %s to learn it; nothing is made twice"
	notKnown   = "it is not known whether GitHub has made the deployment"
	stillAsked = "GitHub has not answered yet whether it has created the deployment; waiting"
)

// ask sends a request for a deployment until its answer is known, and prints what became of it.
func (s *session) ask(
	ctx context.Context, f requestFlags, send func(context.Context, string) (api.DeployResponse, error),
) error {
	if f.key == "" {
		f.key = uuid.NewString()
	}

	answer, err := s.sendUntilAnswered(ctx, f.key, send)
	if err == nil && answer.Deployment == nil {
		answer.Deployment, err = s.lookUntilMade(ctx, f.key, answer.Request)
	}
	if err != nil {
		return s.refused(err)
	}

	s.answered = true
	d := *answer.Deployment
	if s.json && !f.watch {
		if err := s.out.json(answer); err != nil {
			return err
		}
	}
	if !s.json {
		s.out.line(fmt.Sprintf("deployment %d: %s of %s to %s", d.ID, what(d), d.Repository, d.Environment))
		if answer.Verdict != nil && answer.Verdict.Decision != "allow" {
			s.out.printVerdict(*answer.Verdict, openRule)
		}
		s.noteNewPlace(ctx, d)
	}
	if f.watch {
		return s.watch(ctx, d.ID, f.timeout)
	}

	if ended(d.State) {
		return exit(exitCode(d.State))
	}
	s.notes.line(fmt.Sprintf("`seraph watch %d` watches it, `seraph cancel %d` cancels it.", d.ID, d.ID))
	return nil
}

// noteNewPlace says which environment was probably meant where nothing was deployed to the one of a deployment before,
// and it is spelled much like one of the repository's. A route with a pattern takes every name.
func (s *session) noteNewPlace(ctx context.Context, d api.Deployment) {
	list, err := s.client.Environments(ctx, client.EnvironmentQuery{Repository: d.Repository})
	if err != nil {
		return // only help is missing
	}

	var known []string
	for _, e := range list.Environments {
		if e.Current == nil {
			continue
		}
		if strings.EqualFold(e.Environment, d.Environment) {
			return
		}
		if digits(e.Environment) == digits(d.Environment) { // pr-12 is not pr-13 misspelt
			known = append(known, e.Environment)
		}
	}
	if nearest := route.Nearest(d.Environment, known); nearest != "" {
		const format = "Seraph knows of no earlier deployment to %s; did you mean %s?"
		s.notes.line(fmt.Sprintf(format, d.Environment, nearest))
	}
}

// digits returns the digits of a name.
func digits(name string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, name)
}

// sendUntilAnswered sends a request again where its answer was lost. The key makes that harmless.
func (s *session) sendUntilAnswered(
	ctx context.Context, key string, send func(context.Context, string) (api.DeployResponse, error),
) (api.DeployResponse, error) {
	pause := s.o.pace.ask
	for try := 1; ; try++ {
		answer, err := send(ctx, key)
		neverSent := errors.Is(err, syscall.ECONNREFUSED) && try == 1
		switch {
		case err == nil || neverSent || !lost(err):
			return answer, err
		case ctx.Err() != nil:
			return answer, &failure{context.Cause(ctx), notKnown + ": " + fmt.Sprintf(askAgain, key)}
		case try == askLimit:
			return answer, &failure{err, notKnown + ": " + fmt.Sprintf(askAgain, key)}
		}

		s.notes.line(fmt.Sprintf("%v; asking again with the same key", s.plainly(err)))
		if !sleep(ctx, pause) {
			return answer, &failure{context.Cause(ctx), notKnown + ": " + fmt.Sprintf(askAgain, key)}
		}
		pause *= 2
	}
}

// lost says whether a request may have been carried out although its answer did not arrive, or can be
// sent again soon.
func lost(err error) bool {
	if answered, ok := errors.AsType[*client.Error](err); ok {
		soon := answered.Code == "" || answered.Code == "unavailable" || answered.Code == "too_many_requests"
		return soon && passes(err)
	}

	_, notSeraph := errors.AsType[*client.AnswerError](err)
	return !notSeraph
}

// lookUntilMade waits until it is known whether GitHub has made the deployment of a request.
func (s *session) lookUntilMade(ctx context.Context, key, request string) (*api.Deployment, error) {
	s.notes.line(stillAsked)
	ctx, cancel := context.WithTimeoutCause(ctx, lookLimit, errors.New(notKnown))
	defer cancel()
	for {
		status, err := s.client.Request(ctx, request)
		switch {
		case err == nil && status.Deployment != nil:
			return status.Deployment, nil
		case err == nil && status.State == "failed":
			return nil, fmt.Errorf("the deployment was not made: %s", status.Problem)
		case err != nil && ctx.Err() == nil && !passes(err):
			return nil, err
		}

		if !sleep(ctx, s.o.pace.look) {
			return nil, &failure{context.Cause(ctx), fmt.Sprintf(askAgain, key)}
		}
	}
}

// sleep waits, and returns false where the context ends first.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refused prints the verdict of rules that reject a deployment, and ends the program with ExitRejected.
// Every other error stays as it is.
func (s *session) refused(err error) error {
	answered, ok := errors.AsType[*client.Error](err)
	if !ok || answered.Verdict == nil && answered.Code != "rejected" {
		return err
	}

	switch {
	case s.json:
		problem := api.Error{Code: answered.Code, Message: answered.Message}
		if err := s.out.json(api.ErrorResponse{Error: problem, Verdict: answered.Verdict}); err != nil {
			return err
		}
	case answered.Verdict != nil:
		s.out.printVerdict(*answered.Verdict, openRule)
	}

	s.notes.line(answered.Message + "; nothing was made at GitHub")
	if answered.Code != "rejected" {
		return exit(ExitFailed)
	}
	return exit(ExitRejected)
}
