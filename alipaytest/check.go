package alipaytest

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// freshness is how far a timestamp may be off, before and after the clock.
const freshness = 10 * time.Minute

// maxRequestBytes bounds the bodies that are read, bodyPatience the time that
// they may take.
const (
	maxRequestBytes = 16 << 20
	bodyPatience    = time.Minute
)

// refusal is an error answer of the gateway itself, before any endpoint is called.
type refusal struct {
	status  int
	code    alipay.ErrorCode
	message string
}

func refuse(code alipay.ErrorCode, message string) *refusal {
	return &refusal{http.StatusBadRequest, code, message}
}

// What can be wrong with a body, whatever its content.
var (
	tooLarge = refuse(alipay.CodeInvalidRequestData, "请求数据不合法：请求体过大")
	cutShort = refuse(alipay.CodeInvalidRequestData, "请求数据不合法：请求体不完整")
)

// readBody reads a body that is neither too large nor too slow.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	deadline := func(t time.Time) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(t)
		}
	}
	deadline(time.Now().Add(g.patience))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.maxBody))
	var limit *http.MaxBytesError
	switch { // with an error the deadline stays, or net/http would wait for the rest
	case errors.As(err, &limit):
		return nil, tooLarge
	case err != nil:
		return nil, cutShort
	}
	deadline(time.Time{})
	return body, nil
}

// headerValue is a header's value; the word null means none.
func headerValue(header http.Header, name string) string {
	if value := header.Get(name); value != "null" {
		return value
	}
	return ""
}

// check fills in received, which has the body already, and returns why the gateway
// refuses the request, if it does. It checks in the platform's order as far as
// that is known: without Authorization the refusal is that the timestamp is
// missing, and an app id is checked before a signature.
func (g *Gateway) check(header http.Header, received *ReceivedRequest) *refusal {
	authorization := headerValue(header, "Authorization")
	credentials, err := protocol.ParseAuthorization(authorization)
	if err != nil {
		if authorization != "" {
			return refuse(alipay.CodeInvalidSignatureType, "无效的签名类型")
		}
		return refuse(alipay.CodeMissingTimestamp, "缺少时间戳参数")
	}
	received.Nonce = credentials.Nonce
	received.AppCertSN = credentials.AppCertSN
	milliseconds, timestampErr := strconv.ParseInt(credentials.Timestamp, 10, 64)
	if timestampErr == nil {
		received.Timestamp = time.UnixMilli(milliseconds)
	}

	now := g.clock()
	switch off := now.Sub(received.Timestamp); {
	case credentials.Timestamp == "":
		return refuse(alipay.CodeMissingTimestamp, "缺少时间戳参数")
	case credentials.AppID == "":
		return refuse(alipay.CodeMissingAppID, "缺少AppID参数")
	case credentials.AppID != AppID:
		return refuse(alipay.CodeInvalidAppID, "无效的AppID参数")
	case timestampErr != nil, off > freshness, off < -freshness:
		return refuse(alipay.CodeInvalidTimestamp, "非法的时间戳参数")
	case credentials.Nonce == "":
		return refuse(alipay.CodeGatewayInvalidParameter, "参数无效：缺少nonce")
	case credentials.Signature == "":
		return refuse(alipay.CodeMissingSignature, "缺少签名参数")
	}
	if refused := checkCertificates(header, credentials.AppCertSN); refused != nil {
		return refused
	}

	received.authString = credentials.AuthString
	received.wire = received.Body
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if media == "multipart/form-data" {
		data, dataType, files, err := readParts(header.Get("Content-Type"), received.Body)
		if err != nil {
			return refuse(alipay.CodeInvalidRequestData, "请求数据不合法：multipart/form-data格式不正确")
		}
		// From here on the part data is treated as the body.
		received.Body, received.Files = data, files
		media, _, _ = mime.ParseMediaType(dataType)
	}
	received.signed = received.Body
	if protocol.Verify(&keys().app.PublicKey, []byte(received.StringToSign()), credentials.Signature) != nil {
		return refuse(alipay.CodeInvalidSignature, "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配")
	}
	received.Verified = true
	// Only now: otherwise anyone could fill the book, or use up the nonces of
	// others.
	if !g.nonces.add(credentials.Nonce, now) {
		return refuse(alipay.CodeSuspectedAttack, "可疑的攻击请求：nonce重复")
	}
	return g.openBody(header, media, received)
}

