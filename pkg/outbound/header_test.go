package outbound

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		header string
		want   time.Duration
		wantOK bool
	}{
		"seconds":             {header: "3", want: 3 * time.Second, wantOK: true},
		"zero":                {header: "0", want: 0, wantOK: true},
		"negative":            {header: "-5", want: 0, wantOK: true},
		"fraction":            {header: "1.5", want: 1500 * time.Millisecond, wantOK: true},
		"more than the limit": {header: "999999999", want: 24 * time.Hour, wantOK: true},
		"date":                {header: "Sun, 22 Nov 2026 12:00:30 GMT", want: 30 * time.Second, wantOK: true},
		"date in the past":    {header: "Sun, 22 Nov 2026 11:00:00 GMT", want: 0, wantOK: true},
		"word":                {header: "soon"},
		"empty":               {header: ""},
		"not a number":        {header: "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := RetryAfter(http.Header{"Retry-After": {tt.header}}, now)
			if got != tt.want || ok != tt.wantOK {
				t.Errorf("got %s %v, want %s %v", got, ok, tt.want, tt.wantOK)
			}
		})
	}
}

func TestRemaining(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		want   int
	}{
		"none": {
			header: http.Header{"Date": {"Sun, 22 Nov 2026 12:00:30 GMT"}},
			want:   -1,
		},
		"the least of several": {
			header: http.Header{
				"X-Ratelimit-Remaining-Minute": {"7"},
				"Ratelimit-Remaining":          {"9"},
				"X-Ratelimit-Remaining":        {"x"},
			},
			want: 7,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := remaining(tt.header); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
