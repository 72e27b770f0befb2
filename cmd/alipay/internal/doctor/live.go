package doctor

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
)

// heartbeat is a call that every application may make: the platform checks the
// signature and ignores the content.
var heartbeat = &alipay.Request{
	Method: http.MethodPost, Path: "/v3/monitor/heartbeat/syn",
	Body: map[string]string{"biz_content": "{}"},
}

// live makes the call.
func (r *report) live(c alipay.AlipayConfig) {
	client, err := alipay.NewClient(c, alipay.WithTimeout(15*time.Second))
	if err != nil {
		r.fail("", err.Error())
		return
	}
	defer client.CloseIdleConnections()
	_, err = client.Do(context.Background(), heartbeat, nil)
	alipayKey := "AlipayPublicKey"
	if cmp.Or(c.AlipayPublicCertContent, c.AlipayPublicCertPath) != "" {
		alipayKey = "AlipayPublicCertContent"
	}
	r.explain(err, alipayKey)
}

// explain says what the answer to the call proves. It distinguishes the two wrong
// keys: the gateway checks the application's, this side Alipay's, which is in the
// field alipayKey.
func (r *report) explain(err error, alipayKey string) {
	var refused *alipay.APIError
	var failed *alipay.CallError
	answered := errors.As(err, &failed) && failed.StatusCode == http.StatusOK
	taken := func() {
		if answered {
			r.ok(r.t("the gateway took the request: APPID and private key are right", "网关接受了请求：APPID 和应用私钥正确"))
		}
	}
	switch {
	case err == nil:
		r.ok(r.t("the gateway took the request: APPID and private key are right", "网关接受了请求：APPID 和应用私钥正确"))
		r.ok(r.t("the answer is signed, and the signature held: Alipay's public key or certificate is right too", "响应有签名且验签通过：支付宝公钥（证书）也正确"))
	case errors.As(err, &refused) && ofEndpoint(refused):
		r.ok(r.t("the endpoint itself answered, so the gateway took APPID, private key and signature", "接口本身作出了响应，说明网关接受了 APPID、应用私钥和签名"))
		r.verified(refused)
		r.note(err.Error())
	case errors.As(err, &refused) && refused.Code == alipay.CodeInvalidSignature:
		r.fail("PrivateKey", err.Error())
		r.note(r.t("The private key is the wrong side: the gateway does not know its signature. Upload the public key (应用公钥) or CSR that belongs to it in the console for this APPID and this environment, or take the private key that belongs to the one uploaded.",
			"出错的是应用私钥：网关不认它的签名。请在控制台为这个 APPID、这个环境上传与它配对的应用公钥（或 CSR），或改用与已上传公钥配对的私钥。"))
		r.verified(refused)
	case errors.As(err, &refused):
		r.fail("", err.Error())
		if hint := r.t(refused.Hint(), refused.HintZH()); hint != "" {
			r.note(hint)
		}
		r.verified(refused)
	case errors.Is(err, alipay.ErrUnknownCertificate): // its text says what to do
		taken()
		r.fail(alipayKey, err.Error())
	case errors.Is(err, alipay.ErrResponseAltered):
		taken()
		r.fail("", err.Error())
		r.note(r.t("No key is wrong: the answer was signed with Alipay's configured key, and changed afterwards. Look for what stands in between: a proxy, a gateway, an HTTP library that rewrites bodies.",
			"密钥没有问题：响应确由配置的支付宝密钥签名，之后被改动。请检查途中的代理、网关，以及会改写响应体的 HTTP 库。"))
	case errors.Is(err, alipay.ErrResponseSignature):
		taken()
		r.fail(alipayKey, err.Error())
		r.note(r.t("Alipay's key is the wrong side: what is configured as Alipay's public key (支付宝公钥) or certificate (支付宝公钥证书) did not sign this answer. Copy it again from the console, for this APPID and this environment (production or sandbox).",
			"出错的是支付宝公钥：这个响应不是由配置的支付宝公钥（或支付宝公钥证书）对应的私钥签名的。请到控制台重新复制，注意 APPID 和环境（正式或沙箱）。"))
	case errors.Is(err, alipay.ErrResponseStale):
		taken()
		r.fail("", err.Error())
		r.note(r.t("Set the clock of this machine right (NTP).", "请校准本机时钟（NTP）。"))
	case errors.Is(err, alipay.ErrDecrypt):
		taken()
		r.fail("EncryptKey", err.Error())
		r.note(r.t("EncryptKey is not the AES key (接口内容加密方式) that the console shows for this APPID.", "EncryptKey 不是控制台为这个 APPID 显示的 AES 密钥（接口内容加密方式）。"))
	case errors.Is(err, alipay.ErrResponseUnsigned), errors.Is(err, alipay.ErrRedirect), errors.Is(err, alipay.ErrResponseTooLarge):
		r.fail("BaseURL", err.Error())
		r.note(r.t("This is not how Alipay's gateway answers: check the base URL, and the proxies on the way.", "这不是支付宝网关的响应：请检查 BaseURL 和途中的代理。"))
	case errors.Is(err, context.DeadlineExceeded):
		r.fail("", err.Error())
		r.note(r.t("No answer came in time: check the base URL, firewall and proxy (HTTPS_PROXY).", "没有及时收到响应：请检查 BaseURL、防火墙和代理（HTTPS_PROXY）。"))
	case errors.Is(err, alipay.ErrNotDelivered):
		r.fail("", err.Error())
		r.note(r.t("The gateway was not reached: check the base URL, DNS, firewall and proxy (HTTPS_PROXY).", "无法连接网关：请检查 BaseURL、DNS、防火墙和代理（HTTPS_PROXY）。"))
	default:
		r.fail("", err.Error())
		r.note(r.t("The connection broke before a whole answer came: check the network and the proxies on the way.", "连接在收到完整响应之前中断：请检查网络和途中的代理。"))
	}
}

// verified says what an error answer proves about Alipay's key.
func (r *report) verified(refused *alipay.APIError) {
	if refused.Verified {
		r.ok(r.t("the answer is signed, and the signature held: Alipay's public key or certificate is right", "响应有签名且验签通过：支付宝公钥（证书）正确"))
	} else {
		r.note(r.t("the answer was not signed, as is usual for errors: whether Alipay's public key or certificate is right, only a signed answer can show", "响应没有签名（错误响应通常如此）：支付宝公钥（证书）是否正确，只有带签名的响应才能说明"))
	}
}

// ofEndpoint reports whether a refusal is the endpoint's, which are in capitals,
// and not the gateway's, which come before the endpoint is called.
func ofEndpoint(e *alipay.APIError) bool {
	code := string(e.Code)
	return code != "" && code == strings.ToUpper(code) && !errors.Is(e, alipay.ErrOutcomeUnknown)
}
