package alipay_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func TestAnswerAboutAnotherUserIsKeptAndNotOpened(t *testing.T) {
	var body string
	var at time.Time
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(body), at)
		_, _ = io.WriteString(w, body)
	})
	client, later := newClient(t, s.URL), newClient(t, s.URL, alipay.WithMaxClockSkew(2*time.Hour))
	for _, tt := range []struct {
		body         string
		age          time.Duration
		asked        string
		reason, open error
	}{
		{`{"user_id":"other","identity_result":"SUCCESS"}`, 0, "mine", alipay.ErrResponseMismatch, alipay.ErrResponseMismatch},
		{`{"user_id":"other","identity_result":"SUCCESS"}`, time.Hour, "mine", alipay.ErrResponseStale, alipay.ErrResponseMismatch},
		{`{"user_id":"mine","identity_result":"SUCCESS"}`, time.Hour, "mine", alipay.ErrResponseStale, nil},
		{`{"user_id":"anyone","identity_result":"SUCCESS"}`, time.Hour, "", alipay.ErrResponseStale, nil},
	} {
		body, at = tt.body, time.Now().Add(-tt.age)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{UserID: tt.asked})
		require.ErrorIs(t, err, tt.reason, tt.body)
		answer := stored(t, sealedIn(err))
		_, err = later.ZhimaCustomerJobworthAuthentication.Open(answer)
		require.ErrorIs(t, err, tt.open, tt.body)
		got, err := later.ZhimaCustomerJobworthAuthentication.Open(answer, alipay.WithoutUserCheck())
		require.NoError(t, err, "a person has decided")
		assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
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

// TestAnswerWithoutEvidenceOfItsRequestIsKept: a RoundTripper that sends in
// another context looks like a cache. Its answer is refused, but kept.
func TestAnswerWithoutEvidenceOfItsRequestIsKept(t *testing.T) {
	s := serve(t, signed(200, successBody))
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

// TestUnacceptedAnswerOpensAfterItsCauseIsFixed: the answer is lost to the
// caller, the config is put right, and the stored bytes give the result.
func TestUnacceptedAnswerOpensAfterItsCauseIsFixed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		wrong   func(*alipay.AlipayConfig)
		opts    []alipay.Option
		right   func(*alipay.AlipayConfig)
		optsNow []alipay.Option
		cause   error
	}{
		"another key of Alipay's": {
			handler: signed(200, successBody),
			wrong: func(c *alipay.AlipayConfig) {
				c.AlipayPublicKey, c.PrivateKey = vector(t, "app_public.pem"), vector(t, "alipay_private_pkcs8.pem")
			},
			cause: alipay.ErrResponseSignature,
		},
		"a clock that is off": {
			handler: signed(200, successBody),
			opts:    []alipay.Option{alipay.WithClock(func() time.Time { return time.Now().Add(-3 * time.Hour) })},
			optsNow: []alipay.Option{alipay.WithMaxClockSkew(4 * time.Hour)},
			cause:   alipay.ErrResponseStale,
		},
		"the old AES key": {
			handler: encrypted(newAESKey, successBody),
			wrong:   func(c *alipay.AlipayConfig) { c.EncryptKey = oldAESKey },
			right:   func(c *alipay.AlipayConfig) { c.EncryptKey = newAESKey },
			cause:   alipay.ErrDecrypt,
		},
		"no AES key": {
			handler: encrypted(newAESKey, successBody),
			right:   func(c *alipay.AlipayConfig) { c.EncryptKey = newAESKey },
			cause:   alipay.ErrDecrypt,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.handler)
			config := testConfig(t, s.URL)
			if tt.wrong != nil {
				tt.wrong(&config)
			}
			client := clientOf(t, config, tt.opts...)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithRequestID("order-4711"))
			require.ErrorIs(t, err, tt.cause)
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.Nil(t, got)
			assert.Contains(t, err.Error(), "CallError.Answer")
			answer := stored(t, sealedIn(err))

			_, err = client.ZhimaCustomerJobworthAuthentication.Open(answer)
			require.ErrorIs(t, err, tt.cause, "the very same checks")
			assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
			assert.Same(t, answer, sealedIn(err), "it is carried again")

			config = testConfig(t, "https://gateway.example")
			if tt.right != nil {
				tt.right(&config)
			}
			later, err := alipay.NewClient(config, tt.optsNow...)
			require.NoError(t, err)
			got, err = later.ZhimaCustomerJobworthAuthentication.Open(answer)
			require.NoError(t, err)
			assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
			assert.Equal(t, testOpenID, got.OpenID)
			assert.JSONEq(t, successBody, string(got.Meta.Body))
			assert.Equal(t, 200, got.Meta.StatusCode)
			assert.Equal(t, "order-4711", got.Meta.RequestID)
			assert.Equal(t, "21140000test", got.Meta.TraceID)
			assert.Equal(t, 1, got.Meta.Attempts)
			assert.NotEmpty(t, got.Meta.Header.Get("alipay-signature"))

			again, err := later.ZhimaCustomerJobworthAuthentication.Open(answer)
			require.NoError(t, err, "as often as one likes")
			assert.Equal(t, got, again)
			assert.EqualValues(t, 1, s.requests.Load(), "nothing is sent to open an answer")
		})
	}
}

