package shapes

import (
	"errors"
	"net/http"
	"testing"
)

// TestCheck_LoadsBeforeTheFirstRequest wants that no client waits for a download.
func TestCheck_LoadsBeforeTheFirstRequest(t *testing.T) {
	real := load
	t.Cleanup(func() { load = real })
	loads := 0
	load = func() (*description, error) {
		loads++
		return nil, errors.New("not needed here")
	}

	Check(http.NotFoundHandler(), func(violation string) { t.Error(violation) })
	if loads != 1 {
		t.Errorf("got the description read %d times before the first request, want once", loads)
	}
}
