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

// cache is what a client remembers.
type cache struct{ sn atomic.Pointer[string] }

func (c *cache) known() (string, bool) {
	if sn := c.sn.Load(); sn != nil {
		return *sn, true
	}
	return "", false
}

func never() (string, bool) { return "", false }

func TestOneDownloadHoweverManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate[string](limit)
		var known cache
		var downloads atomic.Int64
		var all sync.WaitGroup
		for range 256 {
			all.Go(func() {
				got, err := g.Do(t.Context(), "a", known.known, func(context.Context) (string, bool, error) {
					downloads.Add(1)
					time.Sleep(time.Second)
					pem := "pem"
					known.sn.Store(&pem)
					return pem, false, nil
				})
				assert.NoError(t, err)
				assert.Equal(t, "pem", got)
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, downloads.Load())
	})
}

func TestTheDownloadIsNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		g := NewGate[string](limit)
		downloads := 0
		slow := func(ctx context.Context) (string, bool, error) {
			downloads++
			assert.Equal(t, "v", ctx.Value(key{}), "the values of the call that began it")
			select {
			case <-time.After(2 * time.Second):
				return "pem", false, nil
			case <-ctx.Done():
				return "", false, ctx.Err()
			}
		}
		var all sync.WaitGroup
		call := func(timeout time.Duration, want error) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), timeout)
				defer cancel()
				began := time.Now()
				_, err := g.Do(ctx, "a", never, slow)
				assert.ErrorIs(t, err, want)
				assert.LessOrEqual(t, time.Since(began), timeout)
			})
			synctest.Wait()
		}
		call(100*time.Millisecond, context.DeadlineExceeded) // begins it, and does not wait for its end
		call(500*time.Millisecond, context.DeadlineExceeded)
		for range 20 {
			call(time.Minute, nil)
		}
		all.Wait()
		assert.Equal(t, 1, downloads)
		assert.Empty(t, g.failed, "the end of a call is no failure of the download")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := g.Do(ended, "b", never, slow)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1, downloads, "nothing is begun for a call that has ended")
	})
}

func TestAnotherCertificateIsDownloadedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate[string](limit)
		var all sync.WaitGroup
		for _, sn := range []string{"a", "b"} {
			all.Go(func() {
				got, err := g.Do(t.Context(), sn, never, func(context.Context) (string, bool, error) {
					time.Sleep(time.Second)
					return sn, false, nil
				})
				assert.NoError(t, err)
				assert.Equal(t, sn, got)
			})
		}
		began := time.Now()
		all.Wait()
		assert.Equal(t, 2*time.Second, time.Since(began), "one at a time")
	})
}

func TestAFailureIsRememberedForAWhile(t *testing.T) {
	for name, tt := range map[string]struct {
		final bool
		until time.Duration
	}{"not trusted": {true, 30 * time.Second}, "failed on the way": {false, 2 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewGate[string](limit)
				reason := errors.New("no")
				downloads := 0
				do := func() error {
					_, err := g.Do(t.Context(), "a", never, func(context.Context) (string, bool, error) { downloads++; return "", tt.final, reason })
					return err
				}
				for range 100 {
					assert.ErrorIs(t, do(), reason)
				}
				assert.Equal(t, 1, downloads)
				time.Sleep(tt.until - 1)
				assert.ErrorIs(t, do(), reason)
				assert.Equal(t, 1, downloads)
				time.Sleep(time.Nanosecond)
				assert.ErrorIs(t, do(), reason)
				assert.Equal(t, 2, downloads)
			})
		})
	}
}

func TestAFloodOfUnknownSNsIsNoFloodOfDownloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate[string](limit)
		downloads := 0
		fail := func(context.Context) (string, bool, error) {
			downloads++
			return "", downloads%2 == 0, errors.New("no")
		}
		for i := range 10_000 {
			_, err := g.Do(t.Context(), fmt.Sprint(i), never, fail)
			assert.Error(t, err)
			time.Sleep(time.Millisecond)
		}
		assert.Equal(t, 3, downloads, "in 10 s")
		assert.LessOrEqual(t, len(g.failed), 3, "and nothing grows")
		_, err := g.Do(t.Context(), "another", never, fail)
		assert.ErrorIs(t, err, errTooMany)
		time.Sleep(30 * time.Second)
		_, err = g.Do(t.Context(), "another", never, fail)
		assert.NotErrorIs(t, err, errTooMany)
	})
}

func TestADownloadHasAnEndOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate[string](limit)
		began := time.Now()
		hang := func(ctx context.Context) (string, bool, error) { <-ctx.Done(); return "", false, ctx.Err() }
		_, err := g.Do(t.Context(), "a", never, hang)
		assert.ErrorIs(t, err, errTimeout)
		assert.Equal(t, limit, time.Since(began))
		_, err = g.Do(t.Context(), "a", never, hang)
		assert.ErrorIs(t, err, errTimeout)
		assert.Equal(t, limit, time.Since(began), "remembered")
	})
}

func TestAPanicOfASignerEndsTheDownloadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate[string](limit)
		_, err := g.Do(t.Context(), "a", never, func(context.Context) (string, bool, error) { panic("secret") })
		assert.ErrorIs(t, err, errPanic)
	})
}
