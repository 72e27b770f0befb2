package check

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-39a49030/alipay"
)

// world is a gateway on pipes, its users, and what goes wrong between it and the
// merchant's processes. It lives in the fake time of testing/synctest, and draws
// all that is random from one seed.
type world struct {
	seed uint64

	mu     sync.Mutex
	faults *faults // nil when the world is in order

	checks map[string]*person // by out_agreement_no
	tokens map[string]*person // by once_token
	asking map[string]int     // by once_token: queries under way, of live processes
	broken []string           // what must not happen, and did
	trace  uint64             // of all that happened, in any order, for reproducing
	made   int                // ids so far

	seen      func(url.Values) // called with each query for a result, for tests
	seenAsked func()           // called with each query for an agreement

	signing  *rsa.PrivateKey // Alipay's
	listener *pipes
	server   *http.Server
}

// faults are the chances, in thousandths, of what goes wrong with a call.
type faults struct {
	refused, limited, lostRequest, lateRequest, lostAnswer, lateAnswer, failed, altered, stale, another int
}

// person is a user of the simulation, and the truth about the check.
type person struct {
	id, token      string
	openID, userID string
	answersAt      time.Time // when the user agrees or declines
	agrees, never  bool
	resultAt       time.Time
	result         string
	spent          bool
}

var simulationKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) { // of the application, and two of Alipay's
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func newWorld(seed uint64) *world {
	w := &world{
		seed: seed, checks: map[string]*person{}, tokens: map[string]*person{}, asking: map[string]int{},
		signing: simulationKeys()[1], listener: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
	}
	w.server = &http.Server{Handler: w, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = w.server.Serve(w.listener) }()
	return w
}

// n draws a number below limit. It depends on the seed, the time and the label
// alone, and not on which of two goroutines comes first.
func (w *world) n(limit int, label ...string) int {
	return mathrand.New(mathrand.NewPCG(w.seed, moment64(label...))).IntN(limit)
}

// pause draws a time below limit.
func (w *world) pause(limit time.Duration, label ...string) time.Duration {
	return time.Duration(w.n(int(limit), label...))
}

// hex makes an id.
func (w *world) hex() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	return fmt.Sprintf("%016x%016x", moment64("id", strconv.Itoa(w.made)), mathrand.New(mathrand.NewPCG(w.seed, uint64(w.made))).Uint64())
}

func moment64(label ...string) uint64 {
	hash := fnv.New64a()
	fmt.Fprint(hash, time.Now().UnixNano(), label)
	return hash.Sum64()
}

// happened adds to the trace.
func (w *world) happened(what ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace += moment64(what...)
}

func (w *world) breaks(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// meet makes the person who gets the order string of a check.
func (w *world) meet(c *Check) *person {
	p := &person{
		id: c.ID, token: c.OnceToken, openID: "open-" + c.ID[:12], userID: "2088" + strconv.Itoa(100000000000+w.n(899999999999)),
		agrees: w.n(20, "agrees") > 0, never: w.n(20, "never") == 0, result: []string{"SUCCESS", "FAILED"}[w.n(2, "result")],
	}
	p.answersAt = time.Now().Add(w.pause(10*time.Minute, "answer"))
	p.resultAt = p.answersAt.Add(w.pause(4*time.Minute, "result"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks[p.id], w.tokens[p.token] = p, p
	return p
}

// client is that of one process.
func (w *world) client(p *process) *alipay.Client {
	transport := alipay.NewTransport()
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if f := w.now(); f != nil && w.n(1000, "dial") < f.refused {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connection refused")}
		}
		return w.listener.dial(ctx)
	}
	p.transport = transport
	client, err := alipay.NewClient(w.config(0), alipay.WithHTTPClient(&http.Client{Transport: asking{w, p, transport}}),
		alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1})) // its pauses are not of the seed
	if err != nil {
		panic(err)
	}
	return client
}

