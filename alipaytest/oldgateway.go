package alipaytest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest/internal/diagnose"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// The methods of the old gateway that this one plays by itself.
const (
	signMethod       = "zhima.credit.payafteruse.creditagreement.sign"
	unsignMethod     = "zhima.credit.payafteruse.creditagreement.unsign"
	preconsultMethod = "zhima.customer.jobworth.authentication.preconsult"
	downloadMethod   = "alipay.open.app.alipaycert.download"
)

// oldRequest holds the parameters of a request to the old gateway, or of an
// order string, after they have been checked.
type oldRequest struct {
	params map[string]string
	biz    []byte // biz_content, decrypted; nil without
}

// oldRefusal is a refusal in the old gateway's terms.
type oldRefusal struct {
	subCode alipay.ErrorCode
	said    said   // what is wrong
	signed  string // what was signed in place of the parameters, where that is known
}

func missing(name string, subCode alipay.ErrorCode) *oldRefusal {
	return &oldRefusal{subCode: subCode, said: said{"the parameter " + name + " is missing", "缺少参数 " + name}}
}

// invalid formats both texts with the same arguments.
func invalid(subCode alipay.ErrorCode, en, zh string, args ...any) *oldRefusal {
	return &oldRefusal{subCode: subCode, said: said{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}}
}

// oldCode is the code that goes with a sub_code, and its msg. A prefix of the
// sub_code says nothing about it.
func oldCode(subCode alipay.ErrorCode) (code, msg string) {
	_, bare, ok := strings.Cut(string(subCode), ".")
	if !ok {
		bare = string(subCode)
	}
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(bare, part) })
	}
	switch {
	case has("unknow-error", "SYSTEM_ERROR"):
		return "20000", "Service Currently Unavailable"
	case has("auth-token"):
		return "20001", "Insufficient Token Permissions"
	case has("call-limited"):
		return "40005", "Call Limited"
	case has("insufficient-", "self-invoke-forbidden", "app-api-punished"):
		return "40006", "Insufficient Permissions"
	case strings.HasPrefix(bare, "missing-"):
		return "40001", "Missing Required Arguments"
	case strings.HasPrefix(bare, "invalid-"), has("decryption-error", "cert-not-exist", "-expired"):
		return "40002", "Invalid Arguments"
	}
	return "40004", "Business Failed"
}

// oldNo is the node of a refusal. A code of the gateway's own gets its prefix.
func oldNo(subCode alipay.ErrorCode, message string) []byte {
	switch text := string(subCode); {
	case text == string(alipay.CodeUnknowError):
		subCode = "isp." + subCode
	case strings.Contains(text, "-") && !strings.Contains(text, "."):
		subCode = "isv." + subCode
	}
	code, msg := oldCode(subCode)
	return encodeJSON(struct {
		Code    string           `json:"code"`
		Msg     string           `json:"msg"`
		SubCode alipay.ErrorCode `json:"sub_code"`
		SubMsg  string           `json:"sub_msg"`
	}{code, msg, subCode, message})
}

// maxOrderAge is how long after its timestamp an order is accepted. The platform
// documents no limit for orders; with a day the time of another day is refused.
const maxOrderAge = 24 * time.Hour

// checkOld checks everything that all methods have in common, in the platform's
// order as far as that is known: the application first, then each parameter, the
// certificates, the signature, the encryption.
func (g *Gateway) checkOld(form url.Values) (*oldRequest, *oldRefusal) {
	params, err := protocol.OldParameters(form)
	switch {
	case errors.Is(err, protocol.ErrParameterTwice):
		return nil, invalid("isv.invalid-parameter", "a parameter comes twice", "有参数重复出现")
	case err != nil:
		return nil, invalid("isv.invalid-parameter", "the name of a parameter holds = or &", "参数名中含有 = 或 &")
	}
	if refused := g.checkParameters(params); refused != nil {
		return nil, refused
	}
	if refused := checkOldCertificates(params); refused != nil {
		return nil, refused
	}
	if refused := g.checkOldSignature(params); refused != nil {
		return nil, refused
	}
	request := &oldRequest{params: params, biz: []byte(params["biz_content"])}
	if encryptType := params["encrypt_type"]; encryptType != "" {
		switch {
		case encryptType != "AES":
			return nil, invalid("isv.invalid-encrypt-type", "encrypt_type is %q and must be AES", "encrypt_type 是 %q，应为 AES", encryptType)
		case g.cipher == nil:
			return nil, invalid("isv.missing-encrypt-key", "encrypt_type is set, but this gateway has no key: see WithEncryptKey", "设置了 encrypt_type，但本网关没有密钥：见 WithEncryptKey")
		}
		if request.biz, err = g.cipher.Decrypt(request.biz); err != nil {
			return nil, invalid("isv.decryption-error-unknown", "biz_content cannot be decrypted with the gateway's key", "biz_content 无法用网关的密钥解密")
		}
	}
	var object map[string]json.RawMessage
	switch {
	case len(request.biz) == 0, json.Unmarshal(request.biz, &object) == nil && object != nil:
		return request, nil
	case g.cipher != nil && params["encrypt_type"] == "":
		return nil, invalid("isv.invalid-parameter", "biz_content is no JSON object; if it is encrypted, encrypt_type=AES is missing",
			"biz_content 不是 JSON 对象；如果它是密文，则缺少 encrypt_type=AES")
	}
	return nil, notAnObject()
}

