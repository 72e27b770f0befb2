package main

import (
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"
)

// showGrowth shows that a call costs the same after 100,000 others as after ten,
// that the calls leave no memory behind, and that many callers cost no more per
// call than few. Signing is stubbed, so that it takes seconds.
func showGrowth(s *server) error {
	e := s.endpoints[name(overTLS, withoutRSA)]
	query, err := newQuery(e)
	if err != nil {
		return err
	}
	defer query.close()
	floor := newFloor(e)
	defer floor.close()

	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Println("One caller, " + overTLS + ", signing stubbed: what a call costs after so many others (medians of 15 rounds, interleaved with Floor),\nand the heap after garbage collection")
	fmt.Fprintln(w, "calls before\tCPU/call\tQuery/Floor\tB/call\tallocs\theap\tgoroutines\t")
	done := 0
	heap := map[int]uint64{}
	for _, calls := range []int{10, 100, 1000, 10_000, 100_000} {
		if _, err := measure(1, calls-done, query.call, nil); err != nil {
			return err
		}
		heap[calls] = heapInUse()
		var costs []cost
		var ratios []float64
		window := min(calls, 300)
		for range 15 {
			f, err := measure(1, window, floor.call, nil)
			if err != nil {
				return err
			}
			q, err := measure(1, window, query.call, nil)
			if err != nil {
				return err
			}
			costs, ratios = append(costs, q), append(ratios, q.CPU/f.CPU)
		}
		done = calls
		c := (&series{rounds: costs}).median()
		fmt.Fprintf(w, "%d\t%.0f\t%.3f\t%.0f\t%.1f\t%d\t%d\t\n", calls, c.CPU, median(ratios), c.Bytes, c.Allocs, heap[calls], runtime.NumGoroutine())
	}
	w.Flush()
	fmt.Printf("heap after 100,000 calls over heap after 1,000: %.3f\n\n", float64(heap[100_000])/float64(heap[1000]))

	fmt.Println("Floor and Query, " + overTLS + ", signing stubbed, medians of interleaved rounds")
	fmt.Fprintln(w, "callers\tFloor CPU/call\tQuery CPU/call\tQuery/Floor\tQuery ns/call\tQuery allocs\tnew conns\tothers\t")
	for _, callers := range []int{1, 4, 16, 64, 256} {
		l, err := compare(s, overTLS, withoutRSA, callers)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d\t%.0f\t%.0f\t%.3f\t%.0f\t%.1f\t%.0f\t%.0f %%\t\n", callers, l.floor.CPU, l.query.CPU, l.cpuRatio, l.query.Wall, l.query.Allocs, l.queryConns, 100*l.others)
	}
	return w.Flush()
}

func heapInUse() uint64 {
	var m runtime.MemStats
	for range 3 { // pools and finalizers free memory one round later
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
