package alipay_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/h2test"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// TestMain lets more tests run side by side than there are processors: most of
// those that are marked parallel wait for a network, a pause or a timeout.
//
// Nothing is written to the standard logger: net/http writes there what comes
// unasked on the connections of a caller's transport, which some tests provoke.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	alipay.BePatient()
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}

var soak = flag.Duration("soak", 0, "how long callers run against a failing gateway in the tests named Soak; 0 skips TestSoak. It makes other tests of many calls longer, too")

var (
	pairs   = flag.Int("pairs", 150, "how many pairs of asked and came TestNoAnswerOpensForAnotherUser tries")
	custody = flag.Int("custody", 200, "how many answers TestEverySpentTokenIsAccountedFor changes")
)

var desyncCalls = flag.Int("desync", 500, "how many calls TestProxyThatMixesAnswersUpGivesNobodyAnothersResult makes")

// The personal values and secrets that the tests send: none may show anywhere.
const (
	testCertNo   = "420192931233123123"
	testToken    = "once-7c1f5be0a9d24"
	testUserID   = "2088402562742105"
	testOpenID   = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"
	testConnKey  = "conn-key-5521-secret"
	testAuthTok  = "202212BB_D64b2be8afd4b6c8468cf585bd05E50"
	successBody  = `{"identity_result":"SUCCESS","identity_result_skip_url":"alipays://platformapi/startapp?appId","merchant_identity_id":"V1_4dc286a6e91c9d51104e1172813b34c5","open_id":"` + testOpenID + `","token_status":"FINISH","user_id":"2088402562742105"}`
	waitingBody  = `{"identity_result":"WAITING_VERIFY"}`
	jobworthPath = "/v3/zhima/customer/jobworth/authentication"
)

func vector(t testing.TB, name string) string { return fileText(t, "testdata/vectors/"+name) }

func fileText(t testing.TB, file string) string {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

// rsaKey reads a PKCS#8 key, which may have a note above it.
func rsaKey(t testing.TB, file string) *rsa.PrivateKey {
	return testpki.RSAKey([]byte(fileText(t, file)))
}

var alipayKey = sync.OnceValue(func() *rsa.PrivateKey {
	return testpki.RSAKey(testpki.Must(os.ReadFile("testdata/vectors/alipay_private_pkcs8.pem")))
})

func appKey(t testing.TB) *rsa.PrivateKey { return rsaKey(t, "testdata/vectors/app_private_pkcs8.pem") }

func testConfig(t testing.TB, baseURL string) alipay.AlipayConfig {
	return alipay.AlipayConfig{
		BaseURL:         baseURL,
		AppID:           "2021000000000001",
		PrivateKey:      vector(t, "app_private_pkcs8.pem"),
		AlipayPublicKey: vector(t, "alipay_public.pem"),
	}
}

func testParams() *alipay.QueryParams {
	return &alipay.QueryParams{
		ConnKey: testConnKey, OnceToken: testToken, QueryType: alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher, ServiceID: "2019120400000000000004450100",
		UserID: testUserID, OpenID: testOpenID, CertNo: testCertNo, CertType: alipay.CertTypeIDCard,
	}
}

func newClient(t testing.TB, baseURL string, opts ...alipay.Option) *alipay.Client {
	t.Helper()
	return clientOf(t, testConfig(t, baseURL), opts...)
}

func clientOf(t testing.TB, config alipay.AlipayConfig, opts ...alipay.Option) *alipay.Client {
	t.Helper()
	client, err := alipay.NewClient(config, opts...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// callers are the ways in which a merchant's program may send requests, each
// of which behaves differently.
func callers() map[string]func(base *http.Transport) []alipay.Option {
	with := func(rt http.RoundTripper) []alipay.Option {
		return []alipay.Option{alipay.WithHTTPClient(&http.Client{Transport: rt})}
	}
	return map[string]func(*http.Transport) []alipay.Option{
		"caller's transport": func(base *http.Transport) []alipay.Option { return with(base) },
		"wrapped":            func(base *http.Transport) []alipay.Option { return with(roundTripper(base.RoundTrip)) },
		"cloning": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (*http.Response, error) {
				return base.RoundTrip(r.Clone(r.Context()))
			}))
		},
		"repeating by itself": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				for range 3 {
					if resp, err = base.RoundTrip(r); err == nil {
						return resp, nil
					}
				}
				return nil, err
			}))
		},
		"repeating in a context of its own": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				for range 3 {
					again := r.Clone(context.WithoutCancel(r.Context()))
					again.Body, again.TransferEncoding = http.NoBody, nil
					if resp, err = base.RoundTrip(again); err == nil {
						return resp, nil
					}
				}
				return nil, err
			}))
		},
		"dumping": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (*http.Response, error) {
				_, _ = httputil.DumpRequestOut(r, true)
				return base.RoundTrip(r)
			}))
		},
		"repeating with a body of its own": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				for range 3 {
					again := r.Clone(r.Context())
					again.Body, again.TransferEncoding = http.NoBody, nil
					if resp, err = base.RoundTrip(again); err == nil {
						return resp, nil
					}
				}
				return nil, err
			}))
		},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// testSigner is a KMS of the test's own: it has the public key of the first and