func notAnObject() *oldRefusal {
	return invalid("isv.invalid-parameter", "biz_content is no JSON object", "biz_content 不是 JSON 对象")
}

func (g *Gateway) checkParameters(params map[string]string) *oldRefusal {
	if id := params["app_id"]; id != "" && id != AppID {
		return invalid("isv.invalid-app-id", "app_id is %q, and this gateway knows %s only", "app_id 是 %q，而本网关只认 %s", id, AppID)
	}
	if method := params["method"]; method != "" && g.oldMethod(method) == nil {
		return invalid("isv.invalid-method",
			"the request is made for the old gateway, which has no method %q here: it plays %s, and HandleMethod adds others; v3 has a path for each",
			"这是旧版网关的请求，而这里没有 %q 方法：支持 %s，可用 HandleMethod 添加；v3 每个接口有自己的路径", method, strings.Join(g.oldMethodNames(), ", "))
	}
	for _, name := range []string{"app_id", "method", "charset", "sign_type", "sign", "timestamp", "version"} {
		if params[name] == "" {
			subCode := alipay.ErrorCode("isv.missing-" + strings.ReplaceAll(name, "_", "-"))
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
	case !strings.EqualFold(params["charset"], "UTF-8"):
		return invalid("isv.invalid-charset", "charset is %q and must be UTF-8", "charset 是 %q，应为 UTF-8", params["charset"])
	case params["sign_type"] != "RSA2":
		return invalid("isv.invalid-signature-type", "sign_type is %q and must be RSA2", "sign_type 是 %q，应为 RSA2", params["sign_type"])
	case params["version"] != "1.0":
		return invalid("isv.invalid-version", "version is %q and must be 1.0", "version 是 %q，应为 1.0", params["version"])
	case params["format"] != "" && !strings.EqualFold(params["format"], "JSON"):
		return invalid("isv.invalid-format", "format is %q and must be json", "format 是 %q，应为 json", params["format"])
	}
	if address := params["notify_url"]; address != "" && checkURL(address) != nil {
		return invalid("isv.invalid-parameter", "notify_url is %q and must be an absolute http or https URL", "notify_url 是 %q，应为完整的 http 或 https 地址", address)
	}
	if address := params["return_url"]; address != "" && checkURL(address) != nil {
		// An app has a scheme of its own.
		u, err := url.Parse(address)
		if err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" {
			return invalid("isv.invalid-parameter", "return_url is %q and must be an absolute URL, of http, https or an app", "return_url 是 %q，应为完整的 http、https 或 App 地址", address)
		}
	}
	at, err := protocol.ParseOldTime(params["timestamp"])
	if err != nil {
		return invalid("isv.invalid-timestamp", "timestamp is %q and must be of the form yyyy-MM-dd HH:mm:ss", "timestamp 是 %q，格式应为 yyyy-MM-dd HH:mm:ss", params["timestamp"])
	}
	const zone = 8 * time.Hour
	switch age := max(g.clock().Sub(at), math.MinInt64/2); { // which can be rounded and negated
	case age < -freshness:
		return invalid("isv.invalid-timestamp", "timestamp lies %v ahead: it must be the present time in GMT+8", "timestamp 比网关时钟快 %v：应为当前的北京时间", -age.Round(time.Second))
	case age > zone-freshness && age < zone+freshness:
		return invalid("isv.invalid-timestamp", "timestamp lies 8 hours behind: it is in UTC and must be in GMT+8", "timestamp 慢 8 小时：它是 UTC 时间，应为北京时间（GMT+8）")
	case age > maxOrderAge:
		return invalid("isv.invalid-timestamp", "timestamp lies %v behind: it must be the present time in GMT+8", "timestamp 比网关时钟慢 %v：应为当前的北京时间", age.Round(time.Second))
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
		return invalid("isv.app-cert-not-exist", "app_cert_sn is %q, and the application's certificate has %s", "app_cert_sn 是 %q，而应用公钥证书的 SN 是 %s", appSN, keys().appSN)
	case rootSN != keys().rootSN:
		return invalid("isv.invalid-alipay-root-cert-sn", "alipay_root_cert_sn is %q, and the root certificates have %s", "alipay_root_cert_sn 是 %q，而支付宝根证书的 SN 是 %s", rootSN, keys().rootSN)
	}
	return nil
}

