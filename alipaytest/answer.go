package alipaytest

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Answer is a signed answer, ready to be sent. The function that gets it may
// change it; a changed body has to be signed again with [SignAnswer].
type Answer struct {
	Status int         // 0 means 200
	Header http.Header // of the protocol, and Content-Type
	Body   []byte      // as it goes over the wire: encrypted where that applies
}

// Send writes the answer to w, to whose header it adds its own and the length
// of its body.
func (a *Answer) Send(w http.ResponseWriter) error {
	a.sendHead(w, a.Status != http.StatusNoContent)
	_, err := w.Write(a.Body)
	return err
}

// sendHead writes all but the body, whose length is announced or not.
func (a *Answer) sendHead(w http.ResponseWriter, announced bool) {
	header := w.Header()
	maps.Copy(header, a.Header)
	if announced {
		header.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(cmp.Or(a.Status, http.StatusOK))
}

// SignAnswer signs body as the gateway would at that time: it sets the headers
// alipay-timestamp, alipay-nonce and alipay-signature. body must be exactly the
// bytes that are sent, and at must be within 10 minutes of the client's clock. It
// is for test servers other than a [Gateway], which call it before WriteHeader. A
// client made with [Config] accepts the answer, and so does one in certificate
// mode that has the gateway's first certificate, since without alipay-sn any
// configured certificate may verify an answer. The only error is a header that is
// nil.
func SignAnswer(header http.Header, body []byte, at time.Time) error {
	if header == nil {
		return errors.New("alipaytest: SignAnswer: the header is nil")
	}
	p := &parts{content: body}
	p.sign(keys().alipay, at)
	p.setHeader(header)
	return nil
}

// Config returns a configuration in public-key mode for a test server at baseURL
// that signs with [SignAnswer]. For a [Gateway] there are
// [Gateway.Config] and [Gateway.CertConfig].
func Config(baseURL string) alipay.AlipayConfig {
	return alipay.AlipayConfig{
		BaseURL:         baseURL,
		AppID:           AppID,
		PrivateKey:      keys().appKey,
		AlipayPublicKey: keys().alipayPublicKey,
	}
}

// parts is what an answer is put together from after it has been signed: faults
// change them one by one.
type parts struct {
	status           int
	contentType      string
	node             string // its name at the old gateway; "" for an answer of v3
	content          []byte // of the body, or of the node
	timestamp, nonce string // of v3
	sn, signature    string
}

// sign signs the content, and stamps it with that time.
func (p *parts) sign(key *rsa.PrivateKey, at time.Time) {
	p.timestamp, p.nonce = strconv.FormatInt(at.UnixMilli(), 10), protocol.NewID()
	p.signature = must(protocol.Sign(key, p.covered()))
}

// covered is what the signature covers.
func (p *parts) covered() []byte {
	if p.node != "" {
		return p.content
	}
	return protocol.SignedContent(p.timestamp, p.nonce, p.content)
}

// setHeader sets the headers of v3 that have a value.
func (p *parts) setHeader(header http.Header) {
	for name, value := range map[string]string{
		protocol.HeaderTimestamp: p.timestamp, protocol.HeaderNonce: p.nonce,
		protocol.HeaderSN: p.sn, protocol.HeaderSignature: p.signature,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
}

// body is the body as it is sent.
func (p *parts) body() []byte {
	if p.node == "" {
		return p.content
	}
	b := fmt.Appendf(nil, "{%q:%s", p.node, p.content)
	for _, member := range []struct{ name, value string }{{"alipay_cert_sn", p.sn}, {"sign", p.signature}} {
		if member.value != "" {
			b = fmt.Appendf(b, ",%q:%q", member.name, member.value)
		}
	}
	return append(b, '}')
}

// reply is an endpoint's answer before it is encrypted and signed.
type reply struct {
	status int
	page   bool // HTML for a browser, not signed
	body   []byte
	code   alipay.ErrorCode // of a no
	spends *token           // the once_token that this answer spends; nil if none
}

// exchange is one request on its way to an answer.
type exchange struct {
	g        *Gateway
	w        http.ResponseWriter
	r        *http.Request
	conn     *connection
	received ReceivedRequest
	isOld    bool        // it is for the old gateway
	old      *oldRequest // one that passed the checks, else nil
	reply    reply
	fault    Fault
	traceID  string
}

// serve answers one request.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	g.conns.enter()
	defer g.conns.leave()
	defer g.reportPanic()

	x := &exchange{g: g, w: w, r: r, conn: g.conns.of(r), traceID: protocol.NewID()}
	params, _ := url.ParseQuery(r.URL.RawQuery) // as far as it can be read
	path, _ := g.behindPrefix(r.URL.Path)
	target, inside := g.target(r.RequestURI)
	x.isOld = inside && path == protocol.OldGatewayPath
	x.received = ReceivedRequest{
		Method: r.Method, Path: path, RequestURI: r.RequestURI, Proto: r.Proto,
		Params: params, Header: r.Header.Clone(),
		AppAuthToken: r.Header.Get(protocol.HeaderAppAuthToken), RequestID: headerValue(r.Header, protocol.HeaderRequestID),
		Connection: x.conn.number, OnConnection: int(x.conn.requests.Add(1)), At: time.Now(),
		target: target, inside: inside,
	}
	body, refused := g.readBody(w, r)
	if refused == cutShort { // not a complete request
		_ = x.assemble(x.refused(refused.status, refused.code, refused.message, true)).Send(w)
		return
	}
	x.received.Body = body
	if refused == nil && x.isOld {
		x.serveOld()
		return
	}
	if refused == nil {
		refused = g.check(r.Header, &x.received)
	}
	if x.received.Verified {
		g.noteArrival(&x.received)
	}
	var found endpoint
	if refused == nil {
		found, refused = g.find(&x.received)
	}
	if refused != nil {
		x.received.Code = refused.code
		g.diagnose(r, &x.received, refused)
		g.history.add(x.received)
		_ = x.assemble(x.refused(refused.status, refused.code, refused.message, true)).Send(w)
		return
	}
	x.carryOut(found.answer)
}

// carryOut answers a request that passed the checks, unless a fault prevents that.
func (x *exchange) carryOut(answer func(x *exchange, act bool) reply) {
	x.fault = x.g.nextFault(x.received)
	x.received.Fault = x.fault.name
	x.reply = answer(x, x.fault.do == nil || x.fault.acts)
	x.received.Code = x.reply.code
	x.g.note(&x.received)
	x.g.history.add(x.received)
	if x.fault.do != nil {
		x.fault.do(x)
		return
	}
	x.deliver(x.answer())
}

// reportPanic reports a panic in a function of the caller's, which net/http would
// only log, and drops the connection.
func (g *Gateway) reportPanic() {
	p := recover()
	if p == nil {
		return
	}
	if p != http.ErrAbortHandler {
		text := fmt.Sprintf("alipaytest: panic while answering: %v\n%s", p, debug.Stack())
		if g.tb != nil {
			g.tb.Error(text)
		} else {
			log.Print(text)
		}
	}
	panic(http.ErrAbortHandler)
}

// answer is the right answer: [exchange.right], put together.
func (x *exchange) answer() *Answer { return x.assemble(x.right()) }

// right is the reply encrypted, where that applies, and signed.
func (x *exchange) right() *parts {
	// A copy, since faults may change it, and the token keeps the original.
	body, contentType := bytes.Clone(x.reply.body), ""
	switch {
	case x.reply.page:
		return &parts{status: x.reply.status, contentType: "text/html;charset=UTF-8", content: body}
	case x.received.Encrypted && x.isOld:
		body = x.encryptedNode(body)
	case x.received.Encrypted && x.reply.status < 300:
		// With a charset the Java SDK would not take it for text.
		body, contentType = x.g.cipher.Encrypt(body), "text/plain"
	}
	return x.signed(x.reply.status, contentType, body)
}

// unsigned is an answer as the real gateway gives it to what it refuses. Without a
// content type it has the platform's.
func (x *exchange) unsigned(status int, contentType string, body []byte) *parts {
	p := &parts{status: status, contentType: cmp.Or(contentType, "application/json;charset=UTF-8"), content: body}
	if x.isOld {
		p.node, p.contentType = x.nodeName(), cmp.Or(contentType, "text/html;charset=utf-8")
	}
	return p
}

// signed is an answer that is signed with the key for the client's mode.
func (x *exchange) signed(status int, contentType string, body []byte) *parts {
	p := x.unsigned(status, contentType, body)
	var key *rsa.PrivateKey
	key, p.sn = x.signer()
	p.sign(key, x.g.clock())
	return p
}

// signer is Alipay's key for the client's mode, and its SN in certificate mode.
func (x *exchange) signer() (key *rsa.PrivateKey, sn string) {
	if x.received.AppCertSN == "" {
		return keys().alipay, ""
	}
	current := x.g.identity()
	return current.key, current.sn
}

func (x *exchange) assemble(p *parts) *Answer {
	header := http.Header{"Content-Type": {p.contentType}}
	if x.isOld {
		header.Set("trace_id", x.traceID)
	} else {
		header.Set(protocol.HeaderTraceID, x.traceID)
		p.setHeader(header)
	}
	return &Answer{Status: p.status, Header: header, Body: p.body()}
}

// deliver sends the right answer. A client that has it may ask the gateway at
// once whether it was delivered, so the delivery is noted before the answer is
// sent, and undone if that fails.
func (x *exchange) deliver(a *Answer) {
	if x.reply.spends == nil {
		_ = a.Send(x.w)
		return
	}
	x.noteDelivery(true)
	err := a.Send(x.w)
	if err == nil {
		err = http.NewResponseController(x.w).Flush()
	}
	if err != nil {
		x.noteDelivery(false)
	}
}

// refused is an error answer: of the gateway itself, which does not sign it, or of
// an endpoint. The old gateway refuses with status 200.
func (x *exchange) refused(status int, code alipay.ErrorCode, message string, ofGateway bool) *parts {
	if x.isOld {
		status = http.StatusOK
	}
	body := x.errorBody(code, message, ofGateway)
	if ofGateway {
		return x.unsigned(status, "", body)
	}
	if x.isOld && x.received.Encrypted {
		body = x.encryptedNode(body)
	}
	return x.signed(status, "", body)
}

// no is an endpoint's refusal.
func (x *exchange) no(status int, code alipay.ErrorCode, message string) reply {
	return reply{status: status, code: code, body: x.errorBody(code, message, false)}
}

// errorBody is an error as the platform words it. The link in it has two forms: the
// gateway sends a list, an endpoint the documented string, which is the form that
// the Java SDK can read.
func (x *exchange) errorBody(code alipay.ErrorCode, message string, ofGateway bool) []byte {
	if x.isOld {
		return oldNo(code, message)
	}
	link := "https://open.alipay.com/api/errCheck?traceId=" + x.traceID + "&source=openapi"
	var links any = link
	if ofGateway {
		links = []alipay.ErrorLink{{Link: link, Desc: "解决方案"}}
	}
	return encodeJSON(struct {
		Code    alipay.ErrorCode `json:"code"`
		Links   any              `json:"links"`
		Message string           `json:"message"`
	}{code, links, message})
}

// encodeJSON is json.Marshal without its escapes for HTML, for a value that
// can be encoded.
func encodeJSON(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Errorf("alipaytest: %w", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