func TestAnswerUnderAnUnknownCertificateOpensAfterReload(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	gateway.SetResult(testToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
	client := clientOf(t, gateway.CertConfig(), alipay.WithHTTPClient(gateway.HTTPClient()), alipay.WithCertificateDownload(false))
	gateway.RotateCertificate()
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: testToken})
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	answer := stored(t, sealedIn(err))
	_, err = client.ZhimaCustomerJobworthAuthentication.Open(answer)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)

	require.NoError(t, client.Reload(gateway.CertConfig()))
	got, err := client.ZhimaCustomerJobworthAuthentication.Open(answer)
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: testToken})
	require.Error(t, err, "the token is spent")
}

func TestSignedAnswersAreKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		sealed  bool
	}{
		"altered":                     {tampered(200, successBody, "alipay-nonce", "other"), true},
		"stale":                       {dated(200, -11*time.Minute), true},
		"not JSON":                    {signed(200, "<html>"), true},
		"an array":                    {signed(200, "["+successBody+"]"), true},
		"an object for a string":      {signed(200, `{"open_id":{}}`), true},
		"empty":                       {signed(200, ""), true},
		"unsigned":                    {unsigned(200, successBody), false},
		"signature null":              {tampered(200, successBody, "alipay-signature", "null"), false},
		"too large":                   {signed(200, `{"x":"`+strings.Repeat("a", 1<<20)+`"}`), false},
		"202, badly signed":           {tampered(202, successBody, "alipay-nonce", "other"), true},
		"an error, badly signed":      {tampered(400, `{"code":"TOKEN_INVALID"}`, "alipay-nonce", "other"), true},
		"a result under a 403":        {signed(403, successBody), true},
		"a redirect with a result":    {signed(302, successBody), true},
		"an error, stale":             {dated(400, -11*time.Minute), true},
		"redirect":                    {redirect(302), false},
		"no answer":                   {hangUp, false},
		"SYSTEM_ERROR, an answer too": {signed(200, `{"code":"SYSTEM_ERROR"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, serve(t, tt.handler).URL, once).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err), "%v", err)
			assert.Equal(t, tt.sealed, sealedIn(err) != nil)
			assert.Equal(t, tt.sealed, strings.Contains(err.Error(), "CallError.Answer"))
		})
	}
}

// TestUnacceptedAnswerDoesNotCountAsAccepted: another call's answer, refused there,
// is the right call's all the same.
func TestUnacceptedAnswerDoesNotCountAsAccepted(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	signHeader(h, []byte(successBody), time.Now())
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), h)
		_, _ = io.WriteString(w, successBody)
	})
	client := newClient(t, s.URL)
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{UserID: "2088000000000000"})
	require.ErrorIs(t, err, alipay.ErrResponseMismatch)
	require.NotNil(t, sealedIn(err))
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{UserID: testUserID})
	require.NoError(t, err, "nobody was given it")
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{UserID: testUserID})
	require.ErrorIs(t, err, alipay.ErrResponseReplayed)
	assert.Nil(t, sealedIn(err), "somebody has it")
}

func TestOpenMakesTheSameChecksAsACall(t *testing.T) {
	t.Parallel()
	t.Run("SYSTEM_ERROR", func(t *testing.T) {
		const body = `{"code":"SYSTEM_ERROR","message":"try 420192931233123123 later","links":"https://a"}`
		client := newClient(t, serve(t, encrypted(newAESKey, body)).URL)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		answer := stored(t, sealedIn(err))
		config := testConfig(t, "")
		config.EncryptKey = newAESKey
		require.NoError(t, client.Reload(reloadable(config, client)))
		_, err = client.ZhimaCustomerJobworthAuthentication.Open(answer)
		require.ErrorIs(t, err, alipay.CodeSystemError)
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		var apiErr *alipay.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.True(t, apiErr.Verified)
		assert.Equal(t, body, string(apiErr.Body))
		assert.NotContains(t, fmt.Sprintf("%+v %s", err, mustJSON(t, err)), testCertNo, "what was sent is not known any more, so it cannot be masked")
	})
	t.Run("too large for this client", func(t *testing.T) {
		client := newClient(t, serve(t, dated(200, -time.Hour)).URL)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		answer := stored(t, sealedIn(err))
		small := newClient(t, "https://gateway.example", alipay.WithMaxClockSkew(2*time.Hour), alipay.WithMaxResponseBytes(10))
		_, err = small.Open(answer, nil)
		require.ErrorIs(t, err, alipay.ErrResponseTooLarge)
		assert.Same(t, answer, sealedIn(err))
		exact := newClient(t, "https://gateway.example", alipay.WithMaxClockSkew(2*time.Hour), alipay.WithMaxResponseBytes(int64(len(successBody))))
		_, err = exact.Open(answer, nil)
		require.NoError(t, err)
	})
	t.Run("freshness goes by when it came", func(t *testing.T) {
		came := time.Now().Add(-100 * 24 * time.Hour)
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			signHeader(w.Header(), []byte(successBody), came.Add(-time.Minute))
			_, _ = io.WriteString(w, successBody)
		})
		config := testConfig(t, s.URL)
		config.EncryptKey = oldAESKey
		client := newClient(t, s.URL, alipay.WithClock(func() time.Time { return came }), alipay.WithMaxClockSkew(time.Second))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.ErrorIs(t, err, alipay.ErrResponseStale)
		answer := stored(t, sealedIn(err))
		_, err = newClient(t, s.URL).Open(answer, nil)
		require.NoError(t, err, "a hundred days later")
		_, err = newClient(t, s.URL, alipay.WithMaxClockSkew(30*time.Second)).Open(answer, nil)
		require.ErrorIs(t, err, alipay.ErrResponseStale)
	})
}

func reloadable(config alipay.AlipayConfig, client *alipay.Client) alipay.AlipayConfig {
	_, config.BaseURL, _ = strings.Cut(strings.Trim(fmt.Sprint(client), "{}"), " ")
	return config
}

// panicsOnce is a type of the caller's whose UnmarshalJSON has a bug, until it is
// fixed.
type panicsOnce struct{ Result string }

var fixed atomic.Bool

func (p *panicsOnce) UnmarshalJSON(data []byte) error {
	if !fixed.Load() {
		panic("UnmarshalJSON of " + string(data))
	}
	p.Result = "read"
	return nil
}

func TestPanicOfUnmarshalJSONKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	client := newClient(t, serve(t, signed(200, successBody)).URL)
	fixed.Store(false)
	var out panicsOnce
	_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &out)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assertKeepsSecret(t, printed(err), testOpenID)
	assert.Contains(t, err.Error(), "the answer verifies")
	fixed.Store(true)
	_, err = client.Open(stored(t, sealedIn(err)), &out)
	require.NoError(t, err)
	assert.Equal(t, "read", out.Result)
}

func TestOpenRefusesInvalidArguments(t *testing.T) {
	t.Parallel()
	client := newClient(t, "https://gateway.example")
	var out []byte
	for name, err := range map[string]error{
		"nil":                second(client.Open(nil, nil)),
		"zero":               second(client.Open(new(alipay.SealedAnswer), nil)),
		"out is no pointer":  second(client.Open(oneSealed(t), 7)),
		"out is nil":         second(client.Open(oneSealed(t), (*int)(nil))),
		"no client":          second((*alipay.Client)(nil).Open(oneSealed(t), nil)),
		"a zero client":      second(new(alipay.Client).Open(oneSealed(t), &out)),
		"nil to the service": second(client.ZhimaCustomerJobworthAuthentication.Open(nil)),
		"no service":         second((*alipay.ZhimaCustomerJobworthAuthentication)(nil).Open(oneSealed(t))),
		"a zero service":     second(new(alipay.ZhimaCustomerJobworthAuthentication).Open(oneSealed(t))),
	} {
		var mistake *alipay.ArgumentError
		assert.ErrorAs(t, err, &mistake, name)
		assert.False(t, alipay.Retryable(err), name)
		assert.Equal(t, alipay.OutcomeNotDelivered, alipay.OutcomeOf(err), name)
	}
	_, err := new(alipay.SealedAnswer).MarshalBinary()
	assert.Error(t, err)
}

// TestChangedOrTruncatedStoredAnswerIsRefused flips each bit and cuts at each
// byte. None may pass UnmarshalBinary; not even those that the signature does not
// cover, such as when the answer came.
func TestChangedOrTruncatedStoredAnswerIsRefused(t *testing.T) {
	t.Parallel()
	data, err := oneSealed(t).MarshalBinary()
	require.NoError(t, err)
	kept := oneSealed(t)
	before := fmt.Sprint(kept)
	refused := func(data []byte) bool {
		err := kept.UnmarshalBinary(data)
		return err != nil && fmt.Sprint(kept) == before && !strings.Contains(err.Error(), testOpenID)
	}
	for i := range data {
		for bit := range 8 {
			changed := bytes.Clone(data)
			changed[i] ^= 1 << bit
			require.True(t, refused(changed), "byte %d, bit %d", i, bit)
		}
	}
	for n := range data {
		require.True(t, refused(data[:n]), "cut to %d bytes", n)
		require.True(t, refused(data[n+1:]), "without the first %d bytes", n+1)
	}
	for _, foreign := range [][]byte{nil, {}, []byte("null"), []byte(successBody), append(bytes.Clone(data), 0), append(bytes.Clone(data), data...)} {
		require.True(t, refused(foreign))
	}
	require.NoError(t, kept.UnmarshalBinary(data))
}

func TestEveryVersionReadsWhatTheFirstReleaseStored(t *testing.T) {
	if flag.Lookup("update").Value.String() == "true" { // only before the first release
		_, err := newClient(t, serve(t, dated(200, -time.Hour)).URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		data, _ := sealedIn(err).MarshalBinary()
		require.NoError(t, os.WriteFile("testdata/sealed_answer.bin", data, 0o644))
		s := serve(t, oldAnswer(t, 500, preconsultMethod, `{"code":"10000","pre_check_success":true}`))
		_, err = newClient(t, s.URL).Execute(t.Context(), &alipay.ExecuteRequest{Method: preconsultMethod}, nil)
		data, _ = sealedIn(err).MarshalBinary()
		require.NoError(t, os.WriteFile("testdata/sealed_old_answer.bin", data, 0o644))
	}
	client := newClient(t, "https://gateway.example", alipay.WithMaxClockSkew(2*time.Hour))
	read := func(file string) *alipay.SealedAnswer {
		answer := new(alipay.SealedAnswer)
		require.NoError(t, answer.UnmarshalBinary([]byte(fileText(t, file))))
		return answer
	}
	got, err := client.ZhimaCustomerJobworthAuthentication.Open(read("testdata/sealed_answer.bin"))
	require.NoError(t, err)
	assert.Equal(t, testOpenID, got.OpenID)
	_, err = client.Open(read("testdata/sealed_old_answer.bin"), new(alipay.PreconsultResponse))
	require.ErrorContains(t, err, "POST /gateway.do: opening a sealed answer: this status is no success", "of the old gateway, and kept for its status")
}

func TestStoredAnswerOfANewerVersionIsNamedAsThat(t *testing.T) {
	data, err := oneSealed(t).MarshalBinary()
	require.NoError(t, err)
	data[len("alipay-answer")]++
	assert.ErrorContains(t, new(alipay.SealedAnswer).UnmarshalBinary(data), "newer version")
	tooShort := append([]byte("alipay-answer"), bytes.Repeat([]byte{0xff}, sha256.Size)...)
	assert.ErrorContains(t, new(alipay.SealedAnswer).UnmarshalBinary(tooShort), "not a sealed answer", "a hash and no version")
}

// TestStoredFieldsAreReadWhole also where the hash fits, as that of a program which
// writes the bytes itself.
func TestStoredFieldsAreReadWhole(t *testing.T) {
	fit := func(content string) []byte {
		sum := sha256.Sum256([]byte(content))
		return append([]byte(content), sum[:]...)
	}
	const (
		head    = "alipay-answer\x02"
		numbers = "\x02\x01\x00\x02\x04\x3b\x9a\xc9\xff\x02\x01\x03\x02\x02\x00\xc8" // 1970, the last nanosecond of a second, 3 attempts, status 200
		texts   = "\x30\x20\x04\x02id\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00\x04\x00"
		forms   = "\x04\x04\x00\x00\x00\x00"
		body    = "\x04\x02{}"
		whole   = head + "\x30\x3c" + numbers + texts + forms + body
	)
	answer := new(alipay.SealedAnswer)
	require.NoError(t, answer.UnmarshalBinary(fit(whole)))
	assert.Equal(t, "alipay.SealedAnswer{Received:1970-01-01T00:00:00Z RequestID:id Attempts:3 BodyBytes:2}", fmt.Sprint(answer))
	for name, content := range map[string]string{
		"version 0":                strings.Replace(whole, "\x02", "\x00", 1),
		"version 1":                strings.Replace(whole, "\x02", "\x01", 1),
		"a text less":              head + "\x30\x3a" + numbers + strings.TrimSuffix(strings.Replace(texts, "\x20", "\x1e", 1), "\x04\x00") + forms + body,
		"a text more":              head + "\x30\x3e" + numbers + strings.Replace(texts, "\x20", "\x22", 1) + "\x04\x00" + forms + body,
		"a form less":              head + "\x30\x3b" + numbers + texts + "\x04\x03\x00\x00\x00" + body,
		"a byte more":              whole + "\x00",
		"a body longer than it is": strings.Replace(whole, body, "\x04\x03{}", 1),
	} {
		assert.Error(t, answer.UnmarshalBinary(fit(content)), name)
	}
	for n := range len(whole) {
		require.Error(t, answer.UnmarshalBinary(fit(whole[:n])), "cut to %d bytes", n)
	}
	require.NoError(t, answer.UnmarshalBinary(fit(whole)))
}

func TestStoredAnswerIsCompactAndHoldsNothingOfTheRequest(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"identity_result":"SUCCESS"}`
		signHeader(w.Header(), []byte(body), time.Now())
		w.Header().Set("alipay-trace-id", "t "+r.URL.Query().Get("cert_no"))
		w.Header().Set("Set-Cookie", "session=1")
		_, _ = io.WriteString(w, body)
	})
	_, err := newClient(t, s.URL, alipay.WithMaxClockSkew(time.Nanosecond)).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	data, err := sealedIn(err).MarshalBinary()
	require.NoError(t, err)
	assert.Less(t, len(data), 800)
	for _, value := range append(personalValues(), "session=1", s.URL[7:]) {
		assert.NotContains(t, string(data), value)
	}
}

