package doctor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// world is a network in which a name server answers as told, and nothing else is
// known.
func world(t *testing.T, names nameServer) network {
	t.Helper()
	return network{
		resolver: names.start(t), proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		dialling: time.Minute, waiting: time.Minute, now: func() time.Time { return at },
	}
}

// at is when the certificates of the tests are valid.
var at = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// took is the time of a step, which differs each time.
var took = regexp.MustCompile(`( \(\d+ ms\)|（\d+ 毫秒）)`)

// walk goes the way to an address, and returns the report in English. The Chinese
// one has no English sentence.
func walk(t *testing.T, n network, address string) (out string, ok bool) {
	t.Helper()
	base, err := url.Parse(address)
	require.NoError(t, err)
	r := &report{}
	r.begin("live", "The way", "网络")
	ok = n.way(t.Context(), r, base)
	var en, zh bytes.Buffer
	r.print(&en, "en", true)
	r.print(&zh, cli.Chinese, true)
	isChinese(t, zh.String())
	assert.Equal(t, ok, r.count(levelFail) == 0)
	return took.ReplaceAllString(en.String(), ""), ok
}

// nameServer answers every question with an error code, or for 0 with loopback; a
// negative one is silent.
type nameServer int

const (
	loopbackOnly nameServer = 0
	serverFails  nameServer = 2
	noSuchName   nameServer = 3
	silent       nameServer = -1
)

func (answer nameServer) start(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer == silent {
				continue
			}
			end := 12 + bytes.IndexByte(buffer[12:n], 0) + 5 // name, type, class
			reply := append([]byte{}, buffer[:end]...)
			reply[2], reply[3] = 0x81, 0x80|byte(answer) // an answer, recursion available
			copy(reply[6:12], make([]byte, 6))
			if kind := binary.BigEndian.Uint16(buffer[end-4:]); answer == loopbackOnly && kind == 1 {
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestANameThatDoesNotResolveIsNamed(t *testing.T) {
	for answer, says := range map[nameServer]string{
		noSuchName:  "FAIL  DNS: gateway.example: no such host: check its spelling",
		serverFails: "FAIL  DNS: gateway.example: the DNS server failed to answer",
		silent:      "FAIL  DNS: gateway.example: the DNS server did not answer",
	} {
		n := world(t, answer)
		if answer == silent {
			n.waiting = 50 * time.Millisecond
		}
		out, ok := walk(t, n, "https://gateway.example")
		assert.False(t, ok)
		assert.Contains(t, out, says)
		assert.Contains(t, out, "no proxy is configured: where the network has one, set HTTPS_PROXY")
	}
}

// serve accepts connections until the test ends.
func serve(t *testing.T, handle func(net.Conn)) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go handle(conn)
		}
	}()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

func TestAnAddressThatRefusesIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	listener.Close()
	out, ok := walk(t, world(t, noSuchName), "https://"+address)
	assert.False(t, ok)
	assert.Contains(t, out, "FAIL  connect: "+address+" refuses connections")
}

// An address that cannot be reached beside one that can is a warning: a client
// tries both.
func TestOneAddressOfTwoIsEnough(t *testing.T) {
	port := serve(t, func(net.Conn) {})
	n := world(t, loopbackOnly)
	r := &report{}
	conn, ok := n.connect(t.Context(), r, []string{"127.0.0.2", "127.0.0.1", "127.0.0.1"}, port)
	require.True(t, ok)
	conn.Close()
	require.Len(t, r.findings, 3)
	assert.Equal(t, levelWarn, r.findings[0].level)
	assert.Contains(t, r.findings[0].text.EN, "refuses connections")
	assert.Equal(t, levelOK, r.findings[1].level)
}

// silence never answers.
func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// answering reads the header of a request and answers it.
func answering(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, answer)
		}
		conn.Close()
	}
}

// knowing is a proxy that knows one user.
func knowing(conn net.Conn) {
	answer := "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
	if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && r.Header.Get("Proxy-Authorization") == "Basic dXNlcjpzZWNyZXQ=" {
		answer = "HTTP/1.1 200 OK\r\n\r\n"
	}
	_, _ = io.WriteString(conn, answer)
	conn.Close()
}

func TestWhatAProxySaysToCONNECTIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		handle func(net.Conn)
		user   string
		says   string
	}{
		"407":          {answering("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "", "answered 407 to CONNECT gateway.example:443: it asks for a user and password"},
		"407 again":    {answering("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "user:secret@", "answered 407 to CONNECT gateway.example:443: it does not accept the user and password in HTTPS_PROXY"},
		"403":          {answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "", "answered 403 to CONNECT gateway.example:443: it does not allow this host"},
		"502":          {answering("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), "", "answered 502 to CONNECT gateway.example:443: it could not connect to the gateway"},
		"no HTTP":      {answering("SSH-2.0-server\r\n"), "", "does not answer as an HTTP proxy does"},
		"hangs up":     {func(conn net.Conn) { conn.Close() }, "", "does not answer as an HTTP proxy does"},
		"never":        {silence, "", "does not answer\n"},
		"credentials":  {knowing, "user:secret@", "ok    proxy: "},
		"another user": {knowing, "other:secret@", "it does not accept the user and password"},
	} {
		t.Run(name, func(t *testing.T) {
			port := serve(t, tc.handle)
			n := world(t, noSuchName) // the gateway's name is for the proxy to resolve
			if name == "never" {
				n.waiting = 50 * time.Millisecond
			}
			n.proxy = func(r *http.Request) (*url.URL, error) { return url.Parse("http://" + tc.user + "127.0.0.1:" + port) }
			out, ok := walk(t, n, "https://gateway.example")
			assert.False(t, ok)
			assert.Contains(t, out, "requests go through the proxy http://127.0.0.1:"+port+" (HTTPS_PROXY")
			assert.Contains(t, out, tc.says)
			assert.NotContains(t, out, "secret")
		})
	}
	n := world(t, noSuchName)
	n.proxy = func(*http.Request) (*url.URL, error) { return nil, fmt.Errorf("secret") }
	out, ok := walk(t, n, "https://gateway.example")
	assert.False(t, ok)
	assert.Contains(t, out, "HTTPS_PROXY or HTTP_PROXY is not a URL")
	assert.NotContains(t, out, "secret")
}

// certified answers TLS handshakes with a certificate for gateway.example.
func certified(t *testing.T, change ...func(*x509.Certificate)) (port string, ca *x509.CertPool) {
	t.Helper()
	root := testpki.Issue(testpki.Name("A company's inspection CA"), testpki.ECKey(), nil, at, testpki.Authority)
	leaf := testpki.Issue(testpki.Name("gateway"), testpki.ECKey(), root, at, append([]func(*x509.Certificate){func(c *x509.Certificate) {
		c.DNSNames = []string{"gateway.example"}
	}}, change...)...)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Cert.Raw}, PrivateKey: leaf.Key}}}
	ca = x509.NewCertPool()
	ca.AddCert(root.Cert)
	return serve(t, func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() }), ca
}

