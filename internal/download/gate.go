package download

import (
	"context"
	"errors"
	"slices"
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
)

// Gate lets one download run at a time. Calls that need a certificate wait for
// their turn, and then find that it has been downloaded, or why not. The download
// runs on the goroutine of one of them; if its context ends, the next takes over.
//
// Anyone can invent unknown SNs, so many of them must not cause many downloads. A
// certificate that is not trusted is remembered for half a minute, a download that
// failed on the way for 2 s, and after three failures of either kind nothing is
// downloaded until the first is half a minute old.
type Gate struct {
	limit    time.Duration // of one download
	turn     chan struct{} // holds a value while somebody has the turn
	failures []failure     // of who has the turn
}

type failure struct {
	sn    string
	err   error
	final bool // another download would fail in the same way
	ended bool // the caller's context ended, which says nothing about the download
	at    time.Time
}

// stands reports whether the failure counts for another call as well.
func (f failure) stands() bool { return f.final || !f.ended && time.Since(f.at) < pause }

// NewGate returns an open gate that gives one download the time up to limit.
func NewGate(limit time.Duration) *Gate { return &Gate{limit: limit, turn: make(chan struct{}, 1)} }

// Do calls fetch unless known reports that the certificate is there already. It
// returns nil when it is there. fetch says whether its error is final: whether
// another download would fail in the same way.
func (g *Gate) Do(ctx context.Context, sn string, known func() bool, fetch func(context.Context) (final bool, err error)) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	switch {
	case known():
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	g.failures = slices.DeleteFunc(g.failures, func(f failure) bool { return time.Since(f.at) >= memory })
	for _, f := range g.failures {
		if f.sn == sn && f.stands() {
			return f.err
		}
	}
	if len(g.failures) >= maxFailures {
		return errTooMany
	}
	fetching, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	final, err := fetch(fetching)
	if err != nil {
		ended := ctx.Err() != nil
		if !ended && fetching.Err() != nil {
			err = errTimeout
		}
		g.failures = append(g.failures, failure{sn, err, final, ended, time.Now()})
	}
	return err
}