func TestStoredBytesBelongToTheCaller(t *testing.T) {
	kept := oneSealed(t)
	data, err := kept.MarshalBinary()
	require.NoError(t, err)
	back := new(alipay.SealedAnswer)
	require.NoError(t, back.UnmarshalBinary(data))
	clear(data)
	client := newClient(t, "https://gateway.example")
	resp, err := client.Open(back, nil)
	require.NoError(t, err)
	clear(resp.Body)
	_, err = client.Open(back, nil)
	require.NoError(t, err)
}

func TestSealedAnswerTravelsThroughGob(t *testing.T) {
	type row struct {
		ID     string
		Answer *alipay.SealedAnswer
	}
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(row{"4711", oneSealed(t)}))
	var back row
	require.NoError(t, gob.NewDecoder(&b).Decode(&back))
	got, err := newClient(t, "https://gateway.example").ZhimaCustomerJobworthAuthentication.Open(back.Answer)
	require.NoError(t, err)
	assert.Equal(t, testOpenID, got.OpenID)
}

func TestSealedAnswerIsNeverShown(t *testing.T) {
	t.Parallel()
	answer := oneSealed(t)
	resp, err := newClient(t, "https://gateway.example").Open(answer, nil)
	require.NoError(t, err)
	secrets := []string{testOpenID, "2088402562742105", "V1_4dc286a6e91c9d51104e1172813b34c5", "identity_result", resp.Header.Get("alipay-signature"), resp.Header.Get("alipay-nonce"), resp.Header.Get("alipay-timestamp"), resp.TraceID}
	type hidden struct {
		value   alipay.SealedAnswer
		pointer *alipay.SealedAnswer
	}
	_, opened := newClient(t, "https://gateway.example", alipay.WithMaxClockSkew(time.Nanosecond)).Open(answer, nil)
	require.Error(t, opened)
	var failed *alipay.CallError
	require.ErrorAs(t, opened, &failed)
	failed.TraceID = ""
	for name, v := range map[string]any{
		"value": *answer, "pointer": answer, "slice": []alipay.SealedAnswer{*answer}, "map": map[int]*alipay.SealedAnswer{1: answer},
		"struct": struct{ Answer alipay.SealedAnswer }{*answer}, "embedded": struct{ alipay.SealedAnswer }{*answer},
		"unexported": hidden{*answer, answer}, "error": opened,
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			data, err := json.Marshal(v)
			require.NoError(t, err)
			out["JSON"] = string(data)
			assertKeepsSecret(t, out, secrets...)
		})
	}
	assert.Regexp(t, `^alipay.SealedAnswer{Received:\d{4}-\S+Z RequestID:\w+ Attempts:1 BodyBytes:\d+}$`, fmt.Sprint(answer))
	assert.Equal(t, "alipay.SealedAnswer{}", fmt.Sprint(alipay.SealedAnswer{}))
	//lint:ignore SA9005 that there is nothing to unmarshal is what is tested
	assert.Error(t, json.Unmarshal([]byte(mustJSON(t, answer)), new(alipay.SealedAnswer)), "rather than an empty one")
}

