// Command benchmarks measures what a call through the library costs in addition to
// what any client needs.
//
//	go run .                            the table, in three to four minutes
//	go run . -quick                     the same in 30 seconds, with more noise
//	go run . -markdown                  the table for the README
//	go run . -growth                    cost per call, heap: from 10 to 100,000 calls, from 1 to 256 callers
//	go run . -signers                   the same call with crypto/rsa, with opensslsigner, with GOEXPERIMENT=boringcrypto
//
// # How to read the table
//
// Floor is the call made by hand with the standard library and nothing else,
// Query the same call through the library, with the same nine parameters,
// against the same server: a separate process that answers every request with the
// same body. Each answer has a different nonce and signature, since a client
// accepts each only once; they are signed between the rounds. CPU time, bytes and
// allocations are those of this process alone. A round measures Floor and Query
// one after the other; the figures are medians over the rounds, the ratios medians
// of the ratios within each round.
//
//   - ns/call is elapsed time over calls, CPU/call the user and system time of
//     the client process, calls/s what all callers together got.
//   - p50 and p99 are latencies over the calls of all rounds. The callers ask
//     again as soon as they are answered: with more callers than cores a latency
//     is mostly the wait for a core.
//   - conns are the connections that the server accepted after the warm-up, in
//     which every caller had one. Both sides close connections unused for 15 s,
//     and net/http closes a connection if the answer came 50 ms before the end of
//     its request: if other processes slow the machine down that much, some are
//     opened again.
//   - others is the share of the machine that other processes took meanwhile,
//     without the disturbed rounds if there were enough quiet ones. At more than a
//     few per cent the line is noise, above all the latencies.
//   - "stubbed" takes the RSA arithmetic out on both sides. The application's
//     signer returns constant bytes. Verifying has no such hook in the library:
//     the answers are signed with a key whose public exponent is 3, which removes
//     most of the cost; the rest was timed in the same rounds from as many
//     callers, and is subtracted from ns/call and CPU/call of both sides before
//     the ratio is taken. Everything else is as measured.
//
// The server and the client share the machine, so calls/s is that of both
// together, and only ratios carry over to another machine.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

var (
	quick    = flag.Bool("quick", false, "fewer and shorter rounds")
	rounds   = flag.Int("rounds", 9, "rounds per line, at least")
	budget   = flag.Duration("budget", 1500*time.Millisecond, "time per side and line, about")
	only     = flag.String("only", "", "lines of the table that contain this, such as \"stubbed HTTP/2 TLS 64\"")
	markdown = flag.Bool("markdown", false, "print the table for the README")
	growth   = flag.Bool("growth", false, "cost per call and heap over many calls and callers, instead of the table")
	signers  = flag.Bool("signers", false, "crypto/rsa against OpenSSL and BoringCrypto, instead of the table; needs the go command, cgo and libssl-dev")
)

func main() {
	log.SetFlags(0)
	serveIfAsked()
	callIfAsked()
	flag.Parse()
	if *quick {
		*rounds, *budget = 5, 200*time.Millisecond
	}
	server, err := startServer()
	check(err)
	defer server.close()
	switch {
	case *growth:
		err = showGrowth(server)
	case *signers:
		err = compareSigners(server)
	default:
		err = showTable(server)
	}
	check(err)
}

// line is one line of the table: Floor and Query side by side.
type line struct {
	protocol, crypto         string
	callers                  int
	floor, query             cost    // medians; without the verification where stubbed
	wallRatio, cpuRatio      float64 // medians of the rounds' ratios
	floorP50, floorP99       float64
	queryP50, queryP99       float64
	floorPerSec, queryPerSec float64 // as measured
	floorConns, queryConns   float64
	calls                    float64 // per side
	verifyCPU                float64 // what was subtracted, 0 otherwise
	others                   float64 // share of the machine that other processes took
}

func compare(s *server, protocol, crypto string, callers int) (line, error) {
	e := s.endpoints[name(protocol, crypto)]
	query, err := newQuery(e)
	if err != nil {
		return line{}, err
	}
	floor := newFloor(e)
	defer floor.close()
	defer query.close()

	r := race{server: s, callers: callers, rounds: *rounds, budget: *budget, kind: crypto}
	sides := []side{floor, query}
	if crypto == withoutRSA {
		sides = append(sides, newSide("verify", e.verify, nil))
	}
	results, others, err := r.run(sides...)
	if err != nil {
		return line{}, err
	}
	f, q := &results[0], &results[1]
	l := line{
		protocol: protocol, crypto: crypto, callers: callers, others: others, floor: f.median(), query: q.median(),
		floorP50: f.latency(0.5), floorP99: f.latency(0.99), queryP50: q.latency(0.5), queryP99: q.latency(0.99),
		floorConns: f.connections(), queryConns: q.connections(), calls: f.calls(),
	}
	l.floorPerSec, l.queryPerSec = 1e9/l.floor.Wall, 1e9/l.query.Wall
	var verify cost
	if crypto == withoutRSA {
		verify = results[2].median()
	}
	var wall, cpu []float64
	for i := range f.rounds {
		wall = append(wall, (q.rounds[i].Wall-verify.Wall)/(f.rounds[i].Wall-verify.Wall))
		cpu = append(cpu, (q.rounds[i].CPU-verify.CPU)/(f.rounds[i].CPU-verify.CPU))
	}
	l.wallRatio, l.cpuRatio, l.verifyCPU = median(wall), median(cpu), verify.CPU
	for _, c := range []*cost{&l.floor, &l.query} {
		c.Wall, c.CPU = c.Wall-verify.Wall, c.CPU-verify.CPU
	}
	return l, nil
}

