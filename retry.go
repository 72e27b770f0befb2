package alipay

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy says how often an attempt that certainly had no effect is
// repeated: no connection was made, no complete request left, or the gateway
// refused for load (HTTP 429, app-call-limited, method-call-limited). Nothing
// else is ever repeated. Each pause lies between half and all of its step, or is
// as long as the gateway's Retry-After asks for. The zero value of each member
// means its default.
type RetryPolicy struct {
	MaxAttempts int           // attempts in all; default 3, and 1 means never repeat
	BaseDelay   time.Duration // the first step, doubling with each; default 200 ms
	MaxDelay    time.Duration // the longest step; default 2 s
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	return RetryPolicy{
		MaxAttempts: cmp.Or(p.MaxAttempts, 3),
		BaseDelay:   cmp.Or(p.BaseDelay, 200*time.Millisecond),
		MaxDelay:    cmp.Or(p.MaxDelay, 2*time.Second),
	}
}

// pause returns how long to wait after the given attempt, 1 being the first.
func (p RetryPolicy) pause(attempt int) time.Duration {
	return jitter(step(p.BaseDelay, p.MaxDelay, attempt-1))
}

// step doubles base n times, up to limit.
func step(base, limit time.Duration, n int) time.Duration {
	for ; n > 0 && base < limit; n-- {
		if base > limit/2 { // also what doubling would overflow
			return limit
		}
		base *= 2
	}
	return min(base, limit)
}

// jitter returns between half and all of d, so that callers who failed together
// do not come back together.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d-d/2+1)
}

// retryAfter reads the Retry-After header, in seconds or as a date; 0 without one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// sleep waits for d, or until the context ends, and reports whether the context
// is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
