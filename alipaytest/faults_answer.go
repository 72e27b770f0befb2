package alipaytest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	alipay "github.com/seed-39a49030/alipay"
)

const (
	jsonType = "application/json"
	html     = "<!DOCTYPE html>\n<html><head><title>nginx</title></head><body><h1>Something went wrong</h1></body></html>\n"

	appLimited    = "应用调用次数超限"
	methodLimited = "接口调用次数超限"
	busy          = "系统繁忙"
	unavailable   = "服务暂不可用（业务系统不可用）"
)

// Faults of a proxy between client and gateway. They do not act.
var (
	// TooManyRequests is a bare 429.
	TooManyRequests = RawAnswer("429", http.StatusTooManyRequests, "text/plain", "")
	// BadGateway is a 502 with nothing in it.
	BadGateway = RawAnswer("502 empty", http.StatusBadGateway, "text/html", "")
)

// answerFaults are all faults of the answer, for [Faults].
var answerFaults = []Fault{
	TooManyRequests, RetryAfter(time.Second),
	GatewayError(http.StatusTooManyRequests, alipay.CodeAppCallLimited, appLimited),
	GatewayError(http.StatusTooManyRequests, alipay.CodeMethodCallLimited, methodLimited),
	instead("429 with a wrong signature", untrustedThrottle),
	GatewayError(http.StatusBadRequest, alipay.CodeAppCallLimited, appLimited),

	RawAnswer("500 HTML", http.StatusInternalServerError, "text/html", html),
	BadGateway, BadGateway.Acting(true),
	RawAnswer("503", http.StatusServiceUnavailable, "text/plain", "upstream connect error\n"),
	RawAnswer("504 HTML", http.StatusGatewayTimeout, "text/html", html).acted(),
	RawAnswer("408", http.StatusRequestTimeout, "text/plain", ""),
	RawAnswer("403 HTML", http.StatusForbidden, "text/html", html), // as a firewall sends
	RawAnswer("200 HTML", http.StatusOK, "text/html", html),        // as a captive portal sends
	RawAnswer("200 empty", http.StatusOK, "text/plain", ""),
	redirect(http.StatusMovedPermanently, elsewhere), redirect(http.StatusFound, elsewhere),
	redirect(http.StatusTemporaryRedirect, elsewhere), redirect(http.StatusPermanentRedirect, elsewhere),

	BusinessError(http.StatusBadRequest, alipay.CodeSystemError, busy), BusinessError(http.StatusInternalServerError, alipay.CodeSystemError, busy),
	GatewayError(http.StatusBadRequest, alipay.CodeUnknowError, unavailable), GatewayError(http.StatusInternalServerError, alipay.CodeUnknowError, unavailable),
	BusinessError(http.StatusForbidden, alipay.CodeRiskIntercept, "风险拦截"),
	otherSuccess(http.StatusCreated, true), otherSuccess(http.StatusAccepted, false), otherSuccess(http.StatusNoContent, true),

	SignedBody("signed HTML", "text/html", html),
	SignedBody("signed array", jsonType, `["SUCCESS"]`),
	SignedBody("signed empty", jsonType, ""),
	{name: "trailing garbage", acts: true, do: trailingGarbage},
	SignedBody("bad ciphertext", "text/plain", "bm90IGEgYmxvY2s="), // which no key decrypts

	// Valid, since a plain answer is signed as well.
	{name: "plain answer", acts: true, harmless: true, do: plainAnswer},
	// To a client that says it takes gzip.
	{name: "compressed", acts: true, harmless: true, do: compressed},
	Slow(300 * time.Millisecond), slowBody(300 * time.Millisecond), sizedAnswer(64 << 10),
	hugeBody(8 << 20), gzipBomb(64 << 20),
}

// elsewhere is where the redirects of [Faults] point: to nothing.
const elsewhere = "http://127.0.0.1:9/elsewhere"

// RetryAfter is a 429 with app-call-limited that says how long to wait, in
// whole seconds, rounded up. It does not act.
func RetryAfter(wait time.Duration) Fault {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return instead("429, Retry-After "+seconds, func(x *exchange) *Answer {
		a := x.assemble(x.refused(http.StatusTooManyRequests, alipay.CodeAppCallLimited, appLimited, true))
		a.Header.Set("Retry-After", seconds)
		return a
	})
}

