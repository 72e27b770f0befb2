package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// roundTripper is a base transport as a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhatIsKnownOfACallersTransport(t *testing.T) {
	http2 := new(http.Protocols)
	http2.SetUnencryptedHTTP2(true)
	either := new(http.Protocols) // and then it speaks HTTP/1.1
	either.SetUnencryptedHTTP2(true)
	either.SetHTTP1(true)
	withTLS := func(lowest, highest uint16) *http.Transport {
		return &http.Transport{TLSClientConfig: &tls.Config{MinVersion: lowest, MaxVersion: highest}} //nolint:gosec // on purpose
	}
	for name, tt := range map[string]struct {
		base http.RoundTripper
		want kind
		err  error
	}{
		"none":           {nil, own, nil},
		"another type":   {roundTripper(nil), foreign, nil},
		"net/http":       {&http.Transport{}, netHTTP, nil},
		"HTTP/2":         {&http.Transport{Protocols: http2}, netHTTP, nil},
		"either":         {&http.Transport{Protocols: either}, netHTTP, nil},
		"nil":            {(*http.Transport)(nil), foreign, ErrNilTransport},
		"TLS by default": {withTLS(0, 0), netHTTP, nil},
		"TLS 1.2":        {withTLS(tls.VersionTLS12, tls.VersionTLS12), netHTTP, nil},
		"TLS from 1.1":   {withTLS(tls.VersionTLS11, 0), foreign, ErrOldTLS},
		"TLS up to 1.1":  {withTLS(0, tls.VersionTLS11), foreign, ErrOldTLS},
		"TLS below 1.2":  {withTLS(tls.VersionTLS10, tls.VersionTLS13), foreign, ErrOldTLS},
	} {
		got, err := NewTransport(&http.Client{Transport: tt.base})
		assert.Equal(t, tt.err, err, name)
		if err == nil {
			assert.Equal(t, tt.want, got.kind, name)
			assert.Equal(t, name == "HTTP/2", got.http2.Load(), name)
		}
	}
	got, err := NewTransport(nil)
	require.NoError(t, err)
	assert.Equal(t, own, got.kind)
}

func TestTheOwnTransportHasBounds(t *testing.T) {
	own := NewHTTPTransport()
	assert.Equal(t, 5*time.Second, own.TLSHandshakeTimeout)
	assert.Equal(t, 15*time.Second, own.IdleConnTimeout)
	assert.EqualValues(t, 256<<10, own.MaxResponseHeaderBytes)
	assert.Equal(t, 1<<16, own.MaxIdleConnsPerHost)
	assert.True(t, own.Protocols.HTTP1())
	assert.NotNil(t, own.Proxy)
}

// Connections of which tlsOf has to find out what they speak.
type (
	speaking struct{ net.Conn }
	shaking  struct {
		speaking
		err error
	}
	wrapping struct {
		net.Conn
		inner net.Conn
	}
	addressed struct {
		net.Conn
		addr net.Addr
	}
)

func (speaking) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{Version: tls.VersionTLS12, NegotiatedProtocol: "http/1.1"}
}
func (s shaking) HandshakeContext(context.Context) error { return s.err }
func (w wrapping) NetConn() net.Conn                     { return w.inner }
func (wrapping) RemoteAddr() net.Addr                    { return nil }
func (a addressed) RemoteAddr() net.Addr                 { return a.addr }

func TestTheTLSOfAConnectionIsFoundThroughItsWrappers(t *testing.T) {
	tcp, udp := addressed{addr: &net.TCPAddr{}}, addressed{addr: &net.UDPAddr{}}
	for name, tt := range map[string]struct {
		conn     net.Conn
		version  uint16
		protocol string
	}{
		"TLS":                      {speaking{}, tls.VersionTLS12, "http/1.1"},
		"TLS after a handshake":    {shaking{}, tls.VersionTLS12, "http/1.1"},
		"a handshake that fails":   {shaking{err: errors.New("no")}, 0, ""},
		"wrapped":                  {wrapping{inner: wrapping{inner: speaking{}}}, tls.VersionTLS12, "http/1.1"},
		"QUIC":                     {udp, tls.VersionTLS13, "h3"},
		"QUIC, wrapped":            {wrapping{inner: udp}, tls.VersionTLS13, "h3"},
		"TCP":                      {tcp, 0, ""},
		"no address":               {addressed{}, 0, ""},
		"a wrapper around nothing": {wrapping{}, 0, ""},
		"no connection":            {nil, 0, ""},
	} {
		version, protocol := tlsOf(t.Context(), tt.conn)
		assert.Equal(t, tt.version, version, name)
		assert.Equal(t, tt.protocol, protocol, name)
	}
}

