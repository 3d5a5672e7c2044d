package outbound

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest wait that a server can ask for.
const MaxRetryAfter = 24 * time.Hour

// RetryAfter reads the header Retry-After, which is a number of seconds or a date (RFC 9110, 10.2.3).
// ok says that there is one and that it can be read.
func RetryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}

	if when, err := http.ParseTime(text); err == nil {
		return min(max(0, when.Sub(now)), MaxRetryAfter), true
	}

	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) {
		return 0, false
	}
	if seconds > MaxRetryAfter.Seconds() {
		return MaxRetryAfter, true
	}

	return max(0, time.Duration(seconds*float64(time.Second))), true
}

// ServerTime reads the server's time from the header Date. ok says that it can be read.
func ServerTime(h http.Header) (t time.Time, ok bool) {
	t, err := http.ParseTime(h.Get("Date"))
	return t, err == nil
}

// remaining reads how many calls are left before a rate limit: the least of all limits that the
// answer shows, or -1 if it shows none.
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
