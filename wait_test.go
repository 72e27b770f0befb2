package alipay_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// script answers the first polls as listed and all later ones as the last says.
func script(t testing.TB, steps ...http.HandlerFunc) *server {
	var n atomic.Int64
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		steps[min(int(n.Add(1)), len(steps))-1](w, r)
	})
}

// hangUp reads a request and drops its connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

var (
	waiting      = signed(200, waitingBody)
	final        = signed(200, successBody)
	tokenInvalid = signed(400, `{"code":"TOKEN_INVALID","message":"token无效"}`)
	quickly      = alipay.PollPolicy{Initial: time.Millisecond, Max: 2 * time.Millisecond}
	once         = alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1})
)

func TestWaitForResultAsksUntilTheAnswerIsFinal(t *testing.T) {
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

func TestTokenInvalidAfterALostPollIsDoubt(t *testing.T) {
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		doubt bool
	}{
		"at once":                        {[]http.HandlerFunc{tokenInvalid}, false},
		"after waiting":                  {[]http.HandlerFunc{waiting, tokenInvalid}, false},
		"after a lost poll":              {[]http.HandlerFunc{hangUp, tokenInvalid}, true},
		"after a 5xx":                    {[]http.HandlerFunc{waiting, unsigned(500, ""), tokenInvalid}, true},
		"lost, throttled, then invalid":  {[]http.HandlerFunc{hangUp, unsigned(429, ""), tokenInvalid}, true},
		"lost, waiting clears the doubt": {[]http.HandlerFunc{hangUp, waiting, tokenInvalid}, false},
		"cleared, then lost again":       {[]http.HandlerFunc{hangUp, waiting, hangUp, tokenInvalid}, true},
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
	for name, tt := range map[string]struct {
		steps  []http.HandlerFunc
		answer bool
		want   string
	}{
		"still waiting":      {[]http.HandlerFunc{waiting}, true, "no"},
		"the last poll lost": {[]http.HandlerFunc{waiting, hangUp}, true, "unknown"},
		"every poll lost":    {[]http.HandlerFunc{hangUp}, false, "unknown"},
		"every poll refused": {[]http.HandlerFunc{unsigned(429, "")}, false, "not delivered"},
	} {
		policy := alipay.PollPolicy{Initial: time.Millisecond, Max: time.Millisecond, Timeout: 150 * time.Millisecond}
		ends := map[string]struct {
			ctx    func() context.Context
			policy alipay.PollPolicy
			err    error
		}{
			"Timeout": {func() context.Context { return t.Context() }, policy, context.DeadlineExceeded},
			"cancel": {func() context.Context {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(150*time.Millisecond, cancel)
				return ctx
			}, quickly, context.Canceled},
		}
		for end, e := range ends {
			t.Run(name+", "+end, func(t *testing.T) {
				s := script(t, tt.steps...)
				got, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.WaitForResult(e.ctx(), testParams(), e.policy)
				require.ErrorIs(t, err, alipay.ErrStillWaiting)
				require.ErrorIs(t, err, e.err)
				if tt.answer {
					require.NotNil(t, got)
					assert.Equal(t, alipay.IdentityResultWaitingVerify, got.IdentityResult)
				} else {
					assert.Nil(t, got)
				}
				// The end may fall into a poll, which is then lost.
				if m := meaning(t, err); m != tt.want {
					assert.Equal(t, "unknown", m)
				}
			})
		}
	}
}

func TestAnAnswerOfNoEndsTheWait(t *testing.T) {
	s := script(t, waiting, signed(400, `{"code":"USER_NOT_AUTHORIZE"}`))
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), quickly)
	require.ErrorIs(t, err, alipay.CodeUserNotAuthorize)
	assert.NotErrorIs(t, err, alipay.ErrStillWaiting)
	assert.EqualValues(t, 2, s.requests.Load())
}

func TestACallThatCannotBeSentEndsTheWait(t *testing.T) {
	s := script(t, waiting)
	service := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication
	_, err := service.WaitForResult(t.Context(), testParams(), quickly, alipay.WithRequestID("not valid"))
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.NotErrorIs(t, err, alipay.ErrStillWaiting)
	_, err = service.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Max: -1})
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.Zero(t, s.requests.Load())
}

func TestAContextThatHasEndedAsksNothing(t *testing.T) {
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

func TestAPauseLongerThanTheTimeoutEndsWithIt(t *testing.T) {
	for name, policy := range map[string]alipay.PollPolicy{
		"the default pause": {Timeout: 50 * time.Millisecond},
		"an hour":           {Initial: time.Hour, Max: time.Hour, Timeout: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newClient(t, script(t, waiting).URL).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
			require.NotNil(t, got)
			require.ErrorIs(t, err, alipay.ErrStillWaiting)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, "no", meaning(t, err))
			assert.NotEmpty(t, err.Error())
		})
	}
	t.Run("no end in sight", func(t *testing.T) {
		s := script(t, waiting, final)
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(),
			alipay.PollPolicy{Initial: time.Millisecond, Timeout: math.MaxInt64})
		require.NoError(t, err)
	})
}

func TestWhatTheLastPollMetStaysReachable(t *testing.T) {
	policy := alipay.PollPolicy{Initial: time.Millisecond, Max: time.Millisecond, Timeout: 300 * time.Millisecond}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"bad signature": {tampered(200, successBody, "alipay-nonce", "other"), alipay.ErrResponseSignature},
		"redirect":      {redirect(302), alipay.ErrRedirect},
		"SYSTEM_ERROR":  {signed(500, `{"code":"SYSTEM_ERROR"}`), alipay.CodeSystemError},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, script(t, tt.handler).URL, once).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
			require.ErrorIs(t, err, alipay.ErrStillWaiting)
			assert.Equal(t, "unknown", meaning(t, err))
			if !errors.Is(err, tt.want) { // the end may have fallen into a poll
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	}
	t.Run("no connection", func(t *testing.T) {
		_, err := newClient(t, "http://127.0.0.1:1", once).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
		require.ErrorIs(t, err, alipay.ErrStillWaiting)
		assert.Equal(t, "not delivered", meaning(t, err))
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
	t.Run("beside TOKEN_INVALID", func(t *testing.T) {
		s := script(t, signed(500, `{"code":"SYSTEM_ERROR"}`), tokenInvalid)
		_, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), policy)
		require.ErrorIs(t, err, alipay.CodeTokenInvalid)
		require.ErrorIs(t, err, alipay.CodeSystemError)
		var apiErr *alipay.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, alipay.CodeTokenInvalid, apiErr.Code, "the last one first")
	})
}