// signs as the second says.
type testSigner struct {
	crypto.Signer
	sign func(digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

func (s testSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.sign(digest, opts)
}

// failingSigner has the application's key and does not sign.
func failingSigner(t testing.TB) testSigner {
	return testSigner{appKey(t), func([]byte, crypto.SignerOpts) ([]byte, error) { return nil, errors.New("KMS: key disabled") }}
}

// signerThatMay signs with the application's key where allow gives no error.
func signerThatMay(t testing.TB, allow func() error) testSigner {
	key := appKey(t)
	return testSigner{key, func(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		if err := allow(); err != nil {
			return nil, err
		}
		return key.Sign(rand.Reader, digest, opts)
	}}
}

// pki is a small world of certificates, valid around the present time.
type pki struct {
	appKey, alipayKey, nextKey *rsa.PrivateKey
	ecKey                      crypto.Signer
	middle                     *testpki.Issued
	app, alipay, next          *testpki.Issued // next comes after alipay, in a rotation
	alipayFile, nextFile       string          // as downloaded: with the intermediate
	rootBundle                 string
}

func issueNow(name string, key crypto.Signer, parent *testpki.Issued, change ...func(*x509.Certificate)) *testpki.Issued {
	return testpki.Issue(testpki.Name(name), key, parent, time.Now(), change...)
}

var present = sync.OnceValue(func() *pki {
	key := func(file string) *rsa.PrivateKey { return testpki.RSAKey(testpki.Must(os.ReadFile(file))) }
	p := &pki{
		appKey:    key("testdata/vectors/app_private_pkcs8.pem"),
		alipayKey: alipayKey(),
		nextKey:   key("alipaytest/testkeys/alipay_next_private_key.pem"),
		ecKey:     testpki.ECKey(),
	}
	root := issueNow("root", key("alipaytest/testkeys/foreign_private_key.pem"), nil, testpki.Authority)
	p.middle = issueNow("middle", key("alipaytest/testkeys/alipay_private_key.pem"), root, testpki.Authority)
	p.app = issueNow("app", p.appKey, p.middle)
	p.alipay = issueNow("alipay", p.alipayKey, p.middle)
	p.next = issueNow("alipay", p.nextKey, p.middle)
	p.alipayFile = p.alipay.PEM + p.middle.PEM
	p.nextFile = p.next.PEM + p.middle.PEM
	p.rootBundle = root.PEM
	return p
})

func certSN(pem string) string { return testpki.Must(alipay.CertSN([]byte(pem))) }

// certModeConfig is valid now, unlike the vectors one day.
func certModeConfig(t testing.TB) (alipay.AlipayConfig, *pki) {
	p := present()
	return alipay.AlipayConfig{
		AppID:                   "2021000000000001",
		PrivateKey:              vector(t, "app_private_pkcs8.pem"),
		AppCertContent:          p.app.PEM,
		AlipayPublicCertContent: p.alipayFile,
		RootCertContent:         vector(t, "root_bundle.crt") + p.rootBundle,
	}, p
}

// The vectors' certificates are valid from November 2026 to October 2045.
var vectorTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// vectorCertConfig is the vectors' certificate mode; it needs WithClock.
func vectorCertConfig(t testing.TB) alipay.AlipayConfig {
	return alipay.AlipayConfig{
		AppID:                   "2021000000000001",
		PrivateKey:              vector(t, "app_private_pkcs8.pem"),
		AppCertContent:          vector(t, "app_public_cert.crt"),
		AlipayPublicCertContent: vector(t, "alipay_public_cert.crt"),
		RootCertContent:         vector(t, "root_bundle.crt"),
	}
}

func atVectorTime() time.Time { return vectorTime }

// swapped is the config in which both sides have the keys of the other.
func swapped(t testing.TB, baseURL string) alipay.AlipayConfig {
	config := testConfig(t, baseURL)
	config.PrivateKey, config.AlipayPublicKey = vector(t, "alipay_private_pkcs8.pem"), vector(t, "app_public.pem")
	return config
}

// signHeader puts the headers of a signed answer into h.
func signHeader(h http.Header, body []byte, at time.Time) {
	signAs(h, alipayKey(), "", string(body), at)
	h.Set("alipay-trace-id", "21140000test")
}

// signAs puts the headers of an answer signed by key under sn into h.
func signAs(h http.Header, key *rsa.PrivateKey, sn, body string, at time.Time) {
	timestamp, nonce := strconv.FormatInt(at.UnixMilli(), 10), protocol.NewID()
	h.Set("alipay-timestamp", timestamp)
	h.Set("alipay-nonce", nonce)
	h.Set("alipay-signature", testpki.Must(protocol.Sign(key, protocol.SignedContent(timestamp, nonce, []byte(body)))))
	if sn != "" {
		h.Set("alipay-sn", sn)
	}
}

// answer writes a signed answer.
func answer(w http.ResponseWriter, status int, body string) {
	signHeader(w.Header(), []byte(body), time.Now())
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// meaning is what an error means for the caller: exactly one of three.
func meaning(t testing.TB, err error) string {
	unknown, not := errors.Is(err, alipay.ErrOutcomeUnknown), errors.Is(err, alipay.ErrNotDelivered)
	assert.False(t, unknown && not, "never both: %v", err)
	switch {
	case unknown:
		return "unknown"
	case not:
		return "not delivered"
	}
	return "answered"
}

func signed(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) }
}

func unsigned(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("alipay-trace-id", "trace-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// tampered signs an answer and then changes one of its headers.
func tampered(status int, body, header, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(body), time.Now())
		if value == "" {
			w.Header().Del(header)
		} else {
			w.Header().Set(header, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func dated(status int, off time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(successBody), time.Now().Add(off))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, successBody)
	}
}

// encrypted answers with a body that is encrypted before it is signed.
func encrypted(key, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cipher, err := aescbc.New(key)
		if err != nil {
			panic(err)
		}
		answer(w, 200, string(cipher.Encrypt([]byte(body))))
	}
}

func redirect(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		w.WriteHeader(status)
	}
}

