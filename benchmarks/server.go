package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The server is a separate process, this program started once more, so that the
// measured CPU time and allocations are the client's alone.

const serverEnv = "ALIPAY_BENCHMARK_SERVER"

const (
	overHTTP   = "HTTP/1.1"
	overTLS    = "HTTP/1.1 TLS"
	overHTTP2  = "HTTP/2 TLS"
	withRSA    = "RSA"
	withoutRSA = "stubbed"
)

var (
	protocols = []string{overHTTP, overTLS, overHTTP2}
	cryptos   = []string{withRSA, withoutRSA}
)

const answerBody = `{"identity_result":"SUCCESS","identity_result_skip_url":"alipays://platformapi/startapp?appId","merchant_identity_id":"V1_4dc286a6e91c9d51104e1172813b34c5","open_id":"074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5","token_status":"FINISH","user_id":"2088402562742105"}`

// setup is what the server process reads first from its standard input; a wish
// follows for each report that it is to give.
type setup struct {
	Keys      map[string]signingKey // which sign the answers, by kind of crypto
	Now       time.Time             // when they do
	Cert, Key []byte                // TLS, DER
}

// wish is what the server process is to do before it reports.
type wish struct {
	Hold  int    // make the next requests wait for each other until there are so many
	Stock int    // sign so many answers, so that signing takes no time later
	Kind  string // of crypto, for the stock
}

// server is the handle on the server process.
type server struct {
	endpoints map[string]endpoint // by protocol and kind of crypto
	in        io.WriteCloser
	wishes    *json.Encoder
	out       *json.Decoder
	wait      func()
}

func name(protocol, crypto string) string { return protocol + " " + crypto }

// startServer makes keys, certificate and answers, and starts the process.
func startServer() (*server, error) {
	now := time.Now()
	appKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	s := setup{Keys: map[string]signingKey{}, Now: now}
	keys := map[string]*rsa.PublicKey{}
	verify := map[string]func() error{}
	for kind, exponent := range map[string]uint64{withRSA: 65537, withoutRSA: 3} {
		key, err := newSigningKey(exponent)
		if err != nil {
			return nil, err
		}
		s.Keys[kind], keys[kind] = key, key.public()
		digest := sha256.Sum256([]byte(kind))
		signature := key.signer().sign(digest)
		verify[kind] = func() error { return rsa.VerifyPKCS1v15(keys[kind], crypto.SHA256, digest[:], signature) }
	}
	trusted, err := trustedCert()
	if err != nil {
		return nil, err
	}
	s.Cert, s.Key = trusted.cert, trusted.key
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), serverEnv+"=1")
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	handle := &server{endpoints: map[string]endpoint{}, in: in, wishes: json.NewEncoder(in), out: json.NewDecoder(out), wait: func() { _ = process.Wait() }}
	var addresses map[string]string
	if err := handle.wishes.Encode(s); err != nil {
		return nil, err
	}
	if err := handle.out.Decode(&addresses); err != nil {
		return nil, err
	}
	for _, protocol := range protocols {
		for kind, key := range keys {
			e := endpoint{baseURL: "https://", http2: protocol == overHTTP2, signer: appKey, alipayKey: key, verify: verify[kind], now: now}
			if protocol == overHTTP {
				e.baseURL = "http://"
			}
			e.baseURL += addresses[name(protocol, kind)]
			if kind == withoutRSA {
				e.signer = constantSigner{&appKey.PublicKey}
			}
			der, err := x509.MarshalPKIXPublicKey(e.alipayKey)
			if err != nil {
				return nil, err
			}
			e.alipayPEM = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			handle.endpoints[name(protocol, kind)] = e
		}
	}
	return handle, nil
}

func (s *server) close() {
	_ = s.in.Close() // ends the process
	s.wait()
}

// gate holds answers back until so many requests wait at the same time, and lets
// all later ones pass. The server process uses it.
type gate struct {
	open    chan struct{}
	missing atomic.Int64
}

func newGate(requests int64) *gate {
	g := &gate{open: make(chan struct{})}
	g.missing.Store(requests)
	if requests == 0 {
		close(g.open)
	}
	return g
}

var requests atomic.Pointer[gate]

func pause() {
	g := requests.Load()
	select {
	case <-g.open:
		return
	default:
	}
	if g.missing.Add(-1) == 0 {
		close(g.open)
	}
	<-g.open
}

// report is what the server process says about itself.
type report struct {
	Accepted int64         // connections so far
	CPU      time.Duration // CPU time so far
}

// ask makes the server fulfil a wish and then report.
func (s *server) ask(w wish) (r report, err error) {
	if err = s.wishes.Encode(w); err == nil {
		err = s.out.Decode(&r)
	}
	return r, err
}

// constantSigner replaces the RSA signature.
type constantSigner struct{ public *rsa.PublicKey }

var constantSignature = make([]byte, 256)

func (s constantSigner) Public() crypto.PublicKey { return s.public }
func (s constantSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return constantSignature, nil
}

// signedAnswers makes the answers of one kind of crypto, each with a different
// nonce and so a different signature: a client accepts each only once.
type signedAnswers struct {
	signer    *manyPrimes
	timestamp string
	date      string
	count     atomic.Uint64
	mu        sync.Mutex
	stock     []signedAnswer
}

type signedAnswer struct{ nonce, signature string }

func newSignedAnswers(key signingKey, now time.Time) *signedAnswers {
	return &signedAnswers{
		signer: key.signer(), timestamp: strconv.FormatInt(now.UnixMilli(), 10), date: now.UTC().Format(http.TimeFormat),
	}
}

