package alipay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func TestWaitForResultAsksUntilTheAnswerIsFinal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		polls int64
	}{
		"final at once":                  {[]http.HandlerFunc{final}, 1},
		"after three":                    {[]http.HandlerFunc{waiting, waiting, waiting, final}, 4},
		"a lost poll is not the end":     {[]http.HandlerFunc{waiting, hangUp, final}, 3},
		"a 5xx is not the end":           {[]http.HandlerFunc{unsigned(502, "<html>"), final}, 2},
		"a throttled poll is not either": {[]http.HandlerFunc{unsigned(429, ""), final}, 2},
		"an unsigned answer is lost":     {[]http.HandlerFunc{unsigned(200, waitingBody), final}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t, tt.steps...)
			got, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), quickly)
			require.NoError(t, err)
			assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
			assert.Equal(t, tt.polls, s.requests.Load())
		})
	}
}

func TestTokenInvalidAfterALostPollIsOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		doubt bool
	}{
		"at once":                       {[]http.HandlerFunc{tokenInvalid}, false},
		"after waiting":                 {[]http.HandlerFunc{waiting, tokenInvalid}, false},
		"after a lost poll":             {[]http.HandlerFunc{hangUp, tokenInvalid}, true},
		"after a 5xx":                   {[]http.HandlerFunc{waiting, unsigned(500, ""), tokenInvalid}, true},
		"lost, throttled, then invalid": {[]http.HandlerFunc{hangUp, unsigned(429, ""), tokenInvalid}, true},
		"lost, waiting in between":      {[]http.HandlerFunc{hangUp, waiting, tokenInvalid}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t, tt.steps...)
			got, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), quickly)
			assert.Nil(t, got)
			require.ErrorIs(t, err, alipay.CodeTokenInvalid)
			assert.Equal(t, tt.doubt, errors.Is(err, alipay.ErrOutcomeUnknown))
			assert.NotErrorIs(t, err, alipay.ErrNotDelivered)
			var apiErr *alipay.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.EqualValues(t, len(tt.steps), s.requests.Load())
		})
	}
}

func TestWaitForResultReturnsTheLastAnswerWhenItsTimeEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps  []http.HandlerFunc
		answer bool
		want   string
		says   string
	}{
		"still waiting":         {[]http.HandlerFunc{waiting}, true, "answered", "the last answer was WAITING_VERIFY"},
		"the last poll lost":    {[]http.HandlerFunc{waiting, hangUp}, true, "unknown", "a poll was lost (waiting for the answer of 127.0.0.1:80: the connection was closed before an answer came)"},
		"every poll lost":       {[]http.HandlerFunc{hangUp}, false, "unknown", "a poll was lost (waiting for the answer of 127.0.0.1:80: the connection was closed"},
		"every poll unsigned":   {[]http.HandlerFunc{unsigned(200, "<html>")}, false, "unknown", "a poll was lost (HTTP status 200: the answer is not signed: Content-Type text/html, Server none)"},
		"every poll a 502":      {[]http.HandlerFunc{unsigned(502, "<html>")}, false, "unknown", "a poll was lost (HTTP status 502 without an error code: Content-Type text/html, Server none)"},
		"every poll refused":    {[]http.HandlerFunc{unsigned(429, "")}, false, "not delivered", "no poll was delivered (HTTP status 429"},
		"refused after waiting": {[]http.HandlerFunc{waiting, unsigned(429, "")}, true, "answered", "the last answer was WAITING_VERIFY, and no later poll was delivered (HTTP status 429"},
		"waiting again":         {[]http.HandlerFunc{waiting, unsigned(429, ""), waiting}, true, "answered", "the last answer was WAITING_VERIFY: "},
	} {
		policy := alipay.PollPolicy{Initial: time.Second, Max: time.Second, Timeout: 20 * time.Second}
		ends := map[string]struct {
			policy alipay.PollPolicy
			err    error
		}{
			"Timeout": {policy, context.DeadlineExceeded},
			"cancel":  {alipay.PollPolicy{Initial: time.Second, Max: time.Second}, context.Canceled},
		}
		for end, e := range ends {
			t.Run(name+", "+end, func(t *testing.T) {
				bubble(t, tt.steps, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
					ctx, cancel := context.WithCancel(t.Context())
					if e.err == context.Canceled {
						time.AfterFunc(policy.Timeout, cancel)
					}
					defer cancel()
					began := time.Now()
					got, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, testParams(), e.policy)
					assert.Equal(t, policy.Timeout, time.Since(began))
					require.ErrorIs(t, err, alipay.ErrStillWaiting)
					require.ErrorIs(t, err, e.err)
					assert.Equal(t, tt.answer, got != nil)
					if got != nil {
						assert.Equal(t, alipay.IdentityResultWaitingVerify, got.IdentityResult)
					}
					assert.Equal(t, tt.want, meaning(t, err))
					assert.Contains(t, err.Error(), tt.says)
					assert.NotContains(t, err.Error(), "<html>")
					n := len(asked())
					assert.GreaterOrEqual(t, n, 20)
					assert.LessOrEqual(t, n, 40)
				})
			})
		}
	}
}

