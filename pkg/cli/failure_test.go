package cli

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// TestFailures wants each failure with what helps against it.
func TestFailures(t *testing.T) {
	notFound := answer{status: 404, body: errorJSON("not_found", "there is no route for it")}
	environments := map[string][]answer{
		"GET /api/v1/environments": {{body: environmentsJSON()}},
		deployRequest:              {notFound},
		"POST /api/v1/locks":       {notFound},
		"GET /api/v1/gate":         {notFound},
		"GET /api/v1/deployments":  {{body: `{"deployments":[],"next_cursor":""}`}},
	}
	list := func(status int, body string) map[string][]answer {
		return map[string][]answer{"GET /api/v1/locks": {{status: status, body: body}}}
	}
	foreign := func(status int, body string) map[string][]answer { // not of Seraph
		return map[string][]answer{"GET /api/v1/locks": {{then: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}}}}
	}
	for _, test := range []struct {
		name    string
		args    []string
		answers map[string][]answer
		want    string
	}{
		{
			name:    "unknown token",
			answers: list(401, errorJSON("unauthorized", "a valid bearer token is required")),
			want:    "the service does not know your token: use one of its SERAPH_API_TOKENS",
		},
		{
			name:    "scope too small",
			answers: list(403, errorJSON("forbidden", "the token's scope is too small: this needs deploy")),
			want:    "this needs deploy\n`seraph whoami` says what your token may do",
		},
		{
			name: "token of a bot",
			args: []string{"approve", "42"},
			answers: map[string][]answer{"POST /api/v1/deployments/42/approve": {{
				status: 400,
				body:   errorJSON("bad_request", `a token with the scope behalf must name the person in "actor"`),
			}}},
			want: "name the person who asks with --as LOGIN:ID",
		},
		{
			name:    "API is off",
			answers: list(404, errorJSON("not_found", "the API is off: set SERAPH_API_TOKENS")),
			want:    "the API is off: set SERAPH_API_TOKENS",
		},
		{name: "older service", want: "is older than this program; the address http://127.0.0.1:"},
		{name: "another service", answers: foreign(404, "<html>"), want: "the server answered 404: Not Found\nwhat answers is not Seraph, or is older"},
		{name: "page of a proxy", answers: foreign(502, "<html>"), want: "is not Seraph but something before it"},
		{name: "not what was asked for", answers: foreign(200, `{"locks":null}`), want: "check that SERAPH_API_URL is"},
		{name: "no JSON", answers: foreign(200, `hello`), want: "is from context test"},
		{name: "redirect", answers: foreign(301, ""), want: "Seraph never redirects"},
		{
			name: "lock that somebody else has",
			args: []string{"lock", "acme/api", "production", "--reason", "r"},
			answers: map[string][]answer{"POST /api/v1/locks": {
				{status: 409, body: errorJSON("locked", "acme/api production is locked by bob: release")},
			}},
			want: "`seraph lock OWNER/NAME ENVIRONMENT --steal --reason TEXT` takes one from its owner",
		},
		{
			name: "lock that somebody else releases",
			args: []string{"unlock", "acme/api", "production"},
			answers: map[string][]answer{
				"GET /api/v1/locks": {{body: `{"locks":[` + lockJSON + `]}`}},
				"POST /api/v1/locks/3/release": {
					{status: 403, body: errorJSON("not_the_owner", "the lock belongs to bob: ask them, or an admin, to release it")},
				},
			},
			want: "--steal --reason TEXT` takes one from its owner",
		},
		{
			name:    "try again",
			answers: list(503, errorJSON("unavailable", "the database cannot be read")),
			want:    "nothing was done: try again in some seconds",
		},
		{
			name:    "deploy to a mistyped environment",
			args:    []string{"deploy", "acme/api@main", "prodution"},
			answers: environments,
			want:    "Seraph knows of no deployment of acme/api to prodution; did you mean production?",
		},
		{
			name:    "deploy a mistyped repository",
			args:    []string{"deploy", "acme/apo@main", "production"},
			answers: environments,
			want:    "Seraph knows of no deployment of acme/apo; did you mean acme/api?",
		},
		{
			name:    "deploy something else",
			args:    []string{"deploy", "globex/warehouse@main", "production"},
			answers: environments,
			want:    "warehouse; it knows acme/api, acme/web",
		},
		{
			name: "roll back a mistyped environment",
			args: []string{"rollback", "acme/api", "productoin"},
			answers: map[string][]answer{
				"GET /api/v1/environments": environments["GET /api/v1/environments"],
				"POST /api/v1/rollbacks":   {notFound},
			},
			want: "did you mean production?",
		},
		{
			name:    "gate of a mistyped environment",
			args:    []string{"gate", "--repository", "acme/api", "--environment", "prod", "--sha", testSHA},
			answers: environments,
			want:    "to prod; it knows production",
		},
		{
			name:    "lock a mistyped environment",
			args:    []string{"lock", "--every-repository", "stagin", "--reason", "r"},
			answers: environments,
			want:    "Seraph knows of no deployment to stagin; did you mean staging?",
		},
		{
			name:    "list a mistyped repository",
			args:    []string{"list", "acme/wep"},
			answers: environments,
			want:    "did you mean acme/web?",
		},
		{
			name:    "unlock what is not locked",
			args:    []string{"unlock", "acme/api", "staging"},
			answers: list(200, `{"locks":[`+lockJSON+`]}`),
			want:    "staging of acme/api is not locked\nlocked are: production of acme/api",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := test.args
			if args == nil {
				args = []string{"locks"}
			}

			s := startService(t, test.answers)
			term := newTerminal(t, s.server.URL)
			code := term.run(args...)
			wantCode := ExitFailed
			if args[0] == "list" {
				wantCode = ExitOK
			}
			if got := term.stderr.String(); code != wantCode || !strings.Contains(got, test.want) ||
				strings.Contains(got, testToken) {
				t.Errorf("got exit code %d and %q, want %d and %q", code, got, wantCode, test.want)
			}
		})
	}
}

