package alipaytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// onWire are the ways in which the faults are met.
var onWire = map[string][]Option{"http": nil, "tls": {WithTLS()}, "http2": {WithHTTP2()}}

// once sends a request that net/http cannot repeat by itself.
func once(g *Gateway, r *http.Request) (got, error) {
	r.Body, r.ContentLength, r.TransferEncoding, r.GetBody = io.NopCloser(strings.NewReader("")), 0, []string{"identity"}, nil
	return exchangeOnce(g.HTTPClient(), r)
}

func TestEveryFaultDoesWhatItsMethodsSay(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, fault := range Faults() {
		require.False(t, seen[fault.String()], "two faults are called %s", fault)
		seen[fault.String()] = true
		for wire, opts := range onWire {
			for _, cert := range []bool{false, true} {
				if cert && wire != "http" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/cert=%t", fault, wire, cert), func(t *testing.T) {
					t.Parallel()
					g := NewGateway(t, opts...)
					if fault.String() == DropAfter(1).String() {
						require.Equal(t, 200, call{target: query("before"), cert: cert}.do(t, g).StatusCode)
					}
					g.Inject(fault, 1)
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					if fault.String() == Hang.String() {
						go func() { // gives up once it hangs
							for len(g.Requests()) == 0 && ctx.Err() == nil {
								time.Sleep(time.Millisecond)
							}
							cancel()
						}()
					}
					answer, err := once(g, call{target: query("t"), cert: cert}.request(t, g).WithContext(ctx))
					right := err == nil && answer.StatusCode == 200 && string(answer.body) == sample && answer.verifies()
					if fault.String() == UnknownSN.String() || fault.String() == StaleTimestamp.String() ||
						fault.String() == FutureTimestamp.String() || fault.String() == GarbledTimestamp.String() {
						right = false // signed rightly, and still wrong
					}
					assert.Equal(t, fault.Harmless(), right, "%v %v", answer.Response, err)

					require.Eventually(t, func() bool { return len(g.Requests()) > 0 }, 5*time.Second, time.Millisecond)
					state := g.Token("t")
					assert.Equal(t, 1, state.Requests)
					assert.Equal(t, fault.Acts(), state.Spent)
					assert.Equal(t, fault.Acts(), state.Acted == 1)
					assert.Equal(t, fault.Harmless(), state.Delivered)
					requests := g.Requests()
					assert.Equal(t, fault.String(), requests[len(requests)-1].Fault)

					// It was met once, and the gateway is well again.
					after, err := once(g, call{target: query("after"), cert: cert}.request(t, g))
					if err != nil { // that connection was dead
						after, err = once(g, call{target: query("after"), cert: cert}.request(t, g))
					}
					require.NoError(t, err)
					require.True(t, after.StatusCode == 200 || g.Deliveries("after") > 1)
				})
			}
		}
	}
	require.GreaterOrEqual(t, len(seen), 60)
}

func TestEveryFaultWorksBesideEncryption(t *testing.T) {
	t.Parallel()
	for _, fault := range Faults() {
		if fault.String() == Hang.String() || fault.String() == DropAfter(1).String() {
			continue
		}
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, WithEncryptKey(testKey))
			g.Inject(fault, 1)
			answer, err := once(g, call{target: query("t")}.request(t, g))
			right := false
			if err == nil && answer.StatusCode == 200 {
				plain, decryptErr := g.cipher.Decrypt(answer.body)
				right = decryptErr == nil && string(plain) == sample || fault.String() == PlainAnswer.String() && string(answer.body) == sample
				right = right && answer.verifies() && answer.Header.Get(protocol.HeaderSN) == ""
			}
			if fault.Harmless() {
				assert.True(t, right, "%v %v", answer.Response, err)
			}
			assert.Equal(t, fault.Acts(), g.Token("t").Spent)
		})
	}
}

func TestFaultsAreMetInTurnAndCounted(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(BadGateway, 2)
	g.Inject(RequestTimeout, 1)
	g.Inject(ServiceUnavailable, -1)
	g.Inject(BadGateway, 0)
	g.Inject(Fault{}, 5)
	status := func(c call) int { return c.do(t, g).StatusCode }
	require.Equal(t, 400, status(call{target: query("t"), authorization: func(string) string { return "" }}), "not a request to count")
	var statuses []int
	for range 5 {
		statuses = append(statuses, status(call{target: query("t")}))
	}
	require.Equal(t, []int{502, 502, 408, 503, 503}, statuses)
	g.ClearFaults()
	require.Equal(t, 200, status(call{target: query("t")}))
	require.Equal(t, 6, g.Deliveries("t"))
	require.Equal(t, 1, g.Token("t").Acted)
}