func TestPollCutOffByTheEndOfTheWaitIsLost(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, tt := range map[string]struct {
		first     http.HandlerFunc
		cancelled bool
		says      string
	}{
		"after waiting":               {waiting, false, "a poll was lost ("},
		"after a lost one":            {hangUp, false, "a poll was lost (waiting for the answer of 127.0.0.1:80: the connection was closed before an answer came)"},
		"after a lost one, cancelled": {hangUp, true, "a poll was lost (waiting for the answer of 127.0.0.1:80: the connection was closed before an answer came)"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []http.HandlerFunc{tt.first, hang}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				want := context.DeadlineExceeded
				if tt.cancelled {
					want = context.Canceled
					time.AfterFunc(3*time.Second, cancel)
				}
				got, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, testParams(), alipay.PollPolicy{Timeout: 5 * time.Second})
				assert.Equal(t, name == "after waiting", got != nil)
				require.ErrorIs(t, err, alipay.ErrStillWaiting)
				require.ErrorIs(t, err, want)
				assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
				assert.Contains(t, err.Error(), tt.says, "what the end of the wait met says nothing new")
				assert.Len(t, asked(), 2)
			})
		})
	}
}

func TestFirstPollIsImmediateAndPausesGrow(t *testing.T) {
	t.Parallel()
	bubble(t, []http.HandlerFunc{waiting}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
		began := time.Now()
		_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{})
		require.ErrorIs(t, err, alipay.ErrStillWaiting)
		assert.Equal(t, 10*time.Minute, time.Since(began))
		times := asked()
		assert.Zero(t, times[0])
		step := time.Second
		for i := 1; i < len(times); i++ {
			pause := times[i] - times[i-1]
			assert.GreaterOrEqual(t, pause, step/2)
			assert.LessOrEqual(t, pause, step)
			step = min(2*step, 15*time.Second)
		}
		assert.InDelta(t, 60, len(times), 20, "in 10 min")
	})
}

