package alipay_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

func TestOutcomeOfSaysInOneWordWhatAnErrorMeans(t *testing.T) {
	for _, tt := range []struct {
		name      string
		err       error
		want      alipay.Outcome
		retryable bool
	}{
		{"nil", nil, alipay.OutcomeSuccess, false},
		{"an error of other origin", errors.New("x"), alipay.OutcomeUnknown, false},
		{"a context's", context.Canceled, alipay.OutcomeUnknown, false},
		{"unknown", alipay.ErrOutcomeUnknown, alipay.OutcomeUnknown, false},
		{"unknown, wrapped", fmt.Errorf("x: %w", alipay.ErrOutcomeUnknown), alipay.OutcomeUnknown, false},
		{"not delivered", fmt.Errorf("x: %w", alipay.ErrNotDelivered), alipay.OutcomeNotDelivered, true},
		{"both, of two calls", errors.Join(alipay.ErrNotDelivered, alipay.ErrOutcomeUnknown), alipay.OutcomeUnknown, false},
		{"still waiting", alipay.ErrStillWaiting, alipay.OutcomePending, false},
		{"still waiting, the last poll lost", errors.Join(alipay.ErrStillWaiting, alipay.ErrOutcomeUnknown), alipay.OutcomeUnknown, false},
		{"a code", alipay.CodeTokenInvalid, alipay.OutcomeRejected, false},
		{"a code unheard of", alipay.ErrorCode("X"), alipay.OutcomeRejected, false},
		{"SYSTEM_ERROR", alipay.CodeSystemError, alipay.OutcomeUnknown, false},
		{"unknow-error", alipay.CodeUnknowError, alipay.OutcomeUnknown, false},
		{"app-call-limited", alipay.CodeAppCallLimited, alipay.OutcomeNotDelivered, true},
		{"method-call-limited", fmt.Errorf("x: %w", alipay.CodeMethodCallLimited), alipay.OutcomeNotDelivered, true},
		{"a no", &alipay.APIError{StatusCode: 400, Code: alipay.CodeTokenInvalid}, alipay.OutcomeRejected, false},
		{"a no without a status", &alipay.APIError{StatusCode: 99, Code: alipay.CodeTokenInvalid}, alipay.OutcomeRejected, false},
		{"a no without a code", fmt.Errorf("x: %w", &alipay.APIError{StatusCode: 403}), alipay.OutcomeRejected, false},
		{"429", &alipay.APIError{StatusCode: 429}, alipay.OutcomeNotDelivered, true},
		{"429 with SYSTEM_ERROR", &alipay.APIError{StatusCode: 429, Code: alipay.CodeSystemError}, alipay.OutcomeUnknown, false},
		{"500 with a throttle code", &alipay.APIError{StatusCode: 500, Code: alipay.CodeAppCallLimited}, alipay.OutcomeUnknown, false},
		{"408", &alipay.APIError{StatusCode: 408}, alipay.OutcomeUnknown, false},
		{"100", &alipay.APIError{StatusCode: 100}, alipay.OutcomeUnknown, false},
		{"399", &alipay.APIError{StatusCode: 399, Code: alipay.CodeTokenInvalid}, alipay.OutcomeUnknown, false},
		{"400", &alipay.APIError{StatusCode: 400}, alipay.OutcomeRejected, false},
		{"499", &alipay.APIError{StatusCode: 499}, alipay.OutcomeRejected, false},
		{"a mistake in an argument", &alipay.ArgumentError{Argument: "x"}, alipay.OutcomeNotDelivered, false},
		{"a mistake in an argument, of a call", errors.Join(&alipay.ArgumentError{Argument: "x"}, alipay.ErrNotDelivered), alipay.OutcomeNotDelivered, false},
		{"a mistake in the config", &alipay.ConfigError{Field: "x"}, alipay.OutcomeNotDelivered, false},
	} {
		assert.Equal(t, tt.want, alipay.OutcomeOf(tt.err), tt.name)
		assert.Equal(t, tt.retryable, alipay.Retryable(tt.err), tt.name)
	}
	var words []string
	for o := alipay.OutcomeSuccess; o <= alipay.OutcomeNotDelivered; o++ {
		words = append(words, o.String())
	}
	assert.Equal(t, []string{"success", "pending", "rejected", "unknown", "not_delivered"}, words)
}

