package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// responseHosts are the hosts of Slack's response URLs. The path is the secret.
var responseHosts = []string{"hooks.slack.com", "hooks.slack-gov.com"}

// response is what is sent to a response URL.
type response struct {
	Text            string          `json:"text"`
	Blocks          []goslack.Block `json:"blocks,omitempty"`
	Type            string          `json:"response_type,omitempty"`
	ReplaceOriginal bool            `json:"replace_original"`
	Thread          string          `json:"thread_ts,omitempty"`
	UnfurlLinks     bool            `json:"unfurl_links"`
	UnfurlMedia     bool            `json:"unfurl_media"`
}

// Respond answers a command or a click by its response URL, which works at most 5 times within 30 minutes, also
// in channels that the bot is not in. Only the one who asked sees the answer, unless m.InChannel is set. The URL must
// be on a host of Slack's for this, or on that of the API. It is in no error, and the token is not sent.
func (c *Client) Respond(ctx context.Context, responseURL Secret, m Message) error {
	if m.Text == "" {
		return errNoText()
	}
	target, ok := c.responseTarget(responseURL)
	if !ok {
		return c.notSent(errors.New("the response URL is not one of Slack's"))
	}

	r := response{Text: m.Text, Blocks: m.Blocks, ReplaceOriginal: m.ReplaceOriginal, Thread: m.Thread}
	if r.Type = "ephemeral"; m.InChannel {
		r.Type = "in_channel"
	}
	body, err := json.Marshal(r)
	if err != nil {
		return c.notSent(err)
	}

	ctx = outbound.WithOperation(ctx, methodRespond)
	req, err := (*requestSender)(c).newRequest(ctx, responseURL.Reveal(), "application/json; charset=utf-8", body)
	if err != nil {
		return c.notSent(err)
	}

	failure := c.classifyResponse((*requestSender)(c).exchange(req))
	return c.done(methodRespond, failure, Secret(strings.Trim(target.Path, "/")))
}

// notSent is the error of Respond where nothing is sent.
func (c *Client) notSent(err error) error {
	return c.done(methodRespond, &notify.SendError{Kind: notify.SendNotSent, Code: codeNotSent, Err: err}, "")
}

// classifyResponse classifies the answer of a response URL, which is JSON or a bare word.
func (c *Client) classifyResponse(e exchange) *notify.SendError {
	word := bytes.TrimSpace(e.body)
	switch {
	case e.err != nil || bytes.HasPrefix(word, []byte("{")):
	case e.status == http.StatusOK && string(word) == "ok":
		return nil
	case errorKinds[string(word)] != "":
		e.body, _ = json.Marshal(map[string]any{"ok": false, "error": string(word)})
	}

	failure := classify(methodRespond, e, c.o.Now())
	if failure != nil && failure.Kind == notify.SendFace {
		failure.Kind = notify.SendFinal // the token is not sent: it is only this URL that is refused
		failure.Err = errors.New("the response URL is used up, too old, or refused by a proxy")
	}
	return failure
}

// responseTarget parses a response URL. The second result is false for one that must not be called.
func (c *Client) responseTarget(responseURL Secret) (*url.URL, bool) {
	u, err := url.Parse(responseURL.Reveal())
	if err != nil || u.User != nil {
		return nil, false
	}
	if u.Scheme == c.o.BaseURL.Scheme && u.Host == c.o.BaseURL.Host {
		return u, true
	}
	return u, u.Scheme == "https" && slices.Contains(responseHosts, u.Host)
}