// TestAnswerThatCanNeverBeAcceptedEndsTheWait: a second of waiting under an
// unknown certificate once made 22 requests, and each could have been the one
// that spent the token.
func TestAnswerThatCanNeverBeAcceptedEndsTheWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		cause   error
	}{
		"another key":    {signedBySwapped(t, successBody), alipay.ErrResponseSignature},
		"cannot decrypt": {encrypted(newAESKey, successBody), alipay.ErrDecrypt},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []http.HandlerFunc{waiting, tt.handler}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
				got, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{})
				assert.Nil(t, got)
				require.ErrorIs(t, err, tt.cause)
				assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
				assert.NotErrorIs(t, err, alipay.ErrStillWaiting)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				require.NotNil(t, sealedIn(err))
				assert.Len(t, asked(), 2)
			})
		})
	}
	t.Run("an unknown certificate", func(t *testing.T) {
		gateway := alipaytest.NewGateway(t)
		client := certClient(t, gateway, alipay.WithCertificateDownload(false))
		gateway.RotateCertificate()
		gateway.SetResult(testToken, alipaytest.Result{WaitingPolls: 100})
		_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Initial: time.Millisecond, Max: time.Millisecond})
		require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
		assert.NotErrorIs(t, err, alipay.ErrStillWaiting)
		require.NotNil(t, sealedIn(err))
		assert.Len(t, gateway.Requests(), 1)
	})
	t.Run("but one that was altered on the way is lost", func(t *testing.T) {
		bubble(t, []http.HandlerFunc{tampered(200, waitingBody, "alipay-nonce", "other"), final}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
			_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{})
			require.NoError(t, err)
			assert.Len(t, asked(), 2)
		})
	})
}

// TestWaitKeepsTheLastSignedAnswer to a poll that was lost, for as long as it may
// be the result.
func TestWaitKeepsTheLastSignedAnswer(t *testing.T) {
	t.Parallel()
	stale, staleWaiting := dated(200, -time.Hour), func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(waitingBody), time.Now().Add(-time.Hour))
		_, _ = io.WriteString(w, waitingBody)
	}
	foreign := signedBySwapped(t, successBody)
	cached := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Age", "60")
		final(w, r)
	}
	altered := func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(waitingBody), time.Now())
		_, _ = io.WriteString(w, successBody)
	}
	for name, tt := range map[string]struct {
		steps   []http.HandlerFunc
		want    alipay.IdentityResult // "" for none
		swapped bool                  // signed with the other key
		err     error
	}{
		"the token is spent":                {[]http.HandlerFunc{staleWaiting, tokenInvalid}, alipay.IdentityResultWaitingVerify, false, alipay.CodeTokenInvalid},
		"another refusal":                   {[]http.HandlerFunc{staleWaiting, signed(403, `{"code":"USER_NOT_AUTHORIZE"}`)}, alipay.IdentityResultWaitingVerify, false, alipay.CodeUserNotAuthorize},
		"lost again":                        {[]http.HandlerFunc{staleWaiting, hangUp}, alipay.IdentityResultWaitingVerify, false, alipay.ErrStillWaiting},
		"refused for load":                  {[]http.HandlerFunc{staleWaiting, unsigned(429, "")}, alipay.IdentityResultWaitingVerify, false, alipay.ErrStillWaiting},
		"one accepted later":                {[]http.HandlerFunc{staleWaiting, waiting, hangUp}, alipay.IdentityResultWaitingVerify, false, alipay.ErrStillWaiting},
		"a result, which ends the wait":     {[]http.HandlerFunc{staleWaiting, stale, tokenInvalid}, alipay.IdentityResultSuccess, false, alipay.ErrResponseStale},
		"one that the keys cannot verify":   {[]http.HandlerFunc{staleWaiting, foreign, tokenInvalid}, alipay.IdentityResultSuccess, true, alipay.ErrResponseSignature},
		"a result from a cache, likewise":   {[]http.HandlerFunc{cached, waiting, tokenInvalid}, alipay.IdentityResultSuccess, false, alipay.ErrResponseReplayed},
		"WAITING_VERIFY that is in a cache": {[]http.HandlerFunc{altered, staleWaiting, tokenInvalid}, "altered", false, alipay.CodeTokenInvalid},
		"nothing came":                      {[]http.HandlerFunc{hangUp, tokenInvalid}, "", false, alipay.CodeTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tt.steps, func(t *testing.T, client *alipay.Client, _ func() []time.Duration) {
				_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Timeout: time.Minute})
				require.ErrorIs(t, err, tt.err)
				answer := sealedIn(err)
				switch tt.want {
				case "":
					assert.Nil(t, answer)
					return
				case "altered": // it stays, since the other is known to say WAITING_VERIFY
					_, err := newClient(t, "http://127.0.0.1").ZhimaCustomerJobworthAuthentication.Open(answer)
					require.ErrorIs(t, err, alipay.ErrResponseAltered)
					return
				}
				assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
				config := testConfig(t, "")
				if tt.swapped {
					config = swapped(t, "")
				}
				later, err := alipay.NewClient(config, alipay.WithMaxClockSkew(2*time.Hour))
				require.NoError(t, err)
				got, err := later.ZhimaCustomerJobworthAuthentication.Open(stored(t, answer))
				require.NoError(t, err)
				assert.Equal(t, tt.want, got.IdentityResult)
			})
		})
	}
}

