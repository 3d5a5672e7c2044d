package github

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	gh "github.com/google/go-github/v60/github"
)

// createToken creates a token of an installation with the permissions of the options. GitHub answers 422 if
// the installation lacks one of them. The token then gets those that the installation has, as GitHub shows
// them of a token that is not limited, and which the owner may extend at any time.
func (c *Client) createToken(ctx context.Context, installation int64) (*gh.InstallationToken, error) {
	wanted := c.options.Permissions
	created, err := c.requestToken(ctx, installation, wanted)
	if wanted == nil || !hasStatus(err, opToken, http.StatusUnprocessableEntity) {
		return created, err
	}

	unlimited, err := c.requestToken(ctx, installation, nil)
	if err != nil {
		return nil, err
	}

	allowed, lacking := permitted(wanted, permissionsOf(unlimited))
	c.reportLacking(installation, lacking)
	if narrowed, err := c.requestToken(ctx, installation, allowed); len(allowed) > 0 && err == nil {
		return narrowed, nil
	}

	return unlimited, nil
}

// requestToken creates a token with these permissions, or with all that the installation has (REST API, "Create an
// installation access token for an app").
func (c *Client) requestToken(
	ctx context.Context,
	installation int64,
	permissions map[string]string,
) (created *gh.InstallationToken, _ error) {
	options, err := tokenOptions(permissions)
	if err != nil {
		return nil, err
	}

	err = c.call(ctx, opToken, c.app, func(ctx context.Context) (err error) {
		created, _, err = c.app.api.createToken(ctx, installation, options)
		if err != nil {
			return err
		}
		if created.GetToken() == "" {
			return errors.New("no token")
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	return created, nil
}

// tokenOptions returns the body that asks for permissions. A name that go-github v60 does not know is an
// error: it would be left out.
func tokenOptions(permissions map[string]string) (*gh.InstallationTokenOptions, error) {
	if permissions == nil {
		return &gh.InstallationTokenOptions{}, nil
	}

	text, err := json.Marshal(permissions)
	if err != nil {
		return nil, err
	}
	options := &gh.InstallationTokenOptions{Permissions: &gh.InstallationPermissions{}}
	if err := json.Unmarshal(text, options.Permissions); err != nil {
		return nil, err
	}
	if !maps.Equal(permissions, permissionMap(options.Permissions)) {
		return nil, errors.New("unknown permission for the tokens of the GitHub App")
	}

	return options, nil
}

// permissionsOf returns what a token may do; nil: GitHub does not show it.
func permissionsOf(token *gh.InstallationToken) map[string]string {
	if token.GetPermissions() == nil {
		return nil
	}
	return permissionMap(token.GetPermissions())
}

func permissionMap(p *gh.InstallationPermissions) map[string]string {
	text, _ := json.Marshal(p) // it holds texts only
	named := map[string]string{}
	_ = json.Unmarshal(text, &named)
	return named
}

// permitted returns the wanted permissions as far as they were granted, and the names of those that were not
// or not in full, sorted.
func permitted(wanted, granted map[string]string) (allowed map[string]string, lacking []string) {
	rank := map[string]int{"read": 1, "write": 2, "admin": 3}
	allowed = map[string]string{}
	for name, level := range wanted {
		has := granted[name]
		if rank[has] < rank[level] {
			lacking = append(lacking, name+": "+level)
		}
		if has != "" {
			allowed[name] = level
		}
		if rank[has] > 0 && rank[has] < rank[level] {
			allowed[name] = has
		}
	}

	slices.Sort(lacking)
	return allowed, lacking
}

// reportLacking logs once for each installation which permissions it lacks. What needs them waits or fails, and
// then says so as well.
func (c *Client) reportLacking(installation int64, lacking []string) {
	c.mu.Lock()
	reported := c.lackingReported[installation]
	c.lackingReported[installation] = true
	c.mu.Unlock()

	if !reported {
		c.options.Log.Warn().
			Int64("installation", installation).
			Strs("permissions", lacking).
			Msg("GitHub App lacks permissions: grant them to it, and accept them for the installation")
	}
}