// TestDamageToAKeptAnswerIsUndoneByOpen is rule 11.
func TestDamageToAKeptAnswerIsUndoneByOpen(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(successBody), time.Now().Add(-time.Hour))
		_, _ = io.WriteString(w, "\ufeff"+successBody+"\n")
	})
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrResponseStale)
	got, err := newClient(t, s.URL, alipay.WithMaxClockSkew(2*time.Hour)).ZhimaCustomerJobworthAuthentication.Open(stored(t, sealedIn(err)))
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
}

// TestSwappedAnswersAreBothKept, and neither is opened for the other
// without a person's decision: rules 11 and 16.
func TestSwappedAnswersAreBothKept(t *testing.T) {
	t.Parallel()
	const alice, bob = "2088000000000001", "2088000000000002"
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		other := map[string]string{alice: bob, bob: alice}[r.URL.Query().Get("user_id")]
		answer(w, 200, resultOf(other))
	})
	client := newClient(t, s.URL)
	for asked, came := range map[string]string{alice: bob, bob: alice} {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{UserID: asked})
		require.ErrorIs(t, err, alipay.ErrResponseMismatch)
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		kept := stored(t, sealedIn(err))
		_, err = client.ZhimaCustomerJobworthAuthentication.Open(kept)
		require.ErrorIs(t, err, alipay.ErrResponseMismatch)
		assert.NotNil(t, sealedIn(err))
		got, err := client.ZhimaCustomerJobworthAuthentication.Open(kept, alipay.WithoutUserCheck())
		require.NoError(t, err)
		assert.Equal(t, came, got.UserID)
	}
}