func TestRefusalEndsTheWait(t *testing.T) {
	s := script(t, waiting, signed(400, `{"code":"USER_NOT_AUTHORIZE"}`))
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), quickly)
	require.ErrorIs(t, err, alipay.CodeUserNotAuthorize)
	assert.NotErrorIs(t, err, alipay.ErrStillWaiting)
	assert.EqualValues(t, 2, s.requests.Load())
}

func TestCallThatCannotBeSentEndsTheWait(t *testing.T) {
	s := script(t, waiting)
	service := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication
	_, err := service.WaitForResult(t.Context(), testParams(), quickly, alipay.WithRequestID("not valid"))
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.NotErrorIs(t, err, alipay.ErrStillWaiting)
	for _, policy := range []alipay.PollPolicy{{Initial: -1}, {Max: -1}, {Timeout: -1}} {
		got, err := service.WaitForResult(t.Context(), testParams(), policy)
		assertArgument(t, err, "PollPolicy")
		assert.Nil(t, got)
	}
	_, err = service.WaitForResult(noContext, testParams(), quickly)
	assertArgument(t, err, "ctx")
	_, err = alipay.WaitForResult(t.Context(), nil, testParams(), quickly)
	assertArgument(t, err, "querier")
	assert.Zero(t, s.requests.Load())
}

func TestWaitWithAnEndedContextSendsNothing(t *testing.T) {
	s := script(t, final)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, testParams(), quickly)
	assert.Nil(t, got)
	require.ErrorIs(t, err, alipay.ErrStillWaiting)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.Zero(t, s.requests.Load())
}

func TestPauseLongerThanTheTimeoutEndsWithIt(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]alipay.PollPolicy{
		"the default pause": {Timeout: 100 * time.Millisecond},
		"an hour":           {Initial: time.Hour, Max: time.Hour, Timeout: 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []http.HandlerFunc{waiting}, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
				began := time.Now()
				got, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
				assert.Equal(t, policy.Timeout, time.Since(began))
				require.NotNil(t, got)
				require.ErrorIs(t, err, alipay.ErrStillWaiting)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, alipay.OutcomePending, alipay.OutcomeOf(err))
				assert.Len(t, asked(), 1)
			})
		})
	}
	t.Run("no end in sight", func(t *testing.T) {
		bubble(t, []http.HandlerFunc{waiting, final}, func(t *testing.T, client *alipay.Client, _ func() []time.Duration) {
			_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Timeout: math.MaxInt64})
			require.NoError(t, err)
		})
	})
}

