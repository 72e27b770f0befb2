package alipay_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/hints"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/redact"
)

func TestOutcomeOf(t *testing.T) {
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
		{"a refusal", &alipay.APIError{StatusCode: 400, Code: alipay.CodeTokenInvalid}, alipay.OutcomeRejected, false},
		{"a refusal without a status", &alipay.APIError{StatusCode: 99, Code: alipay.CodeTokenInvalid}, alipay.OutcomeRejected, false},
		{"a refusal without a code", fmt.Errorf("x: %w", &alipay.APIError{StatusCode: 403}), alipay.OutcomeRejected, false},
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
	assert.Equal(t, "unknown", alipay.Outcome(-1).String())
	assert.Equal(t, "unknown", alipay.Outcome(len(words)).String())
}

// TestErrorsOfCallsHaveOneJSONAndLogShape: the members of both types, in JSON and
// under slog, are the same, so that an index of logs sees one mapping.
func TestErrorsOfCallsHaveOneJSONAndLogShape(t *testing.T) {
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

// TestMistakesOfTheCallerAreNotRetryable: a program that asks again for as long
// as Retryable says so must come to an end.
func TestMistakesOfTheCallerAreNotRetryable(t *testing.T) {
	var requests int
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { requests++; answer(w, 200, successBody) })
	config := testConfig(t, s.URL)
	config.PrivateKey, config.Signer = "", failingSigner(t)
	failing, err := alipay.NewClient(config)
	require.NoError(t, err)
	client := newClient(t, s.URL)
	var noContext context.Context
	for name, err := range map[string]error{
		"a Signer that fails":        second(failing.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())),
		"a forbidden header":         second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithHeader("Host", "x"))),
		"a nil context":              second(client.ZhimaCustomerJobworthAuthentication.Query(noContext, testParams())),
		"a service without a client": second((&alipay.ZhimaCustomerJobworthAuthentication{}).Query(t.Context(), testParams())),
	} {
		require.ErrorIs(t, err, alipay.ErrNotDelivered, name)
		assert.False(t, alipay.Retryable(err), name)
		assert.Contains(t, err.Error(), "nothing was sent", name)
		assert.NotContains(t, err.Error(), "may be repeated", name)
		assert.Equal(t, alipay.OutcomeNotDelivered, alipay.OutcomeOf(err), name)
	}
	assert.Zero(t, requests)
}

func TestAPIErrorHoldsAllTheGatewaySaid(t *testing.T) {
	t.Parallel()
	linkForms := map[string]struct {
		links string
		want  []alipay.ErrorLink
	}{
		"a string":          {`"https://open.alipay.com/x"`, []alipay.ErrorLink{{Link: "https://open.alipay.com/x"}}},
		"a list":            {`[{"link":"https://a","desc":"解决方案"},{"link":"https://b"}]`, []alipay.ErrorLink{{Link: "https://a", Desc: "解决方案"}, {Link: "https://b"}}},
		"a list of strings": {`["https://a"]`, []alipay.ErrorLink{{Link: "https://a"}}},
		"one object":        {`{"link":"https://a","desc":1}`, []alipay.ErrorLink{{Link: "https://a", Desc: "1"}}},
		"null":              {`null`, nil},
		"empty":             {`""`, nil},
		"a number":          {`7`, []alipay.ErrorLink{{Link: "7"}}},
		"nonsense":          {`[[1],2,{"link":[]},null]`, []alipay.ErrorLink{{Link: "2"}}},
	}
	for name, tt := range linkForms {
		t.Run("links: "+name, func(t *testing.T) {
			body := `{"details":[{}],"code":"TOKEN_INVALID","message":"token无效","links":` + tt.links + `}`
			client := newClient(t, serve(t, signed(400, body)).URL)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithRequestID("my-request_1"))
			var e *alipay.APIError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 400, e.StatusCode)
			assert.Equal(t, alipay.CodeTokenInvalid, e.Code)
			assert.Equal(t, "token无效", e.Message)
			assert.Equal(t, tt.want, e.Links)
			assert.Equal(t, "21140000test", e.TraceID)
			assert.Equal(t, "my-request_1", e.RequestID)
			assert.Equal(t, 1, e.Attempts)
			assert.Equal(t, body, string(e.Body))
			assert.NotEmpty(t, e.Header.Get("alipay-signature"))
			assert.True(t, e.Verified)
			assert.NotEmpty(t, e.Hint())
			assert.Equal(t, "alipay: TOKEN_INVALID (400): token无效 [app 2021000000000001] [trace 21140000test] [request my-request_1]", e.Error())
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		client := newClient(t, serve(t, unsigned(403, "<html>no</html>")).URL)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		var e *alipay.APIError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 403, e.StatusCode)
		assert.Empty(t, e.Code)
		assert.Equal(t, "<html>no</html>", string(e.Body))
		assert.Equal(t, "trace-1", e.TraceID)
		assert.False(t, e.Verified)
		assert.NotEmpty(t, e.Hint())
	})
}