// TestErrorsOfCallsHaveOneShape: the members of both types, in JSON and under
// slog, are the same, so that an index of logs sees one mapping.
func TestErrorsOfCallsHaveOneShape(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("once_token") == "no" {
			answer(w, 400, `{"code":"TOKEN_INVALID","message":"token无效","links":[{"link":"https://open.example","desc":"d"}]}`)
			return
		}
		signHeader(w.Header(), []byte("other"), time.Now())
		_, _ = io.WriteString(w, "{}")
	})
	client := newClient(t, s.URL)
	host := strings.TrimPrefix(s.URL, "http://")
	ask := func(token string) error {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: token})
		return err
	}
	refused, failed := ask("no"), ask("lost")
	var api *alipay.APIError
	require.ErrorAs(t, refused, &api)
	var call *alipay.CallError
	require.ErrorAs(t, failed, &call)
	assert.Equal(t, alipay.CallError{Method: "GET", Host: host, Path: jobworthPath, StatusCode: 200, Attempts: 1, TraceID: "21140000test", RequestID: call.RequestID},
		alipay.CallError{Method: call.Method, Host: call.Host, Path: call.Path, StatusCode: call.StatusCode, Attempts: call.Attempts, TraceID: call.TraceID, RequestID: call.RequestID})
	assert.NotEmpty(t, call.RequestID)

	where := `"method":"GET","host":"` + host + `","path":"` + jobworthPath + `"`
	for _, tt := range []struct {
		err  error
		want string
	}{
		{refused, `{"error":` + mustJSON(t, refused.Error()) + `,"outcome":"rejected","status":400,"code":"TOKEN_INVALID","message":"token无效",
			"links":[{"link":"https://open.example","desc":"d"}],"hint":` + mustJSON(t, api.Hint()) + `,"trace_id":"21140000test","request_id":"` + api.RequestID + `","attempts":1,"verified":true,` + where + `}`},
		{failed, `{"error":` + mustJSON(t, failed.Error()) + `,"outcome":"unknown","status":200,"trace_id":"21140000test","request_id":"` + call.RequestID + `","attempts":1,` + where + `}`},
		{func() error { _, err := client.Do(t.Context(), nil, nil); return err }(),
			`{"error":"alipay: argument Request: the request is nil; nothing was sent","outcome":"not_delivered"}`},
	} {
		assert.JSONEq(t, tt.want, mustJSON(t, tt.err))
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Error("x", "e", tt.err)
		var record struct{ E json.RawMessage }
		require.NoError(t, json.Unmarshal(log.Bytes(), &record))
		assert.JSONEq(t, tt.want, string(record.E))
	}
	for _, err := range []error{refused, failed} {
		assert.Contains(t, err.Error(), "[app 2021000000000001]", "which application it is about")
	}
}

// TestACallersMistakeIsNotRetryable: a program that asks again for as long as
// Retryable says so must come to an end.
func TestACallersMistakeIsNotRetryable(t *testing.T) {
	var requests int
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { requests++; answer(w, 200, successBody) })
	config := testConfig(t, s.URL)
	config.PrivateKey, config.Signer = "", failingSigner{appPublicKey(t)}
	failing, err := alipay.NewClient(config)
	require.NoError(t, err)
	client := newClient(t, s.URL)
	var noContext context.Context
	for name, err := range map[string]error{
		"a Signer that fails":        queryError(failing.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())),
		"a forbidden header":         queryError(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithHeader("Host", "x"))),
		"a nil context":              queryError(client.ZhimaCustomerJobworthAuthentication.Query(noContext, testParams())),
		"a service without a client": queryError((&alipay.ZhimaCustomerJobworthAuthentication{}).Query(t.Context(), testParams())),
	} {
		require.ErrorIs(t, err, alipay.ErrNotDelivered, name)
		assert.False(t, alipay.Retryable(err), name)
		assert.Contains(t, err.Error(), "nothing was sent", name)
		assert.NotContains(t, err.Error(), "may be repeated", name)
		assert.Equal(t, alipay.OutcomeNotDelivered, alipay.OutcomeOf(err), name)
	}
	assert.Zero(t, requests)
}

func queryError(_ *alipay.QueryResponse, err error) error { return err }

