package alipay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func TestNewClientCopiesWhatItIsGiven(t *testing.T) {
	s := serve(t, signed(200, successBody))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	caller := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	config := testConfig(t, s.URL)
	client := clientOf(t, config, alipay.WithHTTPClient(caller))

	config = alipay.AlipayConfig{}
	caller.Timeout = time.Nanosecond
	caller.Transport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("the later transport") })
	caller.CheckRedirect = func(*http.Request, []*http.Request) error { panic("asked") }
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err, "later changes have no effect")
	assert.Empty(t, config)
}

func TestHostThatIsNotTheGatewayIsNamedInTheLog(t *testing.T) {
	for base, right := range map[string]string{"https://openapi.alipaydev.com": alipay.SandboxBaseURL, "https://openapi.alipay.cn/x": alipay.DefaultBaseURL, "https://proxy.example": "", "": "", alipay.SandboxBaseURL: ""} {
		var log lockedBuffer
		clientOf(t, testConfig(t, base), logTo(&log))
		if right == "" {
			assert.Empty(t, log.String(), base)
			continue
		}
		assert.Contains(t, log.String(), `level=WARN msg="alipay: base URL" app_id=2021000000000001 host=`+strings.Split(base, "/")[2], base)
		assert.Contains(t, log.String(), "use "+right, base)
	}
}

func TestCallersHTTPClientIsNeverModified(t *testing.T) {
	redirects := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 3}
	t.Cleanup(transport.CloseIdleConnections)
	before := reflect.ValueOf(transport.Clone()).Elem()
	caller := &http.Client{
		Transport: transport, Timeout: 5 * time.Second, Jar: countingJar{}, // a nil jar: any use of it would panic
		CheckRedirect: func(*http.Request, []*http.Request) error { redirects++; return nil },
	}
	client := clientOf(t, testConfig(t, s.URL), alipay.WithHTTPClient(caller))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrRedirect)
	assert.Zero(t, redirects, "redirects are refused without asking")
	assert.EqualValues(t, 1, s.requests.Load())

	assert.True(t, caller.Transport == http.RoundTripper(transport))
	assert.Equal(t, 5*time.Second, caller.Timeout)
	assert.Equal(t, countingJar{}, caller.Jar)
	assert.NotNil(t, caller.CheckRedirect)
	after := reflect.ValueOf(transport).Elem()
	for i := range after.NumField() {
		name, f := after.Type().Field(i).Name, after.Field(i)
		if !after.Type().Field(i).IsExported() || name == "TLSClientConfig" || name == "TLSNextProto" {
			continue // net/http fills these two in itself, at the first request
		}
		if f.Kind() == reflect.Func {
			assert.Equal(t, before.Field(i).IsNil(), f.IsNil(), name)
		} else {
			assert.Equal(t, before.Field(i).Interface(), f.Interface(), name)
		}
	}

	zero := &http.Client{}
	_, err = alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(zero), alipay.WithTimeout(time.Second))
	require.NoError(t, err)
	assert.Empty(t, *zero)
	_, err = alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(http.DefaultClient))
	require.NoError(t, err)
	assert.Empty(t, *http.DefaultClient)
}

type countingJar struct{ http.CookieJar }

func TestClientPrintsItsAppIDAndHost(t *testing.T) {
	client := newClient(t, "https://gateway.example/prefix")
	for verb, text := range printed(client) {
		if verb == "%T" {
			continue
		}
		assert.Contains(t, text, "2021000000000001", verb)
	}
	assert.Equal(t, "alipay.Client{2021000000000001 https://gateway.example}", fmt.Sprint(client))
	assert.Equal(t, "alipay.Client{}", fmt.Sprint(new(alipay.Client)))
}

func TestConcurrentCallersShareOneClient(t *testing.T) {
	t.Parallel()
	s, _ := checking(t, "", successBody)
	client := newClient(t, s.URL)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			if assert.NoError(t, err) {
				assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
			}
		})
	}
	all.Wait()
}

// TestNewClientOverASharedTransportIsSafeForConcurrentUse is for the race detector.
func TestNewClientOverASharedTransportIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := serve(t, signed(200, waitingBody), overTLS)
	shared := &http.Client{Transport: s.Client().Transport.(*http.Transport).Clone()}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			client := newClient(t, s.URL, alipay.WithHTTPClient(shared))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			assert.NoError(t, err)
		})
	}
	all.Wait()
}

