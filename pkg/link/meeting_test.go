package link_test

import (
	"net/http"
	"sync"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// meeting lets requests go on once as many of them have come as are expected.
type meeting struct{ all sync.WaitGroup }

func newMeeting(expected int) *meeting {
	m := &meeting{}
	m.all.Add(expected)
	return m
}

// fault is a github.Fault that waits for the others before it lets a call through.
func (m *meeting) fault(_ *github.Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.all.Done()
		m.all.Wait()
		next.ServeHTTP(w, r)
	})
}