// TestKeptAnswerIsBoundToWhatWasAsked: to application, endpoint and subject.
func TestKeptAnswerIsBoundToWhatWasAsked(t *testing.T) {
	t.Parallel()
	s := serve(t, dated(200, -time.Hour))
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	kept := stored(t, sealedIn(err))
	patient := alipay.WithMaxClockSkew(2 * time.Hour)

	config := testConfig(t, s.URL)
	config.AppID = "2021000000000002" // with the same key of Alipay's
	another := clientOf(t, config, patient)
	_, err = another.ZhimaCustomerJobworthAuthentication.Open(kept)
	require.ErrorIs(t, err, alipay.ErrResponseMismatch, "another application")
	_, err = another.ZhimaCustomerJobworthAuthentication.Open(kept, alipay.WithoutUserCheck())
	require.NoError(t, err)

	client := newClient(t, s.URL, patient)
	_, err = client.Open(kept, new(alipay.CreditAgreementQueryResponse))
	require.ErrorIs(t, err, alipay.ErrResponseMismatch, "another endpoint")
	_, err = client.Open(kept, new(alipay.CreditAgreementQueryResponse), alipay.WithoutUserCheck())
	require.Error(t, err, "that nobody can decide")
	var out map[string]any
	_, err = client.Open(kept, &out)
	require.NoError(t, err)
	assert.Equal(t, "SUCCESS", out["identity_result"])
}