func brokenOff(status int, signature bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if signature {
			signHeader(w.Header(), []byte(successBody), time.Now())
		}
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, successBody)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
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

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// hangUp reads a request and drops its connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// resultOf is a final answer about a user.
func resultOf(user string) string {
	return `{"identity_result":"SUCCESS","token_status":"FINISH","user_id":"` + user + `"}`
}

var (
	waiting      = signed(200, waitingBody)
	final        = signed(200, successBody)
	tokenInvalid = signed(400, `{"code":"TOKEN_INVALID","message":"token无效"}`)
	quickly      = alipay.PollPolicy{Initial: time.Millisecond, Max: 2 * time.Millisecond}
	once         = alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1})
	soon         = alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond})
)

// server is a real HTTP server whose requests and connections are counted.
type server struct {
	*httptest.Server
	requests    atomic.Int64
	connections atomic.Int64
}

func serve(t testing.TB, handler http.HandlerFunc, configure ...func(*httptest.Server)) *server {
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Config.ErrorLog = quiet
	if len(configure) == 0 {
		s.Start()
	}
	for _, f := range configure {
		f(s.Server)
	}
	t.Cleanup(s.Close)
	return s
}

// opens runs a round up to ten times, until it opens so many connections: net/http gives
// a connection up when its writer was not scheduled for 50 ms, so that on a starved
// machine a round may open more.
func (s *server) opens(t testing.TB, connections int64, round func()) {
	t.Helper()
	var opened int64
	for range 10 {
		before := s.connections.Load()
		round()
		if opened = s.connections.Load() - before; opened == connections {
			return
		}
	}
	t.Errorf("a round opened %d connections, and it should be %d", opened, connections)
}

func overTLS(s *httptest.Server) { s.StartTLS() }

// script answers the first polls as listed and all later ones as the last says.
func script(t testing.TB, steps ...http.HandlerFunc) *server {
	var n atomic.Int64
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		steps[min(int(n.Add(1)), len(steps))-1](w, r)
	})
}

// received is a request as the server saw it.
type received struct {
	method, target, body string
	header               http.Header
}

