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
	"github.com/seed-39a49030/alipay/internal/v3"
)

// Faults of the connection. Over HTTP/2 a dropped connection takes along
// whatever other requests are under way on it.
var (
	// Drop closes the connection (FIN) without an answer, before acting.
	Drop = Fault{name: "drop", do: func(x *exchange) { x.drop(false) }}
	// DropReset resets the connection (RST) without an answer, before acting.
	DropReset = Fault{name: "drop by reset", do: func(x *exchange) { x.drop(true) }}
	// LostAnswer acts, then closes the connection: the final answer is lost.
	LostAnswer = Fault{name: "lost answer", acts: true, do: Drop.do}
	// LostAnswerReset acts, then resets the connection.
	LostAnswerReset = Fault{name: "lost answer by reset", acts: true, do: DropReset.do}
	// ResetStream breaks off this answer only, after acting: over HTTP/2 by
	// RST_STREAM with INTERNAL_ERROR, over HTTP/1.1 by closing the connection.
	ResetStream = Fault{name: "reset stream", acts: true, do: func(x *exchange) { panic(http.ErrAbortHandler) }}
	// CloseIdle answers rightly and closes the connection right after that,
	// unannounced: the next caller may find it dead.
	CloseIdle = Fault{name: "close idle connection", acts: true, harmless: true, do: func(x *exchange) {
		x.conn.closeWhenIdle.Store(true)
		x.deliver(x.answer())
	}}
	// AnnouncedClose answers rightly and says that the connection ends: by
	// Connection: close, over HTTP/2 by GOAWAY.
	AnnouncedClose = Fault{name: "announced close", acts: true, harmless: true, do: func(x *exchange) {
		x.w.Header().Set("Connection", "close")
		x.deliver(x.answer())
	}}
	// HalfAnswer sends half of the body that Content-Length announces.
	HalfAnswer = Fault{name: "half an answer", acts: true, do: func(x *exchange) { x.half(true) }}
	// HalfChunked sends half of the body, its length unannounced.
	HalfChunked = Fault{name: "half a chunked answer", acts: true, do: func(x *exchange) { x.half(false) }}
	// HalfHead breaks off within the head of the answer.
	HalfHead = Fault{name: "half a head", acts: true, do: func(x *exchange) {
		x.wire("HTTP/1.1 200 OK\r\nContent-Type: appli")
	}}
	// MalformedHTTP sends what is not HTTP.
	MalformedHTTP = Fault{name: "malformed HTTP", acts: true, do: func(x *exchange) {
		x.wire("\x00garbage/9.9 what OK\r\n\r\n")
	}}
)

// DropAfter is [Drop] for those requests that come after the first n on their
// connection: DropAfter(1) lets a client think that a connection can be kept.
func DropAfter(n int) Fault {
	f := Drop.When(func(r ReceivedRequest) bool { return r.OnConnection > n })
	f.name = fmt.Sprintf("drop after %d on a connection", n)
	return f
}