func TestCloseIdleConnectionsClosesThem(t *testing.T) {
	t.Parallel()
	s := serve(t, signed(200, waitingBody))
	for name, opts := range map[string][]alipay.Option{
		"default":  nil,
		"caller's": {alipay.WithHTTPClient(&http.Client{Transport: &http.Transport{}})},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, s.URL, opts...)
			query := func() {
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				require.NoError(t, err)
			}
			query()
			s.opens(t, 0, query)
			s.opens(t, 1, func() { client.CloseIdleConnections(); query() })
		})
	}
}

func TestIdleConnectionsAreClosedThroughAWrapper(t *testing.T) {
	wrapper := &closer{RoundTripper: alipay.NewTransport()}
	newClient(t, "http://127.0.0.1:1", alipay.WithHTTPClient(&http.Client{Transport: wrapper})).CloseIdleConnections()
	assert.Equal(t, 1, wrapper.closed)
	(*alipay.Client)(nil).CloseIdleConnections()
	new(alipay.Client).CloseIdleConnections()
}

// closer is a wrapped transport that passes CloseIdleConnections on.
type closer struct {
	http.RoundTripper
	closed int
}

func (c *closer) CloseIdleConnections() { c.closed++ }

// TestWhichTimeoutApplies in virtual time: WithTimeout, else that of the caller's
// http.Client, else 10 s.
func TestWhichTimeoutApplies(t *testing.T) {
	skipBubbleUnderFIPS(t)
	assert.Equal(t, 10*time.Second, alipay.DefaultTimeout)
	assert.Equal(t, 5*time.Second, alipay.DownloadTimeout)
	silent := roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	within := func(timeout time.Duration) alipay.Option {
		return alipay.WithHTTPClient(&http.Client{Transport: silent, Timeout: timeout})
	}
	for name, tt := range map[string]struct {
		opts []alipay.Option
		want time.Duration
	}{
		"neither":                         {[]alipay.Option{within(0)}, alipay.PatientTimeout},
		"WithTimeout(0)":                  {[]alipay.Option{alipay.WithTimeout(0), within(0)}, alipay.PatientTimeout},
		"the client's, below 0":           {[]alipay.Option{within(-1)}, alipay.PatientTimeout},
		"the client's":                    {[]alipay.Option{within(7 * time.Second)}, 7 * time.Second},
		"WithTimeout":                     {[]alipay.Option{within(time.Hour), alipay.WithTimeout(7 * time.Second)}, 7 * time.Second},
		"WithTimeout before the client's": {[]alipay.Option{alipay.WithTimeout(7 * time.Second), within(time.Hour)}, 7 * time.Second},
		"a nanosecond":                    {[]alipay.Option{alipay.WithTimeout(1), within(time.Hour)}, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := newClient(t, "", tt.opts...)
			began := time.Now()
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			assert.Equal(t, tt.want, time.Since(began), name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
		})
	}
}

func TestTimeoutBoundsTheWholeCall(t *testing.T) {
	t.Parallel()
	slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	trickle := func(w http.ResponseWriter, r *http.Request) {
		signHeader(w.Header(), []byte(successBody), time.Now())
		for {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	for name, handler := range map[string]http.HandlerFunc{"before the answer": slow, "within the answer": trickle} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, handler, func(t *testing.T, transport *http.Transport) {
				client := newClient(t, "http://127.0.0.1", alipay.WithHTTPClient(&http.Client{Transport: transport}), alipay.WithTimeout(time.Second))
				began := time.Now()
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				assert.Equal(t, time.Second, time.Since(began))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
				var ended net.Error
				require.ErrorAs(t, err, &ended)
				assert.True(t, ended.Timeout())
			})
		})
	}
	t.Run("cancelled by the caller", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		arrived := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel(errors.New("because of " + testCertNo))
			<-r.Context().Done()
		})
		_, err := newClient(t, arrived.URL).ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.NotContains(t, err.Error(), testCertNo)
	})
	t.Run("with all attempts", func(t *testing.T) {
		s := serve(t, unsigned(429, ""))
		_, err := newClient(t, s.URL, alipay.WithTimeout(time.Minute),
			alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.EqualValues(t, 1, s.requests.Load(), "the first pause is longer than the timeout")
	})
}