// TestNoAnswerOpensForAnotherUser: random pairs of whom was asked about and whose
// answer came, in one form or another. With -pairs N that many.
func TestNoAnswerOpensForAnotherUser(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	id := func() string { return fmt.Sprintf("2088%012d", random.IntN(50)) }
	openID := func() string { return fmt.Sprintf("074a1-%d", random.IntN(50)) }
	var body string
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(body), time.Now().Add(-time.Hour))
		_, _ = io.WriteString(w, body)
	})
	client, later := newClient(t, s.URL), newClient(t, s.URL, alipay.WithMaxClockSkew(2*time.Hour))
	opened := 0
	for range *pairs {
		asked := alipay.QueryParams{UserID: id(), OpenID: openID()}
		cameUser, cameOpen := id(), openID()
		if random.IntN(3) == 0 {
			cameUser = asked.UserID
		}
		switch random.IntN(4) {
		case 0:
			asked.OpenID = ""
		case 1:
			cameOpen = ""
		}
		body = fmt.Sprintf(`{"identity_result":"SUCCESS","user_id":%q,"open_id":%q}`, cameUser, cameOpen)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &asked)
		kept := stored(t, sealedIn(err))
		got, err := later.ZhimaCustomerJobworthAuthentication.Open(kept)
		same := cameUser == asked.UserID || asked.OpenID != "" && cameOpen == asked.OpenID
		require.Equal(t, same, err == nil, "%+v, %s: %v", asked, body, err)
		if err == nil {
			opened++
			require.True(t, got.UserID == asked.UserID || got.OpenID == asked.OpenID)
		} else {
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
		}
	}
	t.Log(*pairs, "pairs,", opened, "opened for whom they were")
}

