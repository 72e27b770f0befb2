package alipay_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// wires are the ways from a client to a gateway.
var wires = []struct {
	name    string
	gateway []alipaytest.Option
	caller  bool // a caller's own http.Client
	oneIn   int  // one request in how many is to fail: a broken HTTP/2 connection takes many along
}{
	{"HTTP/1.1, default client", nil, false, 3},
	{"HTTP/1.1, caller's client", nil, true, 3},
	{"HTTP/2 TLS server, default client", []alipaytest.Option{alipaytest.WithHTTP2()}, false, 3},
	{"HTTP/2 TLS server, caller's client", []alipaytest.Option{alipaytest.WithHTTP2()}, true, 24},
}

// clientOf returns a client of gateway, in the mode of config.
func clientOf(t testing.TB, gateway *alipaytest.Gateway, config alipay.AlipayConfig, caller bool, opts ...alipay.Option) *alipay.Client {
	if caller {
		opts = append(opts, alipay.WithHTTPClient(gateway.HTTPClient()))
	}
	client, err := alipay.NewClient(config, opts...)
	require.NoError(t, err)
	if pem := gateway.TLSCertificate(); !caller && len(pem) > 0 {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		alipay.TrustForTest(client, pool)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// TestFaultMatrix sends one query on a connection that has served before, for
// every fault, both protocols and both kinds of client, and holds what the server saw
// against what the caller is told. Everything that could be logged or printed
// on the way is searched for personal values and keys.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	// What is not listed is outcome unknown, after one request.
	meanings := map[string]string{}
	for _, f := range []alipaytest.Fault{
		alipaytest.TooManyRequests, alipaytest.FaultNamed("429 app-call-limited"), alipaytest.FaultNamed("429 method-call-limited"),
		alipaytest.GatewayError(400, alipay.CodeAppCallLimited, ""), alipaytest.RetryAfter(time.Second),
	} {
		meanings[f.String()] = "not delivered"
	}
	meanings["403 HTML"] = "no"
	meanings["403 RISK_INTERCEPT, signed"] = "no"
	needCertificates := map[string]bool{"unknown alipay-sn": true, "missing alipay-sn": true}
	needEncryption := map[string]bool{"bad ciphertext": true, "plain answer": true}

	faults := alipaytest.Faults()
	require.GreaterOrEqual(t, len(faults), 40)
	wires := wires
	switch {
	case testing.Short():
		wires = wires[:1]
	case *soak == 0: // the checks try them all
		wires = slices.Concat(wires[:1], wires[3:])
	}
	for _, wire := range wires {
		for _, fault := range faults {
			t.Run(wire.name+"/"+fault.String(), func(t *testing.T) {
				t.Parallel()
				options := wire.gateway
				if needEncryption[fault.String()] {
					options = append([]alipaytest.Option{alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw==")}, options...)
				}
				gateway := alipaytest.NewGateway(t, options...)
				config := gateway.Config()
				if needCertificates[fault.String()] {
					config = gateway.CertConfig()
				}
				config.AppAuthToken = testAuthTok
				var log bytes.Buffer
				client := clientOf(t, gateway, config, wire.caller, logTo(&log),
					alipay.WithTimeout(time.Minute), alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
				service := client.ZhimaCustomerJobworthAuthentication

				_, err := service.Query(t.Context(), &alipay.QueryParams{OnceToken: "warm-up"})
				require.NoError(t, err)
				gateway.Inject(fault, -1)
				ctx := t.Context()
				if fault.String() == alipaytest.Hang.String() {
					ended, cancel := context.WithCancel(ctx)
					defer cancel()
					ctx = ended
					go func() {
						for gateway.Token(testToken).Requests == 0 && ended.Err() == nil {
							time.Sleep(time.Millisecond)
						}
						cancel()
					}()
				}
				got, err := service.Query(ctx, testParams())

				want, requests := "unknown", 1
				if m, ok := meanings[fault.String()]; ok {
					want = m
				}
				if want == "not delivered" {
					requests = 3
				}
				state := gateway.Token(testToken)
				assert.Equal(t, requests, state.Requests, "requests that the server saw")
				if fault.Harmless() {
					require.NoError(t, err)
					assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
					assert.True(t, state.Delivered)
				} else {
					require.Error(t, err)
					assert.Nil(t, got, "no result is returned")
					assert.Equal(t, want, meaning(t, err), "%v", err)
				}
				if want == "not delivered" {
					assert.Zero(t, state.Acted, "what says not delivered was not")
				}
				searchForLeaks(t, config, append(allTexts(err), log.String(), fmt.Sprintf("%+v %#v %+v %#v", got, got, config, config),
					fmt.Sprintf("%+v %#v %s %+v %#v %v %+v", client, client, service, *client, *service, service, testParams())))
			})
		}
	}
}

// TestRandomBreaksDeliverNoTokenTwice is the property behind at most one
// delivery: whatever breaks, whenever, the gateway acts at most once for each
// call, and what says not delivered was not.
func TestRandomBreaksDeliverNoTokenTwice(t *testing.T) {
	t.Parallel()
	const callers = 16
	calls := 8
	switch {
	case testing.Short():
		calls = 3
	case *soak > 0:
		calls = 60
	}
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			gateway := alipaytest.NewGateway(t, append([]alipaytest.Option{alipaytest.WithHistory(0)}, wire.gateway...)...)
			client := clientOf(t, gateway, gateway.Config(), wire.caller, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
			report := newReport()
			misbehave(gateway, breaks, wire.oneIn)
			runCallers(t, client, report, callers, func(n int) bool { return n < calls })
			report.check(t, gateway)
			t.Log(report)
		})
	}
}

// breaks are the faults of the connection alone.
var breaks = []alipaytest.Fault{
	alipaytest.Drop, alipaytest.DropReset, alipaytest.DropAfter(1), alipaytest.LostAnswer, alipaytest.FaultNamed("lost answer by reset"),
	alipaytest.FaultNamed("reset stream"), alipaytest.CloseIdle, alipaytest.FaultNamed("announced close"),
	alipaytest.HalfAnswer, alipaytest.FaultNamed("half a head"),
}