// config is that of a client which knows the first or the second key of Alipay's.
func (w *world) config(generation int) alipay.AlipayConfig {
	keys := simulationKeys()
	public, _ := x509.MarshalPKIXPublicKey(&keys[1+generation].PublicKey)
	return alipay.AlipayConfig{
		BaseURL: "http://127.0.0.1", AppID: "2021000000000000", Signer: &hastySigner{PrivateKey: keys[0]},
		AlipayPublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) now() *faults {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults
}

// asking sees every query that leaves a process.
type asking struct {
	*world
	process   *process
	transport *http.Transport
}

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	token := r.URL.Query().Get("once_token")
	if token == "" || a.process.dead() {
		return a.transport.RoundTrip(r)
	}
	a.mu.Lock()
	if a.world.asking[token]++; a.world.asking[token] > 1 {
		a.broken = append(a.broken, "two workers ask with one token at once")
	}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.world.asking[token]--
	}()
	return a.transport.RoundTrip(r)
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	f := w.now()
	if f == nil {
		f = &faults{}
	}
	query := r.URL.Query()
	about := query.Get("once_token") + query.Get("out_agreement_no")
	w.happened("request", about)
	w.mu.Lock()
	seen, seenAsked := w.seen, w.seenAsked
	w.mu.Unlock()
	switch {
	case query.Has("once_token") && seen != nil:
		seen(query)
	case query.Has("out_agreement_no") && seenAsked != nil:
		seenAsked()
	}
	drawn := 0
	hit := func(chance int) bool {
		drawn++
		return w.n(1000, about, strconv.Itoa(drawn)) < chance
	}
	hold := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-w.listener.closed:
			return false
		}
	}
	hold(w.pause(3*time.Second, about))
	switch {
	case hit(f.limited):
		w.answer(rw, http.StatusTooManyRequests, time.Now(), map[string]any{"code": "app-call-limited", "message": "应用调用次数超限"})
		return
	case hit(f.lostRequest):
		hold(time.Minute)
		panic(http.ErrAbortHandler)
	case hit(f.lateRequest):
		hold(w.pause(40*time.Second, about))
	case hit(f.failed):
		w.answer(rw, http.StatusInternalServerError, time.Now(), map[string]any{"code": "SYSTEM_ERROR", "message": "系统繁忙"})
		return
	}
	status, content := w.act(query)
	at := time.Now()
	switch {
	case hit(f.lostAnswer):
		panic(http.ErrAbortHandler)
	case hit(f.lateAnswer):
		hold(w.pause(40*time.Second, about))
	case hit(f.stale):
		at = at.Add(-time.Hour)
	case hit(f.altered):
		rw = &altering{rw}
	case hit(f.another) && query.Has("once_token") && status == http.StatusOK:
		content = map[string]any{"identity_result": "SUCCESS", "open_id": "open-of-another", "user_id": "2088999999999999", "token_status": "FINISH"}
	}
	w.answer(rw, status, at, content)
}

// act is what the platform does.
func (w *world) act(query url.Values) (status int, content map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	no := func(code alipay.ErrorCode) (int, map[string]any) {
		return http.StatusBadRequest, map[string]any{"code": string(code), "message": "不可以"}
	}
	if p := w.checks[query.Get("out_agreement_no")]; p != nil {
		switch {
		case p.never || now.Before(p.answersAt):
			return no(alipay.CodeCreditAgreementNotExist)
		case !p.agrees:
			return http.StatusOK, map[string]any{"agreement_status": "INVALID", "out_agreement_no": p.id}
		}
		return http.StatusOK, map[string]any{"agreement_status": "VALID", "out_agreement_no": p.id, "open_id": p.openID, "alipay_user_id": p.userID}
	}
	p := w.tokens[query.Get("once_token")]
	switch {
	case p == nil || query.Get("conn_key") != p.id || query.Get("service_id") == "" || query.Get("identity_type") == "" || query.Get("query_type") == "":
		return no(alipay.CodeParamError)
	case p.never || !p.agrees || now.Before(p.answersAt):
		return no(alipay.CodeUserNotAuthorize)
	case now.Before(p.resultAt):
		return http.StatusOK, map[string]any{"identity_result": "WAITING_VERIFY"}
	case p.spent:
		return no(alipay.CodeTokenInvalid)
	}
	p.spent = true
	return http.StatusOK, map[string]any{"identity_result": p.result, "open_id": p.openID, "user_id": p.userID, "token_status": "FINISH"}
}

// answer sends a signed answer.
func (w *world) answer(rw http.ResponseWriter, status int, at time.Time, content map[string]any) {
	body, _ := json.Marshal(content)
	w.mu.Lock()
	key := w.signing
	w.mu.Unlock()
	timestamp, nonce := strconv.FormatInt(at.UnixMilli(), 10), w.hex()
	signature := "null"
	if status == http.StatusOK { // a refusal is often unsigned
		digest := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + string(body) + "\n"))
		signed, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		signature = base64.StdEncoding.EncodeToString(signed)
	}
	header := rw.Header()
	header.Set("Content-Type", "application/json;charset=UTF-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("alipay-timestamp", timestamp)
	header.Set("alipay-nonce", nonce)
	header.Set("alipay-trace-id", nonce)
	header.Set("alipay-signature", signature)
	rw.WriteHeader(status)
	_, _ = rw.Write(body)
	w.happened("answer", string(body))
}

// altering changes an answer after it was signed.
type altering struct{ http.ResponseWriter }

func (a *altering) Write(body []byte) (int, error) {
	body = append([]byte(nil), body...)
	body[len(body)-2] ^= 1
	return a.ResponseWriter.Write(body)
}

// pipes is a listener without a network, so that time can be fake.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// end stops the world. Nothing runs in it any more.
func (w *world) end(t *testing.T) {
	_ = w.listener.Close()
	if err := w.server.Close(); err != nil {
		t.Error(err)
	}
}

// hastySigner signs rightly as long as its client is being made. Nobody verifies
// the rest, which would take most of the simulation's time.
type hastySigner struct {
	*rsa.PrivateKey
	mu   sync.Mutex
	last []byte
	made int
}

func (s *hastySigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made++; s.made > 2 {
		return s.last, nil
	}
	signature, err := s.PrivateKey.Sign(rand, digest, opts)
	s.last = signature
	return signature, err
}
