package alipaytest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
)

// Option configures a [Gateway].
type Option func(*options)

type options struct {
	addr       string
	tls, http2 bool
	encryptKey string
	clock      func() time.Time
	prefix     string
	history    int

	messagesTo   string
	messageScale float64
}

// WithAddr sets the address to listen on, as host:port. The default, also for
// "", is 127.0.0.1:0, a free port; an empty host means 127.0.0.1, too. A client
// takes plain http from loopback only, unless it has alipay.WithInsecureHTTP,
// and the certificate of [WithTLS] names loopback only.
func WithAddr(addr string) Option { return func(o *options) { o.addr = addr } }

// WithTLS serves HTTPS, version 1.2 or newer, under a certificate made at start
// for 127.0.0.1, ::1 and localhost. [Gateway.HTTPClient] trusts it: pass that to
// alipay.WithHTTPClient. Other programs need [Gateway.TLSCertificate]. Plain http
// is the default.
func WithTLS() Option { return func(o *options) { o.tls = true } }

// WithHTTP2 serves HTTP/2 as well as HTTP/1.1. It implies [WithTLS]. A client needs
// [Gateway.HTTPClient] for it, since the library's own transport speaks HTTP/1.1
// only.
func WithHTTP2() Option { return func(o *options) { o.tls, o.http2 = true, true } }

// WithEncryptKey turns content encryption on: the base64 of an AES key of 16,
// 24 or 32 bytes. Config and CertConfig then carry it. "" leaves it off; with
// another key the gateway does not start.
//
// Every success answer is then encrypted, also to a GET without the header
// alipay-encrypt-type, since not every official SDK sends it. Only a request
// with a plain body gets a plain answer. Error answers are never encrypted. At the
// old gateway a call that has encrypt_type is answered encrypted, the method's
// refusals too.
func WithEncryptKey(key string) Option { return func(o *options) { o.encryptKey = key } }

// WithClock sets the clock by which timestamps are checked and answers are
// stamped; give the client the same one with alipay.WithClock. Any time from 2000
// to 2099 works, since the certificates are valid for it. The default, also for
// nil, is time.Now. It is called from several goroutines.
func WithClock(now func() time.Time) Option { return func(o *options) { o.clock = now } }

// WithPathPrefix serves as a reverse proxy would that maps prefix ("/proxy") to
// the gateway: BaseURL ends in it, signatures are checked over the request target
// without it, and other paths do not exist. The default is none.
func WithPathPrefix(prefix string) Option { return func(o *options) { o.prefix = prefix } }

// WithHistory sets how many requests [Gateway.Requests] keeps: the last n, by
// default 10,000; 0 keeps none. Of large ones it keeps fewer, so that they take
// up no more than 128 MiB.
func WithHistory(n int) Option { return func(o *options) { o.history = n } }

// Gateway is a running gateway. All its methods are safe for concurrent use.
type Gateway struct {
	baseURL string
	prefix  string
	clock   func() time.Time
	cipher  *aescbc.Cipher // nil without content encryption
	config  alipay.AlipayConfig
	tlsRoot []byte // PEM, nil without TLS
	client  *http.Transport
	tb      testing.TB // nil when started by a program

	server  *http.Server
	served  chan struct{}      // closed when the server no longer accepts
	closing context.Context    // done when Close begins
	cancel  context.CancelFunc // of closing
	once    sync.Once
	closed  error // what Close returned

	nonces   *nonceBook
	conns    connections
	history  history
	messages messages

	// What a request's body may have.
	maxBody  int64
	patience time.Duration

	mu           sync.Mutex
	issued       []identity // Alipay's certificates so far; the last one signs
	downloads    int
	tokens       map[string]*token
	agreements   map[string]*agreement // by out_agreement_no
	agreementIDs map[string]*agreement // by credit_agreement_id
	ordered      map[string]*agreement // by the once_token that came with the order
	agreed       int                   // how many have a credit_agreement_id
	endpoints    []endpoint
	oldMethods   map[string]oldMethod
	preconsulted map[string]preconsultation // by once_token
	authTokens   []string                   // app auth tokens that came, the last ones
	noted        map[string]bool            // what note has said
	faults       []injected
}

