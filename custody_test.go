package alipay_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// onTheWire serves answers whose framing a server of net/http would not write. write
// gets the signed header lines and the body of one answer. The connection is closed
// after it, unless write says that it stays open.
func onTheWire(t testing.TB, body string, write func(conn net.Conn, header string, body string) (open bool)) string {
	return rawServer(t, func(conn net.Conn, _ int) {
		r := bufio.NewReader(conn)
		for {
			if _, err := readRequest(r); err != nil {
				return
			}
			h := http.Header{}
			signHeader(h, []byte(body), time.Now())
			var lines bytes.Buffer
			_ = h.Write(&lines)
			if !write(conn, lines.String(), body) {
				return
			}
			_, _ = io.Copy(io.Discard, r)
		}
	})
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func deflated(text string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// TestTheSignatureNotTheFramingSaysWhetherABodyIsComplete is rule 11: bytes that
// came before the end was broken off are used when they verify.
func TestTheSignatureNotTheFramingSaysWhetherABodyIsComplete(t *testing.T) {
	t.Parallel()
	chunk := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }
	send := func(conn net.Conn, format string, args ...any) { _, _ = fmt.Fprintf(conn, format, args...) }
	for name, write := range map[string]func(conn net.Conn, header, body string) bool{
		"chunked, without its last chunk": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%s", header, chunk(body))
			return false
		},
		"chunked, and left open": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%s", header, chunk(body))
			return true
		},
		"without the last line end": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%s0\r\n", header, chunk(body))
			return false
		},
		"without the line end of its chunk": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%x\r\n%s", header, len(body), body)
			return false
		},
		"a Content-Length that is one too large": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body)+1, header, body)
			return false
		},
		"one too large, and left open": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body)+1, header, body)
			return true
		},
		"until the connection closes, and reset": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n%s\r\n%s", header, body)
			time.Sleep(50 * time.Millisecond) // so that the bytes come before the reset, which would discard them
			_ = conn.(*net.TCPConn).SetLinger(0)
			return false
		},
		"HTTP/1.0 without a length, and left open": func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.0 200 OK\r\n%s\r\n%s", header, body)
			return true
		},
		"gzip without its trailer": func(conn net.Conn, header, body string) bool {
			packed := gzipped(body)
			packed = packed[:len(packed)-4]
			send(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n%s\r\n%s", len(packed), header, packed)
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := onTheWire(t, successBody, write)
			client := newClient(t, url, alipay.WithTimeout(time.Second), once)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
			assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
			assert.Equal(t, successBody, string(got.Meta.Body))
		})
	}
	t.Run("not all of it came", func(t *testing.T) {
		t.Parallel()
		url := onTheWire(t, successBody, func(conn net.Conn, header, body string) bool {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body), header, body[:len(body)-1])
			return false
		})
		_, err := newClient(t, url, once).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NotErrorIs(t, err, alipay.ErrResponseSignature, "the bytes that did not come explain it")
		assert.NotContains(t, err.Error(), "store it", "nothing can open it")
	})
}

// TestDamageToAKeptAnswerIsUndoneWhenItIsOpened is rule 11.
func TestDamageToAKeptAnswerIsUndoneWhenItIsOpened(t *testing.T) {
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

// TestAnAnswerInGBKIsUsed is rule 17: it keeps its ASCII, what is not ASCII is not
// compared, and the log says so.
func TestAnAnswerInGBKIsUsed(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	client := newClient(t, serve(t, signed(200, "{\"identity_result\":\"SUCCESS\",\"open_id\":\"\xc4\xa3\x95\x5c\"}")).URL, logTo(&log))
	for range 2 {
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		assert.Equal(t, "\ufffd\ufffd\ufffd\ufffd", got.OpenID)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "an answer is not in UTF-8"), log.String())
	for _, sign := range []func(int, string) http.HandlerFunc{signed, unsigned} {
		_, err := newClient(t, serve(t, sign(400, "{\"message\":\"token\xce\xde\x95\x5c\",\"code\":\"TOKEN_INVALID\"}")).URL).
			ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.CodeTokenInvalid)
	}
}

// TestTheStatusLineIsNotSigned is rule 3: it makes no success and takes none away
// from a typed endpoint; Do takes 200 only, and the rest is kept.
func TestTheStatusLineIsNotSigned(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202, 203, 206, 226, 299} {
		url := serve(t, signed(status, successBody)).URL
		client := newClient(t, url)
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err, status)
		assert.Equal(t, status, got.Meta.StatusCode)
		var out map[string]any
		_, err = client.Do(t.Context(), &alipay.Request{Path: jobworthPath}, &out)
		if status == 200 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, status)
		assert.NotNil(t, sealedIn(err), status)
		assert.Nil(t, out)
	}
	for _, status := range []int{302, 304, 403, 404, 500, 504} {
		_, err := newClient(t, serve(t, signed(status, successBody)).URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err), "%d: %v", status, err)
		if status != 304 { // which has no body
			assert.NotNil(t, sealedIn(err), status)
		}
	}
}

