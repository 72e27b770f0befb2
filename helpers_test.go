package alipay_test

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

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

func vector(t testing.TB, name string) string {
	data, err := os.ReadFile("testdata/vectors/" + name)
	require.NoError(t, err)
	return string(data)
}

var alipayKey = sync.OnceValue(func() *rsa.PrivateKey {
	data, err := os.ReadFile("testdata/vectors/alipay_private_pkcs8.pem")
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return key.(*rsa.PrivateKey)
})

func testConfig(t testing.TB, baseURL string) alipay.AlipayConfig {
	return alipay.AlipayConfig{
		BaseURL:         baseURL,
		AppID:           "2021000000000001",
		PrivateKey:      vector(t, "app_private_pkcs8.pem"),
		AlipayPublicKey: vector(t, "alipay_public.pem"),
	}
}

func newClient(t testing.TB, baseURL string, opts ...alipay.Option) *alipay.Client {
	client, err := alipay.NewClient(testConfig(t, baseURL), opts...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func testParams() *alipay.QueryParams {
	return &alipay.QueryParams{
		ConnKey: testConnKey, OnceToken: testToken, QueryType: alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher, ServiceID: "2019120400000000000004450100",
		UserID: testUserID, OpenID: testOpenID, CertNo: testCertNo, CertType: alipay.CertTypeIDCard,
	}
}

// signHeader puts the headers of a signed answer into h.
func signHeader(h http.Header, body []byte, at time.Time) {
	timestamp, nonce := strconv.FormatInt(at.UnixMilli(), 10), protocol.NewID()
	signature, err := protocol.Sign(alipayKey(), protocol.SignedContent(timestamp, nonce, body))
	if err != nil {
		panic(err)
	}
	h.Set("alipay-timestamp", timestamp)
	h.Set("alipay-nonce", nonce)
	h.Set("alipay-signature", signature)
	h.Set("alipay-trace-id", "21140000test")
}

// answer writes a signed answer.
func answer(w http.ResponseWriter, status int, body string) {
	signHeader(w.Header(), []byte(body), time.Now())
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

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

func overTLS(s *httptest.Server) { s.StartTLS() }

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

// HTTP/2 by hand, as far as a test needs it: net/http's server cannot refuse a
// stream.
const (
	frameData      = 0
	frameHeaders   = 1
	frameRST       = 3
	frameSettings  = 4
	framePing      = 6
	frameGoAway    = 7
	flagEndStream  = 1
	flagEndHeaders = 4
	flagAck        = 1
	codeNo         = 0
	codeProtocol   = 1
	codeInternal   = 2
	codeRefused    = 7
)

type h2conn struct {
	net.Conn
	r *bufio.Reader
}

func (c h2conn) write(kind, flags byte, stream uint32, payload []byte) {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	_, _ = c.Write(append(head, payload...))
}

func (c h2conn) reset(stream, code uint32) {
	c.write(frameRST, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

func (c h2conn) goAway(last, code uint32) {
	c.write(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code))
}

// hint sends a 103.
func (c h2conn) hint(stream uint32) { c.head(stream, 103, http.Header{"Link": {"</style.css>"}}) }

// respond sends a whole answer.
func (c h2conn) respond(stream uint32, status int, h http.Header, body string) {
	c.head(stream, status, h)
	c.write(frameData, flagEndStream, stream, []byte(body))
}

// head sends literal header fields.
func (c h2conn) head(stream uint32, status int, h http.Header) {
	var block []byte
	add := func(name, value string) {
		block = append(block, 0)
		for _, s := range []string{name, value} {
			if len(s) < 127 {
				block = append(block, byte(len(s)))
			} else { // prefixed integer of RFC 7541, section 5.1
				n := len(s) - 127
				block = append(block, 127)
				for ; n >= 128; n >>= 7 {
					block = append(block, byte(n)|0x80)
				}
				block = append(block, byte(n))
			}
			block = append(block, s...)
		}
	}
	add(":status", strconv.Itoa(status))
	for name := range h {
		add(string(bytes.ToLower([]byte(name))), h.Get(name))
	}
	c.write(frameHeaders, flagEndHeaders, stream, block)
}

// serveHTTP2 speaks HTTP/2 over TLS and calls handle for every request, whole
// with its end of stream, of every connection.
func serveHTTP2(t testing.TB, handle func(c h2conn, stream uint32, connection int)) (baseURL string, client *http.Client) {
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
		c := h2conn{conn, bufio.NewReader(conn)}
		preface := make([]byte, 24)
		if _, err := io.ReadFull(c.r, preface); err != nil {
			return
		}
		c.write(frameSettings, 0, 0, nil)
		for {
			head := make([]byte, 9)
			if _, err := io.ReadFull(c.r, head); err != nil {
				return
			}
			payload := make([]byte, binary.BigEndian.Uint32(head)>>8)
			if _, err := io.ReadFull(c.r, payload); err != nil {
				return
			}
			stream := binary.BigEndian.Uint32(head[5:])
			switch kind, flags := head[3], head[4]; {
			case kind == frameSettings && flags&flagAck == 0:
				c.write(frameSettings, flagAck, 0, nil)
			case kind == framePing && flags&flagAck == 0:
				c.write(framePing, flagAck, 0, payload)
			case (kind == frameHeaders || kind == frameData) && flags&flagEndStream != 0:
				handle(c, stream, number)
			}
		}
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return "https://" + addr, &http.Client{Transport: transport}
}

func mustJSON(t testing.TB, v any) string {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// quiet keeps the complaints of servers whose clients hang up out of the output.
var quiet = log.New(io.Discard, "", 0)

// logTo logs everything, at the lowest level, to w.
func logTo(w io.Writer) alipay.Option {
	return alipay.WithLogger(slog.New(slog.NewTextHandler(&lockedWriter{w: w}, &slog.HandlerOptions{Level: slog.Level(-100)})))
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