// TestAnObserverIsToldOfEveryAttemptAndNothingPersonal also stands for what
// metrics and traces need: outcome, code, status, ids, pauses.
func TestAnObserverIsToldOfEveryAttemptAndNothingPersonal(t *testing.T) {
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
		alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
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

func TestAnObserverIsToldHowACallEnded(t *testing.T) {
	for name, tt := range map[string]struct {
		last    http.HandlerFunc
		status  int
		outcome alipay.Outcome
		code    alipay.ErrorCode
	}{
		"a result":                    {final, 200, alipay.OutcomeSuccess, ""},
		"a no":                        {tokenInvalid, 400, alipay.OutcomeRejected, alipay.CodeTokenInvalid},
		"an answer not to be trusted": {unsigned(202, ""), 202, alipay.OutcomeUnknown, ""},
		"no answer":                   {hangUp, 0, alipay.OutcomeUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var told []alipay.CallResult
			s := script(t, unsigned(429, ""), tt.last)
			client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}), alipay.WithObserver(alipay.Observer{
				CallDone: func(_ context.Context, r alipay.CallResult) { told = append(told, r) },
			}))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Len(t, told, 1)
			assert.Equal(t, []any{2, tt.status, tt.outcome, tt.code}, []any{told[0].Attempts, told[0].StatusCode, told[0].Outcome, told[0].Code})
			assert.Equal(t, err == nil, told[0].Err == nil)
		})
	}
}

// slowSigner waits for its context, as a KMS behind a network that is gone.
type slowSigner struct{ failingSigner }

func (slowSigner) SignContext(ctx context.Context, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAContextSignerIsBoundedByTheCall(t *testing.T) {
	config := testConfig(t, "http://127.0.0.1:1")
	config.PrivateKey, config.Signer = "", slowSigner{failingSigner{appPublicKey(t)}}
	never := roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("sent without a signature, after the end")
		return nil, io.EOF
	})
	client, err := alipay.NewClient(config, alipay.WithTimeout(20*time.Millisecond), alipay.WithHTTPClient(&http.Client{Transport: never}))
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.True(t, alipay.Retryable(err), "the time was over: that is no mistake of the Signer")
	_, err = client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, context.Canceled)
}

// closer is a wrapped transport that passes CloseIdleConnections on.
type closer struct {
	http.RoundTripper
	closed int
}

func (c *closer) CloseIdleConnections() { c.closed++ }

func TestIdleConnectionsAreClosedThroughAWrapper(t *testing.T) {
	wrapper := &closer{RoundTripper: alipay.NewTransport()}
	newClient(t, "http://127.0.0.1:1", alipay.WithHTTPClient(&http.Client{Transport: wrapper})).CloseIdleConnections()
	assert.Equal(t, 1, wrapper.closed)
	(*alipay.Client)(nil).CloseIdleConnections()
	new(alipay.Client).CloseIdleConnections()
}

func TestAClientNamesItsApplication(t *testing.T) {
	client := newClient(t, "https://gateway.example/prefix")
	for verb, text := range printed(client) {
		if verb == "%T" {
			continue
		}
		assert.Contains(t, text, "2021000000000001", verb)
	}
	assert.Equal(t, "alipay.Client{2021000000000001 https://gateway.example}", client.String())
	assert.Equal(t, "alipay.Client{}", fmt.Sprint(new(alipay.Client)))
}

func TestPOSTWithoutABodySaysSo(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{"POST": 1, "PUT": 1, "PATCH": 1, "DELETE": 0, "GET": 0} {
		heads := make(chan string, 1)
		base := rawServer(t, func(conn net.Conn, _ int) {
			r := bufio.NewReader(conn)
			head, err := readRequest(r)
			if err == nil {
				heads <- head
				_, _ = io.WriteString(conn, rawAnswer(200, "{}"))
			}
		})
		client := newClient(t, base)
		_, err := client.Do(t.Context(), &alipay.Request{Method: method, Path: "/v3/x"}, nil)
		require.NoError(t, err)
		head := strings.ToLower(<-heads)
		assert.Equal(t, want, strings.Count(head, "\r\ncontent-length: 0\r\n"), method)
		assert.NotContains(t, head, "transfer-encoding")
	}
}

// TestACallerWhoGivesUpTakesNoRetryFromOthers: only what the gateway or the
// network refused draws on the budget.
func TestACallerWhoGivesUpTakesNoRetryFromOthers(t *testing.T) {
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

// TestTheBudgetEndsRetriesForAllCallsOfAClient: at MaxTokens 4 two failed
// attempts leave half, and half is not enough.
func TestTheBudgetEndsRetriesForAllCallsOfAClient(t *testing.T) {
	t.Parallel()
	for maxTokens, want := range map[float64]int64{4: 11, 1: 10, -1: 30} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) })
		client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Microsecond, MaxTokens: maxTokens}))
		for range 10 {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
		}
		assert.Equal(t, want, s.requests.Load(), "MaxTokens %v", maxTokens)
	}
}

