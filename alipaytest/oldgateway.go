package alipaytest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// The methods of the old gateway that this one plays.
const (
	signMethod     = "zhima.credit.payafteruse.creditagreement.sign"
	downloadMethod = "alipay.open.app.alipaycert.download"
)

// oldRequest holds the parameters of a request to the old gateway, or of an
// order string, after they have been checked.
type oldRequest struct {
	params map[string]string
	biz    []byte // biz_content, decrypted
}

func (r *oldRequest) method() string { return r.params["method"] }

// oldRefusal is a refusal in the old gateway's terms.
type oldRefusal struct {
	code    string // 40001, 40002 or 40004
	subCode string
	said    said // what is wrong
}

func missing(name, subCode string) *oldRefusal {
	return &oldRefusal{"40001", subCode, said{"the parameter " + name + " is missing", "缺少参数 " + name}}
}

// invalid formats both texts with the same arguments.
func invalid(subCode, en, zh string, args ...any) *oldRefusal {
	return &oldRefusal{"40002", subCode, said{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}}
}

// maxOrderAge is how long after its timestamp an order is accepted. The platform
// documents no limit for orders; with a day the time of another day is refused.
const maxOrderAge = 24 * time.Hour

// checkOld checks everything that all methods have in common: each parameter,
// the certificates, the signature, the encryption.
func (g *Gateway) checkOld(form url.Values) (*oldRequest, *oldRefusal) {
	params, err := protocol.OldParameters(form)
	switch {
	case errors.Is(err, protocol.ErrParameterTwice):
		return nil, invalid("isv.invalid-parameter", "a parameter comes twice", "有参数重复出现")
	case err != nil:
		return nil, invalid("isv.invalid-parameter", "the name of a parameter holds = or &", "参数名中含有 = 或 &")
	}
	if method := params["method"]; method != "" && method != signMethod && method != downloadMethod {
		return nil, invalid("isv.invalid-method",
			"the request is made for the old gateway, where this one plays %[2]s and %[3]s only; for %[1]s v3 has a path of its own",
			"这是旧网关的请求，而这里的旧网关只支持 %[2]s 和 %[3]s；v3 中 %[1]s 有自己的路径", method, signMethod, downloadMethod)
	}
	if refused := g.checkParameters(params); refused != nil {
		return nil, refused
	}
	if refused := checkOldCertificates(params); refused != nil {
		return nil, refused
	}
	if refused := checkOldSignature(params); refused != nil {
		return nil, refused
	}
	biz := []byte(params["biz_content"])
	if encryptType := params["encrypt_type"]; encryptType != "" {
		switch {
		case encryptType != "AES":
			return nil, invalid("isv.invalid-encrypt-type", "encrypt_type is %q and must be AES", "encrypt_type 是 %q，应为 AES", encryptType)
		case g.cipher == nil:
			return nil, invalid("isv.missing-encrypt-key", "encrypt_type is set, but this gateway has no key: see WithEncryptKey", "设置了 encrypt_type，但本网关没有密钥：见 WithEncryptKey")
		}
		if biz, err = g.cipher.Decrypt(biz); err != nil {
			return nil, invalid("isv.decryption-error", "biz_content cannot be decrypted with the gateway's key", "biz_content 无法用网关的密钥解密")
		}
	}
	var object map[string]json.RawMessage
	if len(biz) == 0 {
		return nil, missing("biz_content", "isv.missing-parameter")
	}
	if json.Unmarshal(biz, &object) != nil || object == nil {
		if g.cipher != nil && params["encrypt_type"] == "" {
			return nil, invalid("isv.invalid-parameter", "biz_content is no JSON object; if it is encrypted, encrypt_type=AES is missing",
				"biz_content 不是 JSON 对象；如果它是密文，则缺少 encrypt_type=AES")
		}
		return nil, notAnObject()
	}
	return &oldRequest{params, biz}, nil
}

func notAnObject() *oldRefusal {
	return invalid("isv.invalid-parameter", "biz_content is no JSON object", "biz_content 不是 JSON 对象")
}

