package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// Hooks finds the webhooks that send to one of these addresses: the GitHub App's own, or with a
// token those of the repository and of its organization. A hook that may not be read is left out; a
// rate limit, which is a 403 too, says nothing of hooks.
func (c *Client) Hooks(ctx context.Context, of deployment.Repository, addresses []string) ([]webhook.Hook, error) {
	if c.app != nil {
		return []webhook.Hook{"app/hook"}, nil
	}
	if err := validateName(of); err != nil {
		return nil, err
	}

	var found []webhook.Hook
	for _, base := range []string{fmt.Sprintf("repos/%s/%s/hooks", of.Owner, of.Name), fmt.Sprintf("orgs/%s/hooks", of.Owner)} {
		var hooks []hookItem
		err := c.hookCall(ctx, opHooks, func(ctx context.Context, api *gh.Client) error {
			_, err := get(ctx, api, base+"?per_page=100", &hooks)
			return err
		})

		var denied *Error
		if errors.As(err, &denied) && denied.Kind == KindDenied && denied.Status != http.StatusUnauthorized {
			continue
		}
		if err != nil {
			return nil, err
		}

		for _, h := range hooks {
			if h.Active && slices.Contains(addresses, h.Config.URL) {
				found = append(found, webhook.Hook(fmt.Sprintf("%s/%d", base, h.ID)))
			}
		}
	}

	return found, nil
}

// hookItem is what GitHub's lists show of a hook ("List repository webhooks").
type hookItem struct {
	ID     int64 `json:"id"`
	Active bool  `json:"active"`
	Config struct {
		URL string `json:"url"`
	} `json:"config"`
}

// deliveryItem is what GitHub's lists show of a delivery ("List deliveries for a repository
// webhook").
type deliveryItem struct {
	ID          int64     `json:"id"`
	GUID        string    `json:"guid"`
	Event       string    `json:"event"`
	StatusCode  int       `json:"status_code"`
	DeliveredAt time.Time `json:"delivered_at"`
}

// Deliveries reads one page of a hook's deliveries, newest first, from a cursor on; "" is the
// newest. next is "" on the last page.
func (c *Client) Deliveries(
	ctx context.Context,
	hook webhook.Hook,
	cursor string,
) (page []webhook.HookDelivery, next string, err error) {
	path := string(hook) + "/deliveries?per_page=100"
	if cursor != "" {
		path += "&cursor=" + url.QueryEscape(cursor)
	}

	var items []deliveryItem
	err = c.hookCall(ctx, opDeliveries, func(ctx context.Context, api *gh.Client) error {
		items = nil
		resp, err := get(ctx, api, path, &items)
		if err == nil {
			next = resp.Cursor
		}

		return err
	})

	for _, i := range items {
		page = append(page, webhook.HookDelivery{
			ID:    i.ID,
			GUID:  i.GUID,
			Event: i.Event,
			Code:  i.StatusCode,
			At:    i.DeliveredAt,
		})
	}

	return page, next, err
}

// Redeliver asks GitHub to deliver once more.
func (c *Client) Redeliver(ctx context.Context, hook webhook.Hook, id int64) error {
	return c.hookCall(ctx, opRedeliver, func(ctx context.Context, api *gh.Client) error {
		req, err := api.NewRequest(http.MethodPost, fmt.Sprintf("%s/deliveries/%d/attempts", hook, id), nil)
		if err != nil {
			return err
		}

		_, err = api.Do(ctx, req, nil)
		var accepted *gh.AcceptedError // go-github's word for 202, which is what GitHub answers
		if errors.As(err, &accepted) {
			return nil
		}

		return err
	})
}

// hookCall makes a call as the App itself, or with the token.
func (c *Client) hookCall(ctx context.Context, operation string, do func(context.Context, *gh.Client) error) error {
	api := c.app
	if api == nil {
		api = c.account(0).api
	}
	if err := c.call(ctx, operation, func(ctx context.Context) error { return do(ctx, api) }); err != nil {
		return err
	}
	return nil
}
