package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var (
	errTooManyRules = fmt.Errorf("branch has more than %d rules", maxCheckPages*100)
	errNoCheckName  = errors.New("required check without a name")
)

// branch is the response of "Get a branch", as far as it is needed. It shows the required checks to
// everybody who may read the repository; "Get branch protection" takes administration rights.
type branch struct {
	Name       string `json:"name"`
	Protected  *bool  `json:"protected"`
	Protection *struct {
		Enabled  *bool `json:"enabled"`
		Required *struct {
			Contexts []string        `json:"contexts"`
			Checks   []requiredCheck `json:"checks"`
		} `json:"required_status_checks"`
	} `json:"protection"`
}

// rule is one item of "Get rules for a branch".
type rule struct {
	Type       string `json:"type"`
	Parameters *struct {
		Required []requiredCheck `json:"required_status_checks"`
	} `json:"parameters"`
}

// requiredCheck is one check that must be green, and the app that must set it. The protection of a
// branch and a ruleset name the app in fields of their own; null and -1 stand for any app.
type requiredCheck struct {
	Context     string `json:"context"`
	App         *int64 `json:"app_id"`
	Integration *int64 `json:"integration_id"`
}

func (r requiredCheck) toName() policy.CheckName {
	name := policy.CheckName{Name: r.Context}
	if app := cmp.Or(r.App, r.Integration); app != nil && *app != anyApp {
		name.App = fmt.Sprintf("id:%d", *app)
	}
	return name
}

// anyApp is the app of a required check that every app may set.
const anyApp = -1

var errHiddenProtection = errors.New("protected branch without a word on its required checks")

// required returns the checks that the branch's protection requires. There are none only where
// GitHub says so: a protection that it does not show in full may require some.
func (b branch) required() ([]policy.CheckName, error) {
	switch {
	case b.Name == "" || b.Protected == nil:
		return nil, errors.New("no branch name, or no word whether the branch is protected")
	case b.Protection != nil && b.Protection.Required != nil:
		required := b.Protection.Required
		if required.Contexts == nil && required.Checks == nil {
			return nil, errHiddenProtection
		}
		return checkNames(required.Checks, required.Contexts)
	case !*b.Protected:
		return nil, nil
	case b.Protection == nil || b.Protection.Enabled == nil || *b.Protection.Enabled:
		return nil, errHiddenProtection
	default: // rulesets protect it, and nothing else does
		return nil, nil
	}
}

// required returns the checks that a rule requires, none for a rule of another type.
func (r rule) required() ([]policy.CheckName, error) {
	switch {
	case r.Type == "":
		return nil, errors.New("branch rule without a type")
	case r.Type != "required_status_checks":
		return nil, nil
	case r.Parameters == nil:
		return nil, errNoCheckName
	default:
		return checkNames(r.Parameters.Required, nil)
	}
}

// checkNames maps required checks. GitHub lists the checks of a protection a second time as
// contexts, without their apps; a server that does not know apps lists only contexts.
func checkNames(checks []requiredCheck, contexts []string) ([]policy.CheckName, error) {
	var all []policy.CheckName
	for _, c := range checks {
		all = append(all, c.toName())
	}

	for _, context := range contexts {
		if !slices.ContainsFunc(checks, func(c requiredCheck) bool { return c.Context == context }) {
			all = append(all, policy.CheckName{Name: context})
		}
	}

	if slices.ContainsFunc(all, func(n policy.CheckName) bool { return n.Name == "" }) {
		return nil, errNoCheckName
	}

	return all, nil
}

// RequiredChecks returns the checks that the default branch requires by its protection and by
// rulesets, and those that the branch of a ref requires as well, sorted, each once. The default
// branch counts for every ref, because whoever may push can make a branch that nobody protects. The
// result may be ttlFact old.
func (c *Client) RequiredChecks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	ref string,
) ([]policy.CheckName, error) {
	src := c.current(deployment.Source{Repository: of, Installation: installation})
	byDefault, err := c.defaultBranch(ctx, src)
	if err != nil {
		return nil, err
	}

	found, err := c.requiredOn(ctx, src, byDefault)
	if err != nil {
		return nil, err
	}

	all := slices.Clone(found)
	if name := branchName(ref); name != "" && name != byDefault {
		found, err := c.requiredOn(ctx, src, name)
		if err != nil && !hasStatus(err, opBranch, http.StatusNotFound) {
			return nil, err
		}
		all = append(all, found...)
	}

	slices.SortFunc(all, func(a, b policy.CheckName) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.App, b.App))
	})
	return slices.Compact(all), nil
}

// DefaultBranch returns the name of a repository's default branch, which may be some minutes old.
// policy.ErrMissing: GitHub does not show the repository.
func (c *Client) DefaultBranch(ctx context.Context, owner, name string) (string, error) {
	src, err := c.ResolveRepository(ctx, owner, name)
	if err != nil {
		return "", err
	}
	return c.defaultBranch(ctx, src)
}

