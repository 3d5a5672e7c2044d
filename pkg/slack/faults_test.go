package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// faults are the ways in which a call goes wrong.
var faults = map[string]struct {
	handler http.HandlerFunc
	want    notify.SendKind
}{
	"429": {
		handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		want: notify.SendLimited,
	},
	"429 without a time":    {handler: answerOf(429, `{"ok":false}`), want: notify.SendLimited},
	"ratelimited with 200":  {handler: answerOf(200, `{"ok":false,"error":"ratelimited"}`), want: notify.SendLimited},
	"empty object":          {handler: answerOf(200, `{}`), want: notify.SendUnknown},
	"not ok without a word": {handler: answerOf(200, `{"ok":false}`), want: notify.SendUnknown},
	"page of a proxy":       {handler: answerOf(200, `<html>`), want: notify.SendUnknown},
	"500 after the effect":  {handler: answerOf(500, ``), want: notify.SendUnknown},
	"fatal_error":           {handler: answerOf(200, `{"ok":false,"error":"fatal_error"}`), want: notify.SendUnknown},
	"cut after the effect":  {handler: cut(""), want: notify.SendUnknown},
	"cut in the header":     {handler: cut("HTTP/1.1 200 OK\r\nContent-"), want: notify.SendUnknown},
	"cut in the body": {
		handler: cut("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"ok\":true"),
		want:    notify.SendUnknown,
	},
	"answer without an end": {
		handler: answerOf(200, `{"ok":true,"x":"`+strings.Repeat("x", 2<<20)+`"}`),
		want:    notify.SendUnknown,
	},
	"answer repeats the header":  {handler: echoHeader, want: notify.SendForbidden},
	"answer repeats the request": {handler: echoRequest, want: notify.SendForbidden},
	"missing_scope": {
		handler: answerOf(200, `{"ok":false,"error":"missing_scope","needed":"a","provided":"b"}`),
		want:    notify.SendForbidden,
	},
	"invalid_blocks": {
		handler: answerOf(200, `{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[a]"]}}`),
		want:    notify.SendContent,
	},
}

// cut returns a handler that sends some bytes and closes the connection.
func cut(bytes string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, bytes)
		_ = conn.Close()
	}
}

// silent does not answer before the client has gone.
func silent(_ http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	<-req.Context().Done()
}

// echoHeader answers with an error that repeats the token.
func echoHeader(w http.ResponseWriter, req *http.Request) {
	_, _ = fmt.Fprintf(w, `{"ok":false,"error":"missing_scope","needed":%q}`, req.Header.Get("Authorization"))
}

// echoRequest answers with an error that repeats the path of the address, and the body.
func echoRequest(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"ok":     false,
		"error":  "missing_scope",
		"needed": req.URL.Path + " " + string(body),
	})
}

// secrets are what must be in no error and no metric.
var secrets = []string{testToken, "/services/T0/secret-path", "secret-trigger"}

// everyCall makes each call of a client once.
func everyCall(ctx context.Context, c *Client, responseURL string) map[string]error {
	id := notify.MessageID{Channel: "C1", Message: "1.2"}
	find := notify.Find{Channel: "C1", Key: "k", Since: noon}
	reply := notify.Find{Channel: "C1", Key: "k", Since: noon, Thread: "1.1"}
	errs := map[string]error{
		methodUpdate:    c.UpdateMessage(ctx, id, greeting),
		methodEphemeral: c.PostEphemeral(ctx, "C1", "U1", greeting),
		methodHome:      c.PublishHome(ctx, "U1", View{}),
		methodRespond:   c.Respond(ctx, Secret(responseURL), greeting),
	}
	_, errs[methodIdentity] = c.Whoami(ctx)
	c.me = &Identity{Team: "T1", User: "U0", Bot: "B1"}
	_, errs[methodPost] = c.PostMessage(ctx, greeting)
	_, _, errs[methodHistory] = c.FindMessage(ctx, find)
	_, _, errs[methodReplies] = c.FindMessage(ctx, reply)
	_, errs[methodUser] = c.User(ctx, "U1")
	_, errs[methodChannel] = c.Channel(ctx, "C1")
	_, errs[methodDirect] = c.OpenDirect(ctx, "U1")
	_, errs[methodOpenView] = c.OpenView(ctx, "secret-trigger", View{Title: "a"})
	_, errs[methodEditView] = c.UpdateView(ctx, ViewID{ID: "V1"}, View{Title: "a"})
	return errs
}

