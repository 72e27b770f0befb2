package alipay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// TestObserverSeesEveryAttemptAndNothingPersonal also stands for what metrics and
// traces need: outcome, code, status, ids, pauses.
func TestObserverSeesEveryAttemptAndNothingPersonal(t *testing.T) {
	var n int
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			w.WriteHeader(429)
			return
		}
		answer(w, 400, `{"code":"TOKEN_INVALID","message":"`+testCertNo+`"}`)
	})
	type key struct{}
	var mu sync.Mutex
	var attempts []alipay.AttemptInfo
	var results []alipay.CallResult
	observer := alipay.Observer{
		CallStart: func(ctx context.Context, call alipay.CallInfo) context.Context {
			return context.WithValue(ctx, key{}, call)
		},
		AttemptDone: func(ctx context.Context, a alipay.AttemptInfo) {
			mu.Lock()
			defer mu.Unlock()
			assert.Equal(t, a.CallInfo, ctx.Value(key{}), "the context that CallStart returned")
			attempts = append(attempts, a)
		},
		CallDone: func(ctx context.Context, r alipay.CallResult) {
			assert.Equal(t, r.CallInfo, ctx.Value(key{}))
			results = append(results, r)
		},
	}
	empty := alipay.Observer{CallStart: func(context.Context, alipay.CallInfo) context.Context { return nil }}
	client := newClient(t, s.URL, alipay.WithObserver(observer), alipay.WithObserver(empty), alipay.WithObserver(alipay.Observer{}),
		soon)
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	var refused *alipay.APIError
	require.ErrorAs(t, err, &refused)
	require.Len(t, attempts, 2)
	require.Len(t, results, 1)
	info := alipay.CallInfo{AppID: "2021000000000001", Host: strings.TrimPrefix(s.URL, "http://"), Method: "GET", Path: jobworthPath}
	first, second := attempts[0], attempts[1]
	assert.Equal(t, info, first.CallInfo)
	assert.Equal(t, []any{1, 429, alipay.OutcomeNotDelivered, alipay.ErrorCode("")}, []any{first.Number, first.StatusCode, first.Outcome, first.Code})
	assert.Positive(t, first.Pause)
	assert.Equal(t, []any{2, 400, alipay.OutcomeRejected, alipay.CodeTokenInvalid, time.Duration(0)}, []any{second.Number, second.StatusCode, second.Outcome, second.Code, second.Pause})
	assert.Equal(t, "21140000test", second.TraceID)
	assert.Equal(t, refused.RequestID, second.RequestID)
	assert.NotEqual(t, first.RequestID, second.RequestID)
	result := results[0]
	assert.Equal(t, []any{2, alipay.OutcomeRejected, alipay.CodeTokenInvalid, 400}, []any{result.Attempts, result.Outcome, result.Code, result.StatusCode})
	assert.GreaterOrEqual(t, result.Duration, first.Duration+second.Duration)
	var seen *alipay.APIError
	require.ErrorAs(t, result.Err, &seen)
	assert.Nil(t, seen.Body, "the answer is the caller's alone")
	assert.Nil(t, seen.Header)
	assert.NotNil(t, refused.Body)
	assertKeepsSecret(t, map[string]string{"told": fmt.Sprintf("%#v %#v", attempts, results) + mustJSON(t, attempts) + mustJSON(t, results) + string(seen.Body)}, testCertNo, testToken, testUserID, testOpenID)

	_, err = client.Do(t.Context(), &alipay.Request{Path: "x"}, nil)
	require.Error(t, err)
	assert.Len(t, results, 1, "a call that never began is not observed")
}

