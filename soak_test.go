package alipay_test

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

var soak = flag.Duration("soak", 0, "how long callers run against a failing gateway in the tests named Soak; 0 skips TestSoak. It makes other tests of many calls longer, too")

// TestSoak lets 64 callers query a gateway that injects every fault at random, and
// compares the gateway's ledger with what the callers were told:
//
//	go test -run Soak -soak 60s .
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("run with -soak 60s")
	}
	const callers = 64
	faults := alipaytest.Faults()
	each := *soak / time.Duration(len(wires))
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			gateway := alipaytest.NewGateway(t, append([]alipaytest.Option{alipaytest.WithHistory(0)}, wire.gateway...)...)
			client := clientOf(t, gateway, gateway.CertConfig(), wire.caller,
				alipay.WithTimeout(2*time.Second), alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
			report := newReport()
			end := time.Now().Add(each)
			misbehave(gateway, faults, wire.oneIn)
			runCallers(t, client, report, callers, func(int) bool { return time.Now().Before(end) })
			report.check(t, gateway)
			t.Log(report)
		})
	}
}

// misbehave lets about one request in oneIn meet a fault, each as likely as any other.
func misbehave(gateway *alipaytest.Gateway, faults []alipaytest.Fault, oneIn int) {
	for _, fault := range faults {
		gateway.Inject(fault.When(func(alipaytest.ReceivedRequest) bool {
			return mathrand.N(oneIn*len(faults)) == 0
		}), -1)
	}
}

// report holds what each caller's call returned, by token.
type report struct {
	mu       sync.Mutex
	outcomes map[string]error
	counts   map[string]int
}

func newReport() *report { return &report{outcomes: map[string]error{}, counts: map[string]int{}} }

func (r *report) add(token string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[token] = err
	r.counts["calls"]++
}

func (r *report) String() string { return fmt.Sprint(r.counts) }

// check compares the gateway's ledger with what the calls returned.
func (r *report) check(t testing.TB, gateway *alipaytest.Gateway) {
	ledger := gateway.Ledger()
	for token, err := range r.outcomes {
		state := ledger[token]
		r.counts["requests"] += state.Requests
		if !assert.LessOrEqual(t, state.Acted, 1, "a token that was acted on twice by one call") {
			continue
		}
		switch {
		case err == nil:
			r.counts["answered"]++
			assert.True(t, state.Delivered, "an answer that the gateway did not give")
		case meaning(t, err) == "not delivered":
			r.counts["not delivered"]++
			assert.Zero(t, state.Acted, "not delivered, it says: %v", err)
		case meaning(t, err) == "unknown":
			r.counts["unknown"]++
			if state.Spent {
				r.counts["unknown and spent"]++
			}
		default:
			r.counts["answered no"]++
			assert.False(t, state.Spent, "a token that was spent and not reported as unknown: %v", err)
		}
	}
}

// runCallers lets each caller ask with a new token again and again, and now and
// then give up at a random moment.
func runCallers(t testing.TB, client *alipay.Client, report *report, callers int, more func(n int) bool) {
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for n := 0; more(n); n++ {
				token := "token-" + rand.Text()
				ctx, cancel := context.WithCancel(t.Context())
				if mathrand.N(8) == 0 {
					time.AfterFunc(mathrand.N(20*time.Millisecond), cancel)
				}
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{OnceToken: token, CertNo: testCertNo})
				cancel()
				if (got == nil) == (err == nil) {
					t.Errorf("a result and an error, or neither: %v", err)
				}
				if errors.Is(err, alipay.ErrOutcomeUnknown) && errors.Is(err, alipay.ErrNotDelivered) {
					t.Errorf("both meanings: %v", err)
				}
				report.add(token, err)
			}
		})
	}
	all.Wait()
}