func TestMockedAPIErrorMeansWhatARealOneDoes(t *testing.T) {
	assert.ErrorIs(t, &alipay.APIError{StatusCode: 500}, alipay.ErrOutcomeUnknown)
	assert.ErrorIs(t, &alipay.APIError{StatusCode: 429}, alipay.ErrNotDelivered)
	assert.Equal(t, "answered", meaning(t, &alipay.APIError{Code: alipay.CodeTokenInvalid}))
	assert.ErrorIs(t, &alipay.APIError{Code: alipay.CodeTokenInvalid}, alipay.CodeTokenInvalid)
	assert.NotErrorIs(t, &alipay.APIError{Code: alipay.CodeTokenInvalid}, alipay.CodeSystemError)
}

func TestTraceIDNullIsNone(t *testing.T) {
	t.Parallel()
	for _, handler := range []http.HandlerFunc{
		tampered(200, successBody, "alipay-trace-id", "null"),
		tampered(400, `{"code":"TOKEN_INVALID"}`, "alipay-trace-id", "null"),
	} {
		got, err := newClient(t, serve(t, handler).URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		if err == nil {
			assert.Empty(t, got.Meta.TraceID)
			continue
		}
		var e *alipay.APIError
		require.ErrorAs(t, err, &e)
		assert.Empty(t, e.TraceID)
		assert.NotContains(t, err.Error(), "null")
	}
}

// TestTextsOfAnErrorAnswerAreCutAtTheirLimits: what is as long as the bound is
// whole, and what is longer is no longer.
func TestTextsOfAnErrorAnswerAreCutAtTheirLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("-", n) } // a signature, whose beginning would be masked, begins otherwise
	ask := func(code, message, trace, link string) *alipay.APIError {
		links := mustJSON(t, slices.Repeat([]alipay.ErrorLink{{Link: link, Desc: link}}, 10))
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("alipay-trace-id", trace)
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"code":"`+code+`","message":"`+message+`","links":`+links+`,"links":`+links+`}`)
		})
		_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil, alipay.WithRequestID("r"))
		var refused *alipay.APIError
		require.ErrorAs(t, err, &refused)
		return refused
	}
	for more, dots := range []string{"", "…"} {
		kept := ask("X", long(8<<10+more), long(1<<10+more), long(1<<10+more))
		assert.Equal(t, long(8<<10), kept.Message)
		assert.Equal(t, long(1<<10), kept.TraceID)
		assert.Equal(t, slices.Repeat([]alipay.ErrorLink{{Link: long(1 << 10), Desc: long(1 << 10)}}, 16), kept.Links)

		printed := ask(long(128+more), long(512+more), long(128+more), "")
		assert.Equal(t, "alipay: "+long(128)+dots+" (400): "+long(512)+dots+" [app 2021000000000001] [trace "+long(128)+dots+"] [request r]", printed.Error())
	}
}

// TestErrorAnswersAreBounded: reading, masking and printing one takes no longer
// and gives no more than the caller can bear.
func TestErrorAnswersAreBounded(t *testing.T) {
	t.Parallel()
	var links []alipay.ErrorLink
	for n := range 40_000 {
		links = append(links, alipay.ErrorLink{Link: fmt.Sprint("https://x.example/", n), Desc: "d"})
	}
	body := mustJSON(t, map[string]any{"code": "X", "message": strings.Repeat("m", 4<<10), "links": links[:20_000]})
	require.Less(t, len(body), 1<<20)
	s := serve(t, unsigned(400, body))
	values := url.Values{}
	for n := range 5000 {
		values.Set(fmt.Sprint("name", n), fmt.Sprint("https://x.example/value", n))
	}
	document := map[string]string{}
	for name := range values {
		document[name] = values.Get(name)
	}
	client := newClient(t, s.URL)
	for name, request := range map[string]*alipay.Request{
		"few values":  {Path: "/v3/x", Query: testParams()},
		"many values": {Method: "POST", Path: "/v3/x", Body: document},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Do(t.Context(), request, nil)
			var refused *alipay.APIError
			require.ErrorAs(t, err, &refused)
			assert.Len(t, refused.Links, 16)
			assert.Less(t, len(mustJSON(t, refused)), 64<<10)
			assert.Len(t, refused.Body, len(body), "which is all of it")
		})
	}
}

// FuzzDecodeError: whatever an error answer holds, it gives an APIError that can
// be printed and does not show what was sent.
func FuzzDecodeError(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, body []byte, sent string) {
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			_, _ = io.ReadAll(r.Body)
			return &http.Response{StatusCode: 400 + (status%200+200)%200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})
		config := testConfig(t, "")
		config.PrivateKey, config.Signer = "", testSigner{appKey(t), func([]byte, crypto.SignerOpts) ([]byte, error) { return make([]byte, 256), nil }}
		client := clientOf(t, config, once, alipay.WithHTTPClient(&http.Client{Transport: transport}))
		_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x", Query: url.Values{"cert_no": {sent}}}, nil, alipay.WithRequestID("r"))
		var e *alipay.APIError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, string(body), string(e.Body))
		if _, err := lenient.Object(body); err != nil {
			assert.Empty(t, e.Code)
		}
		for _, text := range []string{e.Error(), mustJSON(t, e), e.Message} {
			if len(sent) > 12 && !strings.Contains(redact.Masked, sent) && strings.Contains(strings.ReplaceAll(text, redact.Masked, "\x00"), sent) && strings.Contains(e.Message+string(e.Code), sent) {
				t.Errorf("the value that was sent shows")
			}
		}
		assert.NotContains(t, e.Error(), "\n")
	})
}

func TestErrorCodeIsAnErrorWithTheBareCodeAsText(t *testing.T) {
	var err error = alipay.CodeTokenInvalid
	assert.Equal(t, "TOKEN_INVALID", err.Error())
	wrapped := fmt.Errorf("query: %w", err)
	assert.ErrorIs(t, wrapped, alipay.CodeTokenInvalid)
	assert.NotErrorIs(t, wrapped, alipay.CodeParamError)

	var code alipay.ErrorCode
	require.True(t, errors.As(wrapped, &code))
	assert.Equal(t, alipay.CodeTokenInvalid, code)

	assert.Equal(t, "not-in-the-list", alipay.ErrorCode("not-in-the-list").Error())
}

func TestKnownIsTrueForTheConstantsOnly(t *testing.T) {
	for _, code := range []alipay.ErrorCode{alipay.CodeUserNotAuthorize, alipay.CodeDependFailure, alipay.CodeInvalidAppAPIFieldConfig} {
		assert.True(t, code.Known(), string(code))
	}
	for _, code := range []alipay.ErrorCode{"", "not-in-the-list", "token_invalid"} {
		assert.False(t, code.Known(), string(code))
	}
}

func TestHintsComeInBothLanguages(t *testing.T) {
	refused := &alipay.APIError{StatusCode: 400, Code: alipay.CodeTokenInvalid}
	assert.Equal(t, hints.For(hints.JobworthPath, "TOKEN_INVALID", 400), hints.Text{EN: refused.Hint(), ZH: refused.HintZH()})
	require.NotEmpty(t, refused.Hint())

	failed := &alipay.APIError{StatusCode: 502}
	assert.Equal(t, hints.For(hints.JobworthPath, "", 502), hints.Text{EN: failed.Hint(), ZH: failed.HintZH()})
	require.NotEmpty(t, failed.HintZH())

	nothing := &alipay.APIError{StatusCode: 400, Code: "not-in-the-list"}
	assert.Empty(t, nothing.Hint())
	assert.Empty(t, nothing.HintZH())
}

// A hint that sends the reader to a field or an option must name one that exists.
func TestHintsNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[alipay.AlipayConfig](), reflect.TypeFor[alipay.QueryParams](), reflect.TypeFor[alipay.APIError](), reflect.TypeFor[alipay.Request](),
	} {
		known[typ.Name()] = true
		for i := range typ.NumField() {
			known[typ.Field(i).Name] = true
		}
	}
	for _, other := range []string{
		"RetryPolicy", "WithAppAuthToken", "WithClock", "DefaultBaseURL", "SandboxBaseURL",
		"OutAgreementNo", "CreditAgreementID", "ExtraParam",
	} {
		known[other] = true
	}
	names := regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z]+[a-z]*)+\b`)
	check := func(text hints.Text) {
		t.Helper()
		for _, name := range names.FindAllString(text.EN+" "+text.ZH, -1) {
			assert.True(t, known[name], "%s in %q", name, text)
		}
	}
	for _, group := range hints.Groups {
		for _, entry := range group.Entries {
			check(entry.Advice)
		}
	}
	for status := 100; status < 600; status++ {
		check(hints.For(hints.JobworthPath, "", status))
	}
}