// FuzzCustody cuts, pads and wraps a signed answer between signing and reading.
// Every token that the gateway spent ends in a result, in a kept answer, or in an
// error that says unknown because not all signed bytes came.
func FuzzCustody(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	lossy := newLossyGateway(f)
	f.Fuzz(func(t *testing.T, seed uint64) { lossy.round(t, seed) })
}

// TestEverySpentTokenIsAccountedFor is FuzzCustody for -custody N seeds.
func TestEverySpentTokenIsAccountedFor(t *testing.T) {
	t.Parallel()
	lossy := newLossyGateway(t)
	for seed := range uint64(*custody) {
		lossy.round(t, seed)
	}
	t.Log(*custody, "answers:", lossy.counts)
}

// lossyGateway is the test gateway behind something that damages answers.
type lossyGateway struct {
	gateway *alipaytest.Gateway
	client  *alipay.Client

	mu     sync.Mutex
	seed   uint64
	whole  bool // whether all signed bytes came
	counts map[string]int
}

func newLossyGateway(tb testing.TB) *lossyGateway {
	gateway, err := alipaytest.StartGateway(alipaytest.WithHistory(0)) // which does not log to tb: a fuzz target must not
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = gateway.Close() })
	l := &lossyGateway{gateway: gateway, counts: map[string]int{}}
	l.client = clientOf(tb, gateway.Config(), once)
	l.gateway.Inject(alipaytest.FaultFunc("damage", l.damage), -1)
	return l
}

