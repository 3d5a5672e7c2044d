package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/rs/zerolog"
)

// Scope says how much a token may do.
type Scope string

// The scopes. Each may read.
const (
	ScopeRead   Scope = "read"
	ScopeDeploy Scope = "deploy" // may run commands as the token itself
	ScopeBehalf Scope = "behalf" // may run commands only for people whom its holder has authenticated
	ScopeAdmin  Scope = "admin"  // may run commands as the token itself, and may do what owners may
)

// rank orders the scopes by what they may do. An unknown scope may do nothing.
func (s Scope) rank() int {
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

// Token is a bearer token of the API. Only its SHA-256 is kept.
type Token struct {
	Name  string
	Scope Scope
	Hash  [32]byte

	// Chat is the only workspace for whose people a token with the scope behalf may ask, and it names them
	// as users of the chat system. The zero Chat: it may ask for everybody.
	Chat Chat
}

// tokenKey is the context key of the request's token.
type tokenKey struct{}

// tokenOf is the token that authenticate found.
func tokenOf(r *http.Request) Token {
	token, _ := r.Context().Value(tokenKey{}).(Token)
	return token
}

// authenticate refuses requests without a token, and gives the others a logger that names theirs.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := s.findToken(r.Header.Get("Authorization"))
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.o.ObserveRefused("unauthorized")
			writeError(w, r, newError(http.StatusUnauthorized, "unauthorized", "a valid bearer token is required"))
			return
		}

		log := zerolog.Ctx(r.Context()).With().Str("token", token.Name).Logger()
		ctx := context.WithValue(log.WithContext(r.Context()), tokenKey{}, token)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// requireScope refuses requests whose token has not at least this scope.
func (s *Server) requireScope(need Scope) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token := tokenOf(r)
			if token.Scope.rank() < need.rank() {
				message := "the token's scope is too small: this needs " + string(need)
				s.refuse(w, r, tokenCaller(token), newError(http.StatusForbidden, "forbidden", message))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// findToken finds the token of an Authorization header. It compares hashes in constant time, and
// always with every token.
func (s *Server) findToken(header string) (Token, bool) {
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
