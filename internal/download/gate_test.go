package download

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

const limit = 5 * time.Second

func never() bool { return false }

func TestOneDownloadHoweverManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		var known atomic.Bool
		var downloads atomic.Int64
		var all sync.WaitGroup
		for range 256 {
			all.Go(func() {
				assert.NoError(t, g.Do(t.Context(), "a", known.Load, func(context.Context) (bool, error) {
					downloads.Add(1)
					time.Sleep(time.Second)
					known.Store(true)
					return false, nil
				}))
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, downloads.Load())
	})
}

func TestAWaiterIsBoundByItsOwnContextAndTheNextTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		var downloads atomic.Int64
		var known atomic.Bool
		slow := func(ctx context.Context) (bool, error) {
			downloads.Add(1)
			select {
			case <-time.After(2 * time.Second):
				known.Store(true)
				return false, nil
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		var all sync.WaitGroup
		call := func(timeout time.Duration, want error) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				began := time.Now()
				assert.ErrorIs(t, g.Do(ctx, "a", known.Load, slow), want)
				assert.LessOrEqual(t, time.Since(began), timeout)
			})
			synctest.Wait()
		}
		call(time.Second, context.DeadlineExceeded)           // has the turn, and loses it
		call(500*time.Millisecond, context.DeadlineExceeded)  // waits, and gives up
		call(time.Minute, nil)                                // takes over
		call(time.Minute, nil)                                // finds it there
		call(1500*time.Millisecond, context.DeadlineExceeded) // waits
		all.Wait()
		assert.EqualValues(t, 2, downloads.Load())
	})
}

func TestAFailureIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		reason := errors.New("no")
		downloads := 0
		fail := func(context.Context) (bool, error) { downloads++; return true, reason }
		for range 100 {
			assert.ErrorIs(t, g.Do(t.Context(), "a", never, fail), reason)
		}
		assert.Equal(t, 1, downloads)
		time.Sleep(30*time.Second - 1)
		assert.ErrorIs(t, g.Do(t.Context(), "a", never, fail), reason)
		assert.Equal(t, 1, downloads)
		time.Sleep(time.Nanosecond)
		assert.NoError(t, g.Do(t.Context(), "a", never, func(context.Context) (bool, error) { return false, nil }))
	})
}

func TestADownloadThatFailedOnTheWayIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		reason := errors.New("reset")
		downloads := 0
		broken := func(context.Context) (bool, error) { downloads++; return false, reason }
		for range 100 {
			assert.ErrorIs(t, g.Do(t.Context(), "a", never, broken), reason)
		}
		assert.Equal(t, 1, downloads)
		time.Sleep(2*time.Second - 1)
		assert.ErrorIs(t, g.Do(t.Context(), "a", never, broken), reason)
		assert.Equal(t, 1, downloads)
		time.Sleep(time.Nanosecond)
		assert.NoError(t, g.Do(t.Context(), "a", never, func(context.Context) (bool, error) { return false, nil }))
	})
}

func TestAFloodOfUnknownSNsIsNoFloodOfDownloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		downloads := 0
		fail := func(context.Context) (bool, error) { downloads++; return downloads%2 == 0, errors.New("no") }
		for i := range 10_000 {
			assert.Error(t, g.Do(t.Context(), fmt.Sprint(i), never, fail))
			time.Sleep(time.Millisecond)
		}
		assert.Equal(t, 3, downloads, "in 10 s")
		assert.LessOrEqual(t, len(g.failures), 3, "and nothing grows")
		assert.ErrorIs(t, g.Do(t.Context(), "another", never, fail), errTooMany)
		time.Sleep(30 * time.Second)
		assert.NotErrorIs(t, g.Do(t.Context(), "another", never, fail), errTooMany)
	})
}

func TestCallersWhoseTimeIsShortAreNoFloodEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		downloads := 0
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			assert.Error(t, g.Do(ctx, "a", never, func(ctx context.Context) (bool, error) { downloads++; <-ctx.Done(); return false, ctx.Err() }))
			cancel()
		}
		assert.Equal(t, 3, downloads)
	})
}

func TestADownloadHasAnEndOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(limit)
		began := time.Now()
		hang := func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, ctx.Err() }
		assert.ErrorIs(t, g.Do(t.Context(), "a", never, hang), errTimeout)
		assert.Equal(t, limit, time.Since(began))
		assert.ErrorIs(t, g.Do(t.Context(), "a", never, hang), errTimeout)
		assert.Equal(t, limit, time.Since(began), "remembered")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, g.Do(ended, "b", never, hang), context.Canceled)
		assert.Len(t, g.failures, 1, "which was no download")
	})
}