func (a *signedAnswers) sign() signedAnswer {
	nonce := fmt.Sprintf("%032x", a.count.Add(1))
	digest := sha256.Sum256([]byte(a.timestamp + "\n" + nonce + "\n" + answerBody + "\n"))
	return signedAnswer{nonce, base64.StdEncoding.EncodeToString(a.signer.sign(digest))}
}

// fill signs so many answers in advance.
func (a *signedAnswers) fill(stock int) {
	signed := make([]signedAnswer, max(0, stock-len(a.stock)))
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(signed)); i = next.Add(1) - 1 {
				signed[i] = a.sign()
			}
		})
	}
	all.Wait()
	a.mu.Lock()
	a.stock = append(a.stock, signed...)
	a.mu.Unlock()
}

// take returns an answer from the stock, or signs one if it is empty.
func (a *signedAnswers) take() signedAnswer {
	a.mu.Lock()
	if last := len(a.stock) - 1; last >= 0 {
		answer := a.stock[last]
		a.stock = a.stock[:last]
		a.mu.Unlock()
		return answer
	}
	a.mu.Unlock()
	return a.sign()
}

// header is an answer's header, without what differs between answers.
func (a *signedAnswers) header() map[string]string {
	return map[string]string{
		"Content-Type":     "application/json;charset=utf-8",
		"Content-Length":   strconv.Itoa(len(answerBody)),
		"Date":             a.date,
		"Alipay-Timestamp": a.timestamp,
		"Alipay-Trace-Id":  "21140000benchmark",
	}
}

type trustedKey struct{ cert, key []byte } // DER

// trustedCert makes the servers' certificate and makes this process trust it as a
// system root, since the library's own transport trusts no others. A process reads
// the system roots once, so all its servers have the same.
var trustedCert = sync.OnceValues(func() (trustedKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return trustedKey{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return trustedKey{}, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return trustedKey{}, err
	}
	return trustedKey{cert, key}, trust(cert)
})

// trust makes this process treat a certificate, in DER, as a system root, if it
// has not read the system roots yet.
func trust(cert []byte) error {
	dir, err := os.MkdirTemp("", "alipay-benchmarks")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("SSL_CERT_FILE", file); err != nil {
		return err
	}
	_, err = x509.SystemCertPool() // reads the file now
	return err
}

// serveIfAsked is the server process: it never returns there. In any other process
// it does nothing.
func serveIfAsked() {
	if os.Getenv(serverEnv) == "" {
		return
	}
	in := json.NewDecoder(os.Stdin)
	var s setup
	check(in.Decode(&s))
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	check(err)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{s.Cert}, PrivateKey: key}}}

	requests.Store(newGate(0))
	signed := map[string]*signedAnswers{}
	for kind, key := range s.Keys {
		signed[kind] = newSignedAnswers(key, s.Now)
	}
	var accepted atomic.Int64
	addresses := map[string]string{}
	for _, protocol := range protocols {
		for _, kind := range cryptos {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(err)
			addresses[name(protocol, kind)] = l.Addr().String()
			l = countingListener{l, &accepted}
			switch protocol {
			case overTLS:
				l = tls.NewListener(l, config)
				fallthrough
			case overHTTP:
				go serveHTTP1(l, signed[kind])
			case overHTTP2:
				go serveHTTP2(l, config, signed[kind])
			}
		}
	}
	out := json.NewEncoder(os.Stdout)
	check(out.Encode(addresses))
	for {
		var w wish
		if err := in.Decode(&w); errors.Is(err, io.EOF) {
			os.Exit(0)
		} else {
			check(err)
		}
		if w.Stock > 0 {
			signed[w.Kind].fill(w.Stock)
		}
		requests.Store(newGate(int64(w.Hold)))
		check(out.Encode(report{accepted.Load(), cpuTime()}))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type countingListener struct {
	net.Listener
	accepted *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return conn, err
}

// serveHTTP1 answers every request head with the same body.
func serveHTTP1(l net.Listener, signed *signedAnswers) {
	head := "HTTP/1.1 200 OK\r\n"
	for key, value := range signed.header() {
		head += fmt.Sprintf("%s: %s\r\n", key, value)
	}
	for {
		conn, err := l.Accept()
		check(err)
		go func() {
			defer conn.Close()
			r := bufio.NewReader(conn)
			var answer []byte
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) > len("\r\n") {
					continue
				}
				pause()
				s := signed.take()
				answer = append(answer[:0], head...)
				answer = append(answer, "Alipay-Nonce: "...)
				answer = append(answer, s.nonce...)
				answer = append(answer, "\r\nAlipay-Signature: "...)
				answer = append(answer, s.signature...)
				answer = append(answer, "\r\n\r\n"...)
				answer = append(answer, answerBody...)
				if _, err := conn.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// serveHTTP2 uses net/http's server, since one by hand would be long.
func serveHTTP2(l net.Listener, config *tls.Config, signed *signedAnswers) {
	ready := make(http.Header)
	for key, value := range signed.header() {
		ready.Set(key, value)
	}
	body := []byte(answerBody)
	s := &http.Server{
		TLSConfig: config.Clone(),
		Protocols: new(http.Protocols),
		HTTP2:     &http.HTTP2Config{MaxReadFrameSize: 16 << 10}, // as most servers have it; Go's own default is 1 MiB
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			pause()
			s := signed.take()
			h := w.Header()
			for key, value := range ready {
				h[key] = value
			}
			h["Alipay-Nonce"], h["Alipay-Signature"] = []string{s.nonce}, []string{s.signature}
			_, _ = w.Write(body)
		}),
	}
	s.Protocols.SetHTTP2(true)
	check(s.ServeTLS(l, "", ""))
}