func TestObserverSeesHowACallEnded(t *testing.T) {
	for name, tt := range map[string]struct {
		last    http.HandlerFunc
		status  int
		outcome alipay.Outcome
		code    alipay.ErrorCode
	}{
		"a result":                    {final, 200, alipay.OutcomeSuccess, ""},
		"a refusal":                   {tokenInvalid, 400, alipay.OutcomeRejected, alipay.CodeTokenInvalid},
		"an answer not to be trusted": {unsigned(202, ""), 202, alipay.OutcomeUnknown, ""},
		"no answer":                   {hangUp, 0, alipay.OutcomeUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var told []alipay.CallResult
			s := script(t, unsigned(429, ""), tt.last)
			client := newClient(t, s.URL, soon, alipay.WithObserver(alipay.Observer{
				CallDone: func(_ context.Context, r alipay.CallResult) { told = append(told, r) },
			}))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Len(t, told, 1)
			assert.Equal(t, []any{2, tt.status, tt.outcome, tt.code}, []any{told[0].Attempts, told[0].StatusCode, told[0].Outcome, told[0].Code})
			assert.Equal(t, err == nil, told[0].Err == nil)
		})
	}
}

// TestObserverIsNotGivenTheAnswer, neither one that was kept nor one inside
// another error: it is the caller's alone.
func TestObserverIsNotGivenTheAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		cancel  bool // in the pause before the next attempt
		cause   error
	}{
		"an answer that was kept":   {dated(200, -time.Hour), false, alipay.ErrResponseStale},
		"a refusal":                 {tokenInvalid, false, alipay.CodeTokenInvalid},
		"a refusal, then cancelled": {signed(429, `{"code":"app-call-limited","message":"`+testCertNo+`","cert_no":"`+testCertNo+`"}`), true, alipay.CodeAppCallLimited},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var told []error
			client := newClient(t, serve(t, tt.handler).URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour}), alipay.WithTimeout(3*time.Hour),
				alipay.WithObserver(alipay.Observer{
					AttemptDone: func(_ context.Context, a alipay.AttemptInfo) {
						told = append(told, a.Err)
						if tt.cancel {
							cancel()
						}
					},
					CallDone: func(_ context.Context, r alipay.CallResult) { told = append(told, r.Err) },
				}))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
			require.ErrorIs(t, err, tt.cause)
			assert.Equal(t, tt.cancel, errors.Is(err, context.Canceled))
			var refused *alipay.APIError
			if errors.As(err, &refused) {
				assert.NotEmpty(t, refused.Body)
			} else {
				require.NotNil(t, sealedIn(err))
			}
			require.Len(t, told, 2)
			for _, err := range told {
				require.ErrorIs(t, err, tt.cause)
				assert.Nil(t, sealedIn(err))
				var seen *alipay.APIError
				if errors.As(err, &seen) {
					assert.Nil(t, seen.Body)
					assert.Nil(t, seen.Header)
				}
			}
			if tt.cancel {
				assert.Contains(t, mustJSON(t, err), `"code":"app-call-limited"`, "a log index finds the code of the answer")
				assert.Contains(t, mustJSON(t, err), `"error":`+mustJSON(t, err.Error())+`,"outcome":"not_delivered"`, "and how the call ended")
			}
		})
	}
}

// panicking is a log handler that cannot log.
type panicking struct{ slog.Handler }

func (panicking) Handle(context.Context, slog.Record) error { panic("log of " + testCertNo) }