// TestSoakWithChangingKeys lets callers and waiters ask while Alipay changes its
// certificate, the merchant reloads his config, the gateway throttles and
// connections break, all at once. In the end it compares the gateway's ledger with
// what the calls returned: no token is spent without a result, an answer that is
// kept and opens, or an error that says outcome unknown. It runs for 3 s, or for as
// long as -soak says.
func TestSoakWithChangingKeys(t *testing.T) {
	const callers, rotations = 48, 8
	if testing.Short() {
		t.Skip("takes all processors")
	}
	t.Parallel()
	gateway := alipaytest.NewGateway(t, alipaytest.WithHistory(0))
	misbehave(gateway, []alipaytest.Fault{
		alipaytest.Drop, alipaytest.DropReset, alipaytest.LostAnswer, alipaytest.HalfAnswer, alipaytest.TooManyRequests, alipaytest.TooManyRequests,
	}, 5)
	outdated := gateway.CertConfig()
	var mu sync.Mutex
	complete := outdated // with every certificate there has been
	opts := []alipay.Option{alipay.WithHTTPClient(gateway.HTTPClient()), alipay.WithTimeout(time.Minute), alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond})}
	clients := make([]*alipay.Client, 2)
	for i := range clients {
		var err error
		clients[i], err = alipay.NewClient(outdated, append(opts, alipay.WithCertificateDownload(i == 0))...)
		require.NoError(t, err)
		defer clients[i].CloseIdleConnections()
	}
	// How far it is: by the calls that were made, or by the time with -soak.
	const calls = 4 * callers
	var made atomic.Int64
	began := time.Now()
	progress := func() float64 {
		if *soak > 0 {
			return float64(time.Since(began)) / float64(*soak)
		}
		return float64(made.Load()) / calls
	}
	news := make(chan struct{}, 1)
	var operator, all sync.WaitGroup
	operator.Go(func() {
		for n := range 4 * rotations {
			for progress() < float64(n+1)/(4*rotations) {
				if _, more := <-news; !more {
					return
				}
			}
			mu.Lock()
			if n%4 == 0 {
				gateway.RotateCertificate()
				complete.AlipayPublicCertContent += gateway.CertConfig().AlipayPublicCertContent
			}
			config := complete
			mu.Unlock()
			switch { // the operator is late, and now and then takes the old file again
			case n%4 == 0:
				continue
			case n%5 == 4:
				config = outdated
			}
			assert.NoError(t, clients[n%2].Reload(config))
		}
	})

	type told struct {
		err    error
		client *alipay.Client
	}
	outcomes := map[string]told{}
	for caller := range callers {
		client := clients[caller%2]
		all.Go(func() {
			for progress() < 1 {
				params := &alipay.QueryParams{OnceToken: "token-" + rand.Text()}
				var err error
				if caller%3 == 0 {
					gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, WaitingPolls: mathrand.N(3)})
					_, err = client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), params, alipay.PollPolicy{Initial: time.Millisecond, Max: time.Millisecond, Timeout: time.Minute})
				} else {
					gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
					_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params)
				}
				mu.Lock()
				outcomes[params.OnceToken] = told{err, client}
				mu.Unlock()
				made.Add(1)
				select {
				case news <- struct{}{}:
				default: // the operator has one to look at
				}
			}
		})
	}
	all.Wait()
	close(news)
	operator.Wait()

	for _, client := range clients {
		require.NoError(t, client.Reload(complete))
	}
	counts := map[string]int{}
	ledger := gateway.Ledger()
	for token, told := range outcomes {
		counts["calls"]++
		counts[alipay.OutcomeOf(told.err).String()]++
		state := ledger[token]
		answer := sealedIn(told.err)
		if answer != nil {
			counts["kept"]++
			got, err := told.client.ZhimaCustomerJobworthAuthentication.Open(stored(t, answer))
			if assert.NoError(t, err, "%v", told.err) && got.IdentityResult == alipay.IdentityResultSuccess {
				counts["kept results"]++
			}
		}
		switch alipay.OutcomeOf(told.err) {
		case alipay.OutcomeSuccess:
			assert.True(t, state.Delivered)
		case alipay.OutcomeNotDelivered:
			assert.Zero(t, state.Acted, "%v", told.err)
		case alipay.OutcomeUnknown:
			if state.Spent {
				counts["unknown and spent"]++
			}
		default:
			assert.False(t, state.Spent, "a token that was spent, and the caller was not told: %v", told.err)
		}
	}
	t.Log(counts, "downloads:", gateway.Downloads())
	assert.LessOrEqual(t, gateway.Downloads(), 8*rotations, "no flood")
	assert.Positive(t, counts["success"])
}
