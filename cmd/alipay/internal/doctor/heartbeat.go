package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// heartbeat makes a call that every application may make: the platform checks the
// signature and ignores the content.
func (n network) heartbeat(ctx context.Context, r *report, c alipay.AlipayConfig) {
	seen := &watcher{base: alipay.NewTransport()}
	seen.base.Proxy = n.proxy
	if n.roots != nil {
		seen.base.TLSClientConfig = &tls.Config{RootCAs: n.roots, MinVersion: tls.VersionTLS12}
	}
	client, err := alipay.NewClient(c, alipay.WithTimeout(n.waiting), alipay.WithHTTPClient(&http.Client{Transport: seen}))
	if err != nil { // it has accepted the configuration before
		r.fail("", both(err.Error(), "NewClient 不接受这份配置"))
		return
	}
	defer seen.base.CloseIdleConnections()
	began := time.Now()
	err = client.Heartbeat(ctx)
	seen.took = time.Since(began)
	alipayKey := "AlipayPublicKey"
	if cmp.Or(c.AlipayPublicCertContent, c.AlipayPublicCertPath) != "" {
		alipayKey = "AlipayPublicCertContent"
	}
	r.explain(err, alipayKey, seen)
	r.clock(seen, n.now())
}

// watcher sees what kind of answer came: an answer that is not the gateway's is
// known by its header.
type watcher struct {
	base     *http.Transport
	took     time.Duration
	status   int
	header   http.Header
	location string // the host of a redirect
}

func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.base.RoundTrip(r)
	if err == nil {
		w.status, w.header = response.StatusCode, response.Header
		if to, err := url.Parse(response.Header.Get("Location")); err == nil {
			w.location = cmp.Or(to.Hostname(), r.URL.Hostname())
		}
	}
	return response, err
}

// answer is what came, without its content.
func (w *watcher) answer() text {
	shown := func(name string) string {
		value := w.header.Get(name)
		if len(value) > 60 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return "?"
		}
		return cmp.Or(value, "–")
	}
	return bilingual.Same("HTTP %d, Content-Type %s, Server %s").With(w.status, shown("Content-Type"), shown("Server"))
}

