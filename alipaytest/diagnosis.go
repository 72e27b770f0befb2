package alipaytest

import (
	"cmp"
	"crypto/aes"
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest/internal/diagnose"
	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// said is a diagnosis, in both languages.
type said struct{ en, zh string }

// diagnose says what the client did wrong. It does not change the gateway's
// answer, which is what the platform would say.
func (g *Gateway) diagnose(r *http.Request, received *ReceivedRequest, refused *refusal) {
	d := diagnosed{g: g, r: r, received: received}
	d.credentials, _ = protocol.ParseAuthorization(headerValue(r.Header, "Authorization"))
	var s said
	switch refused.code {
	case alipay.CodeInvalidSignature:
		s = d.signature()
	case alipay.CodeMissingTimestamp, alipay.CodeInvalidSignatureType, alipay.CodeMissingAppID, alipay.CodeMissingSignature, alipay.CodeGatewayInvalidParameter:
		s = d.authorization()
	case alipay.CodeInvalidAppID:
		s = d.appID()
	case alipay.CodeInvalidTimestamp:
		s = d.timestamp()
	case alipay.CodeAppCertNotExist:
		s = d.appCertSN()
	case alipay.CodeMissingAlipayRootCertSN:
		s = said{"certificate mode (app_cert_sn) also needs the header alipay-root-cert-sn", "证书模式（app_cert_sn）还需要请求头 alipay-root-cert-sn"}
	case alipay.CodeInvalidAlipayRootCertSN:
		s = d.rootCertSN()
	case alipay.CodeSuspectedAttack:
		s = said{"this nonce was used before: make a new one, and sign anew, for every request, also when one is repeated", "nonce 已经用过：每次请求（包括重试）都要生成新的 nonce 并重新签名"}
	case alipay.CodeMissingEncryptType:
		s = said{"the body is text/plain, as ciphertext is, but the header alipay-encrypt-type: AES is missing", "body 是 text/plain（密文），却缺少请求头 alipay-encrypt-type: AES"}
	case alipay.CodeInvalidEncryptType:
		s = said{"the alipay-encrypt-type has to be AES, in capitals", "alipay-encrypt-type 应为大写的 AES"}
	case alipay.CodeMissingEncryptKey:
		s = said{"the client encrypts, but the gateway has no AES key: start it with WithEncryptKey, or take the encrypt key out of the client's settings", "客户端开启了内容加密，网关却没有 AES 密钥：用 WithEncryptKey 启动网关，或去掉客户端的加密密钥"}
	case alipay.CodeDecryptionError:
		s = d.decryption()
	case alipay.CodeIllegalJSON:
		s = said{"the body is announced as application/json and is none", "body 声明为 application/json，却不是合法的 JSON"}
	case alipay.CodeInvalidMethod:
		s = d.path(refused.status)
	}
	g.explain(received, s)
}

// explain records and logs a diagnosis, unless it is empty.
func (g *Gateway) explain(received *ReceivedRequest, s said) {
	if s.en == "" {
		return
	}
	received.Diagnosis, received.DiagnosisZH = sentenceOf(s.en), strings.TrimSuffix(s.zh, "。")+"。"
	g.log(received, received.Diagnosis)
}

// note says in the log what a request that is answered should be looked at for, in
// each case once.
func (g *Gateway) note(received *ReceivedRequest) {
	var texts []string
	if len(received.Missing) > 0 {
		texts = append(texts, "it is answered without "+strings.Join(received.Missing, ", ")+", which a real call has")
	}
	if received.Encrypted && !received.asksEncrypted {
		texts = append(texts, "the answer is encrypted, as the gateway has a key, though the request does not ask for it (alipay-encrypt-type): a client without the key cannot read it")
	}
	for _, text := range texts {
		g.mu.Lock()
		first := len(g.noted) < 100 && !g.noted[text]
		if first {
			g.noted[text] = true
		}
		g.mu.Unlock()
		if first {
			g.log(received, sentenceOf(text))
		}
	}
}

func (g *Gateway) log(received *ReceivedRequest, text string) {
	if g.tb == nil {
		log.Printf("alipaytest: %s %s: %s", received.Method, received.Path, text)
	} else {
		g.tb.Logf("alipaytest: %s %s: %s", received.Method, received.Path, text)
	}
}

// sentenceOf adds a capital letter, unless the text begins with a name such as
// sign_type, and a full stop.
func sentenceOf(text string) string {
	if word, _, _ := strings.Cut(text, " "); !strings.Contains(word, "_") {
		first, size := utf8.DecodeRuneInString(text)
		text = strings.ToUpper(string(first)) + text[size:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// diagnosed is one refused request.
type diagnosed struct {
	g           *Gateway
	r           *http.Request
	received    *ReceivedRequest
	credentials protocol.Credentials
}

// documentedParameters are what clients may sign and leave out. Of the query of a
// check a real call has the first five.
var documentedParameters = map[string][]string{
	jobworthPath: {"conn_key", "once_token", "query_type", "identity_type", "service_id", "user_id", "open_id", "cert_no", "cert_type"},
}

// otherKeys are keys that a client may have used instead of the application's.
var otherKeys = sync.OnceValue(func() []diagnose.OtherKey {
	return []diagnose.OtherKey{
		{Name: "Alipay's own test key", NameZH: "支付宝的测试私钥", Key: &keys().alipay.PublicKey},
		{Name: "the test key of Alipay's next certificate", NameZH: "支付宝下一张证书的测试私钥", Key: &keys().alipayNext.PublicKey},
		{Name: "the test kit's foreign key", NameZH: "测试套件中的外来私钥", Key: &keys().foreign.PublicKey},
	}
})

func (g *Gateway) diagnosisKeys() diagnose.Keys {
	return diagnose.Keys{App: &keys().app.PublicKey, Others: otherKeys(), Cipher: g.cipher}
}

// otherTokens are the app auth tokens of earlier requests: one that is signed and
// not sent is not in the request itself.
func (g *Gateway) otherTokens() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.authTokens)
}

func (d *diagnosed) signature() said {
	received, header := d.received, d.r.Header
	request := diagnose.Request{
		Method: received.Method, RequestURI: received.RequestURI, Target: received.target, Prefix: d.g.prefix, Host: d.r.Host,
		AuthString: d.credentials.AuthString, Signature: d.credentials.Signature,
		AppAuthToken: received.AppAuthToken, RootCertSN: headerValue(header, protocol.HeaderRootCertSN), AppCertSN: keys().appSN,
		Body: received.wire, Signed: received.signed, Parameters: documentedParameters[received.Path],
	}
	for name, values := range header {
		if name = strings.ReplaceAll(strings.ToLower(name), "_", "-"); strings.HasSuffix(name, "auth-token") && name != "alipay-app-auth-token" {
			request.OtherTokens = append(request.OtherTokens, values...)
		}
	}
	var body struct {
		Token string `json:"app_auth_token"`
	}
	_ = json.Unmarshal(received.signed, &body)
	for _, token := range append(d.g.otherTokens(), received.Params.Get("app_auth_token"), body.Token) {
		if token != "" {
			request.OtherTokens = append(request.OtherTokens, token)
		}
	}
	finding := diagnose.Explain(request, d.g.diagnosisKeys())
	received.signedString = string(finding.Signed)
	if !utf8.Valid(received.signed) && finding.Signed == nil {
		return said{finding.Text + " The body is not valid UTF-8 (GBK?), which v3 asks for.", finding.TextZH + "body 不是合法的 UTF-8（是 GBK 吗？），v3 只接受 UTF-8。"}
	}
	return said{finding.Text, finding.TextZH}
}

// authorization is about a header that cannot be read, or lacks something.
func (d *diagnosed) authorization() said {
	header, query := headerValue(d.r.Header, "Authorization"), d.received.Params
	scheme, rest, parted := strings.Cut(strings.TrimSpace(header), " ")
	switch {
	case header == "" && query.Get("sign") != "" || d.received.Path == "/gateway.do":
		return said{
			"the request is made for the old gateway (gateway.do, sign among the parameters); v3 has a path for every method, and the signature in the header Authorization",
			"这是旧版网关（gateway.do，参数里带 sign）的请求；v3 每个接口有自己的路径，签名放在请求头 Authorization 里",
		}
	case header == "" && d.r.Header.Get("Sign") != "":
		return said{"the signature is in a header of its own; it belongs in Authorization: " + protocol.Scheme + " <authString>,sign=<base64>", "签名放在了单独的请求头里；应放在 Authorization: " + protocol.Scheme + " <authString>,sign=<base64>"}
	case header == "":
		return said{"the header Authorization is missing, or something on the way removed it", "缺少请求头 Authorization，或在途中被去掉"}
	case scheme != protocol.Scheme && strings.HasPrefix(header, "app_id="):
		return said{"Authorization lacks the scheme in front: " + protocol.Scheme + ", a space, and then app_id=…", "Authorization 缺少开头的 " + protocol.Scheme + " 和空格"}
	case scheme != protocol.Scheme && strings.EqualFold(strings.TrimRight(scheme, ":,"), protocol.Scheme), !parted:
		return said{fmt.Sprintf("Authorization begins with %q; it has to be %s and one space, in this spelling", scheme, protocol.Scheme), fmt.Sprintf("Authorization 以 %q 开头；应当是 %s 加一个空格，大小写一致", scheme, protocol.Scheme)}
	case scheme != protocol.Scheme:
		return said{fmt.Sprintf("the scheme of Authorization is %q; it has to be %s", scheme, protocol.Scheme), fmt.Sprintf("Authorization 的类型是 %q；应当是 %s", scheme, protocol.Scheme)}
	case strings.Contains(rest, "×tamp") || strings.Contains(rest, "&times"):
		return said{"&times in authString was taken for the sign × on the way through HTML; members are joined by commas", "authString 中的 &times 经过 HTML 变成了 ×；成员之间应当用逗号"}
	case strings.Contains(rest, "&"), strings.Contains(rest, ";"):
		return said{"the members of authString are joined by & or semicolons; they are joined by commas, without spaces", "authString 的成员用 & 或分号连接；应当用逗号，不带空格"}
	case strings.Contains(rest, "sign=") && !strings.Contains(rest, ",sign="):
		return said{"the sign is not the last member of Authorization: it comes behind authString, after a comma", "sign 不是 Authorization 的最后一项：应当放在 authString 之后，用逗号隔开"}
	case strings.Contains(rest, "signature="):
		return said{"the signature is named signature in Authorization; its name is sign", "Authorization 中签名的名称是 signature；应当是 sign"}
	case strings.Contains(rest, "nonce_str="):
		return said{"the nonce is named nonce_str, as WeChat Pay has it; its name is nonce", "随机串名为 nonce_str（微信支付的写法）；应当是 nonce"}
	case strings.Contains(rest, "appid="), strings.Contains(rest, "appId="):
		return said{"the APPID is named appid in Authorization; its name is app_id", "Authorization 中 APPID 的名称是 appid；应当是 app_id"}
	}
	for _, member := range []struct{ name, value string }{
		{"app_id", d.credentials.AppID}, {"nonce", d.credentials.Nonce}, {"timestamp", d.credentials.Timestamp}, {"sign", d.credentials.Signature},
	} {
		if member.value == "" {
			return said{"Authorization lacks " + member.name + ": " + protocol.Scheme + " app_id=…,nonce=…,timestamp=…,sign=…", "Authorization 中缺少 " + member.name + "：" + protocol.Scheme + " app_id=…,nonce=…,timestamp=…,sign=…"}
		}
	}
	return said{}
}

func (d *diagnosed) appID() said {
	id := d.credentials.AppID
	trimmed := strings.Trim(id, "\"' \t")
	switch {
	case trimmed == AppID && strings.ContainsAny(id, "\"'"):
		return said{"the values in Authorization are in quotes; they come without", "Authorization 中的值带了引号；不应带引号"}
	case trimmed == AppID:
		return said{"the app_id has spaces around it", "app_id 前后有空格"}
	case strings.HasPrefix(id, "2088"):
		return said{"the app_id is a merchant's id (2088…, PID), not an APPID; this gateway's is " + AppID, "app_id 填的是商户号（2088 开头的 PID），不是 APPID；本网关的是 " + AppID}
	case strings.Trim(id, "0123456789") != "":
		return said{fmt.Sprintf("the app_id is %q, which is no APPID: those are digits; this gateway's is %s", id, AppID), fmt.Sprintf("app_id 是 %q，不是 APPID（只有数字）；本网关的是 %s", id, AppID)}
	default:
		return said{fmt.Sprintf("the app_id is %s; this gateway knows one application only, %s", id, AppID), fmt.Sprintf("app_id 是 %s；本网关只有一个应用 %s", id, AppID)}
	}
}

func (d *diagnosed) timestamp() said {
	text, now := d.credentials.Timestamp, d.g.clock()
	number, err := strconv.ParseInt(text, 10, 64)
	near := func(t time.Time) bool { return err == nil && t.Sub(now).Abs() <= freshness }
	switch {
	case near(time.Unix(number, 0)):
		return said{"the timestamp is in seconds; v3 wants milliseconds", "timestamp 是秒；v3 要求毫秒"}
	case near(time.UnixMicro(number)):
		return said{"the timestamp is in microseconds; v3 wants milliseconds", "timestamp 是微秒；v3 要求毫秒"}
	case near(time.Unix(0, number)):
		return said{"the timestamp is in nanoseconds; v3 wants milliseconds", "timestamp 是纳秒；v3 要求毫秒"}
	case strings.ContainsAny(text, "-:T "):
		return said{"the timestamp is a date, as on the old gateway; v3 wants milliseconds since 1970", "timestamp 是日期格式（旧版网关的写法）；v3 要求 1970 年以来的毫秒数"}
	case err != nil:
		return said{"the timestamp is not a whole number; v3 wants milliseconds since 1970", "timestamp 不是整数；v3 要求 1970 年以来的毫秒数"}
	}
	behind := now.Sub(d.received.Timestamp).Round(time.Second)
	way, wayZH := "behind", "慢"
	if behind < 0 {
		way, wayZH, behind = "ahead of", "快", -behind
	}
	hours := behind.Round(time.Hour)
	if distance := (behind - hours).Abs(); distance < 2*time.Minute && hours > 0 && hours <= 14*time.Hour {
		return said{
			fmt.Sprintf("the timestamp is %d hours %s the gateway's clock: a time zone was added or lost; milliseconds since 1970 know no zone", hours/time.Hour, way),
			fmt.Sprintf("timestamp 比网关时钟%s %d 小时：时区算错了；1970 年以来的毫秒数与时区无关", wayZH, hours/time.Hour),
		}
	}
	far := behind.String()
	farZH := strings.NewReplacer("h", " 小时 ", "m", " 分 ", "s", " 秒").Replace(far)
	if days := behind / (24 * time.Hour); days > 1 {
		far, farZH = fmt.Sprintf("%d days", days), fmt.Sprintf("%d 天", days)
	}
	return said{
		fmt.Sprintf("the timestamp is %s %s the gateway's clock, more than the 10 minutes allowed: set the client's clock right, and take the time anew for every request", far, way),
		fmt.Sprintf("timestamp 比网关时钟%s %s，超过允许的 10 分钟：请校准客户端时钟，并为每次请求重新取时间", wayZH, farZH),
	}
}

// snOf recognises what people send instead of a certificate's SN.
func snOf(certificate *x509.Certificate, sn string) (s said) {
	fips140.WithoutEnforcement(func() { s = mistakenSN(certificate, sn) }) // MD5 and SHA-1 protect nothing here
	return s
}

func mistakenSN(certificate *x509.Certificate, sn string) said {
	serial := certificate.SerialNumber
	reversed := func(join string) string {
		parts := strings.Split(must(certs.IssuerName(certificate.RawIssuer)), ",")
		slices.Reverse(parts)
		return strings.Join(parts, join)
	}
	var sumSHA1 [sha1.Size]byte
	hash := func(text string) string {
		var sum [md5.Size]byte
		fips140.WithoutEnforcement(func() { sum = md5.Sum([]byte(text)) }) // recognised, never trusted
		return hex.EncodeToString(sum[:])
	}
	issuer, subject := must(certs.IssuerName(certificate.RawIssuer)), must(certs.IssuerName(certificate.RawSubject))
	fips140.WithoutEnforcement(func() { sumSHA1 = sha1.Sum(certificate.Raw) })
	sumSHA256 := sha256.Sum256(certificate.Raw)
	given := strings.ToLower(strings.ReplaceAll(sn, ":", ""))
	switch given {
	case serial.String(), serial.Text(16), fmt.Sprintf("%016x", serial):
		return said{"it is the certificate's serial number as it is; the SN is the MD5 of issuer name and serial number", "填的是证书自身的序列号；SN 应为“颁发者名称 + 序列号”的 MD5"}
	case hex.EncodeToString(sumSHA1[:]), hex.EncodeToString(sumSHA256[:]), hash(string(certificate.Raw)):
		return said{"it is the certificate's fingerprint; the SN is the MD5 of issuer name and serial number", "填的是证书指纹；SN 应为“颁发者名称 + 序列号”的 MD5"}
	case hash(reversed(",") + serial.String()), hash(reversed(", ") + serial.String()):
		return said{"it was computed over the issuer's name in the wrong order: CN comes first, C last", "计算时颁发者名称的顺序反了：CN 在前，C 在后"}
	case hash(issuer + serial.Text(16)):
		return said{"it was computed over the serial number in hexadecimal; it has to be decimal", "计算时序列号用了十六进制；应为十进制"}
	case hash(strings.ReplaceAll(issuer, ",", ", ") + serial.String()):
		return said{"it was computed over the issuer's name with spaces behind the commas; there are none", "计算时颁发者名称的逗号后带了空格；不应有空格"}
	case hash(subject + serial.String()):
		return said{"it was computed over the subject's name; it has to be the issuer's", "计算时用了使用者名称；应为颁发者名称"}
	}
	return said{}
}

func (d *diagnosed) appCertSN() said {
	sn := d.credentials.AppCertSN
	switch {
	case strings.EqualFold(sn, keys().appSN):
		return said{"the app_cert_sn is in capitals; it has to be lower case", "app_cert_sn 是大写；应当小写"}
	case sn == keys().alipaySN, sn == keys().alipayNextSN:
		return said{"the app_cert_sn is the SN of Alipay's certificate (alipayCertPublicKey); it has to be that of the application's (appCertPublicKey)", "app_cert_sn 是支付宝公钥证书的 SN；应当是应用公钥证书（appCertPublicKey）的"}
	case sn == keys().rootSN || strings.Contains(sn, "_"):
		return said{"the app_cert_sn is the SN of a root bundle; it has to be that of the application's certificate (appCertPublicKey)", "app_cert_sn 是根证书的 SN；应当是应用公钥证书（appCertPublicKey）的"}
	}
	if s := snOf(must(certs.Parse(keys().appCert))[0].X509, sn); s.en != "" {
		return said{"the app_cert_sn is wrong: " + s.en, "app_cert_sn 不对：" + s.zh}
	}
	return said{"the app_cert_sn names no certificate of this application; its SN is " + keys().appSN, "app_cert_sn 不是本应用的证书；应为 " + keys().appSN}
}

func (d *diagnosed) rootCertSN() said {
	sn, right := headerValue(d.r.Header, protocol.HeaderRootCertSN), keys().rootSN
	parts, want := strings.Split(sn, "_"), strings.Split(right, "_")
	list := must(certs.Parse(keys().rootCerts))
	all := make([]string, len(list))
	for i, c := range list {
		all[i] = c.SN
	}
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	switch {
	case strings.EqualFold(sn, right):
		return said{"the alipay-root-cert-sn is in capitals; it has to be lower case", "alipay-root-cert-sn 是大写；应当小写"}
	case sn == keys().appSN, sn == keys().alipaySN, sn == keys().alipayNextSN:
		return said{"the alipay-root-cert-sn is the SN of another certificate; it has to be that of the root bundle (alipayRootCert.crt)", "alipay-root-cert-sn 是别的证书的 SN；应当是根证书（alipayRootCert.crt）的"}
	case len(all) > len(want) && slices.Equal(parts, all):
		return said{"the alipay-root-cert-sn counts the SM2 root too; only roots with an RSA signature count", "alipay-root-cert-sn 把国密 SM2 根证书也算进去了；只算 RSA 签名的根证书"}
	case slices.Equal(parts, reversed):
		return said{"the alipay-root-cert-sn has the roots in reverse order; it follows the file", "alipay-root-cert-sn 的顺序反了；应按文件中的顺序"}
	case len(parts) == 1 && slices.Contains(all, sn):
		return said{"the alipay-root-cert-sn names one root of the bundle only; it is the SNs of all with an RSA signature, joined by _", "alipay-root-cert-sn 只有一张根证书；应为所有 RSA 签名根证书的 SN，用 _ 连接"}
	case len(want) > 1 && slices.Equal(slices.Sorted(slices.Values(strings.FieldsFunc(sn, func(r rune) bool { return r == ',' || r == '|' || r == '-' || r == '_' }))), slices.Sorted(slices.Values(want))):
		return said{"the SNs in alipay-root-cert-sn are joined in another way; they are joined by _, in the order of the file", "alipay-root-cert-sn 的连接方式不对；应按文件顺序用 _ 连接"}
	}
	if i := slices.IndexFunc(list, func(c certs.Certificate) bool { return c.X509 != nil }); len(parts) == 1 {
		if s := snOf(list[i].X509, sn); s.en != "" {
			return said{"the alipay-root-cert-sn is wrong: " + s.en, "alipay-root-cert-sn 不对：" + s.zh}
		}
	}
	return said{"the alipay-root-cert-sn is not that of this gateway's root bundle, which is " + right, "alipay-root-cert-sn 不是本网关根证书的；应为 " + right}
}

// decryption is about a ciphertext whose signature verifies.
func (d *diagnosed) decryption() said {
	body := strings.TrimSpace(string(d.received.signed))
	cipher := d.g.cipher
	if raw, err := hex.DecodeString(body); err == nil && len(raw) > 0 && len(raw)%aes.BlockSize == 0 {
		return said{"the ciphertext is hexadecimal; it has to be base64", "密文是十六进制；应当是 base64"}
	}
	if strings.HasPrefix(body, "{") {
		return said{"the header alipay-encrypt-type says AES, but the body is not encrypted", "alipay-encrypt-type 为 AES，body 却没有加密"}
	}
	if unquoted := strings.Trim(body, `"`); unquoted != body {
		if _, err := cipher.Decrypt([]byte(unquoted)); err == nil {
			return said{"the ciphertext is in quotes, as a JSON string; it comes without", "密文带了引号（JSON 字符串）；不应带引号"}
		}
	}
	if plain, err := url.QueryUnescape(body); err == nil && plain != body {
		if _, err := cipher.Decrypt([]byte(plain)); err == nil {
			return said{"the ciphertext is percent-encoded; it comes as base64", "密文做了 URL 编码；应直接放 base64"}
		}
	}
	return said{
		"the ciphertext does not open with this gateway's key: it has to be AES in CBC mode with PKCS#7 padding and an IV of zeros, base64, under the AES key of the console",
		"密文无法用本网关的密钥解密：应为 AES、CBC 模式、PKCS#7 填充、全零 IV，结果做 base64，密钥是控制台的 AES 密钥",
	}
}

func (d *diagnosed) path(status int) said {
	path := cmp.Or(d.received.Path, "/")
	if status == http.StatusMethodNotAllowed {
		return said{fmt.Sprintf("%s exists, but not for %s", path, d.received.Method), fmt.Sprintf("%s 存在，但不接受 %s", path, d.received.Method)}
	}
	d.g.mu.Lock()
	endpoints := d.g.endpoints
	d.g.mu.Unlock()
	for _, variant := range []struct{ path, en, zh string }{
		{strings.TrimRight(path, "/"), "there is a slash too many at the end of the path", "路径末尾多了 /"},
		{strings.Replace(path, "/v3/v3/", "/v3/", 1), "/v3 stands twice in the path: the base URL must not end in it", "路径中 /v3 出现了两次：网关地址不应以 /v3 结尾"},
		{"/v3" + path, "/v3 is missing at the beginning of the path", "路径缺少开头的 /v3"},
		{strings.ReplaceAll(path, "//", "/"), "there is a double slash in the path: the base URL must not end in one", "路径中有两个连续的 /：网关地址不应以 / 结尾"},
		{strings.TrimPrefix(path, "/gateway.do"), "the base URL ends in /gateway.do, which belongs to the old gateway: leave it off", "网关地址以 /gateway.do 结尾，那是旧版网关的：请去掉"},
		{strings.ToLower(path), "the path is in capitals", "路径用了大写字母"},
	} {
		if variant.path != path && slices.ContainsFunc(endpoints, func(e endpoint) bool { return matchPath(e.path, variant.path) }) {
			return said{variant.en, variant.zh}
		}
	}
	if strings.Contains(path, ".") && !strings.HasPrefix(path, "/v3/") {
		return said{"the path is the method's name on the old gateway; v3 has a path for each, as in " + jobworthPath, "路径是旧版网关的方法名；v3 每个接口有自己的路径，例如 " + jobworthPath}
	}
	return said{fmt.Sprintf("this gateway has no %s; Handle adds endpoints", path), fmt.Sprintf("本网关没有 %s；可用 Handle 添加", path)}
}
