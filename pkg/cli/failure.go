package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// failure is an error with what helps against it.
type failure struct {
	err  error
	hint string
}

// Error is the error, and on a line of its own what helps.
func (f *failure) Error() string { return clean(f.err.Error()) + "\n" + clean(f.hint) }

// Unwrap is the error without the help.
func (f *failure) Unwrap() error { return f.err }

// explainFailure adds to an error what helps against it.
func (s *session) explainFailure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errInterrupted) && errors.Is(err, context.Canceled) {
		return errInterrupted
	}

	// These have their own text.
	_, isExit := errors.AsType[ExitError](err)
	_, isUsage := errors.AsType[config.Problems](err)
	_, isExplained := errors.AsType[*failure](err)
	if isExit || isUsage || isExplained {
		return err
	}

	hint := s.hintAboutConnection(err)
	if answered, ok := errors.AsType[*client.Error](err); ok {
		hint = s.hintAboutAnswer(answered)
	}
	err = s.plainly(err)
	if hint == "" {
		return errors.New(clean(err.Error()))
	}

	return &failure{err, hint}
}

// plainly names the service where it could not be asked, and leaves out what the HTTP client says about the
// request.
func (s *session) plainly(err error) error {
	if broken, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("cannot ask Seraph at %s: %w", s.url, broken.Err)
	}
	return err
}

// hintAboutConnection says what helps where the service could not be asked.
func (s *session) hintAboutConnection(err error) string {
	from := "the address is from " + s.source
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	_, notSeraph := errors.AsType[*client.AnswerError](err)
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is Seraph running? " + from +
			"; set SERAPH_API_URL, or see `seraph config set-context --help`"
	case unknown:
		return "no such host: check the address and your network; " + from
	case untrusted:
		return "the certificate is not trusted: give the file of your CA in the variable SSL_CERT_FILE; " + from
	case isPlainHTTP(err):
		return "the service speaks http there, not https; " + from
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time: check the address and your network; " + from
	case notSeraph:
		return fmt.Sprintf("the address %s is from %s", s.url, s.source)
	default:
		return ""
	}
}