// TestAVerifiedAnswerIsASuccessOnlyWithAMemberOfItsOwn is rule 3.
func TestAVerifiedAnswerIsASuccessOnlyWithAMemberOfItsOwn(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		code    alipay.ErrorCode
		outcome alipay.Outcome
		kept    bool
	}{
		`{"code":"TOKEN_INVALID","message":"token无效"}`:                                            {alipay.CodeTokenInvalid, alipay.OutcomeRejected, false},
		`{"code":"USER_NOT_AUTHORIZE"}`:                                                           {alipay.CodeUserNotAuthorize, alipay.OutcomeRejected, false},
		`{"code":"app-call-limited","message":"x"}`:                                               {alipay.CodeAppCallLimited, alipay.OutcomeNotDelivered, false},
		`{"code":"SYSTEM_ERROR","user_id":"` + testUserID + `"}`:                                  {alipay.CodeSystemError, alipay.OutcomeUnknown, false},
		`{"code":"40004","msg":"Business Failed","sub_code":"TOKEN_INVALID","sub_msg":"token无效"}`: {alipay.CodeTokenInvalid, alipay.OutcomeRejected, false},
		`{"code":"some-new-code"}`:                                                                {"some-new-code", alipay.OutcomeRejected, false},
		`{}`:                                                                                      {"", alipay.OutcomeUnknown, true},
		`{"user_id":"` + testUserID + `"}`:                                                        {"", alipay.OutcomeUnknown, true},
		`{"identity_result":null}`:                                                                {"", alipay.OutcomeUnknown, true},
		`{"error_response":{"code":"1"}}`:                                                         {"", alipay.OutcomeUnknown, true},
		`{"agreement_status":"VALID","out_agreement_no":"1"}`:                                     {"", alipay.OutcomeUnknown, true},
	} {
		client := newClient(t, serve(t, signed(200, body)).URL, once)
		for name, err := range map[string]error{
			"Query": second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())),
			"wait": second(client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(),
				alipay.PollPolicy{Initial: time.Millisecond, Max: time.Millisecond, Timeout: 20 * time.Millisecond})),
		} {
			require.Error(t, err, body)
			if name == "Query" {
				assert.Equal(t, want.outcome, alipay.OutcomeOf(err), "%s %s: %v", name, body, err)
			}
			if want.code != "" {
				assert.ErrorIs(t, err, want.code, "%s %s", name, body)
			}
			assert.Equal(t, want.kept, sealedIn(err) != nil, "%s %s", name, body)
		}
	}
	for _, body := range []string{
		`{"code":"TOKEN_INVALID","message":"x"}`, `{"code":"TOKEN_INVALID","message":"x","links":"l","details":[]}`,
	} {
		_, err := newClient(t, serve(t, signed(200, body)).URL).Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
		assert.ErrorIs(t, err, alipay.CodeTokenInvalid, body)
	}
	for _, body := range []string{
		`{"code":"TOKEN_INVALID"}`, `{"code":"TOKEN_INVALID","message":"x","more":1}`, `{"code":"some-new-code","message":"x"}`, `{"code":1,"message":"x"}`, `{}`,
	} {
		_, err := newClient(t, serve(t, signed(200, body)).URL).Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
		assert.NoError(t, err, body)
	}
}

