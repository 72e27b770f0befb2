package download

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	maxDuration = 5 * time.Second  // of one download
	memory      = 30 * time.Second // how long a failure is remembered
	maxFailures = 3                // how many downloads may fail in that time
)

var (
	errTooMany = errors.New("too many downloads of certificates have failed within half a minute; it will be asked for again later")
	errTimeout = errors.New("the download took longer than 5 s")
)

// Gate lets one download pass at a time. Calls that need a certificate wait for
// their turn, and find that it has come or why it has not. The download runs on
// the goroutine of one of them; should its context end, the next one takes over.
//
// An unknown SN costs nothing to make up, so a flood of them must be no flood of
// downloads: a failure is remembered for half a minute, and after three of them
// nothing is downloaded until the first is forgotten.
type Gate struct {
	turn     chan struct{} // holds a value while somebody has the turn
	failures []failure     // of who has the turn
}

type failure struct {
	sn    string
	err   error
	at    time.Time
	ended bool // the caller's context ended, which says nothing about the download
}

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{turn: make(chan struct{}, 1)} }

// Do calls fetch unless known reports that the certificate is there already. It
// returns nil when it is there.
func (g *Gate) Do(ctx context.Context, sn string, known func() bool, fetch func(context.Context) error) error {
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
		if f.sn == sn && !f.ended {
			return f.err
		}
	}
	if len(g.failures) >= maxFailures {
		return errTooMany
	}
	fetching, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	err := fetch(fetching)
	if err != nil {
		ended := ctx.Err() != nil
		if !ended && fetching.Err() != nil {
			err = errTimeout
		}
		g.failures = append(g.failures, failure{sn, err, time.Now(), ended})
	}
	return err
}
