// Package backoff says whether something may be retried, and how long to wait
// before that.
package backoff

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Step doubles base n times, up to limit.
func Step(base, limit time.Duration, n int) time.Duration {
	for ; n > 0 && base < limit; n-- {
		if base > limit/2 { // also prevents an overflow
			return limit
		}
		base *= 2
	}
	return min(base, limit)
}

// Jitter returns between half and all of d, so that callers that failed together
// do not retry together.
func Jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d-d/2+1)
}

// RetryAfter reads the Retry-After header, in seconds or as a date; 0 without
// one. A number too large for a Duration is the longest Duration there is.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// Sleep waits for d, or until the context ends, and reports whether the context
// is still alive.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