func TestAConditionLetsOthersPass(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	forToken := func(token string) func(ReceivedRequest) bool {
		return func(r ReceivedRequest) bool { return r.Params.Get("once_token") == token }
	}
	g.Inject(BadGateway.When(forToken("b")), 1)
	g.Inject(RequestTimeout.When(forToken("a")).When(func(r ReceivedRequest) bool { return r.AppCertSN != "" }), 1)
	require.Equal(t, 200, call{target: query("a")}.do(t, g).StatusCode)
	require.Equal(t, 408, call{target: query("a"), cert: true}.do(t, g).StatusCode)
	require.Equal(t, 502, call{target: query("b")}.do(t, g).StatusCode)
	require.Equal(t, 200, call{target: query("b")}.do(t, g).StatusCode)
}

func TestActingChangesWhatAFaultSpends(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(BadGateway.Acting(true), 1)
	require.Equal(t, 502, call{target: query("t")}.do(t, g).StatusCode)
	require.True(t, g.Token("t").Spent)
	require.Equal(t, 400, call{target: query("t")}.do(t, g).StatusCode)

	g.Inject(WrongSignature.Acting(false), 1)
	answer := call{target: query("u")}.do(t, g)
	require.Equal(t, sample, string(answer.body))
	require.False(t, answer.verifies())
	require.False(t, g.Token("u").Spent)
	require.Equal(t, 200, call{target: query("u")}.do(t, g).StatusCode)
	require.Equal(t, "none", Fault{}.String())
	require.Equal(t, "502 empty, acted", BadGateway.Acting(true).Acting(true).String())
}

func TestDropAfterLetsTheFirstRequestsOfAConnectionPass(t *testing.T) {
	t.Parallel()
	for wire, opts := range onWire {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			g.Inject(DropAfter(2), -1)
			var failed []int
			for i := range 9 {
				if _, err := once(g, call{target: query(fmt.Sprint(i))}.request(t, g)); err != nil {
					failed = append(failed, i)
				}
			}
			require.Equal(t, []int{2, 5, 8}, failed)
			require.Equal(t, 3, g.Connections())
		})
	}
}

func TestCloseIdleConnectionsLeavesTheClientADeadOne(t *testing.T) {
	t.Parallel()
	for wire, opts := range onWire {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			for i := range 3 {
				require.Eventually(t, func() bool { // a client may not have noticed yet
					_, err := once(g, call{target: query("t")}.request(t, g))
					return err == nil
				}, 5*time.Second, time.Millisecond)
				require.Equal(t, i+1, g.Connections())
				require.Eventually(t, func() bool {
					g.CloseIdleConnections()
					g.conns.mu.Lock()
					defer g.conns.mu.Unlock()
					return len(g.conns.open) == 0
				}, 5*time.Second, time.Millisecond)
			}
		})
	}
}

func TestHTTP2SaysThatItDidNotLookAtARequest(t *testing.T) {
	t.Parallel()
	for fault, text := range map[*Fault]string{&RefuseStream: "REFUSED_STREAM", &GoAway: "GOAWAY"} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, WithHTTP2())
			for i := range 3 {
				require.Equal(t, 200, call{target: query(fmt.Sprint(i))}.do(t, g).StatusCode)
				g.Inject(*fault, 1)
				_, err := once(g, call{target: query("t")}.request(t, g))
				require.ErrorContains(t, err, text)
			}
			require.Equal(t, TokenState{Requests: 3}, g.Token("t"))
		})
	}
}