// checkCertificates checks the SNs that a request in certificate mode names.
func checkCertificates(header http.Header, appCertSN string) *refusal {
	if appCertSN == "" {
		return nil
	}
	rootSN := headerValue(header, protocol.HeaderRootCertSN)
	switch {
	case appCertSN != keys().appSN:
		return refuse(alipay.CodeAppCertNotExist, "应用公钥证书不存在")
	case rootSN == "":
		return refuse(alipay.CodeMissingAlipayRootCertSN, "缺少支付宝根证书序列号")
	case rootSN != keys().rootSN:
		return refuse(alipay.CodeInvalidAlipayRootCertSN, "支付宝根证书序列号无效")
	}
	return nil
}

// openBody decrypts a body with that media type and decides whether the answer
// will be encrypted.
func (g *Gateway) openBody(header http.Header, media string, received *ReceivedRequest) *refusal {
	encryptType := headerValue(header, protocol.HeaderEncryptType)
	empty := len(received.Body) == 0
	received.Encrypted = g.cipher != nil && (encryptType != "" || empty)
	received.asksEncrypted = encryptType != ""
	switch {
	case encryptType == "":
		if !empty && media == "text/plain" {
			return refuse(alipay.CodeMissingEncryptType, "缺少加密类型")
		}
	case encryptType != "AES":
		return refuse(alipay.CodeInvalidEncryptType, "加密类型不正确")
	case g.cipher == nil:
		return refuse(alipay.CodeMissingEncryptKey, "未设置加密密钥")
	case !empty:
		plain, err := g.cipher.Decrypt(received.Body)
		if err != nil {
			return refuse(alipay.CodeDecryptionError, "解密出错")
		}
		received.Body = plain
		media = "application/json"
	}
	if len(received.Body) > 0 && media == "application/json" && !json.Valid(received.Body) {
		return refuse(alipay.CodeIllegalJSON, "JSON格式不正确")
	}
	return nil
}

// target is the request target that a signature covers: as the gateway behind
// the prefix sees it, and without the scheme and host that a client puts before
// it when it uses the gateway as a proxy (RFC 9112, section 3.2.2). inside is
// false when the prefix is missing.
func (g *Gateway) target(requestURI string) (target string, inside bool) {
	if scheme, rest, ok := strings.Cut(requestURI, "://"); ok && !strings.ContainsAny(scheme, "/?") {
		if i := strings.IndexAny(rest, "/?"); i < 0 {
			requestURI = "/"
		} else if requestURI = rest[i:]; requestURI[0] == '?' {
			requestURI = "/" + requestURI
		}
	}
	return g.behindPrefix(requestURI)
}

// behindPrefix cuts the prefix off, if target lies inside it.
func (g *Gateway) behindPrefix(target string) (rest string, inside bool) {
	rest, ok := strings.CutPrefix(target, g.prefix)
	if g.prefix != "" && (!ok || rest != "" && rest[0] != '/' && rest[0] != '?') {
		return target, false
	}
	return rest, true
}

// nonceBook remembers nonces for as long as their request could be replayed: twice
// the freshness, since a timestamp may lie in the future. A generation lasts that
// long, and the one before it is kept. A generation that has grown to limit ends
// early, so that the book stays bounded under load and when the clock stands
// still.
type nonceBook struct {
	limit int

	mu            sync.Mutex
	began         time.Time
	current, last map[string]struct{}
}

// maxNonces is how many nonces the book remembers at least, while they count: as
// many as a thousand requests a second have in a quarter of an hour.
const maxNonces = 1 << 20

// add reports whether nonce is new, and remembers it.
func (b *nonceBook) add(nonce string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := now.Sub(b.began); b.current == nil || age > 2*freshness || len(b.current) >= b.limit {
		b.last = b.current
		if age > 4*freshness {
			b.last = nil
		}
		b.current, b.began = make(map[string]struct{}), now
	}
	if _, seen := b.current[nonce]; seen {
		return false
	}
	if _, seen := b.last[nonce]; seen {
		return false
	}
	b.current[strings.Clone(nonce)] = struct{}{} // without the header around it
	return true
}