// send sends a request through a caller's RoundTripper.
func send(ctx context.Context, base roundTripper, r Request) (*http.Response, *Report, error) {
	report := new(Report)
	resp, err := (&Transport{base: base}).Send(ctx, r, report)
	return resp, report, err
}

func requestTo(method, body string) Request {
	return Request{Method: method, URL: &url.URL{Scheme: "http", Host: "gateway", Path: "/v3"}, Header: http.Header{"A": {"b"}}, Body: []byte(body)}
}

func TestARequestIsMadeAnewForEachAttempt(t *testing.T) {
	for _, body := range []string{"", "body"} {
		for method, saysZero := range map[string]bool{http.MethodGet: false, http.MethodDelete: false, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true} {
			r := requestTo(method, body)
			_, report, err := send(t.Context(), func(req *http.Request) (*http.Response, error) {
				assert.Equal(t, method, req.Method)
				assert.Equal(t, "http://gateway/v3", req.URL.String())
				assert.Equal(t, "gateway", req.Host)
				assert.Equal(t, "HTTP/1.1", req.Proto)
				assert.True(t, req.ProtoMajor == 1 && req.ProtoMinor == 1)
				assert.EqualValues(t, len(body), req.ContentLength)
				want := http.Header{"A": {"b"}}
				if body == "" {
					assert.Equal(t, []string{"identity"}, req.TransferEncoding)
					if saysZero {
						want["content-length"] = []string{"0"}
					}
				} else {
					assert.Empty(t, req.TransferEncoding)
				}
				assert.Equal(t, want, req.Header)
				got, err := io.ReadAll(req.Body)
				assert.NoError(t, err)
				assert.Equal(t, body, string(got))
				req.URL.Path, req.Method = "/other", "OTHER"
				req.Header.Set("A", "other")
				req.Header.Set("B", "other")
				return &http.Response{}, nil
			}, r)
			require.NoError(t, err)
			report.Close()
			assert.Equal(t, requestTo(method, body), r, "what the RoundTripper does to it stays there")
		}
	}
}

func TestWhatABaseTransportReturnsIsAnAnswerOrAnError(t *testing.T) {
	resp, _, err := send(t.Context(), func(*http.Request) (*http.Response, error) { return &http.Response{}, nil }, requestTo("GET", ""))
	require.NoError(t, err)
	assert.Equal(t, http.NoBody, resp.Body)

	failed := errors.New("failed")
	resp, report, err := send(t.Context(), func(*http.Request) (*http.Response, error) { return &http.Response{}, failed }, requestTo("GET", ""))
	assert.Nil(t, resp)
	assert.ErrorIs(t, err, failed)
	assert.EqualError(t, report.Failure().Err, "waiting for the answer of gateway:80: the transport failed")
	assert.True(t, report.MaybeSent())

	resp, report, err = send(t.Context(), func(*http.Request) (*http.Response, error) { return nil, nil }, requestTo("GET", ""))
	assert.Nil(t, resp)
	assert.ErrorIs(t, err, errNoResponse)
	assert.EqualError(t, report.Failure().Err, "waiting for the answer of gateway:80: the transport returned neither an answer nor an error")
}

type idle struct {
	http.RoundTripper
	closed bool
}

func (i *idle) CloseIdleConnections() { i.closed = true }

func TestIdleConnectionsAreClosedWhereTheBaseTransportCan(t *testing.T) {
	var base idle
	(&Transport{base: &base}).CloseIdleConnections()
	assert.True(t, base.closed)
	(&Transport{base: roundTripper(nil)}).CloseIdleConnections()
}

func TestNothingIsSentForACallThatHasEnded(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, report, err := send(ended, func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, nil }, requestTo("GET", ""))
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, report.Failure().Err, context.Canceled)
	assert.False(t, report.MaybeSent())
}