func (g *Gateway) checkParameters(params map[string]string) *oldRefusal {
	for _, name := range []string{"method", "app_id", "charset", "sign_type", "sign", "timestamp", "version"} {
		if params[name] == "" {
			subCode := "isv.missing-" + strings.ReplaceAll(name, "_", "-")
			switch name {
			case "sign":
				subCode = "isv.missing-signature"
			case "sign_type":
				subCode = "isv.missing-signature-type"
			}
			return missing(name, subCode)
		}
	}
	switch {
	case params["app_id"] != AppID:
		return invalid("isv.invalid-app-id", "app_id is %q, and this gateway knows %s only", "app_id 是 %q，而本网关只认 %s", params["app_id"], AppID)
	case !strings.EqualFold(params["charset"], "UTF-8"):
		return invalid("isv.invalid-charset", "charset is %q and must be UTF-8", "charset 是 %q，应为 UTF-8", params["charset"])
	case params["sign_type"] != "RSA2":
		return invalid("isv.invalid-signature-type", "sign_type is %q and must be RSA2", "sign_type 是 %q，应为 RSA2", params["sign_type"])
	case params["version"] != "1.0":
		return invalid("isv.invalid-version", "version is %q and must be 1.0", "version 是 %q，应为 1.0", params["version"])
	case params["format"] != "" && !strings.EqualFold(params["format"], "JSON"):
		return invalid("isv.invalid-format", "format is %q and must be json", "format 是 %q，应为 json", params["format"])
	}
	for _, name := range []string{"notify_url", "return_url"} {
		if address := params[name]; address != "" && checkURL(address) != nil {
			return invalid("isv.invalid-parameter", "%s is %q and must be an absolute http or https URL", "%s 是 %q，应为完整的 http 或 https 地址", name, address)
		}
	}
	at, err := protocol.ParseOldTime(params["timestamp"])
	if err != nil {
		return invalid("isv.invalid-timestamp", "timestamp is %q and must be of the form yyyy-MM-dd HH:mm:ss", "timestamp 是 %q，格式应为 yyyy-MM-dd HH:mm:ss", params["timestamp"])
	}
	const zone = 8 * time.Hour
	switch age := max(g.clock().Sub(at), math.MinInt64/2); { // which can be rounded and negated
	case age < -freshness:
		return invalid("isv.invalid-timestamp", "timestamp lies %v ahead: it must be the present time in GMT+8", "timestamp 超前 %v：应为当前的北京时间", -age.Round(time.Second))
	case age > zone-freshness && age < zone+freshness:
		return invalid("isv.invalid-timestamp", "timestamp lies 8 hours behind: it is in UTC and must be in GMT+8", "timestamp 落后 8 小时：它是 UTC 时间，应为北京时间（GMT+8）")
	case age > maxOrderAge:
		return invalid("isv.invalid-timestamp", "timestamp lies %v behind: it must be the present time in GMT+8", "timestamp 落后 %v：应为当前的北京时间", age.Round(time.Second))
	}
	return nil
}

// checkURL returns an error unless address is an absolute URL of HTTP.
func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("not an absolute http or https URL")
	}
	return nil
}

// checkOldCertificates checks the SNs that an order in certificate mode names.
func checkOldCertificates(params map[string]string) *oldRefusal {
	appSN, rootSN := params["app_cert_sn"], params["alipay_root_cert_sn"]
	switch {
	case appSN == "" && rootSN == "":
		return nil // public-key mode
	case appSN == "":
		return missing("app_cert_sn", "isv.missing-app-cert-sn")
	case rootSN == "":
		return missing("alipay_root_cert_sn", "isv.missing-alipay-root-cert-sn")
	case appSN != keys().appSN:
		return invalid("isv.app-cert-not-exist", "app_cert_sn is %q, and the application's certificate has %s", "app_cert_sn 是 %q，而应用公钥证书的序列号是 %s", appSN, keys().appSN)
	case rootSN != keys().rootSN:
		return invalid("isv.invalid-alipay-root-cert-sn", "alipay_root_cert_sn is %q, and the root certificates have %s", "alipay_root_cert_sn 是 %q，而支付宝根证书的序列号是 %s", rootSN, keys().rootSN)
	}
	return nil
}

// checkOldSignature checks the signature, and names the usual mistakes.
func checkOldSignature(params map[string]string) *oldRefusal {
	holds := func(content []byte) bool {
		return protocol.Verify(&keys().app.PublicKey, content, params["sign"]) == nil
	}
	if holds(protocol.OldContent(params, "sign")) {
		return nil
	}
	escaped, _, _ := strings.Cut(protocol.OrderString(params, ""), "&sign=")
	switch {
	case holds(protocol.OldContent(params, "sign", "sign_type")):
		return invalid("isv.invalid-signature", "the signature does not hold: it leaves sign_type out, and must cover it",
			"验签未通过：签名没有包含 sign_type，而它应在签名之内")
	case holds([]byte(escaped)):
		return invalid("isv.invalid-signature", "the signature does not hold: it covers the parameters as they are escaped, and must cover them as they are before that",
			"验签未通过：签名用的是 URL 编码之后的参数，应当用编码之前的")
	}
	return invalid("isv.invalid-signature",
		"the signature does not hold: was it made by the application's private key, over all other parameters that have a value, as they are before they are escaped, sorted by name?",
		"验签未通过：请确认用的是应用私钥，并且签名包含其他所有非空参数的原值（URL 编码之前），按参数名排序")
}

// serveOld answers a request to the old gateway.
func (x *exchange) serveOld() {
	found, refused := x.routeOld()
	if refused == nil {
		x.carryOut(found)
		return
	}
	x.received.Code = alipay.ErrorCode(refused.subCode)
	x.g.explain(&x.received, refused.said)
	x.g.history.add(x.received)
	_ = x.unsigned(http.StatusOK, x.oldNo(refused)).Send(x.w)
}