// checkOldSignature checks the signature, and finds what the client did wrong.
func (g *Gateway) checkOldSignature(params map[string]string) *oldRefusal {
	if protocol.Verify(&keys().app.PublicKey, protocol.OldContent(params, "sign"), params["sign"]) == nil {
		return nil
	}
	finding := diagnose.ExplainOld(params, g.otherTokens(), g.diagnosisKeys())
	return &oldRefusal{"isv.invalid-signature", said{finding.Text, finding.TextZH}, string(finding.Signed)}
}

// oldMethod answers a method of the old gateway with a node. With act false it must
// change nothing.
type oldMethod func(x *exchange, act bool) reply

// oldMethod is nil for a method that there is not.
func (g *Gateway) oldMethod(name string) oldMethod {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.oldMethods[name]
}

func (g *Gateway) oldMethodNames() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.oldMethods))
}

// HandleMethod adds a method of the old gateway for [alipay.Client.Execute], or
// replaces one: answer gets biz_content, decrypted, {} if there is none, of each
// request that passed the checks. It returns the members of the answer, as
// anything that encoding/json makes an object of, or nil; the gateway adds code and
// msg, signs, and encrypts where the request is encrypted. An [alipay.ErrorCode]
// as the error is a refusal by that sub_code; any other error is the 20000 of a
// gateway in trouble. answer is called from several goroutines.
func (g *Gateway) HandleMethod(method string, answer func(bizContent json.RawMessage) (any, error)) {
	handler := func(x *exchange, act bool) reply {
		if !act {
			return yes(nil)
		}
		value, err := answer(json.RawMessage(cmp.Or(string(x.old.biz), "{}")))
		if err == nil {
			return yes(value)
		}
		code, ok := errors.AsType[alipay.ErrorCode](err)
		if !ok {
			code = "isp." + alipay.CodeUnknowError
		}
		return x.no(http.StatusOK, code, err.Error())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.oldMethods[method] = handler
}

// yes is the node of a success, with the members of value.
func yes(value any) reply {
	if value == nil {
		value = struct{}{}
	}
	const success = `{"code":"10000","msg":"Success"`
	members := encodeJSON(value)
	switch {
	case members[0] != '{':
		panic(fmt.Sprintf("alipaytest: HandleMethod: a %T is not a JSON object", value))
	case string(members) == "{}":
		return reply{body: []byte(success + "}")}
	}
	return reply{body: []byte(success + "," + string(members[1:]))}
}

// serveOld answers a request to the old gateway.
func (x *exchange) serveOld() {
	answer, refused := x.routeOld()
	if refused == nil {
		x.carryOut(answer)
		return
	}
	r := &x.received
	r.Code, r.signedString = refused.subCode, refused.signed
	x.g.explain(r, refused.said)
	x.g.history.add(*r)
	node := oldNo(refused.subCode, refused.said.zh)
	p := x.unsigned(http.StatusOK, "", node)
	switch {
	case r.Params.Get("app_id") != AppID:
	case refused.subCode == "isv.invalid-signature" && r.Params.Get("encrypt_type") == "AES" && x.g.cipher != nil:
		p.content = x.encryptedNode(node)
	default:
		p = x.signed(http.StatusOK, "", node)
	}
	_ = x.assemble(p).Send(x.w)
}

// encryptedNode is the ciphertext of a node, as a JSON string.
func (x *exchange) encryptedNode(node []byte) []byte {
	return encodeJSON(string(x.g.cipher.Encrypt(node)))
}

// nodeName is the name of the member that is signed.
func (x *exchange) nodeName() string {
	method := x.received.Params.Get("method")
	if x.g.oldMethod(method) == nil {
		return "error_response"
	}
	return protocol.NodeName(method)
}

// routeOld checks a request to the old gateway, notes in x.received what it says,
// and returns what answers it. A parameter may stand in the query or in the body:
// SDKs differ.
func (x *exchange) routeOld() (oldMethod, *oldRefusal) {
	r := &x.received
	form := url.Values{}
	for name, values := range r.Params {
		form[name] = values
	}
	if len(r.Body) > 0 {
		body, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return nil, invalid("isv.invalid-parameter", "the body is no form", "请求体不是表单")
		}
		for name, values := range body {
			form[name] = append(form[name][:len(form[name]):len(form[name])], values...)
		}
	}
	r.Params = form
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, invalid("isv.invalid-method", "the old gateway takes GET and POST only", "旧版网关只接受 GET 和 POST")
	}
	if form.Get("app_cert_sn") == keys().appSN {
		r.AppCertSN = keys().appSN
	}
	r.AppAuthToken = form.Get("app_auth_token")
	r.Timestamp, _ = protocol.ParseOldTime(form.Get("timestamp"))
	if params, err := protocol.OldParameters(form); err == nil {
		r.oldContent = string(protocol.OldContent(params, "sign"))
	}
	request, refused := x.g.checkOld(form)
	if refused != nil {
		return nil, refused
	}
	x.old = request
	r.Verified = true
	r.Encrypted = request.params["encrypt_type"] != ""
	r.asksEncrypted = r.Encrypted
	x.g.noteArrival(r)
	return x.g.oldMethod(request.params["method"]), nil
}