// TestAnObserverIsGivenNoAnswerInsideAnotherError: an answer that ends a call by
// way of another error is still the caller's alone.
func TestAnObserverIsGivenNoAnswerInsideAnotherError(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 429, `{"code":"app-call-limited","message":"`+testCertNo+`","cert_no":"`+testCertNo+`"}`)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var told error
	client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour}), alipay.WithTimeout(3*time.Hour),
		alipay.WithObserver(alipay.Observer{
			AttemptDone: func(context.Context, alipay.AttemptInfo) { cancel() },
			CallDone:    func(_ context.Context, r alipay.CallResult) { told = r.Err },
		}))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, context.Canceled)
	var refused, seen *alipay.APIError
	require.ErrorAs(t, err, &refused)
	assert.NotEmpty(t, refused.Body)
	require.ErrorAs(t, told, &seen)
	assert.Nil(t, seen.Body)
	assert.Nil(t, seen.Header)
	assert.Contains(t, mustJSON(t, err), `"code":"app-call-limited"`, "a log index finds the code of the answer")
	assert.Contains(t, mustJSON(t, err), `"error":`+mustJSON(t, err.Error())+`,"outcome":"not_delivered"`, "and how the call ended")
}

// TestAReloadChangesTheAppAuthTokenOfTheNextAttempt: an attempt is of one config.
func TestAReloadChangesTheAppAuthTokenOfTheNextAttempt(t *testing.T) {
	t.Parallel()
	var tokens []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("alipay-app-auth-token"))
		if len(tokens)%2 == 1 {
			w.WriteHeader(429)
			return
		}
		answer(w, 200, successBody)
	})
	config := testConfig(t, s.URL)
	config.AppAuthToken = "old"
	var client *alipay.Client
	client, err := alipay.NewClient(config, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}),
		alipay.WithObserver(alipay.Observer{AttemptDone: func(context.Context, alipay.AttemptInfo) {
			config.AppAuthToken = "new"
			assert.NoError(t, client.Reload(config))
		}}))
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	for _, opts := range [][]alipay.RequestOption{nil, {alipay.WithAppAuthToken("own")}, {alipay.WithAppAuthToken("")}} {
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{}, opts...)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"old", "new", "own", "own", "", ""}, tokens)
}

// TestAnothersAnswerIsNotKeptWhateverElseIsWrongWithIt also stands for a proxy
// that repeats an old answer.
func TestAnothersAnswerIsNotKeptWhateverElseIsWrongWithIt(t *testing.T) {
	var body string
	var at time.Time
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(body), at)
		_, _ = io.WriteString(w, body)
	})
	client := newClient(t, s.URL)
	for _, tt := range []struct {
		body  string
		age   time.Duration
		asked string
		kept  bool
	}{
		{`{"user_id":"other","identity_result":"SUCCESS"}`, time.Hour, "mine", false},
		{`{"user_id":"other","identity_result":{}}`, 0, "mine", false},
		{`{"user_id":"mine","identity_result":"SUCCESS"}`, time.Hour, "mine", true},
		{`{"user_id":"other","identity_result":{}}`, 0, "", true},
	} {
		body, at = tt.body, time.Now().Add(-tt.age)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{UserID: tt.asked})
		var failed *alipay.CallError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, tt.kept, failed.Answer != nil, tt.body)
		assert.Equal(t, !tt.kept, errors.Is(err, alipay.ErrResponseMismatch), tt.body)
	}
}

type detaching struct{}

func (detaching) RoundTrip(r *http.Request) (*http.Response, error) {
	q, err := http.NewRequest(r.Method, r.URL.String(), nil)
	if err != nil {
		return nil, err
	}
	q.Header = r.Header.Clone()
	return http.DefaultTransport.RoundTrip(q)
}

// TestAnAnswerWithoutEvidenceOfItsRequestIsKept: a RoundTripper that sends in
// another context looks like a cache. Its answer is refused, but kept.
func TestAnAnswerWithoutEvidenceOfItsRequestIsKept(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, successBody) })
	client := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: detaching{}}))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{})
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	var failed *alipay.CallError
	require.ErrorAs(t, err, &failed)
	require.NotNil(t, failed.Answer)
	got, err := client.ZhimaCustomerJobworthAuthentication.Open(failed.Answer)
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
}