func TestWhatIsWrongWithTLSIsTold(t *testing.T) {
	trusted := func(change ...func(*x509.Certificate)) func(*testing.T) (string, *x509.CertPool) {
		return func(t *testing.T) (string, *x509.CertPool) { return certified(t, change...) }
	}
	plain := func(handle func(net.Conn)) func(*testing.T) (string, *x509.CertPool) {
		return func(t *testing.T) (string, *x509.CertPool) { return serve(t, handle), x509.NewCertPool() }
	}
	for name, tc := range map[string]struct {
		server func(*testing.T) (port string, ca *x509.CertPool)
		says   string
	}{
		"well": {trusted(), "ok    TLS: TLS 1.3, certificate of gateway.example issued by \"A company's inspection CA\", valid to 2030-04-12"},
		"foreign CA": {func(t *testing.T) (string, *x509.CertPool) {
			port, _ := certified(t)
			return port, x509.NewCertPool()
		}, "this machine does not trust the issuer of the certificate, \"A company's inspection CA\". A company that inspects TLS has a CA of its own: add its certificate to the RootCAs"},
		"expired": {trusted(testpki.Valid(at.AddDate(0, 0, -9), at.AddDate(0, 0, -2))),
			"the certificate is valid from 2029-12-24 03:04 UTC to 2029-12-31 03:04 UTC, and this machine's clock says 2030-01-02 03:04 UTC"},
		"not valid yet": {trusted(testpki.Valid(at.AddDate(0, 0, 1), at.AddDate(0, 0, 2))),
			"the certificate is valid from 2030-01-03 03:04 UTC to 2030-01-04 03:04 UTC, and this machine's clock says 2030-01-02 03:04 UTC"},
		"other names": {trusted(func(c *x509.Certificate) { c.DNSNames = []string{"other.example", "*.another.example"} }),
			"the certificate is for another name (other.example, *.another.example)"},
		"no names": {trusted(func(c *x509.Certificate) { c.DNSNames = nil }), "the certificate is for another name (CN \"gateway\")"},
		"HTTP": {plain(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }),
			"gateway.example does not speak TLS on this port"},
		"closed": {plain(func(conn net.Conn) { conn.Close() }), "closed during the handshake"},
		"old TLS": {func(t *testing.T) (string, *x509.CertPool) {
			config := &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // a server of yesterday
			return serve(t, func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() }), x509.NewCertPool()
		}, "gateway.example refuses the handshake; TLS 1.2 or newer is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			n := world(t, loopbackOnly)
			port, ca := tc.server(t)
			n.roots = ca
			out, ok := walk(t, n, "https://gateway.example:"+port)
			assert.Equal(t, name == "well", ok)
			assert.Contains(t, out, "ok    DNS: gateway.example is 127.0.0.1\n")
			assert.Contains(t, out, "ok    connect: 127.0.0.1:"+port)
			assert.Contains(t, out, tc.says)
		})
	}
}

func TestSilenceDuringTheHandshakeIsTold(t *testing.T) {
	n := world(t, noSuchName)
	n.waiting = 50 * time.Millisecond
	out, ok := walk(t, n, "https://127.0.0.1:"+serve(t, silence))
	assert.False(t, ok)
	assert.Contains(t, out, "FAIL  TLS: 127.0.0.1 is silent during the handshake")
}

// Through a proxy that connects, TLS is examined as without one.
func TestThroughAProxyToTLS(t *testing.T) {
	port, ca := certified(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil || r.Method != http.MethodConnect || r.Host != "gateway.example:"+port {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer to.Close()
		from, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer from.Close()
		_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(to, buffered) }()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(proxy.Close)
	n := world(t, noSuchName)
	n.roots = ca
	n.proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	out, ok := walk(t, n, "https://gateway.example:"+port)
	assert.True(t, ok, out)
	assert.Contains(t, out, "ok    proxy: "+strings.TrimPrefix(proxy.URL, "http://")+" connects to gateway.example:"+port)
	assert.Contains(t, out, "ok    TLS: TLS 1.3, certificate of gateway.example")
}

// The whole way over TLS, with a CA of one's own.
func TestTheWholeWayOverTLS(t *testing.T) {
	gateway := alipaytest.NewGateway(t, alipaytest.WithTLS())
	environment(t, gateway.Config())
	status, out := examine(t, "-live")
	assert.Equal(t, 1, status)
	assert.Contains(t, out, `this machine does not trust the issuer of the certificate, "alipaytest gateway"`)
	assert.Empty(t, gateway.Requests(), "no call is made when a step before it fails")

	host := strings.TrimPrefix(gateway.BaseURL(), "https://")
	conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // to have its certificate
	require.NoError(t, err)
	defer conn.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte(testpki.Armour("CERTIFICATE", conn.ConnectionState().PeerCertificates[0].Raw)), 0o600))
	status, out = examine(t, "-live", "-ca", ca)
	assert.Zero(t, status, out)
	for _, words := range []string{"ok    connect: " + host + " (", "ok    TLS: TLS 1.3", "ok    heartbeat: the gateway took the request"} {
		assert.Contains(t, out, words)
	}
	status, out = examine(t, "-live", "-ca", "/nowhere")
	assert.Equal(t, cli.Usage, status)
	assert.Contains(t, out, "-ca: there is no certificate in that file")
}
