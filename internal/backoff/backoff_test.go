package backoff

import (
	"context"
	"math"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestEachPauseLiesBetweenHalfAndAllOfItsStep(t *testing.T) {
	steps := []time.Duration{200, 400, 800, 1600, 2000, 2000}
	for i, want := range steps {
		want *= time.Millisecond
		step := Step(200*time.Millisecond, 2*time.Second, i)
		assert.Equal(t, want, step)
		low, high := step, time.Duration(0)
		for range 2000 {
			pause := Jitter(step)
			assert.GreaterOrEqual(t, pause, step/2)
			assert.LessOrEqual(t, pause, step)
			low, high = min(low, pause), max(high, pause)
		}
		assert.Less(t, low, step*6/10, "spread over the whole half")
		assert.Greater(t, high, step*9/10)
	}
}

func TestTheShortestPausesAreJitteredToo(t *testing.T) {
	assert.Zero(t, Jitter(0))
	seen := map[time.Duration]bool{}
	for range 200 {
		seen[Jitter(1)] = true
	}
	assert.Equal(t, map[time.Duration]bool{0: true, 1: true}, seen)
}

func TestStepsNeverOverflow(t *testing.T) {
	assert.Equal(t, time.Millisecond, Step(time.Millisecond, time.Millisecond, 1<<30))
	assert.Equal(t, time.Duration(1<<62), Step(1<<61, 1<<62, 9))
	assert.Equal(t, time.Duration(math.MaxInt64), Step(1<<62, math.MaxInt64, 9))
	assert.Equal(t, time.Second, Step(3*time.Second, time.Second, 0), "never above the limit")
	assert.Equal(t, time.Duration(4), Step(2, 5, 1), "half of an odd limit doubles")
	assert.Equal(t, 4*time.Second, Step(2*time.Second, 4*time.Second, 1), "the limit itself can be reached")
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "x": 0,
		"2147483648": 2147483648 * time.Second, "9223372036": 9223372036 * time.Second,
		"9223372037": 9223372036 * time.Second, "99999999999999999999": 9223372036 * time.Second, "+7": 0, "1_0": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		assert.Equal(t, want, RetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		assert.True(t, Sleep(t.Context(), time.Minute))
		assert.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.False(t, Sleep(ctx, time.Hour))
		assert.Equal(t, time.Minute+time.Second, time.Since(began))
		assert.False(t, Sleep(ctx, 0), "a context that has ended")
	})
}

func TestARetryNeedsMoreThanHalfOfTheTokens(t *testing.T) {
	b := NewBudget(4, 0.5)
	assert.True(t, b.Failed(), "3 of 4 are left")
	assert.False(t, b.Failed(), "2 of 4 would be half")
	b.Succeeded()
	assert.True(t, b.Failed(), "2.5 of 4 are left")
	for range 100 {
		assert.False(t, b.Failed())
	}
	b.Succeeded()
	assert.False(t, b.Failed(), "2 of 4 would be half: what gets no retry takes nothing")
	b.Succeeded()
	assert.True(t, b.Failed())
	for range 100 {
		b.Succeeded()
	}
	assert.True(t, b.Failed())
	assert.False(t, b.Failed(), "a full one saves nothing")
}

func TestASmallBudgetAllowsNoRetry(t *testing.T) {
	for _, tokens := range []float64{0.1, 1, 2} {
		assert.False(t, NewBudget(tokens, 1).Failed(), tokens)
	}
}

func TestNoBudgetAllowsEveryRetry(t *testing.T) {
	var b *Budget
	for range 100 {
		assert.True(t, b.Failed())
	}
	b.Succeeded()
}

func TestConcurrentCallersLoseNoToken(t *testing.T) {
	b := NewBudget(100_000, 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5000 {
				b.Failed()
			}
		})
	}
	all.Wait()
	assert.InDelta(t, 60_000, b.tokens, 0)
	for range 8 {
		all.Go(func() {
			for range 1000 {
				b.Succeeded()
			}
		})
	}
	all.Wait()
	assert.InDelta(t, 68_000, b.tokens, 0)
}
