package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	errTooManyRules = errors.New("the branch has too many rules to read them all")
	errNoContext    = errors.New("it requires a check without a name")
)

// branch is what whoever may read a repository sees of a branch ("Get a branch"); all of its
// protection takes administration rights.
type branch struct {
	Name       string `json:"name"`
	Protected  bool   `json:"protected"`
	Protection *struct {
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

type requiredCheck struct {
	Context string `json:"context"`
}

// contexts are the names that the protection requires, some of them twice.
func (b branch) contexts() ([]string, error) {
	switch {
	case b.Name == "":
		return nil, errors.New("it names no branch")
	case b.Protected && b.Protection == nil:
		return nil, errors.New("the branch is protected, and it does not say how")
	case b.Protection == nil || b.Protection.Required == nil:
		return nil, nil
	}

	return checkNames(b.Protection.Required.Checks, b.Protection.Required.Contexts)
}

func (r rule) contexts() ([]string, error) {
	switch {
	case r.Type == "":
		return nil, errors.New("it shows a rule without a type")
	case r.Type != "required_status_checks":
		return nil, nil
	case r.Parameters == nil:
		return nil, errNoContext
	}

	return checkNames(r.Parameters.Required, nil)
}

func checkNames(checks []requiredCheck, more []string) ([]string, error) {
	all := slices.Clone(more)
	for _, c := range checks {
		all = append(all, c.Context)
	}
	if slices.Contains(all, "") {
		return nil, errNoContext
	}
	return all, nil
}

// RequiredChecks names the checks that must be green before something gets into the branch that a
// ref names, by its protection and by rulesets. A ref that is no branch counts as the default
// branch.
func (c *Client) RequiredChecks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	ref string,
) ([]string, error) {
	name := branchName(ref)
	// The key keeps the case of the name: branches have one.
	key := c.cacheKey(opBranch, of, installation, repositoryPath(of)) + "\n" + name
	found, err := cached(ctx, c.cache, key, func(ctx context.Context) ([]string, time.Duration, error) {
		b, err := c.branchOrDefault(ctx, of, installation, name)
		if err != nil {
			return nil, 0, err
		}

		required, err := b.contexts()
		if err != nil {
			return nil, 0, err
		}

		more, err := c.rulesetChecks(ctx, of, installation, b.Name)
		all := append(required, more...)
		slices.Sort(all)
		return slices.Compact(all), ttlFact, err
	})

	return slices.Clone(found), err
}

// branchName is the branch that a ref may name; empty: none.
func branchName(ref string) string {
	name, full := strings.CutPrefix(ref, "refs/heads/")
	odd := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`~^:?*[\`, r)
	}
	switch {
	case !full && strings.HasPrefix(ref, "refs/"), shaPattern.MatchString(name),
		// what git allows no branch to be called
		name == ".", strings.Contains(name, ".."), strings.ContainsFunc(name, odd):
		return ""
	}

	return name
}

// branchOrDefault reads a branch; where it is not there, the default branch.
func (c *Client) branchOrDefault(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	name string,
) (branch, error) {
	if name != "" {
		b, err := c.branch(ctx, of, installation, name)
		if !hasStatus(err, opBranch, http.StatusNotFound) {
			return b, err
		}
	}

	repo, err := c.getRepository(ctx, of, installation)
	if err != nil {
		return branch{}, err
	}
	if repo.DefaultBranch == "" || branchName(repo.DefaultBranch) == "" {
		return branch{}, fmt.Errorf("GitHub %s: it names no default branch", opRepository)
	}

	return c.branch(ctx, of, installation, repo.DefaultBranch)
}

// branch reads a branch; one that was renamed answers under its new name.
func (c *Client) branch(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	name string,
) (b branch, err error) {
	err = c.read(ctx, opBranch, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		b = branch{}
		_, err := get(ctx, api, repositoryPath(of)+"/branches/"+url.PathEscape(name), &b)
		if err == nil {
			_, err = b.contexts()
		}

		return err
	})

	return b, err
}

// rulesetChecks names the checks that rulesets require. A server or a plan that knows no rulesets has none
// in force.
func (c *Client) rulesetChecks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	branch string,
) ([]string, error) {
	var all []string
	for page := 1; page <= maxCheckPages; page++ {
		required, more, err := c.rulePage(ctx, of, installation, branch, page)
		if hasStatus(err, opRules, http.StatusNotFound) || notInPlan(err) {
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
	of deployment.Repository,
	installation int64,
	branch string,
	page int,
) (all []string, more bool, err error) {
	path := fmt.Sprintf("%s/rules/branches/%s?per_page=100&page=%d", repositoryPath(of), url.PathEscape(branch), page)
	err = c.read(ctx, opRules, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		var rules []rule
		resp, err := get(ctx, api, path, &rules)
		if err == nil && rules == nil {
			err = errNoList
		}
		if err != nil {
			return err
		}

		more = resp.NextPage > page
		all, err = ruleContexts(rules)
		return err
	})

	return all, more, err
}

func ruleContexts(rules []rule) (all []string, err error) {
	for _, r := range rules {
		contexts, err := r.contexts()
		if err != nil {
			return nil, err
		}
		all = append(all, contexts...)
	}
	return all, nil
}

// notInPlan tells the 403 of a private repository whose plan has no rulesets from one for want of
// rights.
func notInPlan(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Operation == opRules && e.Status == http.StatusForbidden &&
		strings.Contains(e.Message, "make this repository public")
}
