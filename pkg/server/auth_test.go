package server

import (
	"net/http"
	"testing"
)

func TestAuthorize(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		name   string
		header string
		code   int // of a path that exists
	}{
		{name: "no header", header: "-", code: 401},
		{name: "empty header", header: "", code: 401},
		{name: "scheme alone", header: "Bearer", code: 401},
		{name: "empty token", header: "Bearer ", code: 401},
		{name: "token without its first letter", header: "Bearer " + readToken[1:], code: 401},
		{name: "token with one letter more", header: "Bearer " + readToken + "x", code: 401},
		{name: "other scheme", header: "Basic " + readToken, code: 401},
		{name: "no scheme", header: readToken, code: 401},
		{name: "token of an unknown scope", header: "Bearer scopeless", code: 403},
		{name: "token", header: "Bearer " + readToken, code: 200},
		{name: "token with spaces", header: "bearer  " + readToken + "  ", code: 200},
	} {
		for path, found := range map[string]bool{"/api/v1/deployments": true, "/api/v1/nothing": false} {
			t.Run(test.name+" "+path, func(t *testing.T) {
				want := test.code
				if want == 200 && !found {
					want = 404
				}

				got := s.send(t, http.MethodGet, path, nil, "Authorization", test.header)
				if got.code != want {
					t.Errorf("got %d %s, want %d", got.code, got.body, want)
				}
				if challenge := got.header.Get("WWW-Authenticate"); (challenge == "Bearer") != (want == 401) {
					t.Errorf("got WWW-Authenticate %q with answer %d", challenge, got.code)
				}
			})
		}
	}
}