func TestErrorOfTheLastPollStaysReachable(t *testing.T) {
	t.Parallel()
	policy := alipay.PollPolicy{Timeout: time.Minute}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"altered":      {tampered(200, successBody, "alipay-nonce", "other"), alipay.ErrResponseAltered},
		"redirect":     {redirect(302), alipay.ErrRedirect},
		"SYSTEM_ERROR": {signed(500, `{"code":"SYSTEM_ERROR"}`), alipay.CodeSystemError},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []http.HandlerFunc{tt.handler}, func(t *testing.T, client *alipay.Client, _ func() []time.Duration) {
				_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
				require.ErrorIs(t, err, alipay.ErrStillWaiting)
				assert.Equal(t, "unknown", meaning(t, err))
				assert.ErrorIs(t, err, tt.want)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
	t.Run("no connection", func(t *testing.T) {
		inBubble(t, nil, func(t *testing.T, transport *http.Transport) {
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			client := newClient(t, "http://127.0.0.1", alipay.WithHTTPClient(&http.Client{Transport: transport}), once)
			_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
			require.ErrorIs(t, err, alipay.ErrStillWaiting)
			assert.Equal(t, "not delivered", meaning(t, err))
			assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	})
	t.Run("beside TOKEN_INVALID", func(t *testing.T) {
		s := script(t, signed(500, `{"code":"SYSTEM_ERROR"}`), tokenInvalid)
		_, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), quickly)
		require.ErrorIs(t, err, alipay.CodeTokenInvalid)
		require.ErrorIs(t, err, alipay.CodeSystemError)
		var apiErr *alipay.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, alipay.CodeTokenInvalid, apiErr.Code, "the last one first")
	})
}

// TestEveryPollHasItsOwnRequestID, also where the caller gave one.
func TestEveryPollHasItsOwnRequestID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 32)
	for given, want := range map[string][]string{
		"order-4711": {"order-4711", "order-4711-2", "order-4711-3"},
		long:         {long, long[:30] + "-2", long[:30] + "-3"},
	} {
		var ids []string
		record := func(next http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				ids = append(ids, r.Header.Get("alipay-request-id"))
				next(w, r)
			}
		}
		opts := []alipay.RequestOption{alipay.WithRequestID(given), alipay.WithHeader("X-A", "1")}
		bubble(t, []http.HandlerFunc{record(waiting), record(waiting), record(final)}, func(t *testing.T, client *alipay.Client, _ func() []time.Duration) {
			got, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{}, opts[:1:2]...)
			require.NoError(t, err)
			assert.Equal(t, want[2], got.Meta.RequestID)
		})
		assert.Equal(t, want, ids)
		assert.NotNil(t, opts[1], "the caller's slice is left alone")
	}
}

// TestAnyEndAfterALostPollIsOutcomeUnknown: what was lost may have been the
// result. That the last poll was not delivered must not hide it.
func TestAnyEndAfterALostPollIsOutcomeUnknown(t *testing.T) {
	cause := errors.New("the KMS says no")
	var signing atomic.Int64
	signer := signerThatMay(t, func() error {
		if signing.Add(1) > 1 {
			return cause
		}
		return nil
	})
	s := script(t, hangUp)
	config := testConfig(t, s.URL)
	config.PrivateKey, config.Signer = "", signer
	client := clientOf(t, config)
	_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), quickly)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.NotErrorIs(t, err, alipay.ErrNotDelivered)
	assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
	assert.False(t, alipay.Retryable(err))
	assert.ErrorIs(t, err, cause)
	assert.NotContains(t, err.Error(), cause.Error())
	assert.Contains(t, err.Error(), "an earlier answer was lost (waiting for the answer of ")

	for name, tt := range map[string]struct {
		last error
		says string
	}{
		"a refusal":             {&alipay.APIError{StatusCode: 403, Code: alipay.CodeUserNotAuthorize}, "and asking again ended with: USER_NOT_AUTHORIZE (403); outcome unknown"},
		"the token is spent":    {&alipay.APIError{StatusCode: 400, Code: alipay.CodeTokenInvalid}, "and now the token is spent: the result was probably delivered and lost: TOKEN_INVALID (400); outcome unknown"},
		"a code alone":          {alipay.CodeTokenInvalid, "and now the token is spent: the result was probably delivered and lost: TOKEN_INVALID; outcome unknown"},
		"an argument's mistake": {errors.Join(&alipay.ArgumentError{Argument: "x"}, alipay.ErrNotDelivered), "and asking again ended with *errors.joinError; outcome unknown"},
	} {
		synctest.Test(t, func(t *testing.T) {
			polls := 0
			_, err := alipay.WaitForResult(t.Context(), alipaytest.StubQuerier{QueryFunc: func(context.Context, *alipay.QueryParams, ...alipay.RequestOption) (*alipay.QueryResponse, error) {
				if polls++; polls == 1 {
					return nil, errors.New("whatever: nothing is known of it")
				}
				return nil, tt.last
			}}, nil, alipay.PollPolicy{})
			assert.Equal(t, "unknown", meaning(t, err), name)
			assert.Contains(t, err.Error(), "alipay: an earlier answer was lost (*errors.errorString), "+tt.says, name)
			assert.Contains(t, mustJSON(t, err), `"outcome":"unknown"`, name)
			assert.Equal(t, 2, polls)
			assert.NotContains(t, err.Error(), "whatever")
		})
	}
}