// NewGateway starts a gateway that ends with the test. It fails the test when it
// cannot be started, when it cannot be closed, and when a function given to
// [Gateway.Handle] or [FaultFunc] panics.
func NewGateway(tb testing.TB, opts ...Option) *Gateway {
	tb.Helper()
	g, err := start(tb, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := g.Close(); err != nil {
			tb.Error(err)
		}
	})
	return g
}

// StartGateway starts a gateway for a program, which has to Close it. It fails
// when the address cannot be listened on or an option makes no sense.
func StartGateway(opts ...Option) (*Gateway, error) { return start(nil, opts) }

func start(tb testing.TB, opts []Option) (*Gateway, error) {
	g, o, err := assemble(tb, opts)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return nil, fmt.Errorf("alipaytest: %w", err)
	}

	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(o.http2)
	g.client = &http.Transport{
		Protocols:           &protocols,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     30 * time.Second, // less than the server's
	}
	g.server = &http.Server{
		Handler:     http.HandlerFunc(g.serve),
		Protocols:   &protocols,
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 1024},
		BaseContext: func(net.Listener) context.Context { return g.closing },
		ConnContext: g.conns.opened,
		ConnState:   g.conns.changed,
		IdleTimeout: 2 * time.Minute,
		// As long, since a connection that a client opened in advance waits, too.
		ReadHeaderTimeout: 2 * time.Minute,
		// OPTIONS * is answered as any other request.
		DisableGeneralOptionsHandler: true,

		ErrorLog: log.New(io.Discard, "", 0), // broken connections are what tests ask for
	}
	scheme := "http://"
	if o.tls {
		certificate, root, pool, err := serverCertificate()
		if err != nil {
			listener.Close()
			return nil, fmt.Errorf("alipaytest: TLS certificate: %w", err)
		}
		scheme, g.tlsRoot = "https://", root
		g.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		g.client.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	g.baseURL = scheme + reachable(listener.Addr()) + g.prefix

	go func() {
		defer close(g.served)
		if o.tls {
			_ = g.server.ServeTLS(listener, "", "")
		} else {
			_ = g.server.Serve(listener)
		}
	}()
	return g, nil
}

// assemble makes a gateway that answers but does not listen.
func assemble(tb testing.TB, opts []Option) (*Gateway, *options, error) {
	o := &options{clock: time.Now, history: 10_000, messageScale: defaultMessageScale}
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
	o.addr = cmp.Or(o.addr, "127.0.0.1:0")
	if host, port, err := net.SplitHostPort(o.addr); err == nil && host == "" {
		o.addr = net.JoinHostPort("127.0.0.1", port)
	}
	if o.clock == nil {
		o.clock = time.Now
	}
	g := &Gateway{
		clock:  o.clock,
		tb:     tb,
		served: make(chan struct{}),
		nonces: &nonceBook{limit: maxNonces},
		issued: []identity{keys().identity(0)},
		tokens: make(map[string]*token),

		agreements:   make(map[string]*agreement),
		agreementIDs: make(map[string]*agreement),
		ordered:      make(map[string]*agreement),
		preconsulted: make(map[string]preconsultation),
		noted:        make(map[string]bool),

		maxBody:  maxRequestBytes,
		patience: bodyPatience,
	}
	g.history.limit = o.history
	g.conns.init()
	g.closing, g.cancel = context.WithCancel(context.Background())
	if err := g.messages.init(g.closing, o); err != nil {
		return nil, nil, err
	}
	if prefix := strings.Trim(o.prefix, "/"); prefix != "" {
		g.prefix = "/" + prefix
	}
	if o.encryptKey != "" {
		cipher, err := aescbc.New(o.encryptKey)
		if err != nil {
			return nil, nil, fmt.Errorf("alipaytest: WithEncryptKey: %w", err)
		}
		g.cipher = cipher
	}
	g.config = alipay.AlipayConfig{AppID: AppID, PrivateKey: keys().appKey, EncryptKey: o.encryptKey}
	g.endpoints = []endpoint{
		{method: http.MethodGet, path: jobworthPath, answer: g.jobworth},
		{method: http.MethodGet, path: agreementPath, answer: g.queryAgreement},
		{method: http.MethodPost, path: heartbeatPath, answer: heartbeat},
	}
	g.oldMethods = map[string]oldMethod{
		signMethod: g.orderPage, unsignMethod: g.unsign, preconsultMethod: g.preconsult, downloadMethod: g.downloadCertificate,
	}
	return g, o, nil
}

