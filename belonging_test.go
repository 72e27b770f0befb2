package alipay_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// resultOf is a final answer about a user.
func resultOf(user string) string {
	return `{"identity_result":"SUCCESS","token_status":"FINISH","user_id":"` + user + `"}`
}

// rawAnswerWithoutNonce is a whole signed answer that has no nonce.
func rawAnswerWithoutNonce(body string) string {
	timestamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	signature, err := protocol.Sign(alipayKey(), protocol.SignedContent(timestamp, "", []byte(body)))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nAlipay-Timestamp: %s\r\nAlipay-Signature: %s\r\n\r\n%s", len(body), timestamp, signature, body)
}

// alwaysAnswering answers every request with the same bytes.
func alwaysAnswering(t testing.TB, answer string) string {
	return rawServer(t, func(conn net.Conn, _ int) {
		r := bufio.NewReader(conn)
		for {
			if _, err := readRequest(r); err != nil {
				return
			}
			_, _ = conn.Write([]byte(answer))
		}
	})
}

func TestASignedAnswerIsTakenOnce(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a result":                 resultOf(testUserID),
		"an answer without a user": waitingBody,
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, alwaysAnswering(t, rawAnswer(200, answer)))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
			for n := range 20 {
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: strconv.Itoa(n)})
				require.ErrorIs(t, err, alipay.ErrResponseReplayed)
				assert.Equal(t, "unknown", meaning(t, err))
				assert.Nil(t, got)
				var failed *alipay.CallError
				require.ErrorAs(t, err, &failed)
				assert.Nil(t, failed.Answer, "it is somebody else's")
			}
		})
	}
	t.Run("a signed no", func(t *testing.T) {
		client := newClient(t, alwaysAnswering(t, rawAnswer(400, `{"code":"TOKEN_INVALID","message":"token无效"}`)))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.CodeTokenInvalid)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		assert.NotErrorIs(t, err, alipay.CodeTokenInvalid)
		assert.Equal(t, "unknown", meaning(t, err))
	})
	t.Run("one that does not verify", func(t *testing.T) {
		altered := strings.Replace(rawAnswer(200, waitingBody), "WAITING_VERIFY", "WAITING-VERIFY", 1)
		client := newClient(t, alwaysAnswering(t, altered))
		var failed *alipay.CallError
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseAltered)
		require.ErrorAs(t, err, &failed)
		assert.NotNil(t, failed.Answer)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		require.ErrorAs(t, err, &failed)
		assert.Nil(t, failed.Answer)
	})
	t.Run("not so without a nonce", func(t *testing.T) {
		client := newClient(t, alwaysAnswering(t, rawAnswerWithoutNonce(resultOf(testUserID))))
		for range 3 {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
		}
	})
}

func TestAnAnswerAboutAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		asked  alipay.QueryParams
		answer string
		taken  bool
	}{
		"the user":             {alipay.QueryParams{UserID: "1"}, `{"user_id":"1","open_id":"a"}`, true},
		"the open id":          {alipay.QueryParams{OpenID: "a"}, `{"user_id":"1","open_id":"a"}`, true},
		"as a number":          {alipay.QueryParams{UserID: "2088402562742105"}, `{"user_id":2088402562742105}`, true},
		"not asked for":        {alipay.QueryParams{CertNo: testCertNo}, `{"user_id":"1","open_id":"a"}`, true},
		"not told":             {alipay.QueryParams{UserID: "1", OpenID: "a"}, waitingBody, true},
		"told as null":         {alipay.QueryParams{UserID: "1"}, `{"user_id":null}`, true},
		"padded":               {alipay.QueryParams{UserID: " 1 "}, `{"user_id":"1"}`, true},
		"padded in the answer": {alipay.QueryParams{UserID: "1"}, `{"user_id":" 1 "}`, true},
		"another user":         {alipay.QueryParams{UserID: "1"}, `{"user_id":"2"}`, false},
		"another number":       {alipay.QueryParams{UserID: "1"}, `{"user_id":2}`, false},
		"another open id":      {alipay.QueryParams{OpenID: "a"}, `{"open_id":"A"}`, false},
		"one of both":          {alipay.QueryParams{UserID: "1", OpenID: "a"}, `{"user_id":"1","open_id":"b"}`, false},
		"a user among others":  {alipay.QueryParams{UserID: "1"}, `{"user_id":"1","user_id":"2"}`, false},
		"escaped":              {alipay.QueryParams{UserID: "1"}, `{"user\u005fid":"\u0032"}`, false},
		"in place of a verify": {alipay.QueryParams{UserID: "1"}, `{"identity_result":"WAITING_VERIFY","user_id":"2"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, tt.answer) })
			client := newClient(t, s.URL)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &tt.asked)
			out := alipay.QueryResponse{UserID: "before"}
			_, doErr := client.Do(t.Context(), &alipay.Request{Path: jobworthPath, Query: tt.asked}, &out)
			if tt.taken {
				require.NoError(t, err)
				require.NoError(t, doErr)
				return
			}
			assert.Nil(t, got)
			assert.Equal(t, alipay.QueryResponse{UserID: "before"}, out, "left as it was")
			for _, err := range []error{err, doErr} {
				require.ErrorIs(t, err, alipay.ErrResponseMismatch)
				assert.Equal(t, "unknown", meaning(t, err))
				var failed *alipay.CallError
				require.ErrorAs(t, err, &failed)
				assert.Nil(t, failed.Answer, "it is somebody else's")
			}
		})
	}
	t.Run("a parameter of WithQueryParam counts", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, resultOf("2")) })
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil, alipay.WithQueryParam("user_id", "1"))
		require.ErrorIs(t, err, alipay.ErrResponseMismatch)
	})
	t.Run("Do with a type of the caller's", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, resultOf("2")) })
		var own map[string]any
		for _, out := range []any{&own, nil} {
			_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Path: jobworthPath, Query: &alipay.QueryParams{UserID: "1"}}, out)
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
			assert.Nil(t, own)
			var failed *alipay.CallError
			require.ErrorAs(t, err, &failed)
			assert.Nil(t, failed.Answer)
			_, err = newClient(t, s.URL).Do(t.Context(), &alipay.Request{Path: "/v3/another", Query: &alipay.QueryParams{UserID: "1"}}, out)
			require.NoError(t, err, "what user_id means elsewhere is not known")
			own = nil
		}
	})
	t.Run("another agreement", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"out_agreement_no":"2","credit_agreement_id":"2","agreement_status":"VALID"}`)
		})
		client := newClient(t, s.URL)
		for _, asked := range []alipay.CreditAgreementQueryParams{
			{OutAgreementNo: "1"}, {CreditAgreementID: "1"}, {OutAgreementNo: "1", CreditAgreementID: "2"}, {OutAgreementNo: "2", CreditAgreementID: "1"},
		} {
			got, err := client.ZhimaCreditPayafteruseCreditagreement.Query(t.Context(), &asked)
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
			assert.Nil(t, got)
			out := alipay.CreditAgreementQueryResponse{OpenID: "before"}
			_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x", Query: asked}, &out)
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
			assert.Equal(t, alipay.CreditAgreementQueryResponse{OpenID: "before"}, out, "left as it was")
		}
	})
}

