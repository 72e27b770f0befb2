package benchmarks

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// signer makes a signer of a private key, which is in PKCS #8.
type signer struct {
	name string
	make func(pkcs8 []byte) (crypto.Signer, error)
}

var signers = []signer{
	{"rsa", newRSA},
	{"none", func(pkcs8 []byte) (crypto.Signer, error) {
		key, err := newRSA(pkcs8)
		return noSigner{key}, err
	}},
}

func newRSA(pkcs8 []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	return key.(*rsa.PrivateKey), nil
}

// noSigner takes the arithmetic out of signing.
type noSigner struct{ crypto.Signer }

func (noSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 256), nil
}

func BenchmarkCall(b *testing.B) {
	for _, transport := range transports {
		for _, callers := range []int{1, 16, 64} {
			for _, side := range sides {
				b.Run(fmt.Sprintf("transport=%s/callers=%d/side=%s", transport, callers, side.name), func(b *testing.B) {
					measure(b, side.side, transport, signers[0], callers)
				})
			}
		}
	}
}

func BenchmarkSigner(b *testing.B) {
	for _, callers := range []int{1, 64} {
		for _, signer := range signers {
			for _, side := range sides {
				b.Run(fmt.Sprintf("callers=%d/signer=%s/side=%s", callers, signer.name, side.name), func(b *testing.B) {
					measure(b, side.side, "tls", signer, callers)
				})
			}
		}
	}
}

// BenchmarkSign is side=query, too, so that one table has it beside the calls.
func BenchmarkSign(b *testing.B) {
	for _, signer := range signers {
		b.Run(fmt.Sprintf("signer=%s/side=query", signer.name), func(b *testing.B) {
			signs, err := signer.make(server.AppKey)
			if err != nil {
				b.Fatal(err)
			}
			digest, before := make([]byte, 32), cpuTime()
			for b.Loop() {
				if _, err := signs.Sign(nil, digest, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// measure makes b.N calls from so many callers at once, each of which calls again
// as soon as it was answered.
func measure(b *testing.B, side side, transport string, signer signer, callers int) {
	signs, err := signer.make(server.AppKey)
	if err != nil {
		b.Fatal(err)
	}
	call := side(b, server, transport, signs) // a new client, for which no answer is a repeated one
	warmUp := 4 * callers
	server.prepare(b, warmUp+b.N, callers) // each caller is to have a connection
	run(b, call, callers, warmUp)

	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	run(b, call, callers, b.N)
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

func run(b *testing.B, call func() error, callers, calls int) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for next.Add(1) <= int64(calls) {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// cpuTime is the CPU time of this process, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
