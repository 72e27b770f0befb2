package main

import (
	"cmp"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const shortest = 80 * time.Millisecond // one side's share of a round

// cost is what one call cost, on average over a cell or as a median of cells.
type cost struct {
	wall, cpu     float64 // ns; wall is elapsed time over calls
	bytes, allocs float64
	connections   float64 // new ones, in all
}

// measure makes calls from so many callers at once, each asking again as soon
// as it was answered, and stores how long each took, in ns, in latencies if
// there is room.
func measure(callers, calls int, call func() error, latencies []float64) (cost, error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, started := cpuTime(), time.Now()
	for range callers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= calls {
					return
				}
				start := time.Now()
				if err := call(); err != nil {
					failed.Store(&err)
					return
				}
				if i < len(latencies) {
					latencies[i] = float64(time.Since(start))
				}
			}
		})
	}
	all.Wait()
	wall, cpu := time.Since(started), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	if err := failed.Load(); err != nil {
		return cost{}, *err
	}
	n := float64(calls)
	return cost{
		wall: float64(wall) / n, cpu: float64(cpu) / n,
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n,
	}, nil
}

// cpuTime is the CPU time of this process, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

func quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// cpuOfMachine is the CPU time of all processes together, where /proc tells it.
func cpuOfMachine() time.Duration {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	var total time.Duration
	for i, field := range strings.Fields(line) {
		if i == 4 || i == 5 { // idle, iowait
			continue
		}
		ticks, _ := strconv.ParseInt(field, 10, 64) // 0 for the word cpu
		total += time.Duration(ticks) * (time.Second / 100)
	}
	return total
}

// series holds the rounds of one side.
type series struct {
	rounds    []cost
	latencies [][]float64 // one slice per round
}

// keep drops all rounds but these.
func (s *series) keep(rounds []int) {
	var kept series
	for _, i := range rounds {
		kept.rounds = append(kept.rounds, s.rounds[i])
		kept.latencies = append(kept.latencies, s.latencies[i])
	}
	*s = kept
}

func (s *series) of(get func(cost) float64) []float64 {
	var values []float64
	for _, c := range s.rounds {
		values = append(values, get(c))
	}
	return values
}

func (s *series) median() cost {
	return cost{
		wall:   median(s.of(func(c cost) float64 { return c.wall })),
		cpu:    median(s.of(func(c cost) float64 { return c.cpu })),
		bytes:  median(s.of(func(c cost) float64 { return c.bytes })),
		allocs: median(s.of(func(c cost) float64 { return c.allocs })),
	}
}

func (s *series) connections() (n float64) {
	for _, c := range s.rounds {
		n += c.connections
	}
	return n
}

// latency is a quantile over the calls of all rounds.
func (s *series) latency(q float64) float64 { return quantile(slices.Concat(s.latencies...), q) }

// race measures sides in turn, round by round, each round in the opposite order
// of the one before, so that what the machine does meanwhile meets all alike.
type race struct {
	server  *server
	callers int
	rounds  int           // at least so many count
	budget  time.Duration // for one side's rounds together, about
}

// run returns a series per side, and how much of the machine other processes
// took in the rounds that count (the median). Rounds in which they took more
// than a twentieth do not count, as far as there are enough others.
func (r race) run(sides ...side) (results []series, others float64, err error) {
	perCall := 0.0
	for i, s := range sides {
		// Warm up. Signing takes its time, so even many callers are seldom all on
		// the wire at once; the server waits for them, and each gets a connection.
		if _, err := r.server.ask(time.Duration(r.callers) * 2 * time.Millisecond); err != nil {
			return nil, 0, err
		}
		if _, err := measure(r.callers, r.callers, s.call, nil); err != nil {
			return nil, 0, err
		}
		if _, err := r.server.ask(0); err != nil {
			return nil, 0, err
		}
		for range 2 {
			c, err := measure(r.callers, max(2*r.callers, 50), s.call, nil)
			if err != nil {
				return nil, 0, err
			}
			if i == 0 {
				perCall = c.wall // of the last pass
			}
		}
	}
	// Many short rounds are better than few long ones: a disturbance spoils
	// fewer of them. But each caller has to make a few calls in each, better
	// many, since a new goroutine's first call has its stack to grow.
	fit := func(d time.Duration) int { return int(float64(d) / perCall) }
	calls := max(3*r.callers, fit(shortest), min(25*r.callers, fit(3*shortest)))
	results = make([]series, len(sides))
	var load []float64
	for round := range max(r.rounds, fit(r.budget)/calls) {
		started, machine := time.Now(), cpuOfMachine()
		ours, err := r.server.report()
		if err != nil {
			return nil, 0, err
		}
		before := ours
		ours.CPU += cpuTime()
		for i := range sides {
			if round%2 == 1 {
				i = len(sides) - 1 - i
			}
			latencies := make([]float64, calls)
			c, err := measure(r.callers, calls, sides[i].call, latencies)
			if err != nil {
				return nil, 0, err
			}
			after, err := r.server.report()
			if err != nil {
				return nil, 0, err
			}
			c.connections = float64(after.Accepted - before.Accepted)
			before = after
			results[i].rounds = append(results[i].rounds, c)
			results[i].latencies = append(results[i].latencies, latencies)
		}
		foreign := cpuOfMachine() - machine - (before.CPU + cpuTime() - ours.CPU)
		load = append(load, float64(foreign)/float64(time.Since(started))/float64(runtime.NumCPU()))
	}
	order := make([]int, len(load))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(load[a], load[b]) })
	counted := order[:r.rounds]
	for _, i := range order[r.rounds:] {
		if load[i] <= 0.05 {
			counted = append(counted, i)
		}
	}
	others = max(0, load[counted[len(counted)/2]])
	for i := range results {
		results[i].keep(counted)
	}
	return results, others, nil
}