func TestQuerierThatReturnsNothingIsOutcomeUnknown(t *testing.T) {
	polls := 0
	got, err := alipay.WaitForResult(t.Context(), alipaytest.StubQuerier{QueryFunc: func(context.Context, *alipay.QueryParams, ...alipay.RequestOption) (*alipay.QueryResponse, error) {
		polls++
		return nil, nil
	}}, nil, quickly)
	assert.Nil(t, got)
	assert.ErrorContains(t, err, "the querier returned neither an answer nor an error")
	assert.Equal(t, "unknown", meaning(t, err))
	assert.Equal(t, 1, polls)
}

// TestFinalErrorOfAWaitIsReturnedUnchanged where an earlier poll has left no
// answer that it lacks.
func TestFinalErrorOfAWaitIsReturnedUnchanged(t *testing.T) {
	for name, want := range map[string]error{
		"no answer came": fmt.Errorf("of another querier: %w", alipay.ErrDecrypt),
		"one of its own": errors.Join(alipay.ErrDecrypt, &alipay.CallError{Answer: oneSealed(t)}),
	} {
		_, err := alipay.WaitForResult(t.Context(), alipaytest.StubQuerier{QueryFunc: func(context.Context, *alipay.QueryParams, ...alipay.RequestOption) (*alipay.QueryResponse, error) {
			return nil, want
		}}, nil, quickly)
		assert.Same(t, want, err, name)
	}
}

// TestAnswerKeptByAnEarlierPollIsInTheFinalError where that one has none.
func TestAnswerKeptByAnEarlierPollIsInTheFinalError(t *testing.T) {
	kept, polls := oneSealed(t), 0
	final := fmt.Errorf("of another querier: %w, %w", alipay.ErrDecrypt, &alipay.CallError{TraceID: "the last one's"})
	_, err := alipay.WaitForResult(t.Context(), alipaytest.StubQuerier{QueryFunc: func(context.Context, *alipay.QueryParams, ...alipay.RequestOption) (*alipay.QueryResponse, error) {
		if polls++; polls == 1 {
			return nil, &alipay.CallError{Answer: kept}
		}
		return nil, final
	}}, nil, quickly)
	require.ErrorIs(t, err, final)
	assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
	assert.Same(t, kept, sealedIn(err))
	failed, ok := errors.AsType[*alipay.CallError](err)
	require.True(t, ok)
	assert.Equal(t, "the last one's", failed.TraceID)
	assert.Equal(t, 2, polls)
}

