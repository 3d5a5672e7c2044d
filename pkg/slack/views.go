package slack

import (
	"context"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// opened is the answer of views.open and views.update.
type opened struct {
	View struct {
		ID   string `json:"id"`
		Hash string `json:"hash"`
	} `json:"view"`
}

// OpenView opens a modal for the person whose click or command had the trigger. A trigger opens one modal, within 3 s;
// after that, or a second time, the error is SendFinal (docs.slack.dev, views.open).
func (c *Client) OpenView(ctx context.Context, trigger Secret, v View) (ViewID, error) {
	return c.view(ctx, methodOpenView, trigger, func(ctx context.Context) error {
		_, err := c.api.OpenViewContext(ctx, trigger.Reveal(), modalRequest(v))
		return err
	})
}

// UpdateView replaces what a modal shows. With a hash it fails with SendFinal if the modal was changed since.
func (c *Client) UpdateView(ctx context.Context, id ViewID, v View) (ViewID, error) {
	return c.view(ctx, methodEditView, "", func(ctx context.Context) error {
		_, err := c.api.UpdateViewContext(ctx, modalRequest(v), "", id.Hash, id.ID)
		return err
	})
}

// PublishHome replaces the home tab of one person.
func (c *Client) PublishHome(ctx context.Context, user string, v View) error {
	return c.do(ctx, call{method: methodHome, send: func(ctx context.Context) error {
		_, err := c.api.PublishViewContext(ctx, goslack.PublishViewContextRequest{
			UserID: user,
			View: goslack.HomeTabViewRequest{
				Type:            goslack.VTHomeTab,
				Blocks:          goslack.Blocks{BlockSet: v.Blocks},
				PrivateMetadata: v.Metadata,
				CallbackID:      v.Callback,
			},
		})
		return err
	}})
}

// view makes a call whose answer names a modal.
func (c *Client) view(
	ctx context.Context, method string, trigger Secret, send func(context.Context) error,
) (ViewID, error) {
	var out opened
	err := c.do(ctx, call{
		method: method,
		secret: trigger,
		out:    &out,
		send:   send,
		check: func() *notify.SendError {
			if out.View.ID == "" {
				return noID()
			}
			return nil
		},
	})
	if err != nil {
		return ViewID{}, err
	}
	return ViewID{ID: out.View.ID, Hash: out.View.Hash}, nil
}

func modalRequest(v View) goslack.ModalViewRequest {
	return goslack.ModalViewRequest{
		Type:            goslack.VTModal,
		Title:           label(v.Title),
		Submit:          label(v.Submit),
		Close:           label(v.Close),
		Blocks:          goslack.Blocks{BlockSet: v.Blocks},
		PrivateMetadata: v.Metadata,
		CallbackID:      v.Callback,
	}
}

func label(s string) *goslack.TextBlockObject {
	if s == "" {
		return nil
	}
	return goslack.NewTextBlockObject(goslack.PlainTextType, s, false, false)
}