// TestPanicOfForeignCodeTakesNoAnswerAway: it is recovered and logged once, without
// its text.
func TestPanicOfForeignCodeTakesNoAnswerAway(t *testing.T) {
	t.Parallel()
	foreign := func() { panic("observed " + testCertNo) }
	observers := map[string]alipay.Observer{
		"CallStart":   {CallStart: func(context.Context, alipay.CallInfo) context.Context { foreign(); return nil }},
		"AttemptDone": {AttemptDone: func(context.Context, alipay.AttemptInfo) { foreign() }},
		"CallDone":    {CallDone: func(context.Context, alipay.CallResult) { foreign() }},
	}
	for name, observer := range observers {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			told := 0
			client := newClient(t, serve(t, signed(200, successBody)).URL, alipay.WithObserver(observer),
				alipay.WithObserver(alipay.Observer{CallDone: func(context.Context, alipay.CallResult) { told++ }}),
				alipay.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			for range 3 {
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				assert.Equal(t, testOpenID, got.OpenID)
			}
			assert.Equal(t, 3, told, "the others are told all the same")
			assert.Equal(t, 1, strings.Count(log.String(), "\n"))
			assert.Contains(t, log.String(), `level=ERROR msg="alipay: an Observer or a log handler panicked" panic=string`)
			assert.NotContains(t, log.String(), testCertNo)
		})
	}
	t.Run("without a logger", func(t *testing.T) {
		client := newClient(t, serve(t, final).URL, alipay.WithObserver(observers["AttemptDone"]))
		require.NoError(t, second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())))
	})
	for name, handler := range map[string]http.HandlerFunc{"an attempt": final, "a change": tampered(200, successBody, "x", "y")} {
		t.Run("a log handler, about "+name, func(t *testing.T) {
			damaged := func(w http.ResponseWriter, r *http.Request) {
				handler(w, r)
				if name == "a change" {
					_, _ = io.WriteString(w, "\n")
				}
			}
			client := newClient(t, serve(t, damaged).URL, alipay.WithLogger(slog.New(panicking{slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(-100)})})))
			for range 2 {
				require.NoError(t, second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())))
			}
		})
	}
	t.Run("a log handler, about a notification", func(t *testing.T) {
		client := newClient(t, "https://gateway.example", alipay.WithLogger(slog.New(panicking{slog.NewTextHandler(io.Discard, nil)})))
		for range 2 {
			answered := httptest.NewRecorder()
			client.NotificationHandler(nil).ServeHTTP(answered, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("notify_id=1")))
			assert.Equal(t, http.StatusBadRequest, answered.Code)
			assert.Equal(t, "fail", answered.Body.String())
		}
	})
}

func TestEachAttemptIsLoggedWithoutAnythingPersonal(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.Level(-100)}))
	client := gatewayClient(t, gateway, gateway.Config(), false, alipay.WithLogger(logger),
		soon)
	query := func() {
		_, _ = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	}
	gateway.Inject(alipaytest.TooManyRequests, 1)
	query() // throttled, then answered
	gateway.Inject(alipaytest.LostAnswer, 1)
	query() // lost
	query() // TOKEN_INVALID

	var got []string
	for line := range strings.Lines(log.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		assert.Equal(t, jobworthPath, record["path"])
		assert.Equal(t, "GET", record["method"])
		assert.Equal(t, gateway.Config().AppID, record["app_id"])
		assert.Equal(t, strings.TrimPrefix(gateway.Config().BaseURL, "http://"), record["host"])
		entry := record["level"].(string) + " " + record["msg"].(string)
		switch entry {
		case "WARN alipay: retry":
			assert.EqualValues(t, 1, record["attempt"])
			assert.Contains(t, record, "pause")
			assert.Equal(t, "not_delivered", record["outcome"])
			assert.EqualValues(t, 429, record["status"])
			assert.Contains(t, record["error"], "429")
		case "WARN alipay: outcome unknown":
			assert.Equal(t, "unknown", record["outcome"])
			assert.NotEmpty(t, record["error"])
			for _, name := range []string{"status", "trace_id", "code", "pause"} {
				assert.NotContains(t, record, name, "no answer came, and no attempt follows")
			}
		case "DEBUG alipay: attempt":
			assert.NotEmpty(t, record["request_id"])
			assert.Contains(t, record, "duration")
			assert.Contains(t, record, "connection_reused")
			assert.Contains(t, record, "status")
			assert.Contains(t, record, "trace_id")
			assert.NotContains(t, record, "pause")
			assert.Equal(t, record["outcome"] == "success", record["error"] == nil)
		}
		if code, ok := record["code"]; ok {
			entry += " " + code.(string)
		}
		got = append(got, entry)
	}
	assert.Equal(t, []string{
		"WARN alipay: retry", "DEBUG alipay: attempt",
		"WARN alipay: outcome unknown",
		"DEBUG alipay: attempt TOKEN_INVALID",
	}, got)
	searchForLeaks(t, gateway.Config(), []string{log.String()})
}

func TestInfoLogHoldsOnlyRetriesAndUnknownOutcomes(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	var log bytes.Buffer
	client := gatewayClient(t, gateway, gateway.Config(), false, alipay.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err)
	assert.Empty(t, log.String())
	gateway.Inject(alipaytest.MissingSignature, 1)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "another"})
	require.ErrorIs(t, err, alipay.ErrResponseUnsigned)
	assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	assert.Contains(t, log.String(), "level=WARN")
}