// reachable is the address for clients: loopback if the gateway listens on every
// address.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}

// BaseURL is the gateway's address, as in http://127.0.0.1:43210, with the prefix
// of [WithPathPrefix]. If the gateway listens on every address, it is the one on
// loopback.
func (g *Gateway) BaseURL() string { return g.baseURL }

// Config returns a configuration in public-key mode, ready for alipay.NewClient.
// With TLS, the client needs [Gateway.HTTPClient] too. One gateway serves both
// modes at once.
func (g *Gateway) Config() alipay.AlipayConfig {
	c := g.config
	c.BaseURL = g.baseURL
	c.AlipayPublicKey = keys().alipayPublicKey
	return c
}

// CertConfig returns a configuration in certificate mode, ready for
// alipay.NewClient. After [Gateway.RotateCertificate] it contains the new
// certificate of Alipay.
func (g *Gateway) CertConfig() alipay.AlipayConfig {
	c := g.config
	c.BaseURL = g.baseURL
	c.AppCertContent = keys().appCert
	c.AlipayPublicCertContent = g.identity().cert
	c.RootCertContent = keys().rootCerts
	return c
}

// RotateCertificate replaces Alipay's certificate, as the platform does when
// one is about to expire: from now on answers in certificate mode are signed
// under the next one, [RotatedCertificate] at the first call. A client that has
// only the old one can download it (see [Gateway.Downloads]); without that it
// reports alipay.ErrUnknownCertificate. What [Gateway.SignNotification] signs is
// under the next certificate, too. Public-key mode keeps its key.
//
// It may be called any number of times: each certificate has the names and the
// issuer of the first, and its own serial number.
func (g *Gateway) RotateCertificate() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.issued = append(g.issued, keys().identity(len(g.issued)))
}

// identity is the certificate that answers in certificate mode are signed under.
func (g *Gateway) identity() identity {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.issued[len(g.issued)-1]
}

// RotatedCertificate returns the certificate, with its intermediate, that signs
// after the first [Gateway.RotateCertificate]: a client is ready for it once it
// has both the old and the new one configured.
func RotatedCertificate() string { return keys().alipayNextCert }

// HTTPClient returns a client that trusts the gateway's TLS certificate and no
// other, speaks HTTP/2 when the gateway does, uses no proxy, and keeps idle
// connections for up to 1024 concurrent callers. It has no timeout. All clients
// of one gateway share their connections, which end with it.
func (g *Gateway) HTTPClient() *http.Client { return &http.Client{Transport: g.client} }

// TLSCertificate returns the PEM certificate that other programs must trust to
// reach the gateway: NODE_EXTRA_CA_CERTS, a Java trust store, curl --cacert. It
// is nil without TLS.
func (g *Gateway) TLSCertificate() []byte { return append([]byte(nil), g.tlsRoot...) }

// closeGrace is how long Close waits for answers in progress. Those of the gateway
// end at once; only the caller's own functions can take longer.
const closeGrace = 5 * time.Second

// Close stops the gateway: it drops every connection, ends every answer and every
// message in progress, and returns when nothing of it runs any more. Further calls
// do nothing. It must not be called from a function given to [Gateway.Handle] or
// [FaultFunc]; the error says that such a function has not returned within 5 s.
func (g *Gateway) Close() error {
	g.once.Do(func() {
		g.cancel()
		_ = g.server.Close()
		g.client.CloseIdleConnections()
		g.messages.close()
		<-g.served
		if !g.conns.drained(closeGrace) {
			g.closed = errors.New("alipaytest: Close: an answer is still under way after 5 s; does a function given to Handle or FaultFunc not return?")
		}
	})
	return g.closed
}
