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
	Wall, CPU     float64 // ns; Wall is elapsed time over calls
	Bytes, Allocs float64
	connections   float64 // new ones, in all
}

// measure makes calls from so many callers at once, each calling again as soon as
// it was answered, and stores how long each call took, in ns, in latencies if there
// is room.
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
		Wall: float64(wall) / n, CPU: float64(cpu) / n,
		Bytes:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		Allocs: float64(after.Mallocs-before.Mallocs) / n,
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

// cpuOfMachine is the CPU time of all processes together, where /proc has it.
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
		Wall:   median(s.of(func(c cost) float64 { return c.Wall })),
		CPU:    median(s.of(func(c cost) float64 { return c.CPU })),
		Bytes:  median(s.of(func(c cost) float64 { return c.Bytes })),
		Allocs: median(s.of(func(c cost) float64 { return c.Allocs })),
	}
}

func (s *series) connections() (n float64) {
	for _, c := range s.rounds {
		n += c.connections
	}
	return n
}

func (s *series) calls() (n float64) {
	for _, l := range s.latencies {
		n += float64(len(l))
	}
	return n
}

// latency is a quantile over the calls of all rounds.
func (s *series) latency(q float64) float64 { return quantile(slices.Concat(s.latencies...), q) }

// race measures sides in turn, round by round, each round in the opposite order
// of the one before, so that other load on the machine affects all equally.
type race struct {
	server  *server
	callers int
	rounds  int           // at least so many count
	budget  time.Duration // for one side's rounds together, about
	kind    string        // of crypto that the answers have; "" when the server is not called
}

// run returns a series per side, and how much of the machine other processes
// took in the rounds that count (the median). Rounds in which they took more
// than a twentieth do not count, as far as there are enough others.
func (r race) run(sides ...side) (results []series, others float64, err error) {
	perCall := 0.0
	for i, s := range sides {
		// Warm up. Signing takes time, so even many callers are seldom all on the wire
		// at once; the server makes their requests wait for each other, so that each
		// caller gets a connection.
		pass := max(2*r.callers, 50)
		if r.kind != "" {
			if _, err := r.server.ask(wish{Hold: r.callers, Stock: r.callers + 2*pass, Kind: r.kind}); err != nil {
				return nil, 0, err
			}
		}
		if _, err := s.measure(r.callers, r.callers, nil); err != nil {
			return nil, 0, err
		}
		for range 2 {
			c, err := s.measure(r.callers, pass, nil)
			if err != nil {
				return nil, 0, err
			}
			if i == 0 {
				perCall = c.Wall // of the last pass
			}
		}
	}
	// Many short rounds are better than few long ones: a disturbance spoils fewer of
	// them. But each caller has to make at least a few calls in each, better many,
	// since a new goroutine's first call grows its stack.
	fit := func(d time.Duration) int { return int(float64(d) / perCall) }
	calls := max(3*r.callers, fit(shortest), min(25*r.callers, fit(3*shortest)))
	var next wish
	if r.kind != "" {
		next = wish{Stock: calls, Kind: r.kind}
	}
	results = make([]series, len(sides))
	var load []float64
	for round := range max(r.rounds, fit(r.budget)/calls) {
		ours, err := r.server.ask(next)
		if err != nil {
			return nil, 0, err
		}
		started, machine := time.Now(), cpuOfMachine()
		before, own := ours, cpuTime()
		var remote time.Duration
		for i := range sides {
			if round%2 == 1 {
				i = len(sides) - 1 - i
			}
			latencies := make([]float64, calls)
			c, err := sides[i].measure(r.callers, calls, latencies)
			if err != nil {
				return nil, 0, err
			}
			after, err := r.server.ask(next)
			if err != nil {
				return nil, 0, err
			}
			if sides[i].remote {
				remote += time.Duration(c.CPU * float64(calls))
			}
			c.connections = float64(after.Accepted - before.Accepted)
			before = after
			results[i].rounds = append(results[i].rounds, c)
			results[i].latencies = append(results[i].latencies, latencies)
		}
		foreign := cpuOfMachine() - machine - (before.CPU - ours.CPU) - (cpuTime() - own) - remote
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
