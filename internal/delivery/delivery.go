// Package delivery sends at most one complete request per attempt, and knows
// afterwards whether one may have been sent. It also contains the library's own
// transport, and turns the causes of failures into texts that are safe to show.
package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

// Transport sends requests through a base transport.
type Transport struct {
	base  http.RoundTripper
	kind  kind
	http2 atomic.Bool // without TLS it speaks HTTP/2, and requests share a connection
}

// kind is what is known about a base transport.
type kind int

const (
	foreign kind = iota // a caller's RoundTripper
	netHTTP             // an *http.Transport: it does not retry if it cannot repeat the body
	own                 // the library's own pool of HTTP/1.1 connections
)

// Why NewTransport refuses a caller's client.
var (
	ErrNilTransport = errors.New("its Transport is a nil *http.Transport")
	ErrOldTLS       = errors.New("its Transport allows TLS below 1.2; set TLSClientConfig.MinVersion to tls.VersionTLS12 or leave it 0")
)

// NewTransport sends through the Transport of a caller's client, or through the
// library's own if there is none.
func NewTransport(client *http.Client) (*Transport, error) {
	if client == nil || client.Transport == nil {
		return Own(NewHTTPTransport()), nil
	}
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		return &Transport{base: client.Transport}, nil
	}
	if t == nil {
		return nil, ErrNilTransport
	}
	settings := t.Clone() // which waits for the first request of another client, that changes t
	old := func(version uint16) bool { return version != 0 && version < tls.VersionTLS12 }
	if conf := settings.TLSClientConfig; conf != nil && (old(conf.MinVersion) || old(conf.MaxVersion)) {
		return nil, ErrOldTLS
	}
	shared := &Transport{base: t, kind: netHTTP}
	shared.http2.Store(settings.Protocols != nil && settings.Protocols.UnencryptedHTTP2() && !settings.Protocols.HTTP1()) // with both net/http speaks HTTP/1.1
	return shared, nil
}

// Own sends through the connections of a transport that [NewHTTPTransport] made,
// which nobody else may use or change.
func Own(t *http.Transport) *Transport { return &Transport{base: newPool(t), kind: own} }

// patience is how long a dial and a TLS handshake may take.
const patience = 5 * time.Second

// NewHTTPTransport returns an http.Transport with the library's own settings. It
// speaks HTTP/1.1 only: an HTTP/2 connection that breaks leaves the outcome of
// every call on it unknown. It keeps one idle connection for each concurrent
// caller, and for less time than servers do, since a request on a connection that
// the server is just closing cannot be retried. A new connection resumes the TLS
// session of an earlier one, which saves a round trip over TLS 1.2, and the
// certificates.
func NewHTTPTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: patience, KeepAlive: 30 * time.Second}
	dialer.ControlContext = func(ctx context.Context, _, addr string, _ syscall.RawConn) error { // the name is resolved
		reportOf(ctx).reach(StageConnect, addr)
		return nil
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: onProxyConnect,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(addr)
			reportOf(ctx).reach(StageResolve, host)
			conn, err := dialer.DialContext(ctx, network, addr)
			if err == nil {
				reportOf(ctx).reach(StageTLS, addr)
			}
			return conn, err
		},
		TLSHandshakeTimeout:    patience,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		Protocols:              protocols,
		MaxIdleConnsPerHost:    1 << 16,
		IdleConnTimeout:        15 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// tlsOf returns the version of TLS that a connection speaks, and the protocol that
// was negotiated under it. It looks through wrappers that have a NetConn method. A
// connection that does not show its TLS counts as having none, version 0. QUIC has
// TLS 1.3 built in.
func tlsOf(ctx context.Context, conn net.Conn) (version uint16, protocol string) {
	if conn == nil {
		return 0, ""
	}
	if handshaker, ok := conn.(interface{ HandshakeContext(context.Context) error }); ok && handshaker.HandshakeContext(ctx) != nil {
		return 0, ""
	}
	if secured, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := secured.ConnectionState()
		return state.Version, state.NegotiatedProtocol
	}
	if addr := conn.RemoteAddr(); addr != nil && addr.Network() == "udp" {
		return tls.VersionTLS13, "h3"
	}
	if wrapper, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return tlsOf(ctx, wrapper.NetConn())
	}
	return 0, ""
}

// CloseIdleConnections closes the connections that no request uses, if the base
// transport has that method.
func (t *Transport) CloseIdleConnections() {
	(&http.Client{Transport: t.base}).CloseIdleConnections()
}

// Request is what Send puts on the wire.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte
}

// blank is copied for every request: WithContext is the one way to give a request
// its context, and it copies.
var blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

var (
	identity = []string{"identity"}

	errInsecure   = errors.New("the connection that the dialler made does not speak TLS 1.2 or newer, and was closed before anything was written to it")
	errNoResponse = errors.New("the transport returned neither an answer nor an error")
	errRepetition = errors.New("the connection broke, and an automatic resend of the request was stopped")
)

// Send sends the request once and records in report what happened to it. The
// answer's body is read under the context of the report, which its Close ends. On
// an error there is no answer.
func (t *Transport) Send(ctx context.Context, r Request, report *Report) (*http.Response, error) {
	report.via, report.url = t, r.URL
	if report.cause = ctx.Err(); report.cause != nil {
		return nil, report.cause
	}
	ctx = report.watch(ctx)
	for {
		resp, err := t.roundTrip(ctx, r, report)
		if err == nil || !report.tryNext() {
			return resp, err
		}
	}
}

func (t *Transport) roundTrip(ctx context.Context, r Request, report *Report) (*http.Response, error) {
	req := blank.WithContext(ctx)
	req.Method, req.URL, req.Host, req.Header = r.Method, r.URL, r.URL.Host, r.Header
	// A caller's RoundTripper may rewrite its request in place, also one that is
	// registered for a protocol with an *http.Transport. That must not reach the next
	// attempt.
	if t.kind != own {
		target := *r.URL
		req.URL = &target
	}
	if t.kind == foreign {
		req.Header = r.Header.Clone()
	}
	report.body.report, report.body.rest = report, r.Body
	req.Body = &report.body
	req.ContentLength = int64(len(r.Body))
	if len(r.Body) == 0 {
		req.TransferEncoding = identity
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			// Some servers answer 411 without it. net/http leaves it out with this
			// encoding, and passes on only a spelling that it does not know.
			req.Header["content-length"] = []string{"0"}
		}
	}
	resp, err := t.base.RoundTrip(req)
	switch {
	case err == nil && resp == nil:
		err = errNoResponse
	case err == nil && report.connDead.Load() && !report.gotConn.Load():
		err = net.ErrClosed // surplus of the previous answer
	}
	if err != nil {
		report.cause = err
		return nil, err
	}
	if t.kind == foreign && resp.ProtoMajor == 2 {
		t.http2.Store(true)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, nil
}