// TestFailures_Connections wants help where nothing answers that could be Seraph.
func TestFailures_Connections(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains that the client left
	encrypted.StartTLS()
	defer encrypted.Close()

	for _, test := range []struct {
		name string
		url  string
		want string
	}{
		{name: "refused", url: closed.URL, want: "nothing listens there: is Seraph running?"},
		{name: "no such host", url: "https://seraph.invalid", want: "no such host: check the address and your network"},
		{name: "certificate", url: encrypted.URL, want: "give the file of your CA in the variable SSL_CERT_FILE"},
		{
			name: "http, not https",
			url:  strings.Replace(plain.URL, "http", "https", 1),
			want: "the service speaks http there, not https",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, command := range []string{"locks", "health", "watch 42"} {
				if test.name == "refused" && command == "watch 42" {
					continue // the service may come back
				}
				term := newTerminal(t, test.url)
				code := term.run(strings.Fields(command)...)
				got := term.stderr.String()
				if code != ExitFailed || !strings.Contains(got, test.want) || !strings.Contains(got, "is from context test") ||
					!strings.HasPrefix(got, "cannot ask Seraph at "+test.url+": ") {
					t.Errorf("%s: got exit code %d and %q, want 1 and %q", command, code, got, test.want)
				}
			}
		})
	}
}

// TestFailures_AddressOfTheAPI wants the error for an address that ends with the path of the API to say so.
func TestFailures_AddressOfTheAPI(t *testing.T) {
	s := startService(t, nil)

	term := newTerminal(t, s.server.URL+"/api/v1")
	code := term.run("locks")

	const want = "give the address of the service without /api/v1; the address "
	if got := term.stderr.String(); code != ExitFailed || !strings.Contains(got, want) {
		t.Errorf("got exit code %d and %q, want 1 and %q", code, got, want)
	}
}

// TestFailures_WatchNothing wants that a watch which has read nothing yet says where it looks, and that it knows
// nothing.
func TestFailures_WatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, "http://127.0.0.1")
		term.options.http = &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
			},
		}}

		code := term.run("watch", "42", "--timeout", "20s")
		got := term.stderr.String()
		for _, want := range []string{
			"trying again, the deployment goes on meanwhile\nnothing listens there: is Seraph running?",
			"Seraph has not said yet how deployment 42 stands.\n`seraph watch 42` asks again.\n",
		} {
			if code != ExitWaiting || !strings.Contains(got, want) {
				t.Errorf("got exit code %d and %q, want %d and %q", code, got, ExitWaiting, want)
			}
		}
	})
}