// TestClient_Faults makes every call with every fault. Each is classified, none shows a secret, and none is made twice.
func TestClient_Faults(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := answers{"services/T0/secret-path": fault.handler}
			for _, method := range []string{
				methodPost, methodUpdate, methodEphemeral, methodHistory, methodReplies, methodChannel, methodDirect,
				methodUser, methodIdentity, methodOpenView, methodEditView, methodHome,
			} {
				all[method] = fault.handler
			}
			c, r := newRecorder(t, all)
			errs := everyCall(t.Context(), c, r.server.URL+"/api/services/T0/secret-path")
			for method, err := range errs {
				want := fault.want
				if want == notify.SendForbidden && (method == methodPost || method == methodUpdate) {
					want = notify.SendFace
				}
				if e := sendError(t, err); e.Kind != want {
					t.Errorf("%s: got %v, want %s", method, e, want)
				}
				wantNoSecret(t, fmt.Sprintf("%v %+v %#v", err, err, err))
			}
			wantNoSecret(t, strings.Join(r.codes, " "))
			if got := r.count(); got != len(errs) {
				t.Errorf("got %d requests for %d calls", got, len(errs))
			}
			if got := len(r.codes); got != len(errs) {
				t.Errorf("got %d observations for %d calls", got, len(errs))
			}
		})
	}
}

func wantNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("got %q, which holds %s", text, secret)
		}
	}
}

// TestClient_Unreachable wants that a call for which there was no connection is known not to have been sent.
func TestClient_Unreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := mustURL(t, "http://"+l.Addr().String()+"/api/")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	c := newTestClient(t, base, nil)
	for method, err := range everyCall(t.Context(), c, base.String()+"services/T0/secret-path") {
		t.Run(method, func(t *testing.T) {
			if e := sendError(t, err); e.Kind != notify.SendNotSent {
				t.Errorf("got %v, want %s", e, notify.SendNotSent)
			}
			wantNoSecret(t, fmt.Sprintf("%v %#v", err, err))
		})
	}
}

// expiring is a context whose deadline passes when the test says so.
type expiring struct {
	context.Context
	over chan struct{} // closed: the deadline has passed
}

func (e expiring) Done() <-chan struct{} { return e.over }

func (e expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestClient_NoAnswerInTime(t *testing.T) {
	ctx := expiring{Context: t.Context(), over: make(chan struct{})}
	c, _ := newRecorder(t, answers{"chat.postMessage": func(w http.ResponseWriter, req *http.Request) {
		close(ctx.over)
		silent(w, req)
	}})
	_, err := c.PostMessage(ctx, greeting)
	if e := sendError(t, err); e.Kind != notify.SendUnknown || e.Code != codeTimeout {
		t.Errorf("got %v, want %s, timeout", e, notify.SendUnknown)
	}
}

func TestClient_CanceledByTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := newRecorder(t, answers{"chat.postMessage": func(w http.ResponseWriter, req *http.Request) {
		cancel()
		silent(w, req)
	}})
	_, err := c.PostMessage(ctx, greeting)
	if e := sendError(t, err); e.Kind != notify.SendUnknown || e.Code != codeCanceled {
		t.Errorf("got %v, want %s, canceled", e, notify.SendUnknown)
	}
}

