package alipaytest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/v3"
)

// freshness is how far a timestamp may be off, before and after the clock.
const freshness = 10 * time.Minute

// maxRequestBytes bounds the bodies that are read.
const maxRequestBytes = 16 << 20

// refusal is the gateway's own no, before any endpoint is asked.
type refusal struct {
	status  int
	code    alipay.ErrorCode
	message string
}

func refuse(code alipay.ErrorCode, message string) *refusal {
	return &refusal{http.StatusBadRequest, code, message}
}

// check fills in received and returns what the gateway has against the request.
// It looks at things in the platform's order as far as that is known: a request
// without Authorization is told that its timestamp is missing, and an app id is
// judged before a signature.
func (g *Gateway) check(r *http.Request, received *ReceivedRequest) *refusal {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil || len(body) > maxRequestBytes {
		return refuse(alipay.CodeInvalidRequestData, "请求数据不合法")
	}
	received.Body = body

	credentials, err := v3.ParseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		if r.Header.Get("Authorization") != "" {
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
	if refused := checkCertificates(r.Header, credentials.AppCertSN); refused != nil {
		return refused
	}

	content := v3.StringToSign(credentials.AuthString, r.Method, g.target(r.RequestURI), body, received.AppAuthToken)
	if v3.Verify(&keys().app.PublicKey, content, credentials.Signature) != nil {
		return refuse(alipay.CodeInvalidSignature, "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配")
	}
	received.Verified = true
	// Only now: a stranger could fill the book otherwise, or use up the nonces
	// of others.
	if !g.nonces.add(credentials.Nonce, now) {
		return refuse(alipay.CodeSuspectedAttack, "可疑的攻击请求：nonce重复")
	}
	return g.openBody(r.Header, received)
}

// checkCertificates holds a request of certificate mode to its certificates.
func checkCertificates(header http.Header, appCertSN string) *refusal {
	if appCertSN == "" {
		return nil
	}
	rootSN := header.Get(v3.HeaderRootCertSN)
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

// openBody decrypts a body and decides whether the answer will be encrypted.
func (g *Gateway) openBody(header http.Header, received *ReceivedRequest) *refusal {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	encryptType := header.Get(v3.HeaderEncryptType)
	empty := len(received.Body) == 0
	received.encrypted = g.cipher != nil && (encryptType != "" || empty)
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

// target is the request target as the gateway behind the prefix sees it.
func (g *Gateway) target(requestURI string) string {
	rest, ok := strings.CutPrefix(requestURI, g.prefix)
	if !ok || rest != "" && rest[0] != '/' && rest[0] != '?' {
		return requestURI
	}
	return rest
}

// nonceBook remembers nonces for as long as their request could come again. A
// timestamp may lie in the future, so that is twice the freshness; a generation
// lasts as long, and the one before it is kept.
type nonceBook struct {
	mu            sync.Mutex
	began         time.Time
	current, last map[string]struct{}
}

// add reports whether nonce is new, and remembers it.
func (b *nonceBook) add(nonce string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := now.Sub(b.began); b.current == nil || age > 2*freshness {
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
	b.current[nonce] = struct{}{}
	return true
}
