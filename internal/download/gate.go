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

	mu       sync.Mutex
	running  *run[T]
	failures []failure
}

// run is a download in progress. Its result is there once done is closed.
type run[T any] struct {
	sn    string
	done  chan struct{}
	value T
	err   error
}

type failure struct {
	sn    string
	err   error
	final bool // another download would fail in the same way
	at    time.Time
}

// stands reports whether the failure counts for another call as well.
func (f failure) stands() bool { return f.final || time.Since(f.at) < pause }

// NewGate returns an open gate that gives one download the time up to limit.
func NewGate[T any](limit time.Duration) *Gate[T] { return &Gate[T]{limit: limit} }

// Do returns what known or else fetch returns: the same for all that wait for the
// same download. fetch says whether its error is final: whether another download
// would fail in the same way. It gets the values of the context, and an end of its
// own.
func (g *Gate[T]) Do(ctx context.Context, sn string, known func() (T, bool), fetch func(context.Context) (value T, final bool, err error)) (value T, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return value, err
		}
		r, err := g.begin(ctx, sn, known, fetch)
		if err != nil {
			return value, err
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return value, ctx.Err()
		}
		if r.sn == sn {
			return r.value, r.err
		}
	}
}

// begin returns the download in progress, or begins one.
func (g *Gate[T]) begin(ctx context.Context, sn string, known func() (T, bool), fetch func(context.Context) (T, bool, error)) (*run[T], error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if value, ok := known(); ok {
		done := make(chan struct{})
		close(done)
		return &run[T]{sn: sn, done: done, value: value}, nil
	}
	if g.running != nil {
		return g.running, nil
	}
	g.failures = slices.DeleteFunc(g.failures, func(f failure) bool { return time.Since(f.at) >= memory })
	for _, f := range g.failures {
		if f.sn == sn && f.stands() {
			return nil, f.err
		}
	}
	if len(g.failures) >= maxFailures {
		return nil, errTooMany
	}
	g.running = &run[T]{sn: sn, done: make(chan struct{})}
	go g.fetch(context.WithoutCancel(ctx), g.running, fetch)
	return g.running, nil
}

func (g *Gate[T]) fetch(ctx context.Context, r *run[T], fetch func(context.Context) (T, bool, error)) {
	ctx, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	final := false
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
			g.failures = append(g.failures, failure{r.sn, r.err, final, time.Now()})
		}
		g.running = nil
		close(r.done)
	}()
	r.value, final, r.err = fetch(ctx)
}