// checking verifies what it receives over the request target exactly as it
// came, less a path prefix, and answers with body.
func checking(t testing.TB, prefix, body string) (*server, func() received) {
	key := &appKey(t).PublicKey
	var mu sync.Mutex
	var last received
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		content := protocol.StringToSign(c.AuthString, r.Method, strings.TrimPrefix(r.RequestURI, prefix), got, r.Header.Get("alipay-app-auth-token"))
		assert.NoError(t, protocol.Verify(key, content, c.Signature), "signature over %s", r.RequestURI)
		mu.Lock()
		last = received{r.Method, r.RequestURI, string(got), r.Header.Clone()}
		mu.Unlock()
		answer(w, 200, body)
	})
	return s, func() received {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

// rawServer answers every connection with a function of the test's own.
func rawServer(t testing.TB, handle func(conn net.Conn, number int)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return "http://" + serveRaw(t, listener, handle)
}

func serveRaw(t testing.TB, listener net.Listener, handle func(conn net.Conn, number int)) string {
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for number := 1; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				handle(conn, number)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return listener.Addr().String()
}

// readRequest reads one request off a raw connection, and gives its head as it came.
func readRequest(r *bufio.Reader) (head string, err error) {
	var b bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if line == "\r\n" {
			return b.String(), nil
		}
	}
}

// rawAnswer is a whole signed answer as bytes.
func rawAnswer(status int, body string) string {
	h := http.Header{}
	signHeader(h, []byte(body), time.Now())
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n", status, len(body))
	_ = h.Write(&b)
	return b.String() + "\r\n" + body
}

