package outbound

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds what a server may ask us to wait.
const MaxRetryAfter = 24 * time.Hour

// RetryAfter reads Retry-After, in seconds or as an HTTP date (RFC 9110, 10.2.3). ok is false where
// there is none that can be read.
func RetryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}

	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds == seconds {
		if seconds > MaxRetryAfter.Seconds() {
			return MaxRetryAfter, true
		}

		return max(0, time.Duration(seconds*float64(time.Second))), true
	}

	when, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}

	return min(max(0, when.Sub(now)), MaxRetryAfter), true
}

// Clock is the server's time, from the Date header.
func Clock(h http.Header) (time.Time, bool) {
	t, err := http.ParseTime(h.Get("Date"))
	return t, err == nil
}

// remaining reads how many calls are left; of several limits the tightest counts.
func remaining(h http.Header) int {
	least := -1
	for name, values := range h {
		if name != "Ratelimit-Remaining" && !strings.HasPrefix(name, "X-Ratelimit-Remaining") {
			continue
		}
		if n, err := strconv.Atoi(values[0]); err == nil && n >= 0 && (least < 0 || n < least) {
			least = n
		}
	}

	return least
}
