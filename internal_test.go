package alipay

import (
	"crypto/tls"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachPauseLiesBetweenHalfAndAllOfItsStep(t *testing.T) {
	policy := RetryPolicy{}.withDefaults()
	assert.Equal(t, RetryPolicy{MaxAttempts: 3, BaseDelay: 200 * time.Millisecond, MaxDelay: 2 * time.Second}, policy)
	steps := []time.Duration{200, 400, 800, 1600, 2000, 2000}
	for range 200 {
		for i, step := range steps {
			step *= time.Millisecond
			pause := policy.pause(i + 1)
			assert.GreaterOrEqual(t, pause, step/2)
			assert.LessOrEqual(t, pause, step)
		}
	}
	assert.Equal(t, time.Millisecond, step(time.Millisecond, time.Millisecond, 1<<30), "no overflow")
	assert.Equal(t, time.Duration(1<<62), step(1<<61, 1<<62, 9))
	assert.Equal(t, time.Duration(math.MaxInt64), step(1<<62, math.MaxInt64, 9))
}

func TestTheZeroPollPolicyIsTheDefault(t *testing.T) {
	assert.Equal(t, PollPolicy{Initial: time.Second, Max: 15 * time.Second, Timeout: 10 * time.Minute}, PollPolicy{}.withDefaults())
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "x": 0, "99999999999999999999": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

// TestTheSignerIsBoundToItsOrigin also stands for a mistake of the library's
// own: a request for anywhere else is not signed and not sent.
func TestTheSignerIsBoundToItsOrigin(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	origin, err := url.Parse(server.URL)
	require.NoError(t, err)
	transport := &signingTransport{base: http.DefaultTransport, origin: origin} // a nil signer: signing would panic
	for _, elsewhere := range []string{
		"https://" + origin.Host + "/v3/x", "http://localhost:" + origin.Port() + "/v3/x", "http://127.0.0.1:1/v3/x", "http://127.0.0.1.example.com:" + origin.Port() + "/v3/x",
	} {
		req, err := http.NewRequest(http.MethodGet, elsewhere, nil)
		require.NoError(t, err)
		watch := &deliveryWatch{}
		_, err = transport.roundTrip(req, nil, watch)
		require.ErrorIs(t, err, errForeignOrigin)
		assert.False(t, watch.mayHaveLeft(err, true))
		assert.Empty(t, req.Header)
	}
	assert.Zero(t, requests.Load())
}

func TestMaskTakesOutEverySpellingOfAValue(t *testing.T) {
	m := newMask([]string{"2f1c/8e=&?", " padded ", "uuid 含空格+plus", `quo"te`, "abc", "0", "04", "0420", ""})
	for in, want := range map[string]string{
		"token 2f1c/8e=&? bad":         "token *** bad",
		"token 2f1c%2F8e%3D%26%3F bad": "token *** bad",
		"token 2f1c%2f8e%3d%26%3f bad": "token *** bad",
		"padded":                       "***",
		"uuid%20%E5%90%AB%E7%A9%BA%E6%A0%BC%2Bplus, uuid 含空格+plus": "***, ***",
		`quo\"te and quo"te`:   "*** and ***",
		"abc, abcd, xabc, abc": "***, abcd, xabc, ***",
		"类型0不支持 10 04":         "类型***不支持 10 ***",
		"0420":                 "***",
		"ABC Quo&#34;Te":       "*** ***",
		"nothing here":         "nothing here",
		"":                     "",
	} {
		assert.Equal(t, want, m.apply(in), in)
	}
}

func TestMaskCutsWhatIsLongAndNoValueInHalf(t *testing.T) {
	const value = "420192931233123123"
	m := newMask([]string{value})
	for shift := range len(value) + 2 {
		got := m.apply(strings.Repeat("x", maxMasked-shift) + value + "tail")
		assert.LessOrEqual(t, len(got), maxMasked+len(masked))
		assert.NotContains(t, got, value[:2], shift)
	}
}

func TestPrintableKeepsALogLineWhole(t *testing.T) {
	assert.Equal(t, "a b  c\uFFFDd", printable("a\nb\r\x00c\xffd", 100))
	assert.Equal(t, "验证…", printable("验证中心", 2))
}

// FuzzDecodeResponse holds the decoder of answers against encoding/json.
func FuzzDecodeResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		var got QueryResponse
		before := got
		err := decodeObject(body, &got)
		var oracle map[string]json.RawMessage
		isObject := startsObject(body) && json.Unmarshal(body, &oracle) == nil
		if err != nil {
			assert.Equal(t, before, got, "left as it was")
			if isObject {
				assert.ErrorIs(t, err, errNotAString)
			}
			return
		}
		require.True(t, isObject, "accepted what is no object")
		known := 0
		for name, raw := range oracle {
			text := got.member(name)
			if text == nil {
				assert.Equal(t, string(raw), string(got.Extra[name]), name)
				continue
			}
			known++
			var want string
			if raw[0] == '"' {
				require.NoError(t, json.Unmarshal(raw, &want))
			} else if string(raw) != "null" {
				want = string(raw)
			}
			assert.Equal(t, want, *text, name)
		}
		assert.Len(t, got.Extra, len(oracle)-known)

		// Its JSON is faithful.
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		var again QueryResponse
		require.NoError(t, json.Unmarshal(encoded, &again))
		assert.Equal(t, got.IdentityResult, again.IdentityResult)
		assert.Equal(t, got.UserID, again.UserID)
		assert.Len(t, again.Extra, len(got.Extra))
	})
}

