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

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	errTooManyRules = fmt.Errorf("branch has more than %d rules", maxCheckPages*100)
	errNoCheckName  = errors.New("required check without a name")
)

// branch is the response of "Get a branch", as far as it is needed. It shows the required checks to
// everybody who may read the repository; "Get branch protection" takes administration rights.
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

// contexts returns the names of the checks that the branch's protection requires. A name may come
// twice, because GitHub lists it under contexts and under checks.
func (b branch) contexts() ([]string, error) {
	switch {
	case b.Name == "":
		return nil, errors.New("no branch name")
	case b.Protected && b.Protection == nil:
		return nil, errors.New("protected branch without its protection")
	case b.Protection == nil || b.Protection.Required == nil:
		return nil, nil
	default:
		return checkNames(b.Protection.Required.Checks, b.Protection.Required.Contexts)
	}
}

// contexts returns the names of the checks that a rule requires, none for a rule of another type.
func (r rule) contexts() ([]string, error) {
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

func checkNames(checks []requiredCheck, contexts []string) ([]string, error) {
	all := slices.Clone(contexts)
	for _, c := range checks {
		all = append(all, c.Context)
	}

	if slices.Contains(all, "") {
		return nil, errNoCheckName
	}

	return all, nil
}

// RequiredChecks returns the names of the checks that a branch requires by its protection and by
// rulesets, sorted, each name once. A ref that names no branch, such as a tag or a commit, counts
// as the default branch, and so does a branch that does not exist. The result may be ttlFact old.
func (c *Client) RequiredChecks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	ref string,
) ([]string, error) {
	src := c.current(deployment.Source{Repository: of, Installation: installation})
	name := branchName(ref)
	// The name is added behind cacheKey, which lowers case: names of branches are case-sensitive.
	key := c.cacheKey(opBranch, src, repositoryPath(src.Repository)) + "\n" + name
	found, err := cached(ctx, c.cache, key, func(ctx context.Context) ([]string, time.Duration, error) {
		actual, required, err := c.branchOrDefault(ctx, src, name)
		if err != nil {
			return nil, 0, err
		}

		byRulesets, err := c.rulesetChecks(ctx, src, actual)
		if err != nil {
			return nil, 0, err
		}

		all := append(required, byRulesets...)
		slices.Sort(all)
		return slices.Compact(all), ttlFact, nil
	})

	return slices.Clone(found), err
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

// branchOrDefault reads a branch, or the default branch if name is empty or GitHub answers 404 for
// it. It returns the actual name of the branch and the checks that its protection requires.
func (c *Client) branchOrDefault(
	ctx context.Context,
	src deployment.Source,
	name string,
) (actual string, required []string, err error) {
	if name != "" {
		actual, required, err = c.branch(ctx, src, name)
		if !hasStatus(err, opBranch, http.StatusNotFound) {
			return actual, required, err
		}
	}

	repo, err := c.getRepository(ctx, src)
	if err != nil {
		return "", nil, err
	}
	if branchName(repo.DefaultBranch) == "" {
		return "", nil, fmt.Errorf("GitHub %s: no default branch", opRepository)
	}

	return c.branch(ctx, src, repo.DefaultBranch)
}

// branch reads a branch. It returns the branch's actual name, because GitHub redirects the former
// name of a renamed branch, and the checks that its protection requires.
func (c *Client) branch(
	ctx context.Context,
	src deployment.Source,
	name string,
) (actual string, required []string, err error) {
	path := repositoryPath(src.Repository) + "/branches/" + url.PathEscape(name)
	found, _, err := fetch(ctx, c, opBranch, src, path, func(b branch) (err error) {
		required, err = b.contexts()
		return err
	})

	return found.Name, required, err
}

// rulesetChecks returns the names of the checks that rulesets require on a branch. There are none
// where the server or the plan does not know rulesets.
func (c *Client) rulesetChecks(ctx context.Context, src deployment.Source, branch string) ([]string, error) {
	var all []string
	for page := 1; page <= maxCheckPages; page++ {
		required, more, err := c.rulePage(ctx, src, branch, page)
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
	src deployment.Source,
	branch string,
	page int,
) (required []string, more bool, err error) {
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

		required, err = ruleContexts(rules)
		return err
	})

	return required, next > page, err
}

func ruleContexts(rules []rule) ([]string, error) {
	var all []string
	for _, r := range rules {
		contexts, err := r.contexts()
		if err != nil {
			return nil, err
		}

		all = append(all, contexts...)
	}

	return all, nil
}

// notInPlan reports whether err is the 403 of a private repository whose plan has no rulesets, as
// opposed to the 403 for a missing right. Only its message tells them apart.
func notInPlan(err error) bool {
	var e *Error
	return hasStatus(err, opRules, http.StatusForbidden) && errors.As(err, &e) &&
		strings.Contains(e.Message, "make this repository public")
}