// defaultBranch returns the name of the repository's default branch. It may be ttlFact old.
func (c *Client) defaultBranch(ctx context.Context, src deployment.Source) (string, error) {
	key := c.cacheKey(opRepository, src, repositoryPath(src.Repository), "default branch")
	return cached(ctx, c.cache, key, func(ctx context.Context) (string, time.Duration, error) {
		repo, err := c.getRepository(ctx, src)
		if err != nil {
			return "", 0, err
		}
		if branchName(repo.DefaultBranch) == "" {
			return "", 0, fmt.Errorf("GitHub %s: no default branch", opRepository)
		}

		return repo.DefaultBranch, ttlFact, nil
	})
}

// requiredOn returns the checks that one branch requires. The error is a 404 of opBranch if there is
// no such branch. The result may be ttlFact old.
func (c *Client) requiredOn(ctx context.Context, src deployment.Source, name string) ([]policy.CheckName, error) {
	// The name is added behind cacheKey, which lowers case: names of branches are case-sensitive.
	key := c.cacheKey(opBranch, src, repositoryPath(src.Repository)) + "\n" + name
	return cached(ctx, c.cache, key, func(ctx context.Context) ([]policy.CheckName, time.Duration, error) {
		actual, required, err := c.branch(ctx, src, name)
		if err != nil {
			return nil, 0, err
		}

		byRulesets, err := c.rulesetChecks(ctx, src, actual)
		return append(required, byRulesets...), ttlFact, err
	})
}

// branchName returns the name of the branch that a ref may mean, or "" if it cannot mean one. A ref
// that is not written in full may be a branch. Commit ids and names that git does not allow for
// branches (git-check-ref-format) are none.
func branchName(ref string) string {
	name, full := strings.CutPrefix(ref, "refs/heads/")
	forbidden := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`~^:?*[\`, r)
	}

	switch {
	case !full && strings.HasPrefix(ref, "refs/"):
		return ""
	case shaPattern.MatchString(name):
		return ""
	case name == ".", strings.Contains(name, ".."), strings.ContainsFunc(name, forbidden):
		return ""
	default:
		return name
	}
}

// branch reads a branch. It returns the branch's actual name, because GitHub redirects the former
// name of a renamed branch, and the checks that its protection requires.
func (c *Client) branch(
	ctx context.Context,
	src deployment.Source,
	name string,
) (actual string, required []policy.CheckName, err error) {
	path := repositoryPath(src.Repository) + "/branches/" + url.PathEscape(name)
	found, _, err := fetch(ctx, c, opBranch, src, path, func(b branch) (err error) {
		required, err = b.required()
		return err
	})

	return found.Name, required, err
}

// rulesetChecks returns the checks that rulesets require on a branch. There are none where the plan
// does not know rulesets, or a GitHub Enterprise Server is too old for them. On github.com a 404 is
// no answer to the question.
func (c *Client) rulesetChecks(
	ctx context.Context,
	src deployment.Source,
	branch string,
) ([]policy.CheckName, error) {
	var all []policy.CheckName
	for page := 1; page <= maxCheckPages; page++ {
		required, more, err := c.rulePage(ctx, src, branch, page)
		if notOnServer(err) || notInPlan(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}

		all = append(all, required...)
		if !more {
			return all, nil
		}
	}

	return nil, errTooManyRules
}

func (c *Client) rulePage(
	ctx context.Context,
	src deployment.Source,
	branch string,
	page int,
) (required []policy.CheckName, more bool, err error) {
	path := fmt.Sprintf(
		"%s/rules/branches/%s?per_page=100&page=%d",
		repositoryPath(src.Repository),
		url.PathEscape(branch),
		page,
	)

	_, next, err := fetch(ctx, c, opRules, src, path, func(rules []rule) (err error) {
		if rules == nil {
			return errNoList
		}

		required, err = requiredByRules(rules)
		return err
	})

	return required, next > page, err
}

func requiredByRules(rules []rule) ([]policy.CheckName, error) {
	var all []policy.CheckName
	for _, r := range rules {
		required, err := r.required()
		if err != nil {
			return nil, err
		}

		all = append(all, required...)
	}

	return all, nil
}

// notOnServer reports whether err is the 404 of a GitHub Enterprise Server for a call that it does
// not know.
func notOnServer(err error) bool {
	var e *Error
	return hasStatus(err, opRules, http.StatusNotFound) && errors.As(err, &e) && e.ServerVersion != ""
}

// notInPlan reports whether err is the 403 of a private repository whose plan has no rulesets, as
// opposed to the 403 for a missing right. Only its message tells them apart.
func notInPlan(err error) bool {
	var e *Error
	return hasStatus(err, opRules, http.StatusForbidden) && errors.As(err, &e) &&
		strings.Contains(e.Message, "make this repository public")
}