func TestRetryAfterIsHonouredWithinTheDeadline(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
	})
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.EqualValues(t, 1, s.requests.Load(), "it does not wait for what cannot come in time")

	later := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(429)
	}
	bubble(t, []http.HandlerFunc{later, final}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, asked(), 2)
		assert.GreaterOrEqual(t, asked()[1]-asked()[0], time.Second)
	}, soon)

	var pauses []time.Duration
	bubble(t, []http.HandlerFunc{later, final}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, nil)
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.Zero(t, time.Since(began), "a pause that takes all of the context's time is not begun")
		assert.Len(t, asked(), 1)
		assert.Equal(t, []time.Duration{0}, pauses)
	}, soon, pausesTo(&pauses))
}

func TestPausesDoubleUpToMaxDelay(t *testing.T) {
	for name, tt := range map[string]struct {
		policy alipay.RetryPolicy
		steps  []time.Duration
	}{
		"of the policy": {alipay.RetryPolicy{MaxAttempts: 5, BaseDelay: time.Second, MaxDelay: 3 * time.Second, MaxTokens: -1},
			[]time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second, 0}},
		"by default": {alipay.RetryPolicy{MaxAttempts: 7, MaxTokens: -1},
			[]time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 2 * time.Second, 2 * time.Second, 0}},
		"three attempts by default": {alipay.RetryPolicy{}, []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var pauses []time.Duration
			bubble(t, []http.HandlerFunc{unsigned(429, "")}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				require.ErrorIs(t, err, alipay.ErrNotDelivered)
				assert.Contains(t, err.Error(), fmt.Sprintf("[attempts %d]", len(tt.steps)))
				require.Len(t, pauses, len(tt.steps))
				total := time.Duration(0)
				for i, step := range tt.steps {
					assert.GreaterOrEqual(t, pauses[i], step/2, "pause %d", i+1)
					assert.LessOrEqual(t, pauses[i], step, "pause %d", i+1)
					total += pauses[i]
				}
				assert.Equal(t, total, asked()[len(tt.steps)-1]-asked()[0], "they are kept")
			}, alipay.WithRetryPolicy(tt.policy), alipay.WithTimeout(time.Hour), pausesTo(&pauses))
		})
	}
}

func TestCancelDuringAPauseSatisfiesTheContextError(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(429)
	})
	ctx, cancel := context.WithCancel(t.Context())
	pausing := alipay.WithObserver(alipay.Observer{AttemptDone: func(_ context.Context, attempt alipay.AttemptInfo) {
		assert.Positive(t, attempt.Pause)
		cancel()
	}})
	_, err := newClient(t, s.URL, pausing).ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, alipay.ErrNotDelivered)
	var apiErr *alipay.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, 429, apiErr.StatusCode)
	var failed *alipay.CallError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, []any{"GET", jobworthPath, 429, 1, apiErr.RequestID}, []any{failed.Method, failed.Path, failed.StatusCode, failed.Attempts, failed.RequestID}, "of the last attempt")
	assert.False(t, alipay.Retryable(err))
}

// TestCancelledCallsDoNotDrawOnTheRetryBudget: only what the gateway or the
// network refused draws on the budget.
func TestCancelledCallsDoNotDrawOnTheRetryBudget(t *testing.T) {
	t.Parallel()
	var n int
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			w.WriteHeader(429)
			return
		}
		answer(w, 200, successBody)
	})
	client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond, MaxTokens: 4}))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(gone, testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
	}
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err, "the retry was allowed")
	assert.Equal(t, 2, n)
}

// TestRetryBudgetIsSharedByAllCallsOfAClient: at MaxTokens 4 two failed attempts
// leave half, and half is not enough. 0 means 10.
func TestRetryBudgetIsSharedByAllCallsOfAClient(t *testing.T) {
	t.Parallel()
	for maxTokens, want := range map[float64]int64{4: 11, 1: 10, 0: 14, -1: 30} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) })
		client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Microsecond, MaxTokens: maxTokens}))
		for range 10 {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
		}
		assert.Equal(t, want, s.requests.Load(), "MaxTokens %v", maxTokens)
	}
}

// TestThrottledClientCausesNoRetryStorm is the simulation of internal/backoff
// with a whole client, for one of its cells.
func TestThrottledClientCausesNoRetryStorm(t *testing.T) {
	t.Parallel()
	n := 0
	half := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			unsigned(429, "")(w, r)
			return
		}
		final(w, r)
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		most    int
	}{"everything": {unsigned(429, ""), 72}, "half": {half, 75}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []http.HandlerFunc{tt.handler}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
				for second := range 60 {
					time.Sleep(time.Duration(second)*time.Second - time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
					_, _ = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				}
				assert.Greater(t, len(asked()), 62, "some are repeated")
				assert.LessOrEqual(t, len(asked()), tt.most)
			}, alipay.WithRetryPolicy(alipay.RetryPolicy{}))
		})
	}
}