// TestAProxyThatRepeatsAnswersTellsNobodyAnothersResult is a proxy whose
// connections fall out of step: it emits every tenth answer twice.
func TestAProxyThatRepeatsAnswersTellsNobodyAnothersResult(t *testing.T) {
	t.Parallel()
	for name, emit := range map[string]func(conn net.Conn, answer string){
		"in one piece": func(conn net.Conn, answer string) { _, _ = conn.Write([]byte(answer + answer)) },
		"a moment later": func(conn net.Conn, answer string) {
			_, _ = conn.Write([]byte(answer))
			_, _ = conn.Write([]byte(answer))
		},
	} {
		for caller, opts := range map[string][]alipay.Option{
			"default client":     nil,
			"caller's transport": {alipay.WithHTTPClient(&http.Client{Transport: alipay.NewTransport()})},
		} {
			t.Run(name+", "+caller, func(t *testing.T) {
				t.Parallel()
				var answers atomic.Int64
				base := rawServer(t, func(conn net.Conn, _ int) {
					r := bufio.NewReader(conn)
					for {
						head, err := readRequest(r)
						if err != nil {
							return
						}
						_, token, _ := strings.Cut(head, "once_token=")
						token, _, _ = strings.Cut(token, " ")
						if answer := rawAnswer(200, resultOf(token)); answers.Add(1)%10 == 0 {
							emit(conn, answer)
						} else {
							_, _ = conn.Write([]byte(answer))
						}
					}
				})
				client := newClient(t, base, opts...)
				var all sync.WaitGroup
				var taken, foreign atomic.Int64
				for caller := range 4 {
					all.Go(func() {
						for n := range 15 {
							token := fmt.Sprintf("%d-%d", caller, n)
							got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: token})
							switch {
							case err != nil:
								assert.NotEqual(t, "no", meaning(t, err), err)
							case got.UserID != token:
								foreign.Add(1)
							default:
								taken.Add(1)
							}
						}
					})
				}
				all.Wait()
				assert.Zero(t, foreign.Load(), "answers of others")
				assert.Greater(t, taken.Load(), int64(45), "answers that were taken")
			})
		}
	}
}

// cachingTransport keeps the first answer, as a cache that takes no notice of
// Cache-Control does.
type cachingTransport struct {
	base http.RoundTripper
	kept []byte
	head http.Response
}

func (c *cachingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.kept == nil {
		resp, err := c.base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		c.kept, _ = io.ReadAll(resp.Body)
		c.head = *resp
	}
	resp := c.head
	resp.Body = io.NopCloser(bytes.NewReader(c.kept))
	return &resp, nil
}

func TestACacheAnswersNoCall(t *testing.T) {
	t.Parallel()
	t.Run("it is told so", func(t *testing.T) {
		var header atomic.Value
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			header.Store(r.Header.Get("Cache-Control"))
			answer(w, 200, waitingBody)
		})
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		assert.Equal(t, "no-store", header.Load())
	})
	t.Run("one that keeps answers all the same", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, waitingBody) })
		transport := &cachingTransport{base: http.DefaultTransport}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		attempts := 0
		endAfterTwoPolls := alipay.WithObserver(alipay.Observer{AttemptDone: func(context.Context, alipay.AttemptInfo) {
			if attempts++; attempts == 4 {
				cancel()
			}
		}})
		client := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: transport}), endAfterTwoPolls)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		_, err = client.ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, testParams(), quickly)
		require.ErrorIs(t, err, alipay.ErrStillWaiting)
		assert.Equal(t, "unknown", meaning(t, err), "no poll was answered")
		// A client that has not seen the answer knows that nothing was sent.
		other := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: transport}))
		_, err = other.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		assert.Contains(t, err.Error(), "cache")
		assert.EqualValues(t, 1, s.requests.Load())
	})
	for age, taken := range map[string]bool{"0": true, "1": false, "86400": false, "-1": false, "x": false} {
		t.Run("Age "+age, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Age", age)
				answer(w, 200, waitingBody)
			})
			_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			assert.Equal(t, taken, err == nil)
			assert.Equal(t, !taken, errors.Is(err, alipay.ErrResponseReplayed))
		})
	}
}