// TestRespond_RefusesOtherAddresses wants that a response URL is called only where Slack has them.
func TestRespond_RefusesOtherAddresses(t *testing.T) {
	c, r := newRecorder(t, nil)
	own := mustURL(t, r.server.URL)
	for _, address := range []string{
		"https://evil.example/services/T0/secret-path",
		"http://hooks.slack.com/services/T0/secret-path",
		"https://hooks.slack.com.evil.example/services/T0/secret-path",
		"https://hooks.slack.com:8443/services/T0/secret-path",
		"https://hooks.slack.com@evil.example/services/T0/secret-path",
		"https://user@hooks.slack.com/services/T0/secret-path",
		"https://" + own.Host + "/services/T0/secret-path",
		"http://127.0.0.1:1/services/T0/secret-path",
		"//hooks.slack.com/services/T0/secret-path",
		"https://hooks.slack.com/%zz/services/T0/secret-path",
		"",
	} {
		t.Run(address, func(t *testing.T) {
			if _, ok := c.responseTarget(Secret(address)); ok {
				t.Fatal("got allowed, want refused")
			}
			err := c.Respond(t.Context(), Secret(address), greeting)
			if e := sendError(t, err); e.Kind != notify.SendNotSent {
				t.Errorf("got %v, want %s", e, notify.SendNotSent)
			}
			wantNoSecret(t, err.Error())
		})
	}
	for _, address := range []string{
		"https://hooks.slack.com/actions/T0/1/x",
		"https://hooks.slack-gov.com/commands/1",
		r.server.URL + "/x",
	} {
		t.Run(address, func(t *testing.T) {
			if _, ok := c.responseTarget(Secret(address)); !ok {
				t.Error("got refused, want allowed")
			}
		})
	}
	if got := r.count(); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}

func TestRespond_Sends(t *testing.T) {
	for _, test := range []struct {
		name string
		m    Message
		want string
	}{
		{
			name: "for the one who asked",
			m:    Message{Text: "a", Thread: "1.1"},
			want: `{"text":"a","response_type":"ephemeral","replace_original":false,"thread_ts":"1.1",` +
				`"unfurl_links":false,"unfurl_media":false}`,
		},
		{
			name: "for everybody",
			m:    Message{Text: "a", InChannel: true},
			want: `{"text":"a","response_type":"in_channel","replace_original":false,"unfurl_links":false,"unfurl_media":false}`,
		},
		{
			name: "instead of the message",
			m:    Message{Text: "a", Blocks: greeting.Blocks, ReplaceOriginal: true},
			want: `{"text":"a","blocks":[{"type":"divider"}],"response_type":"ephemeral","replace_original":true,` +
				`"unfurl_links":false,"unfurl_media":false}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, r := newRecorder(t, answers{"x": answerOf(200, "ok")})
			if err := c.Respond(t.Context(), Secret(r.server.URL+"/api/x"), test.m); err != nil {
				t.Fatal(err)
			}
			if got := r.last(t); got.body != test.want || got.authorization != "" {
				t.Errorf("got body %s with authorization %q, want %s without", got.body, got.authorization, test.want)
			}
		})
	}
}

func TestRespond_Refused(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   notify.SendKind // empty: success
	}{
		{name: "JSON", status: 200, body: `{"ok":true}`},
		{name: "used up", status: 404, body: `{"ok":false,"error":"used_url"}`, want: notify.SendFinal},
		{name: "too old", status: 404, body: `expired_url`, want: notify.SendFinal},
		{name: "never one", status: 404, body: `<html>`, want: notify.SendFinal},
		{name: "a proxy in between", status: 407, body: `<html>`, want: notify.SendFinal},
		{name: "blocks", status: 400, body: `invalid_blocks`, want: notify.SendContent},
		{name: "page", status: 200, body: `<html>`, want: notify.SendUnknown},
		{name: "failure", status: 500, body: `ok`, want: notify.SendUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, r := newRecorder(t, answers{"x": answerOf(test.status, test.body)})
			err := c.Respond(t.Context(), Secret(r.server.URL+"/api/x"), greeting)
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v, want success", err)
				}
				return
			}
			e := sendError(t, err)
			if e.Kind != test.want {
				t.Errorf("got %v, want %s", e, test.want)
			}
			if strings.Contains(e.Error(), "SERAPH_SLACK_BOT_TOKEN") {
				t.Errorf("got %v, want no remedy for the token, which is not sent here", e)
			}
		})
	}
}