func showTable(s *server) error {
	started := time.Now()
	var lines []line
	for _, crypto := range cryptos {
		for _, protocol := range protocols {
			for _, callers := range []int{1, 16, 64, 256} {
				if !strings.Contains(fmt.Sprintf("%s %s %d", crypto, protocol, callers), *only) {
					continue
				}
				l, err := compare(s, protocol, crypto, callers)
				if err != nil {
					return fmt.Errorf("%s, %s, %d callers: %w", protocol, crypto, callers, err)
				}
				lines = append(lines, l)
				fmt.Fprint(os.Stderr, ".")
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	if *markdown {
		printMarkdown(lines)
		return nil
	}
	fmt.Printf("%s %s/%s, %d cores, at least %d rounds\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *rounds)
	printLines(lines)
	printVerdicts(lines)
	fmt.Printf("\n%.0f s in all\n", time.Since(started).Seconds())
	return nil
}

func printLines(lines []line) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, l := range lines {
		if i == 0 || l.crypto != lines[i-1].crypto {
			fmt.Fprintf(w, "crypto\tprotocol\tcallers\t\tns/call\tCPU/call\tB/call\tallocs\tp50 µs\tp99 µs\tcalls/s\tconns\tothers\t\n")
		}
		row := func(name string, c cost, p50, p99, perSec, connections float64) {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t\t\n", l.crypto, l.protocol, l.callers, name,
				c.Wall, c.CPU, c.Bytes, c.Allocs, p50/1e3, p99/1e3, perSec, connections)
		}
		row("Floor", l.floor, l.floorP50, l.floorP99, l.floorPerSec, l.floorConns)
		row("Query", l.query, l.queryP50, l.queryP99, l.queryPerSec, l.queryConns)
		fmt.Fprintf(w, "\t\t\tQuery/Floor\t%.3f\t%.3f\t%+.0f\t%+.1f\t%.3f\t%.3f\t%.3f\t\t%.0f %%\t\n", l.wallRatio, l.cpuRatio,
			l.query.Bytes-l.floor.Bytes, l.query.Allocs-l.floor.Allocs, l.queryP50/l.floorP50, l.queryP99/l.floorP99, l.queryPerSec/l.floorPerSec, 100*l.others)
	}
	w.Flush()
	var subtracted []float64
	for _, l := range lines {
		if l.crypto == withoutRSA {
			subtracted = append(subtracted, l.verifyCPU)
		}
	}
	fmt.Printf("\nstubbed: ns/call and CPU/call are without the verification (exponent 3, median %.0f ns of CPU), on both sides; the other figures are as measured\n", median(subtracted))
}

// printVerdicts compares the worst line of each kind with its target.
func printVerdicts(lines []line) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ntarget\t\tworst line\tmedian line\t")
	verdict := func(what, format string, limit float64, crypto string, callers int, get func(line) float64) {
		var all []float64
		var worst line
		for _, l := range lines {
			if crypto != "" && l.crypto != crypto || callers != 0 && l.callers != callers {
				continue
			}
			if all == nil || get(l) > get(worst) {
				worst = l
			}
			all = append(all, get(l))
		}
		if all == nil {
			return
		}
		met := "met"
		if get(worst) > limit {
			met = "MISSED"
		}
		fmt.Fprintf(w, "%s ≤ "+format+"\t%s\t"+format+" (%s, %s, %d callers)\t"+format+"\t\n",
			what, limit, met, get(worst), worst.crypto, worst.protocol, worst.callers, median(all))
	}
	wall := func(l line) float64 { return l.wallRatio }
	cpu := func(l line) float64 { return l.cpuRatio }
	p99 := func(l line) float64 { return l.queryP99 / l.floorP99 }
	verdict("Query/Floor, wall, RSA", "%.3f", 1.03, withRSA, 0, wall)
	verdict("Query/Floor, CPU, RSA", "%.3f", 1.03, withRSA, 0, cpu)
	verdict("Query/Floor, wall, stubbed", "%.3f", 1.30, withoutRSA, 0, wall)
	verdict("Query/Floor, CPU, stubbed", "%.3f", 1.30, withoutRSA, 0, cpu)
	verdict("allocations over the floor", "%.1f", 45, "", 0, func(l line) float64 { return l.query.Allocs - l.floor.Allocs })
	verdict("bytes over the floor", "%.0f", 5000, "", 0, func(l line) float64 { return l.query.Bytes - l.floor.Bytes })
	verdict("p99, Query/Floor, RSA", "%.3f", 1.05, withRSA, 0, p99)
	verdict("new connections at 256 callers", "%.0f", 0, "", 256, func(l line) float64 { return l.queryConns })
	w.Flush()
}

func printMarkdown(lines []line) {
	fmt.Printf("One machine, ratios only (%s, %s/%s, %d cores; `cd benchmarks && go run . -markdown`). Query over Floor, the same call by hand with the standard library; medians of at least %d interleaved rounds.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *rounds)
	fmt.Println("| RSA | protocol | callers | wall | CPU | p50 | p99 | calls/s | allocations | bytes | new connections |")
	fmt.Println("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, l := range lines {
		fmt.Printf("| %s | %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %+.0f | %+.0f | %.0f |\n",
			map[string]string{withRSA: "in", withoutRSA: "stubbed"}[l.crypto], l.protocol, l.callers, l.wallRatio, l.cpuRatio,
			l.queryP50/l.floorP50, l.queryP99/l.floorP99, l.queryPerSec/l.floorPerSec,
			l.query.Allocs-l.floor.Allocs, l.query.Bytes-l.floor.Bytes, l.queryConns)
	}
}