// isPlainHTTP says whether a service speaks http where https was expected. The HTTP client has only words for it.
func isPlainHTTP(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// hintAboutAnswer says what helps against an error response.
func (s *session) hintAboutAnswer(answered *client.Error) string {
	from := fmt.Sprintf("the address %s is from %s", s.url, s.source)
	noPath := answered.Code == "" || strings.Contains(answered.Message, "this path")
	switch {
	case answered.Status == http.StatusUnauthorized:
		return "the service does not know your token: use one of its SERAPH_API_TOKENS, in SERAPH_API_TOKEN or in a " +
			"context (`seraph config set-context --help`); " + from
	case answered.Code == "forbidden":
		return "`seraph whoami` says what your token may do; the operator can give you another one"
	case answered.Status >= 300 && answered.Status < 400:
		return "Seraph never redirects: give the address at which it answers itself, perhaps with https instead of " +
			"http; " + from
	case answered.Status == http.StatusNotFound && noPath && strings.Contains(s.url, "/api/v1"):
		return "give the address of the service without /api/v1; " + from
	case answered.Status == http.StatusNotFound && noPath:
		return "what answers is not Seraph, or is older than this program; " + from
	case strings.HasPrefix(answered.Message, "no deployment has this id"):
		return "if GitHub shows it, `seraph list --ignored` may say why Seraph does not run it"
	case answered.Code == "locked" || strings.HasPrefix(answered.Message, "the lock belongs to"):
		return "`seraph locks` lists the locks; `seraph lock OWNER/NAME ENVIRONMENT --steal --reason TEXT` takes one " +
			"from its owner, who gets a notice"
	case strings.Contains(answered.Message, "with the scope behalf must name"):
		return "name the person who asks with --as LOGIN:ID, or use a token with the scope deploy; " + from
	case answered.Code == "":
		return "what answers is not Seraph but something before it; " + from
	case answered.Status == http.StatusServiceUnavailable || answered.Status == http.StatusTooManyRequests:
		return "nothing was done: try again in some seconds"
	default:
		return ""
	}
}

// knownPlaces lists the environments of all repositories to which the service has deployed. A service that does
// not list environments lists its newest deployments, which name them.
func knownPlaces(ctx context.Context, c *client.Client) []place {
	var all []place
	if list, err := c.Environments(ctx, client.EnvironmentQuery{}); err == nil {
		for _, e := range list.Environments {
			all = append(all, place{e.Repository, e.Environment})
		}
		return all
	}

	list, err := c.Deployments(ctx, client.ListQuery{Limit: 200})
	if err != nil {
		return nil // only help is missing
	}

	seen := map[place]bool{}
	for _, d := range list.Deployments {
		found := place{d.Repository, d.Environment}
		if !seen[found] {
			seen[found] = true
			all = append(all, found)
		}
	}

	return all
}

// hintAboutPlace says which repository or environment was probably meant, or which there are; "" where
// the service knows both.
func (s *session) hintAboutPlace(ctx context.Context, repository, environment string) string {
	places := knownPlaces(ctx, s.client)
	var repositories, environments []string
	for _, place := range places {
		repositories = addNew(repositories, place.repository)
		if strings.EqualFold(place.repository, repository) {
			environments = addNew(environments, place.environment)
		}
	}

	switch {
	case len(places) == 0:
		return ""
	case repository != "" && len(environments) == 0:
		return "Seraph knows of no deployment of " + repository + meant(repository, repositories)
	case environment != "" && len(environments) > 0 && !containsFold(environments, environment):
		return "Seraph knows of no deployment of " + repository + " to " + environment +
			meant(environment, environments)
	case environment != "" && repository == "":
		var all []string
		for _, place := range places {
			all = addNew(all, place.environment)
		}
		if !containsFold(all, environment) {
			return "Seraph knows of no deployment to " + environment + meant(environment, all)
		}
	}

	return ""
}

// explainPlace adds to a response "not found" which repository or environment was probably meant.
func (s *session) explainPlace(ctx context.Context, err error, repository, environment string) error {
	answered, ok := errors.AsType[*client.Error](err)
	if !ok || answered.Code != "not_found" {
		return err
	}
	if hint := s.hintAboutPlace(ctx, repository, environment); hint != "" {
		return &failure{err, hint}
	}
	return err
}

// printVerdict prints the decision, and one line for each rule that shows says yes to.
func (s *screen) printVerdict(verdict api.Verdict, shows func(api.Rule) bool) {
	decision := verdict.Decision
	if verdict.Reason != "" {
		decision += ": " + verdict.Reason
	}
	if verdict.OpensAt != nil {
		decision += " (until " + stamp(verdict.OpensAt) + ")"
	}
	s.write(s.paint(colours[verdict.Decision], clean(decision)) + "\n")

	var rows [][]cell
	for _, rule := range verdict.Rules {
		if !shows(rule) {
			continue
		}

		decision := coloured(rule.Decision)
		if rule.Forced {
			decision.text += " (forced)"
		}

		who := ""
		if rule.Who != "" && rule.Decision != "allow" {
			who = "who can change it: " + rule.Who
		}
		if rule.OpensAt != nil {
			who = strings.TrimPrefix(who+"; opens at "+stamp(rule.OpensAt), "; ")
		}
		rows = append(rows, []cell{{text: rule.Rule}, decision, {text: rule.Code}, {text: rule.Message}, {text: who}})
	}

	s.table("  ", rows...)
}

// everyRule shows all rules.
func everyRule(api.Rule) bool { return true }

// openRule shows the rules that do not allow a deployment.
func openRule(rule api.Rule) bool { return rule.Decision != "allow" }
