package server

import (
	"net/http"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestListDeliveries(t *testing.T) {
	const list = `{"deliveries":[{"delivery":"guid-1","deployment":42,"repository":"acme/api","repository_id":7,` +
		`"environment":"production","reason":"no route matches","received_at":"1970-01-01T00:00:00Z"}]}`
	for _, test := range []struct {
		name  string
		query string
		err   error
		code  int
		body  string
		want  deployment.DeliveryFilter
	}{
		{name: "all", code: 200, body: list, want: deployment.DeliveryFilter{Limit: 50}},
		{
			name:  "of an environment",
			query: "?repository=acme/api&environment=production&limit=200",
			code:  200,
			body:  list,
			want:  deployment.DeliveryFilter{Repository: "acme/api", Environment: "production", Limit: 200},
		},
		{name: "repository without owner", query: "?repository=api", code: 400},
		{name: "limit too high", query: "?limit=201", code: 400},
		{name: "misspelt", query: "?enviroment=production", code: 400},
		{name: "NUL", query: "?environment=%00", code: 400},
		{name: "database away", err: errDatabase, code: 503, want: deployment.DeliveryFilter{Limit: 50}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t)
			s.reader.err = test.err
			got := s.api(t, readToken, http.MethodGet, "/deliveries"+test.query, "")
			if got.code != test.code || test.body != "" && got.body != test.body {
				t.Errorf("got %d %s, want %d %s", got.code, got.body, test.code, test.body)
			}
			if s.reader.deliveries != test.want {
				t.Errorf("got filter %+v, want %+v", s.reader.deliveries, test.want)
			}
		})
	}
}
