package server

import (
	"context"
	"net/http"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// whoAmI tells a client which token it uses, and what the token may do. A token is no person.
func (s *Server) whoAmI(_ context.Context, r *http.Request) (any, error) {
	if _, err := parseQuery(r.URL.RawQuery); err != nil {
		return nil, badRequest(err.Error())
	}

	token := tokenOf(r)
	return api.WhoAmI{Token: token.Name, Scope: string(token.Scope)}, nil
}