// TestTwoAnswersThatWereSwappedAreBothKept, and neither is opened for the other
// without a person's decision: rules 11 and 16.
func TestTwoAnswersThatWereSwappedAreBothKept(t *testing.T) {
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

// TestAKeptAnswerIsBoundToWhatWasAsked: to application, endpoint and subject.
func TestAKeptAnswerIsBoundToWhatWasAsked(t *testing.T) {
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

// TestNoAnswerIsOpenedForAnother: random pairs of whom was asked about and whose
// answer came, in one form or another. With -altered N that many.
func TestNoAnswerIsOpenedForAnother(t *testing.T) {
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

// TestForeignCodeCannotTakeAnAnswerAway: a panic of an Observer or a log handler is
// recovered and logged once; one of the caller's UnmarshalJSON keeps the answer.
func TestForeignCodeCannotTakeAnAnswerAway(t *testing.T) {
	t.Parallel()
	url := serve(t, signed(200, successBody)).URL
	boom := func() { panic(testCertNo) }
	for name, opts := range map[string][]alipay.Option{
		"CallStart":     {alipay.WithObserver(alipay.Observer{CallStart: func(context.Context, alipay.CallInfo) context.Context { boom(); return nil }})},
		"AttemptDone":   {alipay.WithObserver(alipay.Observer{AttemptDone: func(context.Context, alipay.AttemptInfo) { boom() }})},
		"CallDone":      {alipay.WithObserver(alipay.Observer{CallDone: func(context.Context, alipay.CallResult) { boom() }})},
		"a log handler": {alipay.WithLogger(slog.New(panickingHandler{}))},
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			if name != "a log handler" {
				opts = append(opts, logTo(&log))
			}
			client := newClient(t, url, opts...)
			for range 2 {
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
			}
			if name != "a log handler" {
				assert.Equal(t, 1, strings.Count(log.String(), "panicked"), log.String())
				assert.NotContains(t, log.String(), testCertNo)
			}
		})
	}
	t.Run("UnmarshalJSON", func(t *testing.T) {
		client := newClient(t, url)
		_, err := client.Do(t.Context(), &alipay.Request{Path: jobworthPath}, new(panickingJSON))
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.False(t, alipay.Retryable(err))
		assert.Contains(t, err.Error(), "the answer verifies")
		var out map[string]any
		_, err = client.Open(stored(t, sealedIn(err)), &out)
		require.NoError(t, err)
		assert.Equal(t, "SUCCESS", out["identity_result"])
	})
}

type panickingHandler struct{}

func (panickingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingHandler) Handle(context.Context, slog.Record) error { panic("handler") }
func (h panickingHandler) WithAttrs([]slog.Attr) slog.Handler      { return h }
func (h panickingHandler) WithGroup(string) slog.Handler           { return h }

type panickingJSON struct{}

func (*panickingJSON) UnmarshalJSON([]byte) error { panic(testCertNo) }

// callingJSON calls the same client while it is decoded.
type callingJSON struct{}

var whileDecoding func() error

func (*callingJSON) UnmarshalJSON([]byte) error { return whileDecoding() }

// TestNoConnectionIsHeldWhileTheCallersCodeRuns is rule 6: an UnmarshalJSON may call
// the client, which has one connection.
func TestNoConnectionIsHeldWhileTheCallersCodeRuns(t *testing.T) {
	s := serve(t, signed(200, `{"a":1}`))
	all := callers()
	all["own"] = func(*http.Transport) []alipay.Option { return nil }
	for name, caller := range all {
		t.Run(name, func(t *testing.T) {
			base := alipay.NewTransport()
			base.MaxConnsPerHost = 1
			client := newClient(t, s.URL, caller(base)...)
			whileDecoding = func() error {
				_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
				return err
			}
			_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, new(callingJSON))
			require.NoError(t, err)
		})
	}
}

// TestAnAnswerThatDoesNotFitIsKeptAndNamed is rule 2: it verifies, which member does
// not fit, and nothing of its values.
func TestAnAnswerThatDoesNotFitIsKeptAndNamed(t *testing.T) {
	t.Parallel()
	const body = `{"validity_seconds":"31536000","id":2026112722001426251450957042,"user":{"number":"420192931233123123x"}}`
	client := newClient(t, serve(t, signed(200, body)).URL)
	var fits struct {
		ValiditySeconds int64 `json:"validity_seconds"`
		ID              any   `json:"id"`
	}
	_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &fits)
	require.NoError(t, err)
	assert.EqualValues(t, 31536000, fits.ValiditySeconds)
	assert.Equal(t, json.Number("2026112722001426251450957042"), fits.ID)
	var open map[string]any
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &open)
	require.NoError(t, err)
	assert.Equal(t, json.Number("2026112722001426251450957042"), open["id"])

	var misfit struct {
		User struct {
			Number int64 `json:"number"`
		} `json:"user"`
	}
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &misfit)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.False(t, alipay.Retryable(err))
	assert.Contains(t, err.Error(), "the answer verifies, but its member user.number does not fit the Go value: a string where int64 belongs")
	assert.NotContains(t, err.Error(), "4201")
	_, err = client.Open(stored(t, sealedIn(err)), nil)
	require.NoError(t, err)
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

// TestEveryTokenSpentIsAccountedFor is FuzzCustody for -custody N seeds.
func TestEveryTokenSpentIsAccountedFor(t *testing.T) {
	t.Parallel()
	lossy := newLossyGateway(t)
	for seed := range uint64(*custody) {
		lossy.round(t, seed)
	}
	t.Log(*custody, "answers:", lossy.counts)
}

var (
	pairs   = flag.Int("pairs", 300, "how many pairs of asked and came TestNoAnswerIsOpenedForAnother tries")
	custody = flag.Int("custody", 500, "how many answers TestEveryTokenSpentIsAccountedFor changes")
)

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
	l := &lossyGateway{gateway: alipaytest.NewGateway(tb, alipaytest.WithHistory(0)), counts: map[string]int{}}
	client, err := alipay.NewClient(l.gateway.Config(), once)
	require.NoError(tb, err)
	tb.Cleanup(client.CloseIdleConnections)
	l.client = client
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
		require.ErrorIs(t, err, alipay.ErrNotDelivered, "seed %d", seed)
		l.counts["not delivered"]++
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