// FuzzDecodeError: whatever an error answer holds, it gives an APIError that can
// be printed.
func FuzzDecodeError(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, body []byte, sent string) {
		if strings.Contains(string(body), string(CodeInvalidSignature)) {
			return // diagnosed with the keys of a client
		}
		a := &attempt{status: status, call: &call{url: &url.URL{RawQuery: url.Values{"cert_no": {sent}}.Encode()}}}
		e := a.apiError(http.Header{}, body, nil, false)
		assert.Equal(t, body, e.Body)
		if !json.Valid(body) {
			assert.Empty(t, e.Code)
		}
		data, err := json.Marshal(e)
		require.NoError(t, err)
		for _, text := range []string{e.Error(), string(data), e.Message} {
			if len(sent) > shortValue*4 && !strings.Contains(masked, sent) && strings.Contains(strings.ReplaceAll(text, masked, "\x00"), sent) && strings.Contains(e.Message+string(e.Code), sent) {
				t.Errorf("the value that was sent shows")
			}
		}
		for _, line := range []string{e.Error()} {
			assert.NotContains(t, line, "\n")
		}
	})
}

func TestTheOwnTransportKeepsConnectionsForEveryCallerAndNotForLong(t *testing.T) {
	transport := newTransport()
	assert.GreaterOrEqual(t, transport.MaxIdleConnsPerHost, 10_000)
	assert.Zero(t, transport.MaxIdleConns, "no limit")
	assert.Positive(t, transport.IdleConnTimeout)
	assert.Less(t, transport.IdleConnTimeout, 20*time.Second, "the shortest keep-alive that is common among servers")
	assert.False(t, transport.Protocols.HTTP2())
	assert.EqualValues(t, tls.VersionTLS12, transport.TLSClientConfig.MinVersion)
}

func TestTheTimeoutIsTenSecondsByDefault(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []Option
		want time.Duration
	}{
		"default":             {nil, 10 * time.Second},
		"zero":                {[]Option{WithTimeout(0)}, 10 * time.Second},
		"a client without":    {[]Option{WithHTTPClient(&http.Client{})}, 10 * time.Second},
		"the client's":        {[]Option{WithHTTPClient(&http.Client{Timeout: time.Minute})}, time.Minute},
		"WithTimeout's first": {[]Option{WithTimeout(time.Second), WithHTTPClient(&http.Client{Timeout: time.Minute})}, time.Second},
	} {
		s, err := newSettings(tt.opts)
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, s.timeout, name)
	}
}