// wants reads biz_content into value, and says what of it is missing.
func (x *exchange) wants(value any) {
	if len(x.old.biz) > 0 {
		_ = json.Unmarshal(x.old.biz, value) // what has another type stays empty
	}
}

// downloadCertificate is alipay.open.app.alipaycert.download: the certificate
// of Alipay's that has an SN, also one that no longer signs.
func (g *Gateway) downloadCertificate(x *exchange, act bool) reply {
	no := func(subCode alipay.ErrorCode, en, zh string) reply {
		g.explain(&x.received, said{en, zh})
		return x.no(http.StatusOK, subCode, zh)
	}
	var biz struct {
		SN string `json:"alipay_cert_sn"`
	}
	if x.wants(&biz); biz.SN == "" {
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
			return yes(map[string]string{"alipay_cert_content": base64.StdEncoding.EncodeToString([]byte(identity.cert))})
		}
	}
	return no("isv.alipay-cert-not-exist", "there is no certificate of Alipay's by this SN", "没有 SN 为此值的支付宝公钥证书")
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

// preconsultation is what SetPreconsult has set.
type preconsultation struct {
	success bool
	reason  string
}

// SetPreconsult decides what zhima.customer.jobworth.authentication.preconsult
// says about onceToken: whether the check would succeed and, if not, why. Without
// it every check would.
func (g *Gateway) SetPreconsult(onceToken string, success bool, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.preconsulted[onceToken] = preconsultation{success, reason}
}

func (g *Gateway) preconsult(x *exchange, _ bool) reply {
	var biz map[string]any
	x.wants(&biz)
	value := func(name string) string { text, _ := biz[name].(string); return text }
	x.received.lacks(value, "out_agreement_no", "once_token", "identity_type", "query_type", "zm_service_id")
	once := value("once_token")
	if once == "" {
		return x.no(http.StatusOK, alipay.CodeParamError, "参数错误")
	}
	g.mu.Lock()
	set, known := g.preconsulted[once]
	g.mu.Unlock()
	if !known || set.success {
		return yes(map[string]any{"pre_check_success": true})
	}
	return yes(map[string]any{"pre_check_success": false, "reason": set.reason})
}

// unsign makes an agreement INVALID, as [Order.Decline] does.
func (g *Gateway) unsign(x *exchange, act bool) reply {
	var biz struct {
		ID string `json:"credit_agreement_id"`
	}
	if x.wants(&biz); biz.ID == "" {
		return x.no(http.StatusOK, alipay.CodeInvalidParameter, "参数有误：credit_agreement_id不能为空")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.agreementIDs[biz.ID]
	if a == nil {
		return x.no(http.StatusOK, alipay.CodeCreditAgreementNotExist, "信用服务协议不存在")
	}
	if act {
		g.change(a, agreementInvalid)
	}
	return yes(nil)
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
	r := reply{page: true}
	if refused == nil {
		page.Title, page.Text = "The order is in order.", "out_agreement_no "+order.OutAgreementNo
	} else {
		page.Title, page.Text, r.code = "The order is refused.", refused.said.en, refused.subCode
		g.explain(&x.received, refused.said)
	}
	var b bytes.Buffer
	if err := orderPageTemplate.Execute(&b, page); err != nil {
		panic(err) // the template is ours, and b takes everything
	}
	r.body = b.Bytes()
	return r
}
