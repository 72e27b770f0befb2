package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

// endable is a context that a test ends, as a deadline does or, with
// context.Canceled as the cause, as its caller does.
type endable struct{ context.Context }

func (e endable) Err() error {
	if err := e.Context.Err(); err == nil || context.Cause(e.Context) == context.Canceled {
		return err
	}
	return context.DeadlineExceeded
}

// hindrance is one thing that stands between a client and the gateway.
type hindrance struct {
	target    string // URL
	configure func(*http.Transport)
	endAt     string // stage at which the context ends, "" for none
	cause     error  // why it ends

	stage     string
	text      string
	is        error
	permanent bool
	sent      bool
}

func through(proxy string) func(*http.Transport) {
	return func(base *http.Transport) { base.Proxy = http.ProxyURL(testpki.Must(url.Parse(proxy))) }
}

// refusing is a proxy that answers CONNECT with a status.
func refusing(t *testing.T, status int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", status) }))
	t.Cleanup(s.Close)
	return s.URL
}

// silence accepts connections and says nothing.
func silence(t *testing.T) string {
	return strings.TrimPrefix(raw(t, nil, func(conn net.Conn, _ int) { _, _ = io.Copy(io.Discard, conn) }), "http://")
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// certified is a TLS server with a certificate of a CA that the client trusts.
func certified(t *testing.T, change func(*x509.Certificate)) (address string, trust func(*http.Transport)) {
	now := time.Now()
	ca := testpki.Issue(testpki.Name("Test CA"), testpki.ECKey(), nil, now, testpki.Authority)
	leaf := testpki.Issue(testpki.Name("gateway"), testpki.ECKey(), ca, now, func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		change(c)
	})
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	address = raw(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Cert.Raw}, PrivateKey: leaf.Key}}}, answering)
	return strings.TrimPrefix(address, "https://"), func(base *http.Transport) { base.TLSClientConfig.RootCAs = pool }
}

// nameServer answers questions with a code, and not at all with -1.
func nameServer(t *testing.T, code int) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	go func() {
		message := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(message)
			if err != nil {
				return
			}
			if code >= 0 {
				message[2], message[3] = 0x81, 0x80|byte(code)
				copy(message[6:12], make([]byte, 6)) // no records
				_, _ = server.WriteTo(message[:n], from)
			}
		}
	}()
	address := server.LocalAddr().String()
	testNameServer.Store(&address)
	t.Cleanup(func() { testNameServer.Store(nil) })
}

// testNameServer is asked instead of the system's, while there is one.
var testNameServer atomic.Pointer[string]

