package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// A caller is a separate process, built for one way of signing, since the way of
// signing is chosen when a program is built.

const callerEnv = "ALIPAY_BENCHMARK_CALLER"

// newSigner makes the signer of a program that is built with the tag openssl;
// without the tag, crypto/rsa signs.
var newSigner = func(pkcs8 []byte) (crypto.Signer, string, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, "", err
	}
	return key.(crypto.Signer), "crypto/rsa", nil
}

// builds are the rows of the table. The first is what the others are compared with.
var builds = []struct {
	name string
	args []string
	env  []string
}{
	{"crypto/rsa", nil, []string{"GOEXPERIMENT=noboringcrypto"}},
	{"opensslsigner", []string{"-tags", "openssl"}, []string{"GOEXPERIMENT=noboringcrypto", "CGO_ENABLED=1"}},
	{"GOEXPERIMENT=boringcrypto", nil, []string{"GOEXPERIMENT=boringcrypto", "CGO_ENABLED=1"}},
}

// job is what a caller reads first; then it reads one order after the other.
type job struct {
	BaseURL, AlipayPEM string
	Key, Cert          []byte // DER: the application's private key, the server's certificate
	Now                time.Time
}

// order is one measurement: calls through the library, or signatures alone.
type order struct {
	Callers, Calls int
	SignOnly       bool
}

type outcome struct {
	Cost      cost
	Latencies []float64
	Err       string
}

// callIfAsked is a caller: it never returns there. In any other process it does
// nothing.
func callIfAsked() {
	if os.Getenv(callerEnv) == "" {
		return
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var j job
	check(in.Decode(&j))
	check(trust(j.Cert))
	signer, by, err := newSigner(j.Key)
	check(err)
	query, err := newQuery(endpoint{baseURL: j.BaseURL, signer: signer, alipayPEM: j.AlipayPEM, now: j.Now})
	check(err)
	sign := func() error {
		_, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256)
		return err
	}
	check(out.Encode(by))
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			os.Exit(0)
		} else {
			check(err)
		}
		call := query.call
		if o.SignOnly {
			call = sign
		}
		answer := outcome{Latencies: make([]float64, o.Calls)}
		answer.Cost, err = measure(o.Callers, o.Calls, call, answer.Latencies)
		if err != nil {
			answer.Err = err.Error()
		}
		check(out.Encode(answer))
	}
}

// caller is the handle on such a process.
type caller struct {
	by      string // what signs there
	in      *json.Encoder
	out     *json.Decoder
	process *exec.Cmd
	stdin   io.Closer
}

func startCaller(program string, j job) (*caller, error) {
	process := exec.Command(program)
	process.Env = append(os.Environ(), callerEnv+"=1")
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	c := &caller{in: json.NewEncoder(stdin), out: json.NewDecoder(stdout), process: process, stdin: stdin}
	if err := errors.Join(c.in.Encode(j), c.out.Decode(&c.by)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *caller) close() {
	_ = c.stdin.Close() // ends the process
	_ = c.process.Wait()
}

// side is a side whose calls the process makes.
func (c *caller) side(signOnly bool) side {
	return side{name: c.by, remote: true, measure: func(callers, calls int, latencies []float64) (cost, error) {
		var got outcome
		if err := errors.Join(c.in.Encode(order{callers, calls, signOnly}), c.out.Decode(&got)); err != nil {
			return cost{}, err
		}
		if got.Err != "" {
			return cost{}, errors.New(got.Err)
		}
		copy(latencies, got.Latencies)
		return got.Cost, nil
	}}
}

// startCallers builds and starts a caller per row. A row that cannot be built
// here is left out, with the reason.
func startCallers(s *server) (names []string, callers []*caller, err error) {
	e := s.endpoints[name(overTLS, withRSA)]
	trusted, err := trustedCert()
	if err != nil {
		return nil, nil, err
	}
	j := job{BaseURL: e.baseURL, AlipayPEM: e.alipayPEM, Cert: trusted.cert, Now: e.now}
	if j.Key, err = x509.MarshalPKCS8PrivateKey(e.signer.(*rsa.PrivateKey)); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "alipay-benchmarks")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	for i, b := range builds {
		program := filepath.Join(dir, fmt.Sprint("caller", i))
		build := exec.Command("go", append(append([]string{"build", "-o", program}, b.args...), ".")...)
		build.Env = append(os.Environ(), b.env...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n%s\n", b.name, err, bytes.TrimSpace(out))
			continue
		}
		c, err := startCaller(program, j)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", b.name, err)
		}
		names, callers = append(names, b.name), append(callers, c)
	}
	return names, callers, nil
}

// compareSigners makes the same calls through the library with each way of
// signing, and the same signatures without a call around them.
func compareSigners(s *server) error {
	names, callers, err := startCallers(s)
	if err != nil {
		return err
	}
	for i, c := range callers {
		defer c.close()
		fmt.Printf("%s: %s\n", names[i], c.by)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	if !*markdown {
		fmt.Println("\nmedians of interleaved rounds; the calls are Query, " + overTLS)
		fmt.Fprintln(w, "what\tcallers\tsigner\tns each\tCPU each\tB\tallocs\tp50 µs\tp99 µs\ttimes as many\tCPU ratio\tothers\t")
	}
	type cell struct{ times, cpu float64 }
	var table [][]cell // by measurement, by signer
	kinds := []struct {
		what     string
		callers  int
		signOnly bool
	}{{"signatures", 1, true}, {"calls", 1, false}, {"calls", 16, false}, {"calls", 64, false}}
	for _, k := range kinds {
		var sides []side
		for _, c := range callers {
			sides = append(sides, c.side(k.signOnly))
		}
		r := race{server: s, callers: k.callers, rounds: *rounds, budget: *budget, kind: withRSA}
		if k.signOnly {
			r.kind = "" // the server is not called
		}
		results, others, err := r.run(sides...)
		if err != nil {
			return err
		}
		var row []cell
		for i := range results {
			c := results[i].median()
			var times, cpu []float64
			for round := range results[i].rounds {
				times = append(times, results[0].rounds[round].Wall/results[i].rounds[round].Wall)
				cpu = append(cpu, results[i].rounds[round].CPU/results[0].rounds[round].CPU)
			}
			row = append(row, cell{median(times), median(cpu)})
			if !*markdown {
				fmt.Fprintf(w, "%s\t%d\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f %%\t\n", k.what, k.callers, names[i], c.Wall, c.CPU, c.Bytes, c.Allocs,
					results[i].latency(0.5)/1e3, results[i].latency(0.99)/1e3, row[i].times, row[i].cpu, 100*others)
			}
		}
		table = append(table, row)
	}
	if !*markdown {
		return w.Flush()
	}
	fmt.Println("\n| signer | signatures | calls, 1 caller | calls, 16 callers | calls, 64 callers | CPU per call |")
	fmt.Println("|---|--:|--:|--:|--:|--:|")
	for i, name := range names {
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %.2f |\n", name, table[0][i].times, table[1][i].times, table[2][i].times, table[3][i].times, table[3][i].cpu)
	}
	return nil
}
