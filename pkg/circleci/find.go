package circleci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// List reads a project's pipelines, newest first: those of our user, and all. It reads back to since
// and, if control is not empty, to the pipeline control. since is in our time; the difference to
// CircleCI's clock is allowed for. A list that cannot be read to there is not complete. An error
// means that this is so of both lists; what was read of them is returned with it.
func (c *Client) List(ctx context.Context, slug string, since time.Time, control string) (deployment.Listing, error) {
	var me User
	header, err := c.getMe(ctx, &me)
	if err != nil {
		return deployment.Listing{}, err
	}

	l := deployment.Listing{Me: me.Login, MeID: me.ID, Offset: c.clockOffset(header)}
	path := "/project/" + slugPath(slug) + "/pipeline"
	since = since.Add(l.Offset)

	var errMine, errAll error
	l.Mine, l.MineComplete, errMine = c.readList(ctx, "mine", path+"/mine", since, control)
	l.Project, l.ProjectComplete, errAll = c.readList(ctx, "pipelines", path, since, control)
	if errMine != nil && errAll != nil {
		return l, errAll
	}

	return l, nil
}

// clockOffset returns CircleCI's clock minus ours, from a Date header. A difference below 5 s is
// taken for rounding and the time of the call.
func (c *Client) clockOffset(h http.Header) time.Duration {
	date, ok := outbound.ServerTime(h)
	if !ok {
		return 0
	}
	if offset := date.Sub(c.o.Now()); offset.Abs() >= 5*time.Second {
		return offset
	}
	return 0
}

// readList reads one list back to since and to control. complete says whether it got there, or to
// the end of the list.
func (c *Client) readList(
	ctx context.Context,
	operation, path string,
	since time.Time,
	control string,
) (list []deployment.PipelineFacts, complete bool, err error) {
	passedSince, sawControl, partial := false, control == "", false
	err = readPages(ctx, c, operation, path, func(p page[pipeline]) bool {
		for _, item := range p.Items {
			if item.ID == "" || item.CreatedAt.IsZero() {
				partial = true
				continue
			}

			list = append(list, item.facts())
			passedSince = passedSince || item.CreatedAt.Before(since)
			sawControl = sawControl || item.ID == control
		}

		return !passedSince || !sawControl
	})

	// An item that does not say what it is may be the one that is looked for.
	if err == nil && partial {
		err = unusable(operation, errors.New("pipeline without id or created_at"))
	}

	// What was read of a list that is too long counts. If it reaches back to since and only the control
	// was not seen, the caller finds that out.
	if errors.Is(err, errTooManyPages) {
		return list, passedSince && !partial, nil
	}

	return list, err == nil, err
}

// Evidence looks for a key in a pipeline: in its values and then in its compiled configuration, into
// which CircleCI has put the parameters. parameters are the names of those that carry a key.
func (c *Client) Evidence(
	ctx context.Context,
	pipelineID, key string,
	parameters []string,
) (deployment.KeyEvidence, error) {
	var values map[string]any
	if _, err := c.getOptional(ctx, "values", pipelinePath(pipelineID)+"/values", &values); err != nil {
		return deployment.KeyUnreadable, err
	}
	if found := findInValues(values, key, parameters); found != deployment.KeyAbsent {
		return found, nil
	}

	var config json.RawMessage
	read, err := c.getOptional(ctx, "config", pipelinePath(pipelineID)+"/config", &config)
	switch {
	case err != nil:
		return deployment.KeyUnreadable, err
	case read && bytes.Contains(config, []byte(key)):
		return deployment.KeyFound, nil
	case !read:
		return deployment.KeyUnreadable, nil
	case !isCompiled(config):
		return deployment.KeyNotCompiled, nil
	default:
		return deployment.KeyAbsent, nil
	}
}

// findInValues looks for the key among a pipeline's values, and for one of its parameters with
// another value.
func findInValues(values map[string]any, key string, parameters []string) deployment.KeyEvidence {
	for _, v := range values {
		if text, ok := v.(string); ok && strings.Contains(text, key) {
			return deployment.KeyFound
		}
	}

	for _, name := range parameters {
		for _, spelling := range []string{name, "pipeline.parameters." + name} {
			if _, shown := values[spelling]; shown {
				return deployment.KeyOther
			}
		}
	}

	return deployment.KeyAbsent
}

// isCompiled says whether CircleCI has compiled a configuration. Before that, and if it cannot, it has no
// parameters in it.
func isCompiled(config json.RawMessage) bool {
	var c struct {
		Compiled string `json:"compiled"`
		Setup    string `json:"compiled-setup-config"`
	}
	return json.Unmarshal(config, &c) == nil && (c.Compiled != "" || c.Setup != "")
}

// getOptional reads a resource that may not exist, or that our token may not read. read says whether
// it was there.
func (c *Client) getOptional(ctx context.Context, operation, path string, out any) (read bool, err error) {
	_, err = c.get(ctx, operation, path, nil, out)
	if _, missing := answered(err, http.StatusNotFound, http.StatusForbidden); missing {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s of pipeline: %w", operation, err)
	}

	return true, nil
}