// TestErrorOfAWaitNamesItsLastPoll: address, status and the ids that Alipay's
// support asks for are those of the poll that it ended with. One that ends with
// an answer of waiting has that answer's ids.
func TestErrorOfAWaitNamesItsLastPoll(t *testing.T) {
	t.Parallel()
	staleWaiting := func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(waitingBody), time.Now().Add(-time.Hour))
		_, _ = io.WriteString(w, waitingBody)
	}
	foreignRefusal := func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), appKey(t), "", "{}", time.Now())
		w.Header().Set("alipay-trace-id", "of the foreign one")
		w.WriteHeader(400)
		_, _ = io.WriteString(w, "{}")
	}
	for name, tt := range map[string]struct {
		steps   []http.HandlerFunc
		trace   string
		status  int
		waiting bool
	}{
		"the token is spent":    {[]http.HandlerFunc{hangUp, tampered(400, `{"code":"TOKEN_INVALID"}`, "alipay-trace-id", "of the refusal")}, "of the refusal", 400, false},
		"with an answer kept":   {[]http.HandlerFunc{staleWaiting, foreignRefusal}, "of the foreign one", 400, false},
		"the last one lost":     {[]http.HandlerFunc{waiting, hangUp}, "", 0, false},
		"a 502":                 {[]http.HandlerFunc{waiting, unsigned(502, "")}, "trace-1", 502, false},
		"none delivered":        {[]http.HandlerFunc{unsigned(429, "")}, "trace-1", 429, false},
		"waiting, refused then": {[]http.HandlerFunc{waiting, unsigned(429, "")}, "21140000test", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tt.steps, func(t *testing.T, client *alipay.Client, asked func() []time.Duration) {
				_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Timeout: time.Minute}, alipay.WithRequestID("id"))
				var failed *alipay.CallError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, tt.trace, failed.TraceID)
				assert.Equal(t, 1, failed.Attempts)
				if tt.waiting {
					assert.Equal(t, "id", failed.RequestID)
					return
				}
				assert.Equal(t, "id-"+strconv.Itoa(len(asked())), failed.RequestID)
				assert.Equal(t, tt.status, failed.StatusCode)
				assert.Equal(t, "GET 127.0.0.1"+jobworthPath, failed.Method+" "+failed.Host+failed.Path)
				assert.Contains(t, err.Error(), "[app 2021000000000001]")
			})
		})
	}
}

// TestWaitKeepsWhatMayStillBeOpened: an answer that can never be opened does not
// take the place of one that may be.
func TestWaitKeepsWhatMayStillBeOpened(t *testing.T) {
	t.Parallel()
	another := signed(200, resultOf("2088000000000001"))
	altered := tampered(200, successBody, "alipay-nonce", "other")
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		open  error
	}{
		"altered after another's": {[]http.HandlerFunc{another, altered, tokenInvalid}, alipay.ErrResponseMismatch},
		"another's after altered": {[]http.HandlerFunc{altered, another, tokenInvalid}, alipay.ErrResponseMismatch},
		"only altered":            {[]http.HandlerFunc{altered, tokenInvalid}, alipay.ErrResponseAltered},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tt.steps, func(t *testing.T, client *alipay.Client, _ func() []time.Duration) {
				_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Timeout: time.Minute})
				require.ErrorIs(t, err, alipay.CodeTokenInvalid)
				_, err = client.ZhimaCustomerJobworthAuthentication.Open(stored(t, sealedIn(err)))
				require.ErrorIs(t, err, tt.open)
				assert.Equal(t, tt.open == alipay.ErrResponseAltered, errors.Is(err, alipay.ErrResponseAltered))
			})
		})
	}
}

func TestWaitKeepsTheLaterOfTwoAnswersThatSayAsMuch(t *testing.T) {
	t.Parallel()
	steps := []http.HandlerFunc{signed(200, resultOf("2088000000000001")), signed(200, resultOf("2088000000000003")), tokenInvalid}
	bubble(t, steps, func(t *testing.T, client *alipay.Client, _ func() []time.Duration) {
		_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Timeout: time.Minute})
		got, err := client.ZhimaCustomerJobworthAuthentication.Open(stored(t, sealedIn(err)), alipay.WithoutUserCheck())
		require.NoError(t, err)
		assert.Equal(t, "2088000000000003", got.UserID)
	})
}