// RawAnswer answers with exactly this, unsigned and without a trace id, as a proxy
// would. It does not act.
func RawAnswer(name string, status int, contentType, body string) Fault {
	return instead(name, func(*exchange) *Answer {
		return &Answer{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
	})
}

// GatewayError is a refusal of the gateway itself: unsigned, with a trace id. It
// does not act.
func GatewayError(status int, code alipay.ErrorCode, message string) Fault {
	return instead(fmt.Sprintf("%d %s", status, code), func(x *exchange) *Answer {
		return x.assemble(x.refused(status, code, message, true))
	})
}

// BusinessError is an error of the endpoint: signed. It does not act. To give a
// once_token a lasting error, use [Gateway.SetError].
func BusinessError(status int, code alipay.ErrorCode, message string) Fault {
	return instead(fmt.Sprintf("%d %s, signed", status, code), func(x *exchange) *Answer {
		return x.assemble(x.refused(status, code, message, false))
	})
}

// otherSuccess is a 2xx other than 200, with the right answer, signed or not. It
// acts.
func otherSuccess(status int, signed bool) Fault {
	name := fmt.Sprintf("%d unsigned", status)
	if signed {
		name = fmt.Sprintf("%d signed", status)
	}
	return altered(name, func(x *exchange, p *parts) {
		p.status = status
		if status == http.StatusNoContent {
			p.node, p.content = "", nil
			key, _ := x.signer()
			p.sign(key, x.g.clock())
		}
		if !signed {
			p.signature = ""
		}
	})
}

// redirect sends the client elsewhere, with any status of 3xx. It does not act.
func redirect(status int, location string) Fault {
	return instead(fmt.Sprintf("redirect %d", status), func(*exchange) *Answer {
		return &Answer{Status: status, Header: http.Header{"Location": {location}}}
	})
}

// SignedBody answers 200 with this body, correctly signed and never encrypted. It
// acts.
func SignedBody(name, contentType, body string) Fault {
	return Fault{name: name, acts: true, do: func(x *exchange) {
		_ = x.assemble(x.signed(http.StatusOK, contentType, []byte(body))).Send(x.w)
	}}
}

// Slow gives the right answer, but only after d. It acts at once, and is
// harmless to a client that waits that long.
func Slow(d time.Duration) Fault {
	return Fault{name: "slow, " + d.String(), acts: true, harmless: true, do: func(x *exchange) {
		x.sleep(d)
		x.deliver(x.answer())
	}}
}

// slowBody gives the right answer, the head at once and the body little by little
// over d. It acts, and is harmless to a client that waits that long.
func slowBody(d time.Duration) Fault {
	return Fault{name: "slow body, " + d.String(), acts: true, harmless: true, do: func(x *exchange) {
		a := x.answer()
		a.sendHead(x.w, true)
		x.flush()
		const drops = 10
		for i := range drops {
			x.sleep(d / drops)
			if i == drops-1 {
				x.noteDelivery(true)
			}
			_, _ = x.w.Write(a.Body[len(a.Body)*i/drops : len(a.Body)*(i+1)/drops])
			x.flush()
		}
	}}
}

// sizedAnswer pads the right answer with blanks, so that its body has exactly size
// bytes (before encryption, if that is on), to test limits. An answer longer than
// that stays as it is. It acts and is harmless to a client that accepts that size.
func sizedAnswer(size int) Fault {
	return Fault{name: fmt.Sprintf("answer of %d bytes", size), acts: true, harmless: true, do: func(x *exchange) {
		if blanks := size - len(x.reply.body); blanks > 0 && len(x.reply.body) > 0 {
			body := append(make([]byte, 0, size), x.reply.body[0])
			body = append(body, bytes.Repeat([]byte(" "), blanks)...)
			x.reply.body = append(body, x.reply.body[1:]...)
		}
		x.deliver(x.answer())
	}}
}

// hugeBody sends size bytes that are not signed, or as many as the client reads.
// It acts.
func hugeBody(size int64) Fault {
	return Fault{name: fmt.Sprintf("huge body, %d bytes", size), acts: true, do: func(x *exchange) {
		x.w.Header().Set("Content-Type", jsonType)
		piece := bytes.Repeat([]byte(" "), 32<<10)
		for left := size; left > 0; left -= int64(len(piece)) {
			if _, err := x.w.Write(piece[:min(left, int64(len(piece)))]); err != nil {
				return
			}
		}
	}}
}

// gzipBomb sends size bytes, compressed to a thousandth of that, whether or not
// the client says that it takes gzip. It acts.
func gzipBomb(size int64) Fault {
	return Fault{name: fmt.Sprintf("compressed bomb, %d bytes", size), acts: true, do: func(x *exchange) {
		x.w.Header().Set("Content-Type", jsonType)
		x.w.Header().Set("Content-Encoding", "gzip")
		left := max(size, 0)
		for ; left >= bombPiece; left -= bombPiece {
			if _, err := x.w.Write(bomb()); err != nil {
				return
			}
		}
		_, _ = x.w.Write(gzipped(bytes.Repeat([]byte(" "), int(left))))
	}}
}

// bomb is a gzip member of bombPiece blanks. Members may follow one another.
var bomb = sync.OnceValue(func() []byte { return gzipped(bytes.Repeat([]byte(" "), bombPiece)) })

const bombPiece = 1 << 20

func gzipped(plain []byte) []byte {
	var b bytes.Buffer
	compressor := gzip.NewWriter(&b)
	_, _ = compressor.Write(plain)
	_ = compressor.Close()
	return b.Bytes()
}

func untrustedThrottle(x *exchange) *Answer {
	p := x.refused(http.StatusTooManyRequests, alipay.CodeAppCallLimited, appLimited, false)
	p.sign(keys().foreign, x.g.clock())
	return x.assemble(p)
}

func trailingGarbage(x *exchange) {
	x.reply.body = append(bytes.Clone(x.reply.body), `{"identity_result":"FAILED"}`...)
	_ = x.answer().Send(x.w)
}

func plainAnswer(x *exchange) {
	x.received.Encrypted = false
	x.deliver(x.answer())
}

func compressed(x *exchange) {
	a := x.answer()
	if strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") {
		a.Body = gzipped(a.Body)
		a.Header.Set("Content-Encoding", "gzip")
	}
	x.deliver(a)
}
