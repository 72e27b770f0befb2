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
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The server is a process of its own, this program started once more, so that
// the CPU time and the allocations that are counted are the client's alone.

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

// setup is what the server process reads from its standard input, beside a line
// for each report that it shall give, with the number of requests that shall
// wait for each other from then on.
type setup struct {
	Headers   map[string]map[string]string // the signed answer's, by kind of crypto
	Cert, Key []byte                       // TLS, DER
}

// server is the handle on the server process.
type server struct {
	endpoints map[string]endpoint // by protocol and kind of crypto
	in        io.WriteCloser
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
	alipayKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PrivateKey{withRSA: alipayKey, withoutRSA: cheapKey()}
	s := setup{Headers: map[string]map[string]string{}}
	verify := map[string]func() error{}
	trusted, err := trustedCert()
	if err != nil {
		return nil, err
	}
	s.Cert, s.Key = trusted.cert, trusted.key
	for kind, key := range keys {
		if s.Headers[kind], verify[kind], err = signedHeader(key, now); err != nil {
			return nil, err
		}
	}

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
	handle := &server{endpoints: map[string]endpoint{}, in: in, out: json.NewDecoder(out), wait: func() { _ = process.Wait() }}
	var addresses map[string]string
	if err := json.NewEncoder(in).Encode(s); err != nil {
		return nil, err
	}
	if err := handle.out.Decode(&addresses); err != nil {
		return nil, err
	}
	for _, protocol := range protocols {
		for kind, key := range keys {
			e := endpoint{baseURL: "https://", http2: protocol == overHTTP2, signer: appKey, alipayKey: &key.PublicKey, verify: verify[kind], now: now}
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
// all later ones pass. It is the server process's.
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

var answers atomic.Pointer[gate]

func pause() {
	g := answers.Load()
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

// report is what the server process says of itself.
type report struct {
	Accepted int64         // connections so far
	CPU      time.Duration // CPU time so far
}

func (s *server) report() (report, error) { return s.hold(0) }

// hold has the next requests wait until there are so many.
func (s *server) hold(requests int) (r report, err error) {
	if _, err = fmt.Fprintln(s.in, requests); err == nil {
		err = s.out.Decode(&r)
	}
	return r, err
}

// constantSigner stands in for the RSA signature.
type constantSigner struct{ public *rsa.PublicKey }

var constantSignature = make([]byte, 256)

func (s constantSigner) Public() crypto.PublicKey { return s.public }
func (s constantSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return constantSignature, nil
}

// cheapKey is an RSA-2048 key with the public exponent 3.
func cheapKey() *rsa.PrivateKey {
	one, three := big.NewInt(1), big.NewInt(3)
	prime := func() *big.Int {
		for {
			p, err := rand.Prime(rand.Reader, 1024)
			if err == nil && new(big.Int).Mod(p, three).Int64() == 2 {
				return p
			}
		}
	}
	p, q := prime(), prime()
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 3},
		D:         new(big.Int).ModInverse(three, phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key
}

// signedHeader returns the header of the answer, and what does nothing but
// verify its RSA signature. There is no nonce in it, so that it may be the
// answer to every request: one with a nonce is accepted once. What remembering a
// nonce costs is measured by BenchmarkAdd in internal/replay.
func signedHeader(key *rsa.PrivateKey, now time.Time) (header map[string]string, verify func() error, err error) {
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	digest := sha256.Sum256([]byte(timestamp + "\n\n" + answerBody + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	verify = func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) }
	return map[string]string{
		"Content-Type":     "application/json;charset=utf-8",
		"Content-Length":   strconv.Itoa(len(answerBody)),
		"Date":             now.UTC().Format(http.TimeFormat),
		"Alipay-Timestamp": timestamp,
		"Alipay-Signature": base64.StdEncoding.EncodeToString(signature),
		"Alipay-Trace-Id":  "21140000benchmark",
	}, verify, err
}

type trustedKey struct{ cert, key []byte } // DER

// trustedCert makes the servers' certificate and has this process trust it as a
// system root: the library's own transport knows no others. A process reads the
// system roots once, so all its servers have the same.
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

// trust makes this process take a certificate, in DER, for a system root, if it
// has not read those yet.
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

// serveIfAsked is the server process. It never returns there, and does nothing
// elsewhere.
func serveIfAsked() {
	if os.Getenv(serverEnv) == "" {
		return
	}
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	check(err)
	var s setup
	check(json.Unmarshal(line, &s))
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	check(err)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{s.Cert}, PrivateKey: key}}}

	answers.Store(newGate(0))
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
				go serveHTTP1(l, s.Headers[kind])
			case overHTTP2:
				go serveHTTP2(l, config, s.Headers[kind])
			}
		}
	}
	out := json.NewEncoder(os.Stdout)
	check(out.Encode(addresses))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			os.Exit(0)
		}
		requests, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		check(err)
		answers.Store(newGate(requests))
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

// serveHTTP1 answers every request head with the same bytes.
func serveHTTP1(l net.Listener, header map[string]string) {
	answer := "HTTP/1.1 200 OK\r\n"
	for key, value := range header {
		answer += fmt.Sprintf("%s: %s\r\n", key, value)
	}
	bytes := []byte(answer + "\r\n" + answerBody)
	for {
		conn, err := l.Accept()
		check(err)
		go func() {
			defer conn.Close()
			r := bufio.NewReader(conn)
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) > len("\r\n") {
					continue
				}
				pause()
				if _, err := conn.Write(bytes); err != nil {
					return
				}
			}
		}()
	}
}

// serveHTTP2 is net/http's server, since one by hand would be long.
func serveHTTP2(l net.Listener, config *tls.Config, header map[string]string) {
	ready := make(http.Header)
	for key, value := range header {
		ready.Set(key, value)
	}
	body := []byte(answerBody)
	s := &http.Server{
		TLSConfig: config.Clone(),
		Protocols: new(http.Protocols),
		HTTP2:     &http.HTTP2Config{MaxReadFrameSize: 16 << 10}, // as most servers have it; Go's own default is 1 MiB
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			for key, value := range ready {
				h[key] = value
			}
			pause()
			_, _ = w.Write(body)
		}),
	}
	s.Protocols.SetHTTP2(true)
	check(s.ServeTLS(l, "", ""))
}
