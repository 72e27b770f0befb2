// Package backoff says whether something may be retried, and how long to wait
// before that.
package backoff

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Step doubles base n times, up to limit.
func Step(base, limit time.Duration, n int) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base += min(base, limit-base) // which cannot overflow
	}
	return min(base, limit)
}

// Jitter returns between half and all of d, so that callers that failed together
// do not retry together.
func Jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d-d/2+1)
}

// RetryAfter reads the Retry-After header, in seconds or as a date; 0 without one.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
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

// Budget prevents retry storms, as gRPC's retry throttling does: it starts full, a
// failed attempt takes one token, a success gives a fraction back, and a retry
// needs more than half of the tokens to be left.
//
// Unlike in gRPC, a failed attempt that gets no retry takes nothing. Otherwise a
// tenth of all attempts failing at random would empty the budget for good, since
// nine successes give back 0.9 and one failure takes 1; this way nine of ten
// failures are retried. A nil Budget allows every retry.
type Budget struct {
	max, ratio float64
	mu         sync.Mutex
	tokens     float64
}

// NewBudget returns a full budget.
func NewBudget(maxTokens, tokenRatio float64) *Budget {
	return &Budget{max: maxTokens, ratio: tokenRatio, tokens: maxTokens}
}

// Failed takes a token for an attempt that failed, and reports whether it may be
// retried.
func (b *Budget) Failed() (retry bool) {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens-1 <= b.max/2 {
		return false
	}
	b.tokens--
	return true
}

// Succeeded gives a fraction of a token back.
func (b *Budget) Succeeded() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+b.ratio, b.max)
}