// routeOld checks a request to the old gateway, notes in x.received what it says,
// and returns what answers it.
func (x *exchange) routeOld() (endpoint, *oldRefusal) {
	r := &x.received
	form := url.Values{}
	for name, values := range r.Params {
		form[name] = values
	}
	if len(r.Body) > 0 {
		body, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return endpoint{}, invalid("isv.invalid-parameter", "the body is no form", "请求体不是表单")
		}
		for name, values := range body {
			form[name] = append(form[name][:len(form[name]):len(form[name])], values...)
		}
	}
	r.Params = form
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return endpoint{}, invalid("isv.invalid-method", "the old gateway takes GET and POST only", "旧网关只接受 GET 和 POST")
	}
	request, refused := x.g.checkOld(form)
	if refused != nil {
		return endpoint{}, refused
	}
	x.old = request
	r.Verified = true
	r.AppCertSN, r.AppAuthToken = request.params["app_cert_sn"], request.params["app_auth_token"]
	r.Timestamp, _ = protocol.ParseOldTime(request.params["timestamp"])
	if request.method() == downloadMethod {
		return endpoint{answer: x.g.downloadCertificate}, nil
	}
	return endpoint{answer: x.g.orderPage}, nil
}

// oldAnswer wraps what a method answers. It is signed, unless the request was
// refused for its parameters or its signature.
func (x *exchange) oldAnswer(response any) []byte {
	name := "error_response"
	if method := x.received.Params.Get("method"); method == downloadMethod {
		name = strings.ReplaceAll(method, ".", "_") + "_response"
	}
	content := encodeJSON(response)
	var b bytes.Buffer
	fmt.Fprintf(&b, `{%q:%s`, name, content)
	if x.old != nil {
		key, sn := x.signer()
		if sn != "" {
			fmt.Fprintf(&b, `,"alipay_cert_sn":%q`, sn)
		}
		fmt.Fprintf(&b, `,"sign":%q`, must(protocol.Sign(key, content)))
	}
	return append(b.Bytes(), '}')
}

// oldNo is the body of a refusal. The old gateway refuses with status 200.
func (x *exchange) oldNo(refused *oldRefusal) []byte {
	text := map[string]string{"40001": "Missing Required Arguments", "40002": "Invalid Arguments", "40004": "Business Failed"}
	return x.oldAnswer(struct {
		Code    string `json:"code"`
		Msg     string `json:"msg"`
		SubCode string `json:"sub_code"`
		SubMsg  string `json:"sub_msg"`
	}{refused.code, text[refused.code], refused.subCode, refused.said.zh})
}

// downloadCertificate is alipay.open.app.alipaycert.download: the certificate
// of Alipay's that has an SN, also one that no longer signs.
func (g *Gateway) downloadCertificate(x *exchange, act bool) reply {
	no := func(subCode, en, zh string) reply {
		x.g.explain(&x.received, said{en, zh})
		return reply{code: alipay.ErrorCode(subCode), body: x.oldNo(&oldRefusal{"40004", subCode, said{en, zh}})}
	}
	var biz struct {
		SN string `json:"alipay_cert_sn"`
	}
	if json.Unmarshal(x.old.biz, &biz) != nil || biz.SN == "" {
		return no("isv.invalid-parameter", "biz_content has no alipay_cert_sn", "biz_content 缺少 alipay_cert_sn")
	}
	g.mu.Lock()
	if act {
		g.downloads++
	}
	issued := g.issued
	g.mu.Unlock()
	for _, identity := range issued {
		if identity.sn == biz.SN {
			return reply{body: x.oldAnswer(struct {
				Code    string `json:"code"`
				Msg     string `json:"msg"`
				Content string `json:"alipay_cert_content"`
			}{"10000", "Success", base64.StdEncoding.EncodeToString([]byte(identity.cert))})}
		}
	}
	return no("isv.alipay-cert-not-exist", "there is no certificate of Alipay's by this SN", "没有序列号为此值的支付宝公钥证书")
}

// Downloads returns how many requests for a certificate of Alipay's the gateway
// has acted on (alipay.open.app.alipaycert.download at /gateway.do). Faults can
// meet such a request like any other; its ReceivedRequest has the path
// /gateway.do.
func (g *Gateway) Downloads() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.downloads
}

var orderPageTemplate = template.Must(template.New("").Parse(
	"<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{{.Title}}</title></head><body><h1>{{.Title}}</h1><p>{{.Text}}</p></body></html>\n"))

// orderPage answers a browser that opens an order: the page says whether the order
// is correct. If it is, it is then open as after [Gateway.OpenOrder].
func (g *Gateway) orderPage(x *exchange, act bool) reply {
	order, refused := g.readOrder(x.old)
	if refused == nil && act {
		refused = g.register(order)
	}
	var page struct{ Title, Text string }
	var code alipay.ErrorCode
	if refused == nil {
		page.Title, page.Text = "The order is in order.", "out_agreement_no "+order.OutAgreementNo
	} else {
		page.Title, page.Text, code = "The order is refused.", refused.said.en, alipay.ErrorCode(refused.subCode)
		g.explain(&x.received, refused.said)
	}
	var b bytes.Buffer
	if err := orderPageTemplate.Execute(&b, page); err != nil {
		panic(err) // the template is ours, and b takes everything
	}
	return reply{code: code, contentType: "text/html;charset=UTF-8", body: b.Bytes()}
}