// damage writes an answer otherwise than the gateway would.
func (l *lossyGateway) damage(w http.ResponseWriter, _ *http.Request, answer *alipaytest.Answer) {
	random := rand.New(rand.NewPCG(l.seed, 7))
	body := string(answer.Body)
	h, status, length := answer.Header.Clone(), answer.Status, -1
	l.whole = true
	for range 1 + random.IntN(3) {
		switch random.IntN(9) {
		case 0:
			body += []string{"\n", "\r\n", "  ", "\t\n"}[random.IntN(4)]
		case 1:
			body = "\ufeff" + body
		case 2:
			status = []int{201, 202, 203, 206, 226, 299}[random.IntN(6)]
		case 3:
			h.Set("Content-Encoding", "x-gzip")
			body = gzipped(body)
		case 4:
			h.Set("Content-Encoding", "deflate")
			body = deflated(body)
		case 5:
			length = len(body) + 1 + random.IntN(5)
		case 6:
			cut := random.IntN(len(body) + 1)
			l.whole = l.whole && cut == len(body)
			body = body[:cut]
			length = len(body) + 1
		case 7:
			h.Set("alipay-signature", strings.ReplaceAll(h.Get("alipay-signature"), "+", " "))
		case 8:
			h.Del("alipay-trace-id")
		}
	}
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	h.Del("Content-Length")
	fmt.Fprintf(buffer, "HTTP/1.1 %d X\r\n", status)
	_ = h.Write(buffer)
	switch {
	case length >= 0:
		fmt.Fprintf(buffer, "Content-Length: %d\r\n\r\n%s", length, body)
	case random.IntN(2) == 0:
		fmt.Fprintf(buffer, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body)
	default:
		fmt.Fprintf(buffer, "Connection: close\r\n\r\n%s", body)
	}
	_ = buffer.Flush()
}

func (l *lossyGateway) round(t *testing.T, seed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seed = seed
	token := fmt.Sprint("token-", seed)
	l.gateway.Reset()
	l.gateway.SetResult(token, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, UserID: testUserID})
	l.gateway.Inject(alipaytest.FaultFunc("damage", l.damage), -1)
	got, err := l.client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: token, UserID: testUserID})
	switch {
	case !l.gateway.Ledger()[token].Spent:
		outcome := alipay.OutcomeOf(err) // of some thousand new connections one may be reset before it is read
		require.Contains(t, []alipay.Outcome{alipay.OutcomeNotDelivered, alipay.OutcomeUnknown}, outcome, "seed %d", seed)
		l.counts[outcome.String()+", not spent"]++
	case err == nil:
		require.Equal(t, testUserID, got.UserID, "seed %d", seed)
		l.counts["result"]++
	case l.whole:
		l.counts["kept"]++
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, "seed %d", seed)
		kept := sealedIn(err)
		require.NotNil(t, kept, "seed %d: %v", seed, err)
	default:
		l.counts["not all came"]++
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, "seed %d", seed)
	}
}

// FuzzOpen reads stored bytes, as they are and under a hash that was made to fit,
// and opens what it can: nothing comes out that Alipay's key has not signed.
func FuzzOpen(f *testing.F) {
	client := newClient(f, "https://gateway.example", alipay.WithMaxClockSkew(1<<62))
	for _, file := range []string{"testdata/sealed_answer.bin", "testdata/sealed_old_answer.bin"} {
		whole := []byte(fileText(f, file))
		content := whole[:len(whole)-sha256.Size]
		f.Add(whole, false)
		f.Add(content, true)
		f.Add(content[:len(content)/2], true)
		f.Add(append(bytes.Clone(content), 0), true)
		f.Add(bytes.Replace(content, []byte("SUCCESS"), []byte("FAILED!"), 1), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, fit bool) {
		if fit {
			sum := sha256.Sum256(data)
			data = append(bytes.Clone(data), sum[:]...)
		}
		answer := new(alipay.SealedAnswer)
		if err := answer.UnmarshalBinary(data); err != nil {
			assert.Equal(t, alipay.SealedAnswer{}, *answer)
			return
		}
		again := stored(t, answer)
		assert.Equal(t, fmt.Sprint(answer), fmt.Sprint(again))
		got, err := client.ZhimaCustomerJobworthAuthentication.Open(again)
		if err != nil {
			assert.Nil(t, got)
			assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
			return
		}
		h := got.Meta.Header
		content := protocol.SignedContent(h.Get("alipay-timestamp"), h.Get("alipay-nonce"), got.Meta.Body)
		assert.NoError(t, protocol.Verify(&alipayKey().PublicKey, content, h.Get("alipay-signature")))
	})
}
