package backoff

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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

// simulate lets many clients call for a minute, each at its own random moments, in
// virtual time, with three attempts per call. refused is the share of attempts that
// the gateway refuses for load. That does not depend on what the clients do, so
// they can be taken one after the other. A nil budget allows every retry.
func simulate(clients int, perSecond, refused float64, newBudget func() *Budget) (attemptsPerCall, success float64) {
	random := rand.New(rand.NewPCG(1, 2))
	calls, attempts, succeeded := 0, 0, 0
	var due schedule
	for range clients {
		budget := newBudget()
		for at := random.ExpFloat64() / perSecond; at < 60; at += random.ExpFloat64() / perSecond {
			due = append(due, attemptAt{time.Duration(at * float64(time.Second)), 1}) // in order, so it is a heap
			calls++
		}
		for due.Len() > 0 {
			a := heap.Pop(&due).(attemptAt)
			attempts++
			if random.Float64() >= refused {
				succeeded++
				budget.Succeeded()
				continue
			}
			if budget.Failed() && a.number < 3 {
				heap.Push(&due, attemptAt{a.at + Jitter(Step(200*time.Millisecond, 2*time.Second, a.number-1)), a.number + 1})
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
			a0, s0 := simulate(100, perSecond, load.refused, func() *Budget { return nil })
			a, s := simulate(clients, perSecond, load.refused, func() *Budget { return NewBudget(10, 0.1) })
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
