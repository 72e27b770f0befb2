package alipaytest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// call is a request of a client that is not part of this module, so that the
// gateway is not only tested with the client it was written for.
type call struct {
	method, target, body string
	cert                 bool
	authString           func(nonce string, timestamp int64) string // nil: as documented
	at                   time.Time
	header               map[string]string
	signedTarget         string  // what is signed instead of target
	signedBody           *string // what is signed instead of body
	authorization        func(string) string
}

func (c call) request(t testing.TB, g *Gateway) *http.Request {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	if c.at.IsZero() {
		c.at = time.Now()
	}
	if c.signedTarget == "" {
		c.signedTarget = c.target
	}
	sn := ""
	if c.cert {
		sn = keys().appSN
	}
	auth := protocol.AuthString(AppID, sn, protocol.NewID(), c.at.UnixMilli())
	if c.authString != nil {
		auth = c.authString(protocol.NewID(), c.at.UnixMilli())
	}
	signedBody := c.body
	if c.signedBody != nil {
		signedBody = *c.signedBody
	}
	signature, err := protocol.SignContext(context.Background(), keys().app, protocol.StringToSign(auth, c.method, c.signedTarget, []byte(signedBody), c.header["alipay-app-auth-token"]))
	require.NoError(t, err)
	authorization := protocol.Authorization(auth, signature)
	if c.authorization != nil {
		authorization = c.authorization(authorization)
	}
	r, err := http.NewRequest(c.method, g.BaseURL()+c.target, strings.NewReader(c.body))
	require.NoError(t, err)
	if c.body == "" {
		r.Body, r.TransferEncoding = http.NoBody, nil
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if c.cert {
		r.Header.Set(protocol.HeaderRootCertSN, keys().rootSN)
	}
	for name, value := range c.header {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header[name] = []string{value} // not canonical
		}
	}
	return r
}

// got is an answer, read to its end.
type got struct {
	*http.Response
	body []byte
}

func (c call) do(t testing.TB, g *Gateway) got {
	t.Helper()
	answer, err := exchangeOnce(g.HTTPClient(), c.request(t, g))
	require.NoError(t, err)
	return answer
}

func exchangeOnce(client *http.Client, r *http.Request) (got, error) {
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		return got{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20)) // of the huge ones no more
	return got{response, body}, err
}

// verifies reports whether the answer is signed by Alipay, now.
func (a got) verifies() bool {
	h := a.Header
	key := keys().alipay
	if h.Get(protocol.HeaderSN) == keys().alipayNextSN {
		key = keys().alipayNext
	}
	content := protocol.SignedContent(h.Get(protocol.HeaderTimestamp), h.Get(protocol.HeaderNonce), a.body)
	return protocol.Verify(&key.PublicKey, content, h.Get(protocol.HeaderSignature)) == nil
}

func query(onceToken string) string {
	return jobworthPath + "?once_token=" + url.QueryEscape(onceToken)
}

// withMessageSchedule scales the pauses between the deliveries of a message: with 1
// they are the platform's, with 0 there are none.
func withMessageSchedule(scale float64) Option { return func(o *options) { o.messageScale = scale } }

// connectionCount is how many connections the gateway has accepted so far.
func (g *Gateway) connectionCount() int {
	g.conns.mu.Lock()
	defer g.conns.mu.Unlock()
	return g.conns.accepted
}

// closeIdleConnections closes the connections that wait for a request, as a server
// does after a while: a client that then takes one from its pool finds it dead.
// HTTP/2 connections are closed within 20 ms.
func (g *Gateway) closeIdleConnections() {
	g.conns.mu.Lock()
	defer g.conns.mu.Unlock()
	for _, c := range g.conns.open {
		if !c.idle.IsZero() {
			g.conns.dropIdle(c)
		}
	}
}
