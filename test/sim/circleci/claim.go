package circleci

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// KeyParameter is the pipeline parameter that a claim sends as its key.
const KeyParameter = "seraph_key"

// claimTries is how often a job asks before it fails, as curl --retry does.
const claimTries = 5

// enter is the moment before a pipeline deploys: with a ClaimURL it asks there first, as a job's
// first step would.
func (s *Server) startClaim(p *pipeline) {
	switch {
	case p.claim == claimed || p.claim == claiming:
	case s.options.ClaimURL == "":
		p.claim = claimed
	default:
		p.claim = claiming
		key, _ := p.params[KeyParameter].(string)
		s.background(func() { s.finishClaim(p, s.postClaim(key, p.id)) })
	}
}

// claimed goes on as the claim's answer says: only 409 and a claim that nobody answers keep a
// pipeline from deploying.
func (s *Server) finishClaim(p *pipeline, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}

	if status >= 200 && status < 300 {
		p.claim = claimed
		s.schedule(p)
		s.changed.Broadcast()
		return
	}

	p.claim = refused
	p.halt()
	for _, w := range p.live() {
		if status == http.StatusConflict {
			s.cancel(w)
		} else {
			s.setStatus(w, "failed")
		}
	}

	s.changed.Broadcast()
}

// ask posts the claim until it has an answer worth having, and returns its status, or 0.
func (s *Server) postClaim(key, pipeline string) (status int) {
	body, err := json.Marshal(object{"key": key, "pipeline": pipeline})
	if err != nil {
		panic(err)
	}

	for range claimTries {
		status = s.post(s.options.ClaimURL, body, http.Header{"Content-Type": {"application/json"}})
		if status > 0 && status < 500 && status != http.StatusTooManyRequests {
			return status
		}
		if !s.sleep(100 * time.Millisecond) {
			return 0
		}
	}

	return status
}

// post sends one body and returns the answer's status, or 0 when none came.
func (s *Server) post(url string, body []byte, header http.Header) int {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0
	}

	request.Header = header
	response, err := s.client.Do(request)
	if err != nil {
		return 0
	}

	response.Body.Close() // its content means nothing to CircleCI
	return response.StatusCode
}

// rest waits between two attempts and says whether the simulator still runs.
func (s *Server) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