// Faults of the signature. All of them act.
var (
	// WrongSignature sends the signature of another answer.
	WrongSignature = altered("wrong signature", func(x *exchange, a *Answer) {
		other := &Answer{Header: http.Header{}, Body: []byte("{}")}
		key, _ := x.signer()
		x.sign(other, key, 0)
		a.Header.Set(v3.HeaderSignature, other.Header.Get(v3.HeaderSignature))
	})
	// GarbledSignature sends a signature that is no base64.
	GarbledSignature = altered("garbled signature", func(x *exchange, a *Answer) {
		a.Header.Set(v3.HeaderSignature, "!"+a.Header.Get(v3.HeaderSignature))
	})
	// MissingSignature sends the right answer unsigned.
	MissingSignature = altered("missing signature", func(x *exchange, a *Answer) {
		a.Header.Del(v3.HeaderSignature)
	})
	// NullSignature sends the word null for a signature, which means none.
	NullSignature = altered("null signature", func(x *exchange, a *Answer) {
		a.Header.Set(v3.HeaderSignature, "null")
	})
	// ForeignSignature sends an answer that somebody else has signed.
	ForeignSignature = altered("foreign signature", func(x *exchange, a *Answer) {
		x.sign(a, keys().foreign, 0)
	})
	// AlteredBody sends a body changed after it was signed.
	AlteredBody = altered("altered body", func(x *exchange, a *Answer) {
		a.Body = append(a.Body, ' ')
	})
	// MissingNonce leaves alipay-nonce out.
	MissingNonce = altered("missing nonce", func(x *exchange, a *Answer) { a.Header.Del(v3.HeaderNonce) })
	// StaleTimestamp sends an answer rightly signed an hour ago.
	StaleTimestamp = TimestampOff(-time.Hour)
	// FutureTimestamp sends an answer rightly signed, an hour ahead.
	FutureTimestamp = TimestampOff(time.Hour)
	// MissingTimestamp leaves alipay-timestamp out.
	MissingTimestamp = altered("missing timestamp", func(x *exchange, a *Answer) { a.Header.Del(v3.HeaderTimestamp) })
	// GarbledTimestamp sends a timestamp, rightly signed, that is no number.
	GarbledTimestamp = altered("garbled timestamp", func(x *exchange, a *Answer) {
		const noNumber = "yesterday"
		key, _ := x.signer()
		signature, err := v3.Sign(key, v3.SignedContent(noNumber, a.Header.Get(v3.HeaderNonce), a.Body))
		if err != nil {
			panic(err)
		}
		a.Header.Set(v3.HeaderTimestamp, noNumber)
		a.Header.Set(v3.HeaderSignature, signature)
	})
	// UnknownSN names a certificate that nobody has.
	UnknownSN = altered("unknown alipay-sn", func(x *exchange, a *Answer) {
		a.Header.Set(v3.HeaderSN, "00000000000000000000000000000000")
	})
	// MissingSN names no certificate, also in certificate mode: harmless, since
	// any configured certificate may then verify the answer.
	MissingSN = Fault{name: "missing alipay-sn", acts: true, harmless: true, do: func(x *exchange) {
		a := x.answer()
		a.Header.Del(v3.HeaderSN)
		x.deliver(a)
	}}
)

// TimestampOff sends an answer rightly signed at a time that far from the
// gateway's clock. It acts.
func TimestampOff(offset time.Duration) Fault {
	return altered("timestamp off by "+offset.String(), func(x *exchange, a *Answer) {
		key, _ := x.signer()
		x.sign(a, key, offset)
	})
}

// Refusals for load. None of them acts.
var (
	// TooManyRequests is a bare 429.
	TooManyRequests = RawAnswer("429", http.StatusTooManyRequests, "text/plain", "")
	// AppCallLimited is the gateway's 429 with app-call-limited.
	AppCallLimited = GatewayError(http.StatusTooManyRequests, alipay.CodeAppCallLimited, "应用调用次数超限")
	// MethodCallLimited is the gateway's 429 with method-call-limited.
	MethodCallLimited = GatewayError(http.StatusTooManyRequests, alipay.CodeMethodCallLimited, "接口调用次数超限")
	// UntrustedThrottle is app-call-limited with a signature that does not hold.
	UntrustedThrottle = instead("429 with a wrong signature", func(x *exchange) *Answer {
		a := x.signed(http.StatusTooManyRequests, "application/json", x.errorBody(alipay.CodeAppCallLimited, "应用调用次数超限", true))
		x.sign(a, keys().foreign, 0)
		return a
	})
)

// RetryAfter is a 429 that says how long to wait, in whole seconds. It does not
// act.
func RetryAfter(wait time.Duration) Fault {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return instead("429, Retry-After "+seconds, func(x *exchange) *Answer {
		a := x.unsigned(http.StatusTooManyRequests, x.errorBody(alipay.CodeAppCallLimited, "应用调用次数超限", true))
		a.Header.Set("Retry-After", seconds)
		return a
	})
}

