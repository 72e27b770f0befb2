package backoff

import (
	"math"
	"sync/atomic"
)

// Budget prevents retry storms, as gRPC's retry throttling does: it starts full, a
// failed attempt takes one token, a success gives a fraction back, and a retry
// needs more than half of the tokens to be left.
//
// Unlike in gRPC, a failed attempt that gets no retry takes nothing. Otherwise a
// tenth of all attempts failing at random would empty the budget for good, since
// nine successes give back 0.9 and one failure takes 1; this way nine of ten
// failures are retried. A nil Budget allows every retry. It is safe for concurrent
// use and takes no lock.
type Budget struct {
	max, ratio float64
	tokens     atomic.Uint64 // the bits of a float64
}

// NewBudget returns a full budget.
func NewBudget(maxTokens, tokenRatio float64) *Budget {
	b := &Budget{max: maxTokens, ratio: tokenRatio}
	b.tokens.Store(math.Float64bits(maxTokens))
	return b
}

// Failed takes a token for an attempt that failed, and reports whether it may be
// retried.
func (b *Budget) Failed() (retry bool) {
	if b == nil {
		return true
	}
	for {
		bits := b.tokens.Load()
		after := math.Float64frombits(bits) - 1
		if after <= b.max/2 {
			return false
		}
		if b.tokens.CompareAndSwap(bits, math.Float64bits(after)) {
			return true
		}
	}
}

// Succeeded gives a fraction of a token back. A full budget, which is the usual
// case, is not written to, so that concurrent callers do not contend.
func (b *Budget) Succeeded() {
	if b == nil {
		return
	}
	for {
		bits := b.tokens.Load()
		before := math.Float64frombits(bits)
		after := min(before+b.ratio, b.max)
		if after == before || b.tokens.CompareAndSwap(bits, math.Float64bits(after)) {
			return
		}
	}
}
