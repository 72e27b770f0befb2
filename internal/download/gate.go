// Package download lets a certificate of Alipay's be asked for once for all calls
// that wait for it, and not repeatedly when that fails. Asking, and whether the
// certificate is trusted, is the client's.
package download

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	pause       = 2 * time.Second  // before a download that failed on the way is repeated
	memory      = 30 * time.Second // how long a failure is remembered
	maxFailures = 3                // how many downloads may fail in that time
)

var (
	errTooMany = errors.New("too many downloads of certificates have failed within half a minute; it will be asked for again later")
	errTimeout = errors.New("the download took longer than 5 s") // the limit that the client sets
	errPanic   = errors.New("the Signer panicked")
)

// Gate lets one download run at a time, on a goroutine of its own that ends within
// a limit. It belongs to no call: the calls that need the certificate wait for it
// as long as their contexts allow, and the end of one of them says nothing about
// the download.
//
// Anyone can invent unknown SNs, so many of them must not cause many downloads. A
// certificate that is not trusted is remembered for half a minute, a download that
// failed on the way for 2 s, and after three failures of either kind nothing is
// downloaded until the first is half a minute old.
type Gate[T any] struct {
	limit time.Duration // of one download

	mu      sync.Mutex
	running *run[T]
	failed  []*run[T] // within memory
}

// run is a download. Its result is there once done is closed.
type run[T any] struct {
	sn    string
	done  chan struct{}
	value T
	err   error
	final bool // another download would fail in the same way
	at    time.Time
}

// Fetch downloads a certificate. It gets the values of the context of the call that
// began it, and an end of its own. final says that another download would fail in
// the same way.
type Fetch[T any] func(context.Context) (value T, final bool, err error)

// NewGate returns an open gate that gives one download the time up to limit.
func NewGate[T any](limit time.Duration) *Gate[T] { return &Gate[T]{limit: limit} }

// Do returns what known or else fetch returns: the same for all that wait for the
// same download.
func (g *Gate[T]) Do(ctx context.Context, sn string, known func() (T, bool), fetch Fetch[T]) (value T, err error) {
	for ctx.Err() == nil {
		r, err := g.begin(ctx, sn, known, fetch)
		if err != nil {
			return value, err
		}
		select {
		case <-r.done:
			if r.sn == sn {
				return r.value, r.err
			}
		case <-ctx.Done():
		}
	}
	return value, ctx.Err()
}

// begin returns the download in progress, or one that has ended and stands, or
// begins one.
func (g *Gate[T]) begin(ctx context.Context, sn string, known func() (T, bool), fetch Fetch[T]) (*run[T], error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &run[T]{sn: sn, done: make(chan struct{})}
	if value, ok := known(); ok {
		r.value = value
		close(r.done)
		return r, nil
	}
	if g.running != nil {
		return g.running, nil
	}
	g.failed = slices.DeleteFunc(g.failed, func(f *run[T]) bool { return time.Since(f.at) >= memory })
	for _, f := range g.failed {
		if f.sn == sn && (f.final || time.Since(f.at) < pause) {
			return f, nil
		}
	}
	if len(g.failed) >= maxFailures {
		return nil, errTooMany
	}
	g.running = r
	go g.fetch(context.WithoutCancel(ctx), r, fetch)
	return r, nil
}

func (g *Gate[T]) fetch(ctx context.Context, r *run[T], fetch Fetch[T]) {
	ctx, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	defer func() {
		if recover() != nil { // foreign code must not end the process from a goroutine of this library's
			r.err = errPanic
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if r.err != nil {
			if ctx.Err() != nil {
				r.err = errTimeout
			}
			r.at = time.Now()
			g.failed = append(g.failed, r)
		}
		g.running = nil
		close(r.done)
	}()
	r.value, r.final, r.err = fetch(ctx)
}