func TestNoGoroutineOutlivesACall(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("wires", func(t *testing.T) {
		for _, wire := range wires {
			t.Run(wire.name, func(t *testing.T) {
				t.Parallel()
				gateway, err := alipaytest.StartGateway(wire.gateway...)
				require.NoError(t, err)
				client := gatewayClient(t, gateway, gateway.Config(), wire.caller, once)
				for _, fault := range alipaytest.Faults() {
					gateway.Inject(fault, 1)
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
					_, _ = client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
					cancel()
					gateway.ClearFaults()
				}
				client.CloseIdleConnections()
				require.NoError(t, gateway.Close())
			})
		}
	})
	// Those of connections end a moment after their connection.
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

func TestDoChangesOutOnlyOnSuccess(t *testing.T) {
	client := newClient(t, serve(t, signed(200, `{"a":1,"b":"x"}`)).URL)
	out := struct {
		A    int
		Kept string
	}{A: 7, Kept: "here"}
	_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &out)
	require.NoError(t, err)
	assert.Equal(t, 1, out.A)
	assert.Equal(t, "here", out.Kept, "decoded over what was there, as encoding/json does")

	bad := struct{ A, B int }{A: 7}
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &bad)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.Equal(t, 7, bad.A, "the first member fitted, the second did not")
	held := &struct{ A, B int }{A: 7}
	var behind any = held
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &behind)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.Equal(t, 7, held.A, "nor behind an interface")
}

func TestHeartbeatMakesASignedCallThatDoesNothing(t *testing.T) {
	s, last := checking(t, "", `{"pid":"2088"}`)
	client := newClient(t, s.URL)
	require.NoError(t, client.Heartbeat(t.Context()))
	assert.Equal(t, "POST /v3/monitor/heartbeat/syn", last().method+" "+last().target)
	assert.JSONEq(t, `{"biz_content":"{}"}`, last().body)
	refused := newClient(t, serve(t, unsigned(401, `{"code":"invalid-signature"}`)).URL)
	require.ErrorIs(t, refused.Heartbeat(t.Context()), alipay.CodeInvalidSignature)
	assertArgument(t, new(alipay.Client).Heartbeat(t.Context()), "Client")

	gateway := alipaytest.NewGateway(t)
	rotated := certClient(t, gateway)
	gateway.RotateCertificate()
	form := gateway.SignNotification(message())
	_, err := rotated.VerifyNotification(form)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	require.NoError(t, rotated.Heartbeat(t.Context()))
	_, err = rotated.VerifyNotification(form)
	require.NoError(t, err, "any call fetches the new certificate")
}

func TestRequestDefaultsApplyToEveryCallAndItsOwnOptionsWin(t *testing.T) {
	s, last := checking(t, "", `{}`)
	client := newClient(t, s.URL,
		alipay.WithRequestDefaults(alipay.WithAppAuthToken("default"), alipay.WithHeader("X-Tenant", "1"), nil),
		alipay.WithRequestDefaults(alipay.WithQueryParam("a", "1"), alipay.WithQueryParam("b", "1")))
	_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
	require.NoError(t, err)
	assert.Equal(t, "default", last().header.Get("alipay-app-auth-token"))
	assert.Equal(t, "1", last().header.Get("X-Tenant"))
	assert.Equal(t, "/v3/x?a=1&b=1", last().target)
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil, alipay.WithAppAuthToken(""), alipay.WithHeader("X-Tenant", "2"), alipay.WithQueryParam("b", "2"))
	require.NoError(t, err)
	assert.Empty(t, last().header.Values("alipay-app-auth-token"))
	assert.Equal(t, "2", last().header.Get("X-Tenant"))
	assert.Equal(t, "/v3/x?a=1&b=2", last().target)

	for reason, opt := range map[string]alipay.RequestOption{
		"WithHeader: this header cannot be set by the caller": alipay.WithHeader("Authorization", "secret"),
		"a request id belongs to one call":                    alipay.WithRequestID("x"),
	} {
		_, err := alipay.NewClient(testConfig(t, s.URL), alipay.WithRequestDefaults(opt))
		var mistake *alipay.ConfigError
		require.ErrorAs(t, err, &mistake)
		assert.Equal(t, alipay.ConfigError{Field: "WithRequestDefaults", Reason: reason}, *mistake)
	}
}