// Who is told that a request was not looked at may send it again.
func TestHTTP2NeverSaysSoOfARequestThatWasActedOn(t *testing.T) {
	t.Parallel()
	for _, fault := range []Fault{RefuseStream, GoAway} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, WithHTTP2())
			g.Inject(fault.When(func(r ReceivedRequest) bool { return r.OnConnection%7 == 0 }), -1)
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					for n := range 15 {
						token := fmt.Sprint(i, "-", n)
						_, err := once(g, call{target: query(token)}.request(t, g))
						if err != nil && (strings.Contains(err.Error(), "REFUSED_STREAM") || strings.Contains(err.Error(), "GOAWAY")) {
							assert.Zero(t, g.Token(token).Acted, "%v", err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestResetsAreTheConnectionsAndNotTheTestsOwn(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(DropReset, 1)
	_, err := once(g, call{target: query("t")}.request(t, g))
	require.ErrorContains(t, err, "reset by peer")
	g.Inject(Drop, 1)
	_, err = once(g, call{target: query("t")}.request(t, g))
	require.ErrorIs(t, err, io.EOF)
	g.Inject(HalfAnswer, 1)
	_, err = once(g, call{target: query("t")}.request(t, g))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestASlowAnswerEndsWithTheClientsPatience(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for _, fault := range []Fault{Slow(time.Hour), SlowBody(time.Hour), Hang} {
		g.Inject(fault, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := once(g, call{target: query(fault.String())}.request(t, g).WithContext(ctx))
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Eventually(t, func() bool {
			g.conns.mu.Lock()
			defer g.conns.mu.Unlock()
			return g.conns.answers == 0
		}, 5*time.Second, time.Millisecond)
		require.False(t, g.Token(fault.String()).Delivered)
	}
}

func TestSizedAnswerHasThatManyBytes(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for _, size := range []int{len(sample) + 1, 1000, 1 << 20} {
		g.Inject(SizedAnswer(size), 1)
		answer := call{target: query(fmt.Sprint(size))}.do(t, g)
		require.Len(t, answer.body, size)
		require.True(t, answer.verifies())
		require.JSONEq(t, sample, string(answer.body))
	}
	g.Inject(SizedAnswer(5), 1)
	require.Equal(t, sample, string(call{target: query("t")}.do(t, g).body))
}

func TestABombStaysSmallOnTheWire(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(GzipBomb(8<<20), 1)
	plain := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer plain.CloseIdleConnections()
	answer, err := exchangeOnce(plain, call{target: query("t")}.request(t, g))
	require.NoError(t, err)
	require.Less(t, len(answer.body), 64<<10)
	g.Inject(GzipBomb(8<<20), 1)
	require.Len(t, call{target: query("t")}.do(t, g).body, 8<<20)
}

func TestFaultFuncHasTheRightAnswerAtHand(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(FaultFunc("teapot", func(w http.ResponseWriter, _ *http.Request, answer *Answer) {
		answer.Status = http.StatusTeapot
		answer.Body = bytes.ToUpper(answer.Body)
		assert.NoError(t, SignAnswer(answer.Header, answer.Body, time.Now()))
		assert.NoError(t, answer.Send(w))
	}), 1)
	answer := call{target: query("t")}.do(t, g)
	require.Equal(t, http.StatusTeapot, answer.StatusCode)
	require.Equal(t, strings.ToUpper(sample), string(answer.body))
	require.True(t, answer.verifies())
	require.Equal(t, TokenState{Requests: 1, Acted: 1, Spent: true}, g.Token("t"))
}

func TestRedirectsNameTheOtherHost(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	defer other.Close()
	g := NewGateway(t)
	g.Inject(Redirect(307, other.URL), 1)
	answer := call{target: query("t")}.do(t, g)
	require.Equal(t, 307, answer.StatusCode)
	require.Equal(t, other.URL, answer.Header.Get("Location"))
}

func TestThrottlesSayHowLong(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(RetryAfter(1500*time.Millisecond), 1)
	answer := call{target: query("t")}.do(t, g)
	require.Equal(t, 429, answer.StatusCode)
	require.Equal(t, "2", answer.Header.Get("Retry-After"))
}

// A replay by net/http itself, below every wrapper, must show: it is what "at
// most one delivery" is about.
func TestASilentReplayIsCounted(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	require.Equal(t, 200, call{target: query("warm up")}.do(t, g).StatusCode)
	g.Inject(LostAnswer, 1)
	answer, err := exchangeOnce(g.HTTPClient(), call{target: query("t")}.request(t, g))
	require.NoError(t, err)
	require.Equal(t, 400, answer.StatusCode)
	require.Contains(t, string(answer.body), "suspected-attack")
	require.Equal(t, 2, g.Deliveries("t"))
	require.False(t, g.Token("t").Delivered)
	require.False(t, errors.Is(err, io.EOF))
}
