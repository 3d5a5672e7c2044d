package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// exchange is one request that was tried, and what came back.
type exchange struct {
	tried  bool
	status int // 0: no answer
	header http.Header
	body   []byte
	err    error // no answer, or its body could not be read to the end
}

// exchangeKey is the key of the *exchange in a context that requestSender fills in.
type exchangeKey struct{}

// errElsewhere says that a request was not for the configured API.
var errElsewhere = errors.New("the request is not for SERAPH_SLACK_API_URL")

// requestSender is the transport below slack-go.
//
// It sends the token in the header Authorization. slack-go would write it into the body of most calls, where it ends in
// the logs of proxies, and where a redirect carries it to another host.
//
// It keeps the answer for Client, and hands slack-go an empty success. slack-go takes some failures for successes, and
// its decoders refuse a whole answer for one detail that they do not know.
type requestSender Client

// RoundTrip sends a request and keeps what came back.
func (s *requestSender) RoundTrip(req *http.Request) (*http.Response, error) {
	defer closeBody(req)
	out, err := s.prepare(req)
	if err != nil {
		return nil, err
	}

	e := s.exchange(out)
	if kept, ok := req.Context().Value(exchangeKey{}).(*exchange); ok {
		*kept = e
	}
	if e.err != nil {
		return nil, e.err
	}

	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(`{"ok":true}`)),
		Request:    req,
	}, nil
}

// prepare copies a request, moves the token to the header, and refuses other hosts.
func (s *requestSender) prepare(req *http.Request) (*http.Request, error) {
	base := s.o.BaseURL
	if req.URL.Scheme != base.Scheme || req.URL.Host != base.Host || req.Method != http.MethodPost || req.Body == nil {
		return nil, errElsewhere
	}

	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if req.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("the request's form cannot be read")
		}

		form.Del("token")
		body = []byte(form.Encode())
	}

	out, err := s.newRequest(req.Context(), req.URL.String(), req.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}

	out.Header.Set("Authorization", "Bearer "+s.o.Token)
	return out, nil
}

// newRequest makes a POST without the token.
func (s *requestSender) newRequest(
	ctx context.Context, target, contentType string, body []byte,
) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, buildError(err)
	}

	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", s.o.UserAgent)
	return req, nil
}

// exchange sends one request and reads the answer. It follows no redirect: one is an answer like any other.
func (s *requestSender) exchange(req *http.Request) exchange {
	resp, err := s.http.RoundTrip(req)
	if err != nil {
		return exchange{tried: true, err: err}
	}

	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return exchange{tried: true, status: resp.StatusCode, header: resp.Header, body: body, err: err}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