const html = "<!DOCTYPE html>\n<html><head><title>nginx</title></head><body><h1>Something went wrong</h1></body></html>\n"

// Answers of what lies in between, or of a gateway in trouble. None of them
// acts, but for GatewayTimeout.
var (
	// ServerErrorHTML is a 500 with a page.
	ServerErrorHTML = RawAnswer("500 HTML", http.StatusInternalServerError, "text/html", html)
	// BadGateway is a 502 with nothing.
	BadGateway = RawAnswer("502 empty", http.StatusBadGateway, "text/html", "")
	// ServiceUnavailable is a 503 with a line of text.
	ServiceUnavailable = RawAnswer("503", http.StatusServiceUnavailable, "text/plain", "upstream connect error\n")
	// GatewayTimeout is a 504 with a page, after acting.
	GatewayTimeout = RawAnswer("504 HTML", http.StatusGatewayTimeout, "text/html", html).acted()
	// RequestTimeout is a 408.
	RequestTimeout = RawAnswer("408", http.StatusRequestTimeout, "text/plain", "")
	// ForbiddenHTML is a 403 with a page, as of a firewall.
	ForbiddenHTML = RawAnswer("403 HTML", http.StatusForbidden, "text/html", html)
	// ProxyHTML is a 200 with a page, as of a captive portal.
	ProxyHTML = RawAnswer("200 HTML", http.StatusOK, "text/html", html)
	// ProxyEmpty is a 200 with nothing.
	ProxyEmpty = RawAnswer("200 empty", http.StatusOK, "text/plain", "")
)

func (f Fault) acted() Fault { f.acts = true; return f }

