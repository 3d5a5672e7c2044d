package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"github.com/go-chi/httprate"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// Claims lets a job claim a deployment for its pipeline, with the deployment's key. It returns
// deployment.ErrNotFound for a key that no deployment has, deployment.ErrClaimRefused where another
// pipeline has the deployment or it has ended, and deployment.ErrClaimCanceled where it is being canceled.
type Claims interface {
	Claim(ctx context.Context, key, pipelineID string) error
}

const (
	maxClaim               = 4 << 10 // bytes
	unknownClaimsPerMinute = 600     // of one network
)

// keyPattern is what the keys of deployments look like. Any other text is an unknown key without a look-up.
var keyPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// claim answers a deploy job whether it may go on. The key, 128 random bits, is the credential. A
// known key is never limited: behind a proxy all clients may seem to have one address, and strangers
// must not keep a job from its claim.
func (s *Server) claim(w http.ResponseWriter, r *http.Request) {
	key, pipeline, err := readClaim(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}

	ctx, cancel := s.storeContext(r)
	defer cancel()
	log := zerolog.Ctx(r.Context()).With().Str("pipeline", pipeline).Logger()

	err = deployment.ErrNotFound
	if keyPattern.MatchString(key) {
		err = s.o.Claims.Claim(ctx, key, pipeline)
	}

	switch {
	case err == nil:
		log.Info().Str("result", "granted").Msg("claim answered")
		writeJSON(w, r, http.StatusOK, map[string]string{"result": "granted"})
	case errors.Is(err, deployment.ErrClaimRefused):
		const message = "the deployment belongs to another pipeline or has ended; stop this job"
		log.Info().Str("result", "refused").Msg("claim answered")
		writeError(w, r, newError(http.StatusConflict, "claimed", message))
	case errors.Is(err, deployment.ErrClaimCanceled):
		log.Info().Str("result", "canceled").Msg("claim answered")
		const words = "the deployment is being canceled; stop this job"
		writeError(w, r, newError(http.StatusConflict, "being_canceled", words))
	case errors.Is(err, deployment.ErrNotFound):
		if s.unknownClaims.RespondOnLimit(w, r, network(clientOf(r))) {
			return
		}
		log.Info().Str("result", "unknown").Msg("claim answered")
		writeError(w, r, newError(http.StatusNotFound, "unknown_key", "no deployment has this key; stop this job"))
	default:
		log.Error().Err(err).Msg("claim failed")
		writeError(w, r, unavailable("the claim could not be decided; try again", err))
	}
}

func readClaim(w http.ResponseWriter, r *http.Request) (key, pipeline string, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxClaim))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return "", "", newError(http.StatusRequestEntityTooLarge, "too_large", "a claim is at most 4 KiB")
	}
	if err != nil {
		return "", "", badRequest("the body ended early or came too slowly")
	}

	var c struct {
		Key      string `json:"key"`
		Pipeline string `json:"pipeline"`
	}
	if err := json.Unmarshal(raw, &c); err != nil || !webhook.ValidID(c.Pipeline) || c.Key == "" {
		return "", "", badRequest(`the body must be {"key":"…","pipeline":"$CIRCLE_PIPELINE_ID"}`)
	}

	return c.Key, c.Pipeline, nil
}

// newClaimLimiter limits the claims of one network whose keys are unknown, so that guessing keys does
// not fill the log. Whoever has passed the limit learns nothing about an unknown key.
func newClaimLimiter() *httprate.RateLimiter {
	return httprate.NewRateLimiter(unknownClaimsPerMinute, time.Minute,
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			const message = "too many claims of unknown keys from this address; try again later"
			writeError(w, r, newError(http.StatusTooManyRequests, "too_many_requests", message))
		}))
}

// network is what one client can choose its address from: an IPv4 address, or the /64 of an IPv6
// address.
func network(addr netip.Addr) string {
	if !addr.Is6() {
		return addr.String()
	}

	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
