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

// hookItem is one item of "List repository webhooks" and "List organization webhooks".
type hookItem struct {
	ID     int64 `json:"id"`
	Active bool  `json:"active"`
	Config struct {
		URL string `json:"url"`
	} `json:"config"`
}

// deliveryItem is one item of "List deliveries for a repository webhook", and of the same list for
// an organization or an App.
type deliveryItem struct {
	ID          int64     `json:"id"`
	GUID        string    `json:"guid"`
	Event       string    `json:"event"`
	StatusCode  int       `json:"status_code"`
	DeliveredAt time.Time `json:"delivered_at"`
}

// Hooks returns the active webhooks that send to one of the addresses. An App has one webhook,
// which is returned without a call. With a token they are searched among the first 100 webhooks of
// the repository and of its organization. A list that the token may not read is left out; a rate
// limit, which may come as a 403 too, is an error.
func (c *Client) Hooks(ctx context.Context, of deployment.Repository, addresses []string) ([]webhook.Hook, error) {
	if c.app != nil {
		return []webhook.Hook{"app/hook"}, nil
	}
	if err := validateName(of); err != nil {
		return nil, err
	}

	var found []webhook.Hook
	lists := []string{fmt.Sprintf("repos/%s/%s/hooks", of.Owner, of.Name), fmt.Sprintf("orgs/%s/hooks", of.Owner)}
	for _, list := range lists {
		var items []hookItem
		err := c.hookCall(ctx, opHooks, func(ctx context.Context, api *calls) error {
			_, err := api.get(ctx, list+"?per_page=100", &items)
			return err
		})

		var failed *Error
		if errors.As(err, &failed) && failed.Kind == KindDenied && failed.Status != http.StatusUnauthorized {
			continue
		}
		if err != nil {
			return nil, err
		}

		for _, i := range items {
			if i.Active && slices.Contains(addresses, i.Config.URL) {
				found = append(found, webhook.Hook(fmt.Sprintf("%s/%d", list, i.ID)))
			}
		}
	}

	return found, nil
}

// Deliveries reads one page of the deliveries of a webhook, newest first. It starts at cursor, or
// at the newest delivery if that is "". next is the cursor of the following page, "" on the last
// one.
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
	err = c.hookCall(ctx, opDeliveries, func(ctx context.Context, api *calls) error {
		resp, err := api.get(ctx, path, &items)
		if err != nil {
			return err
		}

		next = resp.Cursor
		return nil
	})
	if err != nil {
		return nil, "", err
	}

	for _, i := range items {
		page = append(page, webhook.HookDelivery{
			ID:    i.ID,
			GUID:  i.GUID,
			Event: i.Event,
			Code:  i.StatusCode,
			At:    i.DeliveredAt,
		})
	}

	return page, next, nil
}

// Redeliver asks GitHub to attempt a delivery again (REST API, "Redeliver a delivery for a
// repository webhook", and the same for an organization or an App). It does not wait for the
// attempt. webhook.ErrRedeliveryRefused: GitHub does not repeat this delivery.
func (c *Client) Redeliver(ctx context.Context, hook webhook.Hook, id int64) error {
	err := c.hookCall(ctx, opRedeliver, func(ctx context.Context, api *calls) error {
		req, err := api.newRequest(http.MethodPost, fmt.Sprintf("%s/deliveries/%d/attempts", hook, id), nil)
		if err != nil {
			return err
		}

		_, err = api.do(ctx, req, nil)
		var accepted *gh.AcceptedError // go-github's error for 202, the status of success here
		if errors.As(err, &accepted) {
			return nil
		}

		return err
	})

	var failed *Error
	if errors.As(err, &failed) && failed.Operation == opRedeliver && failed.refusesForGood() {
		return fmt.Errorf("%w: %w", webhook.ErrRedeliveryRefused, err)
	}

	return err
}

// refusesForGood says whether GitHub understood a call and will not answer it otherwise later: a 4xx that concerns
// neither the credentials, a right, a rate limit nor the time that the call took.
func (e *Error) refusesForGood() bool {
	return e.Kind == KindInvalid || e.Kind == KindFull || e.Kind == KindDenied && e.Status == http.StatusNotFound
}

// hookCall makes a call as the App itself, or with the token. Installations may not read webhooks.
func (c *Client) hookCall(ctx context.Context, operation string, do func(context.Context, *calls) error) error {
	acct := c.app
	if acct == nil {
		acct = c.account(0)
	}
	return c.call(ctx, operation, acct, func(ctx context.Context) error { return do(ctx, acct.api) })
}