// explain says what the answer to the call proves. It tells the two wrong keys
// apart: the gateway checks the application's, this side Alipay's, which is in the
// field alipayKey.
func (r *report) explain(err error, alipayKey string, seen *watcher) {
	var refused *alipay.APIError
	var failed *alipay.CallError
	accepted := both("the gateway took the request: APPID and private key are right", "网关接受了请求：APPID 和应用私钥正确")
	signed := both("the answer is signed, and the signature is valid: Alipay's public key or certificate is right, too", "响应有签名且验签通过：支付宝公钥（证书）也正确")
	fail := func(field, zh string) {
		if errors.As(err, &failed) && failed.StatusCode == http.StatusOK && field != "BaseURL" {
			r.ok(accepted)
		}
		r.step(levelFail, field, seen.took, text{EN: "heartbeat: " + err.Error(), ZH: "心跳调用：" + zh})
	}
	switch {
	case err == nil:
		r.step(levelOK, "", seen.took, both("heartbeat: %s", "心跳调用：%s", accepted))
		r.ok(signed)
	case errors.As(err, &refused) && ofEndpoint(refused):
		r.step(levelOK, "", seen.took, both("heartbeat: the endpoint itself answered (%s), so the gateway took APPID, private key and signature", "心跳调用：接口本身作出了响应（%s），说明网关接受了 APPID、应用私钥和签名", string(refused.Code)))
		r.verified(refused)
	case errors.As(err, &refused) && refused.Code == alipay.CodeInvalidSignature:
		fail("PrivateKey", shown(refused))
		r.note(both("The private key is the wrong side: the gateway does not know its signature. Upload the public key (应用公钥) or CSR that belongs to it in the console for this APPID and this environment, or take the private key that belongs to the one uploaded.",
			"出错的是应用私钥：网关不认它的签名。请在控制台为这个 APPID、这个环境上传与它配对的应用公钥（或 CSR），或改用与已上传公钥配对的私钥。"))
		r.verified(refused)
	case errors.As(err, &refused):
		fail("", shown(refused))
		if refused.Hint() != "" {
			r.note(both(refused.Hint(), refused.HintZH()))
		}
		r.verified(refused)
	case errors.Is(err, alipay.ErrUnknownCertificate): // its English text says what to do
		fail(alipayKey, "响应使用的支付宝证书（alipay-sn）不在配置中，也无法下载；请从控制台下载新的支付宝公钥证书，加到 AlipayPublicCertContent")
	case errors.Is(err, alipay.ErrResponseAltered):
		fail("", "响应确由配置的支付宝密钥签名，但内容与签名不符")
		r.note(both("No key is wrong: the answer was signed with Alipay's configured key, and changed afterwards. Look for what stands in between: a proxy, a gateway, an HTTP library that rewrites bodies.",
			"密钥没有问题：响应签名之后被改动。请检查途中的代理、网关，以及会改写响应体的 HTTP 库。"))
	case errors.Is(err, alipay.ErrResponseSignature):
		fail(alipayKey, "响应的签名不是由配置的支付宝公钥（证书）对应的私钥生成的")
		r.note(both("Alipay's key is the wrong side: what is configured as Alipay's public key (支付宝公钥) or certificate (支付宝公钥证书) did not sign this answer. Copy it again from the console, for this APPID and this environment (production or sandbox).",
			"出错的是支付宝公钥：请到控制台重新复制支付宝公钥（或支付宝公钥证书），注意 APPID 和环境（正式或沙箱）。"))
	case errors.Is(err, alipay.ErrResponseStale):
		fail("", "响应的时间与本机时钟相差太多")
		r.note(both("Set the clock of this machine right (NTP).", "请校准本机时钟（NTP）。"))
	case errors.Is(err, alipay.ErrDecrypt):
		fail("EncryptKey", "响应无法解密")
		r.note(both("EncryptKey is not the AES key (接口内容加密方式) that the console shows for this APPID.", "EncryptKey 不是控制台为这个 APPID 显示的 AES 密钥（接口内容加密方式）。"))
	case errors.Is(err, alipay.ErrRedirect):
		fail("BaseURL", "收到重定向，未跟随")
		r.note(both("This is not how Alipay's gateway answers (%s, redirect to %s): check the base URL, and the proxies on the way; a login page of the network redirects, too.", "支付宝网关不会这样响应（%s，重定向到 %s）：请检查 BaseURL 和途中的代理；网络的登录页也会重定向。", seen.answer(), seen.location))
	case errors.Is(err, alipay.ErrResponseUnsigned), errors.Is(err, alipay.ErrResponseTooLarge):
		fail("BaseURL", "响应没有签名，或过大")
		r.note(both("This is not how Alipay's gateway answers (%s): check the base URL, and the proxies on the way.", "支付宝网关不会这样响应（%s）：请检查 BaseURL 和途中的代理。", seen.answer()))
	case errors.Is(err, context.DeadlineExceeded):
		fail("", "没有及时收到响应")
		r.note(both("The way to the gateway is open, but no answer came in time: look at what stands in between, a proxy or a firewall that inspects content.", "到网关的网络是通的，但没有及时收到响应：请检查途中的代理，或检测内容的防火墙。"))
	case errors.Is(err, alipay.ErrNotDelivered):
		fail("", "没有送达网关")
		r.note(both("The gateway was not reached, though the way to it was open a moment ago.", "刚才网络是通的，这次却没有送达网关。"))
	default:
		fail("", "在收到完整响应之前连接中断")
		r.note(both("The connection broke before a whole answer came: check the network and the proxies on the way.", "请检查网络和途中的代理。"))
	}
}

// shown is a refusal in Chinese; the message is the gateway's own.
func shown(e *alipay.APIError) string {
	t := fmt.Sprintf("网关拒绝：%s（HTTP %d）%s", e.Code, e.StatusCode, e.Message)
	if e.TraceID != "" {
		t += "，trace id " + e.TraceID
	}
	return t
}

// verified says what an error answer proves about Alipay's key.
func (r *report) verified(refused *alipay.APIError) {
	if refused.Verified {
		r.ok(both("the answer is signed, and the signature is valid: Alipay's public key or certificate is right", "响应有签名且验签通过：支付宝公钥（证书）正确"))
	} else {
		r.note(both("the answer was not signed, as is usual for errors: whether Alipay's public key or certificate is right, only a signed answer can show", "响应没有签名（错误响应通常如此）：支付宝公钥（证书）是否正确，只有带签名的响应才能说明"))
	}
}

// ofEndpoint reports whether a refusal is the endpoint's, which are in capitals,
// and not the gateway's, which come before the endpoint is called.
func ofEndpoint(e *alipay.APIError) bool {
	code := string(e.Code)
	return code != "" && code == strings.ToUpper(code) && !errors.Is(e, alipay.ErrOutcomeUnknown)
}

// clock compares this machine's clock with the answer's Date, as far as its whole
// seconds allow.
func (r *report) clock(seen *watcher, now time.Time) {
	at, err := http.ParseTime(seen.header.Get("Date"))
	if err != nil {
		return
	}
	switch minutes := int(now.Sub(at).Minutes()); {
	case minutes > 0:
		r.warn("", both("this machine's clock is %d minutes ahead of the answer's Date", "本机时钟比响应的 Date 快 %d 分钟", minutes))
	case minutes < 0:
		r.warn("", both("this machine's clock is %d minutes behind the answer's Date", "本机时钟比响应的 Date 慢 %d 分钟", -minutes))
	}
}