// serveHTTP2 speaks HTTP/2 over TLS and calls handle for every request, whole
// with its end of stream, of every connection.
func serveHTTP2(t testing.TB, handle func(c h2test.Conn, stream uint32, connection int)) (baseURL string, client *http.Client) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	config := cert.TLS.Clone()
	pool := x509.NewCertPool()
	pool.AddCert(cert.Certificate())
	cert.Close()
	config.NextProtos = []string{"h2"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := serveRaw(t, tls.NewListener(listener, config), func(conn net.Conn, number int) {
		h2test.Serve(conn, func(c h2test.Conn, stream uint32) { handle(c, stream, number) })
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return "https://" + addr, &http.Client{Transport: transport}
}

// wires are the ways from a client to a gateway.
var wires = []struct {
	name    string
	gateway []alipaytest.Option
	caller  bool // a caller's own http.Client
	oneIn   int  // one request in how many is to fail: a broken HTTP/2 connection takes many along
}{
	{"HTTP/1.1, default client", nil, false, 3},
	{"HTTP/1.1, caller's client", nil, true, 3},
	{"HTTP/2 TLS server, default client", []alipaytest.Option{alipaytest.WithHTTP2()}, false, 3},
	{"HTTP/2 TLS server, caller's client", []alipaytest.Option{alipaytest.WithHTTP2()}, true, 24},
}

// gatewayClient returns a client of gateway, in the mode of config.
func gatewayClient(t testing.TB, gateway *alipaytest.Gateway, config alipay.AlipayConfig, caller bool, opts ...alipay.Option) *alipay.Client {
	if caller {
		opts = append(opts, alipay.WithHTTPClient(gateway.HTTPClient()))
	}
	client, err := alipay.NewClient(config, opts...)
	require.NoError(t, err)
	if pem := gateway.TLSCertificate(); !caller && len(pem) > 0 {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		alipay.TrustForTest(client, pool)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// certClient is a client of a gateway in certificate mode.
func certClient(t testing.TB, gateway *alipaytest.Gateway, opts ...alipay.Option) *alipay.Client {
	client, err := alipay.NewClient(gateway.CertConfig(), append([]alipay.Option{alipay.WithHTTPClient(gateway.HTTPClient())}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func finalResult(gateway *alipaytest.Gateway, token string) *alipay.QueryParams {
	gateway.SetResult(token, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, UserID: testUserID})
	return &alipay.QueryParams{OnceToken: token, UserID: testUserID, CertNo: testCertNo}
}

// tamperer answers every request but the download under a certificate of its own,
// and the download with what it likes.
type tamperer struct {
	*server
	downloads atomic.Int64
}

func tamper(t testing.TB, key *rsa.PrivateKey, sn string, download http.HandlerFunc) *tamperer {
	s := &tamperer{}
	s.server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gateway.do" {
			s.downloads.Add(1)
			download(w, r)
			return
		}
		signAs(w.Header(), key, sn, successBody, time.Now())
		_, _ = io.WriteString(w, successBody)
	})
	return s
}

func certificateAnswer(pem string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"alipay_open_app_alipaycert_download_response":{"code":"10000","msg":"Success","alipay_cert_content":%q},"sign":"bm9uZQ=="}`,
			base64.StdEncoding.EncodeToString([]byte(pem)))
	}
}

// signedBy signs an answer with the key of the application, which is Alipay's in
// the swapped config.
func signedBySwapped(t testing.TB, body string) http.HandlerFunc {
	key := appKey(t)
	return func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), key, "", body, time.Now())
		_, _ = io.WriteString(w, body)
	}
}

// misbehave lets about one request in oneIn meet a fault, each as likely as any other.
func misbehave(gateway *alipaytest.Gateway, faults []alipaytest.Fault, oneIn int) {
	for _, fault := range faults {
		gateway.Inject(fault.When(func(alipaytest.ReceivedRequest) bool {
			return mathrand.N(oneIn*len(faults)) == 0
		}), -1)
	}
}

// report holds what each caller's call returned, by token.
type report struct {
	mu       sync.Mutex
	outcomes map[string]error
	counts   map[string]int
}

func (r *report) add(token string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[token] = err
	r.counts["calls"]++
}

func (r *report) String() string { return fmt.Sprint(r.counts) }

// check compares the gateway's ledger with what the calls returned.
func (r *report) check(t testing.TB, gateway *alipaytest.Gateway) {
	ledger := gateway.Ledger()
	for token, err := range r.outcomes {
		state := ledger[token]
		r.counts["requests"] += state.Requests
		if !assert.LessOrEqual(t, state.Acted, 1, "a token that was acted on twice by one call") {
			continue
		}
		switch {
		case err == nil:
			r.counts["answered"]++
			// Not Delivered: an answer may be whole although its end was broken off.
			assert.True(t, state.Spent, "an answer that the gateway did not give")
		case meaning(t, err) == "not delivered":
			r.counts["not delivered"]++
			assert.Zero(t, state.Acted, "not delivered, it says: %v", err)
		case meaning(t, err) == "unknown":
			r.counts["unknown"]++
			if state.Spent {
				r.counts["unknown and spent"]++
			}
		default:
			r.counts["refused"]++
			assert.False(t, state.Spent, "a token that was spent and not reported as unknown: %v", err)
		}
	}
}

func newReport() *report { return &report{outcomes: map[string]error{}, counts: map[string]int{}} }

// runCallers lets each caller ask with a new token again and again, and now and
// then give up at a random moment.
func runCallers(t testing.TB, client *alipay.Client, report *report, callers int, more func(n int) bool) {
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for n := 0; more(n); n++ {
				token := "token-" + rand.Text()
				ctx, cancel := context.WithCancel(t.Context())
				if mathrand.N(8) == 0 {
					time.AfterFunc(mathrand.N(20*time.Millisecond), cancel)
				}
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{OnceToken: token, CertNo: testCertNo})
				cancel()
				if (got == nil) == (err == nil) {
					t.Errorf("a result and an error, or neither: %v", err)
				}
				if errors.Is(err, alipay.ErrOutcomeUnknown) && errors.Is(err, alipay.ErrNotDelivered) {
					t.Errorf("both meanings: %v", err)
				}
				report.add(token, err)
			}
		})
	}
	all.Wait()
}

// skipBubbleUnderFIPS skips a test in virtual time that needs random numbers.
func skipBubbleUnderFIPS(t *testing.T) {
	if fips140.Enabled() && strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skip("Go 1.26 seeds random numbers from a clock in this mode, and that of a bubble stands still")
	}
}

// inBubble runs f in virtual time, with a transport that reaches a server over
// net.Pipe, so that nothing depends on how fast this machine is.
func inBubble(t *testing.T, handler http.HandlerFunc, f func(t *testing.T, transport *http.Transport)) {
	skipBubbleUnderFIPS(t)
	synctest.Test(t, func(t *testing.T) {
		listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{ErrorLog: quiet, Handler: handler}
		go func() { _ = server.Serve(listener) }()
		transport := alipay.NewTransport()
		transport.Proxy, transport.DialContext = nil, listener.dial
		f(t, transport)
		transport.CloseIdleConnections()
		_ = server.Shutdown(context.Background())
	})
}

// bubble is inBubble with a client. The first requests are answered as listed
// and all later ones as the last says; asked returns when each came, since the
// beginning.
func bubble(t *testing.T, steps []http.HandlerFunc, f func(t *testing.T, client *alipay.Client, asked func() []time.Duration), opts ...alipay.Option) {
	var began time.Time
	var mu sync.Mutex
	var times []time.Duration
	handler := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		times = append(times, time.Since(began))
		n := len(times)
		mu.Unlock()
		steps[min(n, len(steps))-1](w, r)
	}
	inBubble(t, handler, func(t *testing.T, transport *http.Transport) {
		began = time.Now()
		opts := append([]alipay.Option{alipay.WithHTTPClient(&http.Client{Transport: transport}), once}, opts...)
		client, err := alipay.NewClient(testConfig(t, "http://127.0.0.1"), opts...)
		require.NoError(t, err)
		f(t, client, func() []time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(times)
		})
	})
}

// pipes is a listener to which dial connects.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.closed); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func pausesTo(pauses *[]time.Duration) alipay.Option {
	return alipay.WithObserver(alipay.Observer{AttemptDone: func(_ context.Context, a alipay.AttemptInfo) { *pauses = append(*pauses, a.Pause) }})
}

// sealedIn returns the sealed answer of an error, nil when it carries none.
func sealedIn(err error) *alipay.SealedAnswer {
	var failed *alipay.CallError
	if errors.As(err, &failed) {
		return failed.Answer
	}
	return nil
}

// stored is a sealed answer after a stay in a database.
func stored(t testing.TB, answer *alipay.SealedAnswer) *alipay.SealedAnswer {
	t.Helper()
	require.NotNil(t, answer)
	data, err := answer.MarshalBinary()
	require.NoError(t, err)
	back := new(alipay.SealedAnswer)
	require.NoError(t, back.UnmarshalBinary(data))
	return back
}

const (
	oldAESKey = "MDEyMzQ1Njc4OWFiY2RlZg=="
	newAESKey = "ZmVkY2JhOTg3NjU0MzIxMA=="
)

// oneSealed is an answer that a client of testConfig can open.
func oneSealed(t testing.TB) *alipay.SealedAnswer {
	s := serve(t, signed(200, successBody))
	_, err := newClient(t, s.URL, alipay.WithMaxClockSkew(time.Nanosecond)).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrResponseStale)
	return sealedIn(err)
}

var orderTime = time.Date(2027, 3, 31, 17, 30, 0, 0, time.UTC)

func orderClient(t testing.TB, change func(*alipay.AlipayConfig)) *alipay.Client {
	config := testConfig(t, "https://proxy.example/alipay")
	if change != nil {
		change(&config)
	}
	client, err := alipay.NewClient(config, alipay.WithClock(func() time.Time { return orderTime }))
	require.NoError(t, err)
	return client
}

// openOrder decodes an order string and checks its signature, as the old gateway
// does: over every parameter as it was decoded, sign left out.
func openOrder(t testing.TB, order string) map[string]string {
	t.Helper()
	form, err := url.ParseQuery(order)
	require.NoError(t, err)
	params, err := protocol.OldParameters(form)
	require.NoError(t, err)
	assert.NoError(t, protocol.Verify(&appKey(t).PublicKey, protocol.OldContent(params, "sign"), params["sign"]))
	return params
}

func message() url.Values {
	return url.Values{
		"notify_id": {"2026-1"}, "utc_timestamp": {"1806514200123"}, "msg_method": {"zhima.credit.payafteruse.creditagreement.changed"},
		"app_id": {"2021000000000001"}, "version": {"1.1"}, "biz_content": {`{"out_agreement_no":"` + testConnKey + `","说明":"a&b=c"}`}, "charset": {"UTF-8"}, "empty": {""},
	}
}

// oldSigned is an answer of the old gateway with that node.
func oldSigned(t testing.TB, method, node string) string {
	return `{"` + protocol.NodeName(method) + `":` + node + `,"sign":"` + testpki.Must(protocol.Sign(alipayKey(), []byte(node))) + `"}`
}

func oldAnswer(t testing.TB, status int, method, node string) http.HandlerFunc {
	body := oldSigned(t, method, node)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func parseForm(t testing.TB, text string) url.Values {
	form, err := url.ParseQuery(text)
	require.NoError(t, err)
	return form
}

// fullResponse is an answer in which every field is set, with its secrets.
func fullResponse(t *testing.T) (alipay.QueryResponse, []string) {
	var r alipay.QueryResponse
	body := strings.TrimSuffix(successBody, "}") + `,"mobile_number":"13912345678","nested":{"real_name":"Zhang Sanfeng"}}`
	require.NoError(t, json.Unmarshal([]byte(body), &r))
	r.Meta = alipay.Response{
		StatusCode: 200, Body: []byte(body), TraceID: "21140000test", RequestID: "request-1", Attempts: 1,
		Header: http.Header{"Set-Cookie": {"session=very-secret-cookie"}, "Alipay-Signature": {"c2lnbmF0dXJlLW9mLWl0"}},
	}
	return r, []string{
		testOpenID, "2088402562742105", "V1_4dc286a6e91c9d51104e1172813b34c5", "alipays://platformapi/startapp", "13912345678", "Zhang Sanfeng",
		"mobile_number", "real_name", "very-secret-cookie", "c2lnbmF0dXJlLW9mLWl0",
	}
}

// inBothModes runs f against the test gateway in both modes, with and without content
// encryption.
func inBothModes(t *testing.T, f func(t *testing.T, gateway *alipaytest.Gateway, client *alipay.Client)) {
	for _, key := range []string{"", oldAESKey} {
		for _, mode := range []string{"public key", "certificate"} {
			t.Run(fmt.Sprintf("%s, encrypted %t", mode, key != ""), func(t *testing.T) {
				var opts []alipaytest.Option
				if key != "" {
					opts = append(opts, alipaytest.WithEncryptKey(key))
				}
				gateway := alipaytest.NewGateway(t, opts...)
				config := gateway.Config()
				if mode == "certificate" {
					config = gateway.CertConfig()
				}
				f(t, gateway, clientOf(t, config))
			})
		}
	}
}

func assertArgument(t testing.TB, err error, argument string) {
	t.Helper()
	var mistake *alipay.ArgumentError
	require.ErrorAs(t, err, &mistake)
	assert.Equal(t, argument, mistake.Argument)
	assert.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.False(t, alipay.Retryable(err))
	assert.Equal(t, alipay.OutcomeNotDelivered, alipay.OutcomeOf(err))
	var failed *alipay.CallError
	assert.ErrorAs(t, err, &failed)
}

func second[T any](_ T, err error) error { return err }

var noContext context.Context

func mustJSON(t testing.TB, v any) string {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// quiet keeps the complaints of servers whose clients hang up out of the output.
var quiet = log.New(io.Discard, "", 0)

// logTo logs everything, at the lowest level, to b.
func logTo(b *lockedBuffer) alipay.Option {
	return alipay.WithLogger(slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.Level(-100)})))
}

// captureLog collects what goes to the standard logger.
func captureLog(t *testing.T) *lockedBuffer {
	var b lockedBuffer
	before := log.Writer()
	log.SetOutput(&b)
	t.Cleanup(func() { log.SetOutput(before) })
	return &b
}

// lockedBuffer is written to and read by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Not among them are %p of a value and %w outside Errorf: there fmt calls
// no method of the operand, whatever it implements. go vet reports both.
var everyVerb = strings.Fields("%v %+v %#v %T %t %b %c %d %o %O %q %+q %#q %x %X %#x %U %e %E %f %F %g %G %s %10v %-9.3s %08d %+d")

// printed is v in every way in which a program prints or logs a value, and
// in the containers where fmt still reaches its methods. Its own JSON is not.
func printed(v any) map[string]string {
	out := map[string]string{
		"Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(v), "% x": fmt.Sprintf("% x", v), "extra operand": fmt.Sprintf(noVerb, v),
	}
	for _, verb := range everyVerb {
		out[verb] = fmt.Sprintf(verb, v)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out[verb+" in a slice"] = fmt.Sprintf(verb, []any{v})
		out[verb+" in a map"] = fmt.Sprintf(verb, map[string]any{"k": v})
		out[verb+" in a struct"] = fmt.Sprintf(verb, struct{ Value any }{v})
		out[verb+" behind a pointer"] = fmt.Sprintf(verb, &struct{ Value any }{v})
	}
	if err, ok := v.(error); ok {
		out["Error"] = err.Error()
		out["wrapped"] = fmt.Errorf("while querying: %w", err).Error()
		out["joined"] = errors.Join(errors.New("first"), err).Error()
		out["wrapped, %#v"] = fmt.Sprintf("%#v %+v", fmt.Errorf("%w", err), errors.Join(err))
	}
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"slog text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, timeless) },
		"slog JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, timeless) },
	} {
		var b bytes.Buffer
		logger := slog.New(handler(&b))
		logger.Info("as it is", "value", v)
		logger.Info("in a group", slog.Group("g", slog.Any("value", v)))
		logger.WithGroup("h").With("value", v).Info("with")
		out[name] = b.String()
	}
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, timeless))
	logger.Info("in containers", "slice", []any{v}, "map", map[string]any{"k": v}, "struct", struct{ Value any }{v})
	out["slog text, in containers"] = b.String()
	return out
}

// timeless leaves out the time, whose digits may be those of a secret.
var timeless = &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}

// noVerb is not a constant: vet would rightly object to the superfluous operand.
var noVerb = "no verb"

var sixNumbers = regexp.MustCompile(`(\d+,? ){6}`)

// leaks reports a part of eight characters or more of secret that text holds:
// as it is, as hex, as decimal bytes or as base64.
func leaks(text, secret string) string { return look(text).find(secret) }

// haystack is a text, cut into every stretch of the lengths that are looked for.
type haystack struct {
	raw, digits, base64 map[string]bool
	numbers             string
}

func (h haystack) find(secret string) string {
	if len(secret) < leakWindow {
		return ""
	}
	inHex := hex.EncodeToString([]byte(secret))
	for i := 0; i+leakWindow <= len(secret); i++ {
		part := secret[i : i+leakWindow]
		if strings.Count(part, "0") > leakWindow/2 {
			continue // anybody's zeros, as in the address of a pointer
		}
		if h.raw[part] || h.digits[inHex[2*i:2*(i+leakWindow)]] {
			return part
		}
		if h.numbers != "" && strings.Contains(h.numbers, strings.Trim(fmt.Sprint([]byte(part)), "[]")) {
			return part
		}
	}
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret[offset : offset+(len(secret)-offset)/3*3]))
		for i := 0; i+12 <= len(encoded); i++ {
			if h.base64[encoded[i:i+12]] {
				return "base64 " + encoded[i:i+12]
			}
		}
	}
	return ""
}

const leakWindow = 8

func look(text string) haystack {
	h := haystack{raw: stretches(text, leakWindow), base64: stretches(text, 12)}
	h.digits = stretches(strings.ToLower(strings.NewReplacer(" ", "", "0x", "").Replace(text)), 2*leakWindow)
	if sixNumbers.MatchString(text) {
		h.numbers = strings.ReplaceAll(text, ",", "")
	}
	return h
}

func stretches(text string, n int) map[string]bool {
	in := make(map[string]bool, len(text))
	for i := 0; i+n <= len(text); i++ {
		in[text[i:i+n]] = true
	}
	return in
}

// assertKeepsSecret checks every rendering against every secret.
func assertKeepsSecret(t testing.TB, renderings map[string]string, secrets ...string) {
	t.Helper()
	seen, failures := map[string]bool{}, 0
	for name, text := range renderings {
		if seen[text] {
			continue
		}
		seen[text] = true
		h := look(text)
		for _, secret := range secrets {
			if part := h.find(secret); part != "" && failures < 3 {
				failures++
				t.Errorf("%s shows %q:\n%s", name, part, text)
			}
		}
	}
}

// personal are the values of testParams that nothing may show.
func personalValues() []string {
	p := testParams()
	return []string{p.ConnKey, p.OnceToken, p.ServiceID, p.UserID, p.OpenID, p.CertNo}
}

// searchForLeaks looks for everything that is sent and received in tests, and for
// the keys of config, in texts.
func searchForLeaks(t testing.TB, config alipay.AlipayConfig, texts []string) {
	t.Helper()
	secrets := append(personalValues(), testAuthTok, "V1_4dc286a6e91c9d51104e1172813b34c5", config.EncryptKey)
	for _, key := range []string{config.PrivateKey, config.AlipayPublicKey, config.AppCertContent, config.AlipayPublicCertContent, config.RootCertContent} {
		for line := range strings.Lines(key) {
			if line = strings.TrimSpace(line); len(line) > 16 && !strings.HasPrefix(line, "-----") {
				secrets = append(secrets, line)
			}
		}
	}
	renderings := map[string]string{}
	for i, text := range texts {
		for _, name := range []string{"once_token=", "cert_no=", "sign="} {
			assert.NotContains(t, text, name)
		}
		renderings[fmt.Sprint("text ", i)] = text
	}
	assertKeepsSecret(t, renderings, secrets...)
}

// allTexts returns what every error in the tree of err says, under the verbs
// that might show more than its text, and as JSON.
func allTexts(err error) (texts []string) {
	everyError(err, func(err error) {
		data, _ := json.Marshal(err)
		texts = append(texts, fmt.Sprintf("%v|%+v|%#v|%s|%q|%x", err, err, err, err, err, err), err.Error(), string(data))
	})
	return texts
}

// everyError calls f for err and every error it wraps.
func everyError(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		everyError(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			everyError(inner, f)
		}
	}
}
