//go:build openssl

package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/seed-39a49030/alipay/benchmarks/opensslsigner"
)

// compareOpenSSL makes the same calls through the library with the key in
// crypto/rsa and with the same key in OpenSSL.
func compareOpenSSL(s *server) error {
	e := s.endpoints[name(overTLS, withRSA)]
	der, err := x509.MarshalPKCS8PrivateKey(e.signer.(*rsa.PrivateKey))
	if err != nil {
		return err
	}
	inOpenSSL, err := opensslsigner.New(der)
	if err != nil {
		return err
	}
	signers := []crypto.Signer{e.signer, inOpenSSL}
	names := []string{"crypto/rsa", "OpenSSL"}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Println("Query, " + overTLS + ", medians of interleaved rounds, " + opensslsigner.Version())
	fmt.Fprintln(w, "callers\tsigner\tns/call\tCPU/call\tB/call\tallocs\tp50 µs\tp99 µs\tcalls/s\tothers\t")
	for _, callers := range []int{1, 64} {
		var sides []side
		for i := range signers {
			e.signer = signers[i]
			query, err := newQuery(e)
			if err != nil {
				return err
			}
			defer query.close()
			sides = append(sides, query)
		}
		results, others, err := race{server: s, callers: callers, rounds: *rounds, budget: *budget}.run(sides...)
		if err != nil {
			return err
		}
		var faster []float64
		for i := range results {
			c := results[i].median()
			fmt.Fprintf(w, "%d\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t\t\n", callers, names[i], c.wall, c.cpu, c.bytes, c.allocs,
				results[i].latency(0.5)/1e3, results[i].latency(0.99)/1e3, 1e9/c.wall)
		}
		for i := range results[0].rounds {
			faster = append(faster, results[0].rounds[i].wall/results[1].rounds[i].wall)
		}
		fmt.Fprintf(w, "\tcalls/s, ratio\t\t\t\t\t\t\t%.2f\t%.0f %%\t\n", median(faster), 100*others)
	}
	return w.Flush()
}