func init() {
	net.DefaultResolver.PreferGo = true // the C library's resolver would ask the system's server
	net.DefaultResolver.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if server := testNameServer.Load(); server != nil {
			network, address = "udp", *server
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

const tenSeconds = ClientTimeout(10 * time.Second)

var hindrances = map[string]func(t *testing.T) hindrance{
	"no such name": func(t *testing.T) hindrance {
		nameServer(t, 3)
		return hindrance{target: "https://unknown.example.", stage: StageResolve,
			text: "resolving unknown.example.: no such host; it is retried, like a connection that failed"}
	},
	"a DNS server that fails": func(t *testing.T) hindrance {
		nameServer(t, 2)
		return hindrance{target: "https://failing.example.", stage: StageResolve,
			text: "resolving failing.example.: the DNS server failed; it is retried, like a connection that failed"}
	},
	"a DNS server that is silent": func(t *testing.T) hindrance {
		nameServer(t, -1)
		return hindrance{target: "https://silent.example.", endAt: StageResolve, cause: tenSeconds, stage: StageResolve,
			text: "resolving silent.example.: no answer before the end of the client's timeout, 10s (WithTimeout); it is retried, like a connection that failed"}
	},
	"a port at which nobody listens": func(t *testing.T) hindrance {
		address := closedPort(t)
		return hindrance{target: "https://" + address, stage: StageConnect, is: syscall.ECONNREFUSED,
			text: "connecting to " + address + ": connection refused"}
	},
	"a proxy at which nobody listens": func(t *testing.T) hindrance {
		proxy := closedPort(t)
		return hindrance{target: "https://gateway.example", configure: through("http://user:secret@" + proxy), stage: StageProxy, is: syscall.ECONNREFUSED,
			text: "connecting through the proxy " + proxy + ": connection refused"}
	},
	"a proxy whose name does not resolve": func(t *testing.T) hindrance {
		nameServer(t, 3)
		return hindrance{target: "https://gateway.example", configure: through("http://user:secret@proxy.example.:3128"), stage: StageResolve,
			text: "resolving proxy.example.: no such host; it is retried, like a connection that failed"}
	},
	"a proxy that says 407": func(t *testing.T) hindrance {
		proxy := refusing(t, 407)
		return hindrance{target: "https://gateway.example", configure: through(proxy), stage: StageProxy, permanent: true,
			text: "connecting through the proxy " + strings.TrimPrefix(proxy, "http://") + ": it refuses CONNECT to gateway.example:443 with status 407 (Proxy Authentication Required); it wants a user and a password, as in HTTPS_PROXY=http://user:password@proxy.example:3128"}
	},
	"a proxy that says 403": func(t *testing.T) hindrance {
		proxy := refusing(t, 403)
		return hindrance{target: "https://gateway.example:8443", configure: through(proxy), stage: StageProxy, permanent: true,
			text: "connecting through the proxy " + strings.TrimPrefix(proxy, "http://") + ": it refuses CONNECT to gateway.example:8443 with status 403 (Forbidden); its operator has to allow this host and port"}
	},
	"a proxy that says 502": func(t *testing.T) hindrance {
		proxy := refusing(t, 502)
		return hindrance{target: "https://gateway.example", configure: through(proxy), stage: StageProxy,
			text: "connecting through the proxy " + strings.TrimPrefix(proxy, "http://") + ": it refuses CONNECT to gateway.example:443 with status 502 (Bad Gateway)"}
	},
	"a proxy that is silent": func(t *testing.T) hindrance {
		proxy := silence(t)
		return hindrance{target: "https://gateway.example", configure: through("http://user:secret@" + proxy), endAt: StageProxy, cause: context.DeadlineExceeded, stage: StageProxy,
			text: "connecting through the proxy " + proxy + ": no answer before the deadline of the caller's context"}
	},
	"a SOCKS proxy that wants a password": func(t *testing.T) hindrance {
		proxy := strings.TrimPrefix(raw(t, nil, func(conn net.Conn, _ int) {
			_, _ = io.ReadFull(conn, make([]byte, 4))
			_, _ = conn.Write([]byte{5, 2})
			_, _ = io.ReadFull(conn, make([]byte, 13))
			_, _ = conn.Write([]byte{1, 1})
		}), "http://")
		return hindrance{target: "https://gateway.example", configure: through("socks5://user:secret@" + proxy), stage: StageProxy,
			text: "connecting through the proxy " + proxy + ": username/password authentication failed"}
	},
	"TLS that is silent": func(t *testing.T) hindrance {
		address := silence(t)
		_, port, _ := net.SplitHostPort(address)
		return hindrance{target: "https://" + address, endAt: StageTLS, cause: tenSeconds, stage: StageTLS,
			text: "TLS handshake with " + address + ": no answer before the end of the client's timeout, 10s (WithTimeout); a firewall may block outgoing connections to port " + port}
	},
	"TLS that is silent behind a proxy": func(t *testing.T) hindrance {
		address := silence(t)
		return hindrance{target: "https://" + address, configure: through(connectProxy(t).String()), endAt: StageTLS, cause: context.Canceled, stage: StageTLS,
			text: "TLS handshake with " + address + ": no answer before the caller's context was cancelled"}
	},
	"TLS that is silent too long": func(t *testing.T) hindrance {
		address := silence(t)
		_, port, _ := net.SplitHostPort(address)
		return hindrance{target: "https://" + address, configure: func(base *http.Transport) { base.TLSHandshakeTimeout = time.Millisecond }, stage: StageTLS,
			text: "TLS handshake with " + address + ": no answer before the end of TLSHandshakeTimeout; a firewall may block outgoing connections to port " + port}
	},
	"no TLS": func(t *testing.T) hindrance {
		target := raw(t, nil, func(conn net.Conn, _ int) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") })
		return hindrance{target: "https" + strings.TrimPrefix(target, "http"), stage: StageTLS,
			text: "TLS handshake with " + strings.TrimPrefix(target, "http://") + ": first record does not look like a TLS handshake"}
	},
	"a foreign CA": func(t *testing.T) hindrance {
		address, _ := certified(t, func(*x509.Certificate) {})
		return hindrance{target: "https://" + address, stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + `: the certificate for 127.0.0.1 is issued by "CN=Test CA,C=CN", which this machine does not trust; if that is your company's own CA, add it to TLSClientConfig.RootCAs of NewTransport, and use WithHTTPClient`}
	},
	"an expired certificate": func(t *testing.T) hindrance {
		address, trust := certified(t, testpki.Valid(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC)))
		return hindrance{target: "https://" + address, configure: trust, stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + `: the certificate for 127.0.0.1, issued by "CN=Test CA,C=CN", expired at 2021-01-02 03:04:05 UTC, and this machine's clock says NOW`}
	},
	"a certificate that is not valid yet": func(t *testing.T) hindrance {
		address, trust := certified(t, testpki.Valid(time.Date(2120, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2121, 1, 2, 3, 4, 5, 0, time.UTC)))
		return hindrance{target: "https://" + address, configure: trust, stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + `: the certificate for 127.0.0.1, issued by "CN=Test CA,C=CN", is valid from 2120-01-02 03:04:05 UTC, and this machine's clock says NOW`}
	},
	"a certificate for other names": func(t *testing.T) hindrance {
		address, trust := certified(t, func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = []string{"a.example", "\n*.b.example"}, []net.IP{net.IPv4(10, 0, 0, 1)}
		})
		return hindrance{target: "https://" + address, configure: trust, stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + `: the certificate, issued by "CN=Test CA,C=CN", is for a.example,  *.b.example, 10.0.0.1 and not for 127.0.0.1`}
	},
	"a certificate for another use": func(t *testing.T) hindrance {
		address, trust := certified(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
		return hindrance{target: "https://" + address, configure: trust, stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + `: the certificate for 127.0.0.1, issued by "CN=Test CA,C=CN", is not valid for this use`}
	},
	"a verification of the caller's": func(t *testing.T) hindrance {
		address, trust := certified(t, func(*x509.Certificate) {})
		return hindrance{target: "https://" + address, configure: func(base *http.Transport) {
			trust(base)
			base.TLSClientConfig.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error {
				return &tls.CertificateVerificationError{Err: errors.New("secret")}
			}
		}, stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + ": the certificate for 127.0.0.1 cannot be verified"}
	},
	"a proxy's own certificate": func(t *testing.T) hindrance {
		address, _ := certified(t, func(*x509.Certificate) {})
		return hindrance{target: "https://gateway.example", configure: through("https://" + address), stage: StageTLS, permanent: true,
			text: "TLS handshake with " + address + `: the certificate for 127.0.0.1 is issued by "CN=Test CA,C=CN", which this machine does not trust; if that is your company's own CA, add it to TLSClientConfig.RootCAs of NewTransport, and use WithHTTPClient`}
	},
	"a gateway that does not answer": func(t *testing.T) hindrance {
		address := silence(t)
		return hindrance{target: "http://" + address, endAt: StageAnswer, cause: tenSeconds, stage: StageAnswer, sent: true,
			text: "waiting for the answer of " + address + ": no answer before the end of the client's timeout, 10s (WithTimeout)"}
	},
	"a gateway that hangs up": func(t *testing.T) hindrance {
		address := strings.TrimPrefix(raw(t, nil, func(conn net.Conn, _ int) { _, _ = conn.Read(make([]byte, 1000)) }), "http://")
		return hindrance{target: "http://" + address, stage: StageAnswer, sent: true, is: io.EOF,
			text: "waiting for the answer of " + address + ": the connection was closed before an answer came"}
	},
}

// TestItNamesWhatStandsInTheWay with real sockets, on the own transport and on one
// that NewTransport made: the stage, the text, and whether it can be retried.
func TestItNamesWhatStandsInTheWay(t *testing.T) {
	for name, prepare := range hindrances {
		t.Run(name, func(t *testing.T) {
			h := prepare(t)
			shared := NewHTTPTransport()
			if h.configure != nil {
				h.configure(shared)
			}
			callers, err := NewTransport(&http.Client{Transport: shared})
			require.NoError(t, err)
			own := ownTransport(t, nil, func(base *http.Transport) {
				if h.configure != nil {
					h.configure(base)
				}
			})
			gateway := hostPort(testpki.Must(url.Parse(h.target)))
			for kind, transport := range map[string]*Transport{"own": own, "NewTransport": callers} {
				inner, end := context.WithCancelCause(context.Background())
				ctx := endable{inner}
				report := new(Report)
				watching := make(chan struct{})
				go func() { // ends the context when the attempt has come so far
					defer close(watching)
					for h.endAt != "" && inner.Err() == nil && !hasReached(report, h.endAt, gateway) {
						time.Sleep(time.Millisecond)
					}
					if h.endAt != "" {
						end(h.cause)
					}
				}()
				_, err := transport.Send(ctx, requestFor(t, "GET", h.target+"/?secret", ""), report)
				require.Error(t, err, kind)
				failure := report.Failure()
				assert.Equal(t, h.stage, failure.Stage, kind)
				assert.Equal(t, h.permanent, failure.Permanent, kind)
				assert.Equal(t, h.sent, report.MaybeSent(), kind)
				text := failure.Err.Error()
				if before, after, ok := strings.Cut(text, "clock says "); ok {
					at, err := time.Parse(timeLayout, after)
					require.NoError(t, err)
					assert.WithinDuration(t, time.Now(), at, time.Hour)
					text = before + "clock says NOW"
				}
				assert.Equal(t, h.text, text, kind)
				if h.is != nil {
					assert.ErrorIs(t, failure.Err, h.is, kind)
				}
				if h.endAt != "" {
					assert.ErrorIs(t, failure.Err, ctx.Err(), kind)
				}
				walk(failure.Err, func(e error) { assert.NotContains(t, e.Error(), "secret", kind) })
				report.Close()
				end(nil)
				<-watching
			}
		})
	}
}

func hasReached(r *Report, stage, gateway string) bool {
	if stage == StageAnswer {
		return r.bodyRead.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage == StageTLS && r.with != gateway {
		return stage == StageProxy
	}
	return r.stage == stage
}

func TestAProxyThatIsNoURLIsNotShown(t *testing.T) {
	transport := ownTransport(t, nil, func(base *http.Transport) {
		base.Proxy = func(*http.Request) (*url.URL, error) {
			return nil, fmt.Errorf("invalid proxy address %q: %v", "user:secret@proxy", errors.New("secret"))
		}
	})
	_, report, err := ask(t, transport, requestFor(t, "GET", "https://gateway.example", ""), nil)
	require.Error(t, err)
	assert.False(t, report.MaybeSent())
	failure := report.Failure()
	assert.Equal(t, StageProxy, failure.Stage)
	assert.True(t, failure.Permanent)
	assert.EqualError(t, failure.Err, "HTTPS_PROXY or HTTP_PROXY is not the URL of a proxy, such as http://proxy.example:3128")
}

// TestWithoutItsDiallerTheErrorTells: of a caller's own transport less is known.
func TestWithoutItsDiallerTheErrorTells(t *testing.T) {
	address := silence(t)
	base := &http.Transport{DialContext: new(net.Dialer).DialContext, TLSHandshakeTimeout: time.Millisecond}
	transport, err := NewTransport(&http.Client{Transport: base})
	require.NoError(t, err)
	var report Report
	_, err = transport.Send(t.Context(), requestFor(t, "GET", "https://"+address, ""), &report)
	require.Error(t, err)
	defer report.Close()
	_, port, _ := net.SplitHostPort(address)
	assert.Equal(t, StageTLS, report.Failure().Stage)
	assert.EqualError(t, report.Failure().Err, "TLS handshake with "+address+": no answer before the end of TLSHandshakeTimeout; a firewall may block outgoing connections to port "+port)

	slow := &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}, Err: timedOut{errors.New("secret")}}
	_, hidden, err := send(t.Context(), func(*http.Request) (*http.Response, error) { return nil, slow }, requestTo("GET", ""))
	require.Error(t, err)
	assert.Equal(t, StageConnect, hidden.Failure().Stage)
	assert.EqualError(t, hidden.Failure().Err, "connecting to 127.0.0.1:443: no answer before the end of the dialler's timeout; a firewall may block outgoing connections to port 443")

	_, hidden, err = send(t.Context(), func(*http.Request) (*http.Response, error) { return nil, errors.New("secret") }, requestTo("GET", ""))
	require.Error(t, err)
	assert.Equal(t, StageAnswer, hidden.Failure().Stage, "it may have been sent")
}

func TestWhatIsNotSignedIsDescribed(t *testing.T) {
	for want, header := range map[string]http.Header{
		"Content-Type text/html, Server nginx/1.2; this is no answer of the gateway, but of a proxy or another server": {"Content-Type": {"text/html; charset=gbk"}, "Server": {"nginx/1.2"}},
		"Content-Type none, Server none; this is no answer of the gateway, but of a proxy or another server":           {},
		"it points to login.example:8443": {"Location": {"https://user:secret@login.example:8443/?secret"}},
		"it points to the same host":      {"Location": {"/login?secret"}},
	} {
		assert.Equal(t, want, DescribeUnsigned(header, true))
	}
	assert.Equal(t, "Content-Type application/json, Server none",
		DescribeUnsigned(http.Header{"Content-Type": {"application/json"}}, false))
}
