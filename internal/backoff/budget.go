package backoff

import (
	"math"
	"sync/atomic"
)

// Budget keeps retries from becoming a storm, as gRPC's retry throttling does:
// it starts full, a failed attempt takes one token, a success gives a fraction
// back, and a retry needs more than half of the tokens. A nil Budget allows
// every retry. It is safe for concurrent use and takes no lock.
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

// Failed takes one token.
func (b *Budget) Failed() { b.add(-1) }

// Succeeded gives a fraction of a token back.
func (b *Budget) Succeeded() {
	if b != nil {
		b.add(b.ratio)
	}
}

// Allows reports whether a retry may be made now.
func (b *Budget) Allows() bool {
	return b == nil || math.Float64frombits(b.tokens.Load()) > b.max/2
}

func (b *Budget) add(tokens float64) {
	if b == nil {
		return
	}
	for {
		bits := b.tokens.Load()
		before := math.Float64frombits(bits)
		after := min(max(before+tokens, 0), b.max)
		// A full budget stays as it is without a write: that is the usual case,
		// and what keeps concurrent callers out of each other's way.
		if after == before || b.tokens.CompareAndSwap(bits, math.Float64bits(after)) {
			return
		}
	}
}
