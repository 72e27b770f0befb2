package benchmarks

import (
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
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The server is this test binary, started once more with serverEnv set.
const serverEnv = "ALIPAY_BENCHMARK_SERVER"

// setup is what the server process prints when it is ready.
type setup struct {
	AppKey, AlipayKey, Cert []byte            // DER: PKCS #8, PKIX, the server's certificate
	Now                     time.Time         // when all answers are signed
	URLs                    map[string]string // by transport
	Control                 string            // where it is told what comes next
}

var server setup

func TestMain(m *testing.M) {
	log.SetFlags(0)
	if os.Getenv(serverEnv) != "" {
		serve()
	}
	os.Exit(withServer(m.Run))
}

func withServer(run func() int) int {
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), serverEnv+"=1")
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	check(err)
	out, err := process.StdoutPipe()
	check(err)
	check(process.Start())
	defer process.Wait()
	defer in.Close() // ends the process
	check(json.NewDecoder(out).Decode(&server))

	// The library's own transport trusts no roots but the system's, which are read
	// once, here.
	dir, err := os.MkdirTemp("", "alipay-benchmarks")
	check(err)
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "root.pem")
	check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Cert}), 0o600))
	check(os.Setenv("SSL_CERT_FILE", file))
	_, err = x509.SystemCertPool()
	check(err)
	return run()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// prepare makes the server sign so many answers, give them from the first on, and
// hold the next requests back until so many wait at the same time.
func (s *setup) prepare(tb testing.TB, stock, hold int) {
	tb.Helper()
	resp, err := http.Get(fmt.Sprintf("%s?stock=%d&hold=%d", s.Control, stock, hold))
	if err != nil {
		tb.Fatal(err)
	}
	resp.Body.Close()
}

const answerBody = `{"identity_result":"SUCCESS","identity_result_skip_url":"alipays://platformapi/startapp?appId","merchant_identity_id":"V1_4dc286a6e91c9d51104e1172813b34c5","open_id":"074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5","token_status":"FINISH","user_id":"2088402562742105"}`

// gateway answers every request with the same body, in the server process.
type gateway struct {
	key       *rsa.PrivateKey
	timestamp string

	mu      sync.Mutex
	stock   []answer
	next    int           // answer
	missing int           // requests, until those that wait are answered
	all     chan struct{} // closed when none is missing any more
}

type answer struct{ nonce, signature []string }

func (g *gateway) sign(i int) answer {
	nonce := fmt.Sprintf("%032x", i)
	digest := sha256.Sum256([]byte(g.timestamp + "\n" + nonce + "\n" + answerBody + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, g.key, crypto.SHA256, digest[:])
	check(err)
	return answer{[]string{nonce}, []string{base64.StdEncoding.EncodeToString(signature)}}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	if g.missing--; g.missing == 0 {
		close(g.all)
	}
	signed, all := g.stock[g.next], g.all
	g.next++
	g.mu.Unlock()
	<-all
	h := w.Header()
	h["Content-Type"] = []string{"application/json;charset=utf-8"}
	h["Alipay-Timestamp"] = []string{g.timestamp}
	h["Alipay-Trace-Id"] = []string{"21140000benchmark"}
	h["Alipay-Nonce"], h["Alipay-Signature"] = signed.nonce, signed.signature
	_, _ = io.WriteString(w, answerBody)
}

// prepare is the other side of setup.prepare.
func (g *gateway) prepare(_ http.ResponseWriter, r *http.Request) {
	stock, err := strconv.Atoi(r.FormValue("stock"))
	check(err)
	hold, err := strconv.Atoi(r.FormValue("hold"))
	check(err)
	g.mu.Lock()
	defer g.mu.Unlock()
	added := make([]answer, max(0, stock-len(g.stock)))
	var workers sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := worker; i < len(added); i += runtime.GOMAXPROCS(0) {
				added[i] = g.sign(len(g.stock) + i)
			}
		})
	}
	workers.Wait()
	g.stock, g.next, g.missing, g.all = append(g.stock, added...), 0, hold, make(chan struct{})
	if hold == 0 {
		close(g.all)
	}
}

// serve is the server process. It ends with its standard input.
func serve() {
	appKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	alipayKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	tlsKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	s := setup{Now: time.Now(), URLs: map[string]string{}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: s.Now.Add(-time.Hour), NotAfter: s.Now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	s.Cert, err = x509.CreateCertificate(rand.Reader, template, template, tlsKey.Public(), tlsKey)
	check(err)
	s.AppKey, err = x509.MarshalPKCS8PrivateKey(appKey)
	check(err)
	s.AlipayKey, err = x509.MarshalPKIXPublicKey(alipayKey.Public())
	check(err)

	g := &gateway{key: alipayKey, timestamp: strconv.FormatInt(s.Now.UnixMilli(), 10)}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		return l
	}
	for _, transport := range transports {
		l := listen()
		web := &http.Server{Handler: g, ErrorLog: log.New(io.Discard, "", 0), Protocols: protocols(transport), TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{s.Cert}, PrivateKey: tlsKey}},
		}}
		if transport == "http1" {
			s.URLs[transport] = "http://" + l.Addr().String()
			go func() { check(web.Serve(l)) }()
		} else {
			s.URLs[transport] = "https://" + l.Addr().String()
			go func() { check(web.ServeTLS(l, "", "")) }()
		}
	}
	control := listen()
	s.Control = "http://" + control.Addr().String()
	go func() { check(http.Serve(control, http.HandlerFunc(g.prepare))) }()
	check(json.NewEncoder(os.Stdout).Encode(s))
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