// RawAnswer answers just so, unsigned and without a trace id, as a proxy would.
// It does not act.
func RawAnswer(name string, status int, contentType, body string) Fault {
	return instead(name, func(*exchange) *Answer {
		return &Answer{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
	})
}

// GatewayError is a refusal of the gateway itself: unsigned, with a trace id. It
// does not act.
func GatewayError(status int, code alipay.ErrorCode, message string) Fault {
	return instead(fmt.Sprintf("%d %s", status, code), func(x *exchange) *Answer {
		return x.unsigned(status, x.errorBody(code, message, true))
	})
}

// BusinessError is an error of the endpoint: signed. It does not act.
func BusinessError(status int, code alipay.ErrorCode, message string) Fault {
	return instead(fmt.Sprintf("%d %s, signed", status, code), func(x *exchange) *Answer {
		return x.signed(status, "application/json;charset=UTF-8", x.errorBody(code, message, false))
	})
}

// SystemError is SYSTEM_ERROR, signed, at any status. It does not act.
func SystemError(status int) Fault {
	return BusinessError(status, alipay.CodeSystemError, "系统繁忙")
}

// UnknowError is the gateway's unknow-error, unsigned, at any status. It does
// not act.
func UnknowError(status int) Fault {
	return GatewayError(status, alipay.CodeUnknowError, "服务暂不可用（业务系统不可用）")
}

// OtherSuccess is a 2xx other than 200, with the right answer, signed or not. It
// acts.
func OtherSuccess(status int, signed bool) Fault {
	name := fmt.Sprintf("%d unsigned", status)
	if signed {
		name = fmt.Sprintf("%d signed", status)
	}
	return altered(name, func(x *exchange, a *Answer) {
		a.Status = status
		if status == http.StatusNoContent {
			a.Body = nil
			key, _ := x.signer()
			x.sign(a, key, 0)
		}
		if !signed {
			a.Header.Del(v3.HeaderSignature)
		}
	})
}

// Redirect sends the client elsewhere, with any status of 3xx. It does not act.
func Redirect(status int, location string) Fault {
	return instead(fmt.Sprintf("redirect %d", status), func(*exchange) *Answer {
		return &Answer{Status: status, Header: http.Header{"Location": {location}}}
	})
}

// Signed answers with something else in them. All of them act.
var (
	// SignedHTML is a page, rightly signed.
	SignedHTML = SignedBody("signed HTML", "text/html", html)
	// SignedArray is JSON, rightly signed, that is no object.
	SignedArray = SignedBody("signed array", "application/json", `["SUCCESS"]`)
	// SignedEmpty is nothing, rightly signed.
	SignedEmpty = SignedBody("signed empty", "application/json", "")
	// TrailingGarbage is the right answer and more behind it, rightly signed.
	TrailingGarbage = Fault{name: "trailing garbage", acts: true, do: func(x *exchange) {
		x.reply.body = append(append([]byte(nil), x.reply.body...), `{"identity_result":"FAILED"}`...)
		_ = x.answer().Send(x.w)
	}}
	// BadCiphertext is what no key decrypts, rightly signed.
	BadCiphertext = SignedBody("bad ciphertext", "text/plain", "bm90IGEgYmxvY2s=")
	// PlainAnswer is the right answer, rightly signed, but not encrypted though
	// it should be: harmless, since it is signed.
	PlainAnswer = Fault{name: "plain answer", acts: true, harmless: true, do: func(x *exchange) {
		x.deliver(x.signed(x.reply.status, "application/json;charset=UTF-8", x.reply.body))
	}}
)

// SignedBody answers 200 with this body, rightly signed and never encrypted. It
// acts.
func SignedBody(name, contentType, body string) Fault {
	return Fault{name: name, acts: true, do: func(x *exchange) {
		_ = x.signed(http.StatusOK, contentType, []byte(body)).Send(x.w)
	}}
}

// Slow gives the right answer, but only after d. It acts at once.
func Slow(d time.Duration) Fault {
	return Fault{name: "slow, " + d.String(), acts: true, harmless: true, do: func(x *exchange) {
		x.sleep(d)
		x.deliver(x.answer())
	}}
}

// SlowBody gives the right answer, the head at once and the body drop by drop
// over d. It acts.
func SlowBody(d time.Duration) Fault {
	return Fault{name: "slow body, " + d.String(), acts: true, harmless: true, do: func(x *exchange) {
		a := x.answer()
		whole, drops := a.Body, 10
		a.Body = nil
		a.Header.Set("Content-Length", strconv.Itoa(len(whole)))
		for name, values := range a.Header {
			x.w.Header()[name] = values
		}
		x.w.WriteHeader(a.Status)
		x.flush()
		for i := range drops {
			x.sleep(d / time.Duration(drops))
			if i == drops-1 && x.reply.final {
				x.g.noteDelivery(&x.received, true)
			}
			_, _ = x.w.Write(whole[len(whole)*i/drops : len(whole)*(i+1)/drops])
			x.flush()
		}
	}}
}

// Hang acts and never answers: the request waits until the client gives up or
// the gateway closes.
var Hang = Fault{name: "hang", acts: true, do: func(x *exchange) {
	<-x.r.Context().Done()
	panic(http.ErrAbortHandler)
}}

// SizedAnswer gives the right answer with blanks in it, so that its body has
// size bytes (before encryption, if that is on): for limits, to the byte. An
// answer longer than that stays as it is. It acts and is harmless to whoever
// takes that much.
func SizedAnswer(size int) Fault {
	return Fault{name: fmt.Sprintf("answer of %d bytes", size), acts: true, harmless: true, do: func(x *exchange) {
		if blanks := size - len(x.reply.body); blanks > 0 && len(x.reply.body) > 0 {
			body := append(make([]byte, 0, size), x.reply.body[0])
			body = append(body, bytes.Repeat([]byte(" "), blanks)...)
			x.reply.body = append(body, x.reply.body[1:]...)
		}
		x.deliver(x.answer())
	}}
}

// HugeBody sends size bytes that are not signed, or as many of them as the
// client takes. It acts.
func HugeBody(size int64) Fault {
	return Fault{name: fmt.Sprintf("huge body, %d bytes", size), acts: true, do: func(x *exchange) {
		x.w.Header().Set("Content-Type", "application/json")
		piece := bytes.Repeat([]byte(" "), 32<<10)
		for left := size; left > 0; left -= int64(len(piece)) {
			if _, err := x.w.Write(piece[:min(left, int64(len(piece)))]); err != nil {
				return
			}
		}
	}}
}

// GzipBomb sends size bytes, compressed to a thousandth of that. It acts.
func GzipBomb(size int64) Fault {
	return Fault{name: fmt.Sprintf("compressed bomb, %d bytes", size), acts: true, do: func(x *exchange) {
		x.w.Header().Set("Content-Type", "application/json")
		x.w.Header().Set("Content-Encoding", "gzip")
		left := size
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

// Compressed gives the right answer gzip-compressed, if the client says that it
// takes that. It acts and is harmless.
var Compressed = Fault{name: "compressed", acts: true, harmless: true, do: func(x *exchange) {
	a := x.answer()
	if strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") {
		a.Body = gzipped(a.Body)
		a.Header.Set("Content-Encoding", "gzip")
	}
	x.deliver(a)
}}

// half sends half of the right answer and drops the connection.
func (x *exchange) half(announced bool) {
	a := x.answer()
	for name, values := range a.Header {
		x.w.Header()[name] = values
	}
	if announced {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	x.w.WriteHeader(a.Status)
	_, _ = x.w.Write(a.Body[:len(a.Body)/2])
	x.flush()
	x.drop(false)
}

// wire writes to the connection past net/http and drops it. Over HTTP/2 the
// text is no frame, which breaks the connection as well.
func (x *exchange) wire(text string) {
	if conn, _, err := http.NewResponseController(x.w).Hijack(); err == nil {
		_, _ = conn.Write([]byte(text))
	} else {
		_, _ = x.conn.conn.Write([]byte(text))
	}
	x.drop(false)
}

// Faults returns every named fault, and those with a parameter at typical ones:
// the rows of a table-driven test, or what a soak chooses from. [Hang] and slow
// ones are among them, so callers need timeouts.
func Faults() []Fault {
	const elsewhere = "http://127.0.0.1:9/elsewhere"
	return []Fault{
		Drop, DropReset, DropAfter(1), LostAnswer, LostAnswerReset, ResetStream, RefuseStream, GoAway,
		CloseIdle, AnnouncedClose, HalfAnswer, HalfChunked, HalfHead, MalformedHTTP,
		WrongSignature, GarbledSignature, MissingSignature, NullSignature, ForeignSignature, AlteredBody,
		MissingNonce, StaleTimestamp, FutureTimestamp, MissingTimestamp, GarbledTimestamp, UnknownSN, MissingSN,
		TooManyRequests, RetryAfter(time.Second), AppCallLimited, MethodCallLimited, UntrustedThrottle,
		GatewayError(http.StatusBadRequest, alipay.CodeAppCallLimited, "应用调用次数超限"),
		ServerErrorHTML, BadGateway, BadGateway.Acting(true), ServiceUnavailable, GatewayTimeout, RequestTimeout,
		ForbiddenHTML, ProxyHTML, ProxyEmpty,
		SystemError(http.StatusBadRequest), SystemError(http.StatusInternalServerError),
		UnknowError(http.StatusBadRequest), UnknowError(http.StatusInternalServerError),
		OtherSuccess(http.StatusCreated, true), OtherSuccess(http.StatusAccepted, false), OtherSuccess(http.StatusNoContent, true),
		Redirect(http.StatusMovedPermanently, elsewhere), Redirect(http.StatusFound, elsewhere),
		Redirect(http.StatusTemporaryRedirect, elsewhere), Redirect(http.StatusPermanentRedirect, elsewhere),
		SignedHTML, SignedArray, SignedEmpty, TrailingGarbage, BadCiphertext, PlainAnswer,
		Slow(300 * time.Millisecond), SlowBody(300 * time.Millisecond), Hang,
		HugeBody(8 << 20), GzipBomb(64 << 20), Compressed,
	}
}
