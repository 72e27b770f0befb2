package alipay

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-39a49030/alipay/internal/backoff"
)

// attemptAt is an attempt of the simulation that is due.
type attemptAt struct {
	at     time.Duration
	number int
}

type schedule []attemptAt

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at < s[j].at }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)        { *s = append(*s, x.(attemptAt)) }
func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// simulate lets many clients call for a minute, each at its own random moments,
// under the decisions that doCall makes, in virtual time. refused is the share of
// attempts that the gateway refuses for load. That does not depend on what the
// clients do, so they can be taken one after the other.
func simulate(ctx context.Context, clients int, perSecond, refused float64, policy RetryPolicy) (attemptsPerCall, success float64) {
	random := rand.New(rand.NewPCG(1, 2))
	policy = policy.withDefaults()
	throttled := &APIError{StatusCode: http.StatusTooManyRequests, Header: http.Header{}}
	calls, attempts, succeeded := 0, 0, 0
	var due schedule
	for range clients {
		client := &Client{settings: settings{retry: policy, clock: time.Now}}
		if policy.MaxTokens > 0 {
			client.budget = backoff.NewBudget(policy.MaxTokens, policy.TokenRatio)
		}
		for at := random.ExpFloat64() / perSecond; at < 60; at += random.ExpFloat64() / perSecond {
			due = append(due, attemptAt{time.Duration(at * float64(time.Second)), 1}) // in order, so it is a heap
			calls++
		}
		for due.Len() > 0 {
			a := heap.Pop(&due).(attemptAt)
			attempts++
			var err error
			if random.Float64() < refused {
				err = throttled
			} else {
				succeeded++
			}
			if pause := client.pauseBefore(ctx, a.number+1, err); pause > 0 {
				heap.Push(&due, attemptAt{a.at + pause, a.number + 1})
			}
		}
	}
	return float64(attempts) / float64(calls), float64(succeeded) / float64(calls)
}

// TestRetriesAreNoStorm simulates 100 clients for a minute, with and without the
// budget. Run it with -v for the table, which is of 1,000 clients.
func TestRetriesAreNoStorm(t *testing.T) {
	t.Parallel()
	clients := 100
	if testing.Verbose() {
		clients = 1000
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-14s %10s   %-22s   %-22s\n", "refused", "calls/s", "no budget", "with the budget")
	for _, load := range []struct {
		name    string
		refused float64
	}{{"everything", 1}, {"half", 0.5}, {"10 %, at random", 0.1}} {
		for _, perSecond := range []float64{0.1, 1, 10} {
			a0, s0 := simulate(t.Context(), 100, perSecond, load.refused, RetryPolicy{MaxTokens: -1})
			a, s := simulate(t.Context(), clients, perSecond, load.refused, RetryPolicy{})
			fmt.Fprintf(&table, "%-14s %10v   %.2f attempts, %5.1f %%   %.2f attempts, %5.1f %%\n", load.name, perSecond, a0, 100*s0, a, 100*s)
			if perSecond < 1 {
				continue
			}
			switch load.refused {
			case 1:
				assert.LessOrEqual(t, a, 1.2, "attempts per call, %v calls/s", perSecond)
			case 0.5:
				assert.LessOrEqual(t, a, 1.25, "attempts per call, %v calls/s", perSecond)
			default:
				assert.GreaterOrEqual(t, s, 0.98, "success, %v calls/s", perSecond)
			}
		}
	}
	t.Log(table.String())
}
