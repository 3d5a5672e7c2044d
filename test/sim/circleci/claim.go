package circleci

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// KeyParameter is the pipeline parameter that a claim sends as its key.
const KeyParameter = "seraph_key"

// claimTries is how often a job sends the claim before it fails, as with curl --retry.
const claimTries = 5

// startClaim is called before a pipeline deploys. With a ClaimURL it sends the claim, as a job's
// first step would; without one the pipeline may deploy.
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

// finishClaim continues the pipeline or stops it. A claim answered with 2xx lets it deploy; 409
// cancels its workflows; every other result makes them fail.
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

// postClaim sends the claim until the result is final, and returns its status, or 0 when there was
// none.
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

// post sends one body and returns the status of the response, or 0 when there was none.
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

	response.Body.Close() // CircleCI ignores the content
	return response.StatusCode
}

// sleep waits between two attempts and reports whether the simulator is still open.
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
