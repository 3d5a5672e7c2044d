package circleci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// List reads a project's pipelines, those of our user and all, newest first, back to since (our
// time; CircleCI's clock is allowed for) and until the pipeline control was seen, if one is given.
// A list that cannot be read is not complete; it fails only when neither can be.
func (c *Client) List(ctx context.Context, slug string, since time.Time, control string) (deployment.Listing, error) {
	var me User
	header, err := c.get(ctx, "me", "/me", nil, &me)
	if err != nil {
		return deployment.Listing{}, err
	}

	l := deployment.Listing{Me: me.Login, MeID: me.ID, Offset: c.offset(header)}
	path := "/project/" + slugPath(slug) + "/pipeline"
	var errMine, errAll error
	l.Mine, l.MineComplete, errMine = c.readList(ctx, "mine", path+"/mine", since.Add(l.Offset), control)
	l.Project, l.ProjectComplete, errAll = c.readList(ctx, "pipelines", path, since.Add(l.Offset), control)
	if errMine != nil && errAll != nil {
		return l, errAll
	}

	return l, nil
}

// offset is CircleCI's clock minus ours, from a Date header; below 5 s it is rounding and the
// network's time.
func (c *Client) offset(h http.Header) time.Duration {
	date, ok := outbound.Clock(h)
	if !ok {
		return 0
	}
	if off := date.Sub(c.o.Now()); off.Abs() >= 5*time.Second {
		return off
	}
	return 0
}

func (c *Client) readList(
	ctx context.Context,
	operation, path string,
	since time.Time,
	control string,
) (list []deployment.PipelineFacts, complete bool, err error) {
	passed, shown := false, control == ""
	err = readPages(ctx, c, operation, path, func(p page[pipeline]) bool {
		for _, item := range p.Items {
			list = append(list, item.facts())
			passed = passed || item.CreatedAt.Before(since)
			shown = shown || item.ID == control
		}

		return !passed || !shown
	})

	if errors.Is(err, errTooManyPages) {
		return list, passed, nil
	}

	return list, err == nil, err
}

// Evidence looks into a pipeline for a key: first its values, then its configuration, in which
// CircleCI has put the parameters.
func (c *Client) Evidence(
	ctx context.Context,
	pipelineID, key string,
	parameters []string,
) (deployment.KeyEvidence, error) {
	path := pipelinePath(pipelineID)
	var values map[string]any
	_, err := c.getOptional(ctx, "values", path+"/values", &values)
	if err != nil {
		return deployment.KeyUnreadable, err
	}
	if verdict := findInValues(values, key, parameters); verdict != deployment.KeyAbsent {
		return verdict, nil
	}

	var config json.RawMessage
	configRead, err := c.getOptional(ctx, "config", path+"/config", &config)
	switch {
	case err != nil:
		return deployment.KeyUnreadable, err
	case configRead && bytes.Contains(config, []byte(key)):
		return deployment.KeyFound, nil
	case !configRead || !isCompiled(config):
		return deployment.KeyUnreadable, nil
	}

	return deployment.KeyAbsent, nil
}

// inValues looks for the key among a pipeline's values, and for its parameter with another value.
func findInValues(values map[string]any, key string, parameters []string) deployment.KeyEvidence {
	for _, v := range values {
		if text, ok := v.(string); ok && bytes.Contains([]byte(text), []byte(key)) {
			return deployment.KeyFound
		}
	}

	for _, name := range parameters {
		for _, spelled := range []string{name, "pipeline.parameters." + name} {
			if _, shown := values[spelled]; shown {
				return deployment.KeyOther
			}
		}
	}

	return deployment.KeyAbsent
}

// compiled says whether a configuration was compiled: before that it cannot hold parameters.
func isCompiled(config json.RawMessage) bool {
	var c struct {
		Compiled string `json:"compiled"`
		Setup    string `json:"compiled-setup-config"`
	}
	return json.Unmarshal(config, &c) == nil && (c.Compiled != "" || c.Setup != "")
}

// optional reads what may not be there or not be ours to read.
func (c *Client) getOptional(ctx context.Context, operation, path string, out any) (read bool, err error) {
	_, err = c.get(ctx, operation, path, nil, out)
	var e *Error
	if errors.As(err, &e) && e.Err == nil && (e.Status == http.StatusNotFound || e.Status == http.StatusForbidden) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("pipeline's %s: %w", operation, err)
	}

	return true, nil
}
