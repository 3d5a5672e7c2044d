package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/httprate"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/webhook"
)

const (
	maxClaim        = 4 << 10
	claimsPerMinute = 600 // of one address; many jobs may share one
)

// claim lets a deploy job ask whether it may go on. The key, 128 random bits, is the credential.
func (s *Server) claim(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxClaim))
	if err != nil {
		writeError(w, r, claimUnread(err))
		return
	}

	var c struct {
		Key      string `json:"key"`
		Pipeline string `json:"pipeline"`
	}

	if err := json.Unmarshal(raw, &c); err != nil || !webhook.ValidID(c.Pipeline) || c.Key == "" {
		writeError(w, r, badRequest(errors.New(`the body must be {"key":"…","pipeline":"$CIRCLE_PIPELINE_ID"}`)))
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.o.StoreTimeout)
	defer cancel()
	result, err := s.o.Claims.Claim(ctx, c.Key, c.Pipeline)
	if err != nil {
		zerolog.Ctx(r.Context()).Error().Err(err).Str("pipeline", c.Pipeline).Msg("claim not answered")
		writeError(w, r, unavailable("the claim could not be decided; ask again", err))
		return
	}

	zerolog.Ctx(r.Context()).Info().Str("pipeline", c.Pipeline).Stringer("result", result).Msg("claim")
	s.answerClaim(w, r, result)
}

func claimUnread(err error) *apiError {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return newError(http.StatusRequestEntityTooLarge, "too_large", "a claim is at most 4 KiB")
	}
	return newError(http.StatusBadRequest, "bad_request", "the body ended early or came too slowly")
}

func (s *Server) answerClaim(w http.ResponseWriter, r *http.Request, result ClaimResult) {
	switch result {
	case ClaimGranted:
		writeJSON(w, r, http.StatusOK, map[string]string{"result": "granted"})
	case ClaimRefused:
		writeError(
			w,
			r,
			newError(
				http.StatusConflict,
				"claimed",
				"the deployment belongs to another pipeline or is over; stop this job",
			),
		)
	default:
		writeError(w, r, newError(http.StatusNotFound, "unknown_key", "no deployment has this key; stop this job"))
	}
}

// String is the result as the log shows it.
func (c ClaimResult) String() string {
	return [...]string{"unknown", "granted", "refused"}[c]
}

// claimRate keeps one address from using up the database with guesses that cannot succeed anyway.
func claimRate() func(http.Handler) http.Handler {
	return httprate.Limit(claimsPerMinute, time.Minute,
		httprate.WithKeyFuncs(func(r *http.Request) (string, error) { return network(clientOf(r)), nil }),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			writeError(
				w,
				r,
				newError(
					http.StatusTooManyRequests,
					"too_many_requests",
					"too many claims from this address; ask again",
				),
			)
		}))
}

// network is what one sender has at hand: an IPv4 address, or the /64 of an IPv6 address.
func network(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
