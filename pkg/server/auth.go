package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/rs/zerolog"
)

// tokenKey is where authorize leaves the token.
type tokenKey struct{}

// authorize lets pass who has a token of at least this scope.
func (s *Server) authorize(need Scope) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := s.token(r.Header.Get("Authorization"))
			switch {
			case !ok:
				w.Header().Set("WWW-Authenticate", "Bearer")
				writeError(w, r, newError(http.StatusUnauthorized, "unauthorized", "a valid bearer token is required"))
			case rank(token.Scope) < rank(need):
				writeError(
					w,
					r,
					newError(
						http.StatusForbidden,
						"forbidden",
						"the token's scope is too small, this needs "+string(need),
					),
				)
			default:
				log := zerolog.Ctx(r.Context()).With().Str("token", token.Name).Logger()
				next.ServeHTTP(w, r.WithContext(context.WithValue(log.WithContext(r.Context()), tokenKey{}, token)))
			}
		})
	}
}

// token finds the token that a header presents. It compares hashes, in constant time, and always
// with every token.
func (s *Server) token(header string) (Token, bool) {
	scheme, secret, _ := strings.Cut(header, " ")
	hash := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	found, index := 0, 0
	for i, t := range s.o.Tokens {
		same := subtle.ConstantTimeCompare(hash[:], t.Hash[:])
		found |= same
		index = subtle.ConstantTimeSelect(same, i, index)
	}

	if found == 0 || !strings.EqualFold(scheme, "Bearer") {
		return Token{}, false
	}

	return s.o.Tokens[index], true
}

// rank orders the scopes; an unknown one may do nothing.
func rank(s Scope) int {
	switch s {
	case ScopeRead:
		return 1
	case ScopeDeploy, ScopeBehalf:
		return 2
	case ScopeAdmin:
		return 3
	default:
		return 0
	}
}
