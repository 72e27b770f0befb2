// Package doctor is the subcommand doctor: it says what is wrong with the keys and
// settings of an application, in plain words, in English or Chinese. The report
// never contains key material, so it may be shown to others: it contains only app
// id, host, names of files, names and dates of certificates, and hashes of public
// keys.
package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/internal/bilingual"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/keys"
)

const aboutEN = `
Says what each key and certificate of an application is, whether they fit
together, when each certificate expires, and the serial numbers (SN); then every
mistake that alipay.NewClient reports, with the field and what to do. The
settings come from the ALIPAY_… variables; a flag takes the place of its
variable. The report holds no key material, so it may be shown to others.

  alipay doctor
  alipay doctor -app-id 2021… -private-key app_private_key.pem -alipay-public-key alipay_public_key.pem
  alipay doctor -live

Without -live no network is used. -live goes the way to the gateway step by step,
with the time of each: DNS, connect, proxy, TLS, and one signed call that needs
no product and uses nothing up.

The exit status is 0 when nothing failed, warnings or not; 1 when a check
failed; 2 for a wrong flag.`

const aboutZH = `
逐一说明每个密钥和证书是什么、是否配套、证书的到期时间与 SN，再列出
alipay.NewClient 会报告的每个错误、所在字段和处理办法。配置取自 ALIPAY_… 环境变量，
命令行参数优先。报告不含密钥内容，可以发给别人看。

  alipay doctor
  alipay doctor -app-id 2021… -private-key 应用私钥.pem -alipay-public-key 支付宝公钥.pem
  alipay doctor -live

不加 -live 就不联网。-live 逐步检查到网关的网络并给出每一步的耗时：DNS、连接、代理、
TLS，最后发起一次签名调用，它不需要签约产品，也不消耗任何东西。

退出码：0 没有错误（可能有警告）；1 有检查未通过；2 参数有误。`

// Run examines the settings.
func Run(ctx context.Context, c cli.IO, args []string) int {
	fromEnv, envErr := credentials.FromEnv(os.Getenv)
	config := alipay.AlipayConfig(fromEnv)
	given, status, ok := parseFlags(c, args, &config)
	if !ok {
		return status
	}
	if !given.nothing {
		envErr = nil
	}
	r, clean := offline(config, envErr, time.Now())
	live := given.live && clean
	if given.live {
		r.begin("live", "The way to the gateway, and one signed call", "到网关的网络，以及一次签名调用")
		if live {
			way := network{resolver: net.DefaultResolver, proxy: http.ProxyFromEnvironment, roots: given.roots, dialling: stepTimeout, waiting: stepTimeout, now: time.Now}
			way.live(ctx, r, config)
		} else {
			r.note(both("not tried: correct the mistakes above first", "未尝试：请先改正以上错误"))
		}
	}
	lang := cli.Lang(given.lang)
	if given.json {
		if err := r.printJSON(c.Stdout, lang, live); err != nil {
			fmt.Fprintln(c.Stderr, err)
			return cli.Failed
		}
	} else {
		r.print(c.Stdout, lang, live)
	}
	if r.count(levelFail) > 0 {
		return cli.Failed
	}
	return cli.OK
}

// offline makes every check that needs no network, and reports whether nothing is
// wrong.
func offline(config alipay.AlipayConfig, envErr error, now time.Time) (r *report, clean bool) {
	r = &report{}
	found := mistakes(config, now)
	r.settings(config)
	r.notes(config, found, now)
	r.materials(config, now)
	r.mistakes(found, envErr)
	return r, len(found) == 0
}

// options are the flags that are not settings of the client.
type options struct {
	live, json bool
	lang       string
	nothing    bool           // no flag gave a setting
	roots      *x509.CertPool // whose certificates TLS accepts; nil for the system's
}

// parseFlags lets each flag replace the setting from the environment.
func parseFlags(io cli.IO, args []string, c *alipay.AlipayConfig) (o options, status int, ok bool) {
	flags := io.Flags("doctor", io.T("[flags]", "[参数]"), io.T(aboutEN, aboutZH))
	var ca string
	var baseURL, appID, privateKey, alipayKey, appCert, alipayCert, rootCert, encryptKey, appAuthToken string
	flags.BoolVar(&o.live, "live", false, io.T("check the way to the gateway, too, and make one signed call that uses nothing up", "同时检查到网关的网络，并发起一次不消耗任何东西的签名调用"))
	flags.BoolVar(&o.json, "json", false, io.T("print the report as JSON", "以 JSON 打印报告"))
	flags.StringVar(&o.lang, "lang", "", io.T("language of the report, `en or zh`; by default that of the locale", "报告的语言，`en 或 zh`；默认随系统 locale"))
	flags.StringVar(&ca, "ca", "", io.T("`file` of the CA of a company's own TLS interception, to be trusted with -live", "企业 TLS 解密设备所用 CA 的`文件`，-live 时信任它"))
	flags.StringVar(&baseURL, "base-url", "", io.T("`URL` of the gateway, by default ", "网关的 `URL`，默认 ")+alipay.DefaultBaseURL)
	flags.StringVar(&appID, "app-id", "", io.T("APPID of the application", "应用的 `APPID`"))
	flags.StringVar(&privateKey, "private-key", "", io.T("`file` of the application's private key (应用私钥)", "应用私钥的`文件`"))
	flags.StringVar(&alipayKey, "alipay-public-key", "", io.T("`file` of Alipay's public key (支付宝公钥), or the key itself", "支付宝公钥的`文件`，或公钥本身"))
	flags.StringVar(&appCert, "app-cert", "", io.T("`file` of the application's certificate (应用公钥证书), or the certificate itself", "应用公钥证书的`文件`，或证书内容"))
	flags.StringVar(&alipayCert, "alipay-cert", "", io.T("`file` of Alipay's certificate (支付宝公钥证书), or the certificate itself", "支付宝公钥证书的`文件`，或证书内容"))
	flags.StringVar(&rootCert, "root-cert", "", io.T("`file` of Alipay's root bundle (支付宝根证书), or the bundle itself", "支付宝根证书的`文件`，或证书内容"))
	flags.StringVar(&encryptKey, "encrypt-key", "", io.T("`file` of the AES key (接口内容加密), or the key itself, which other users of this machine may then see", "AES 密钥（接口内容加密方式）的`文件`，或密钥本身（本机其他用户可能看到）"))
	flags.StringVar(&appAuthToken, "app-auth-token", "", io.T("app_auth_token (应用授权令牌) of another merchant, which other users of this machine may see", "其他商户的 `app_auth_token`（应用授权令牌），本机其他用户可能看到"))
	if status, ok := io.Parse(flags, args); !ok {
		return o, status, false
	}
	switch {
	case flags.NArg() > 0:
		return o, io.Wrong(flags, errors.New(io.T("it takes flags only", "只接受以 - 开头的参数"))), false
	case o.lang != "" && o.lang != "en" && o.lang != "zh":
		return o, io.Wrong(flags, errors.New(io.T("-lang is en or zh", "-lang 只能是 en 或 zh"))), false
	}
	o.lang = cmp.Or(o.lang, string(io.Lang))
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if o.roots, _ = x509.SystemCertPool(); o.roots == nil {
			o.roots = x509.NewCertPool()
		}
		if err != nil || !o.roots.AppendCertsFromPEM(pem) {
			return o, io.Wrong(flags, errors.New(io.T("-ca: there is no certificate in that file", "-ca：该文件中没有证书"))), false
		}
	}
	o.nothing = cmp.Or(baseURL, appID, privateKey, alipayKey, appCert, alipayCert, rootCert, encryptKey, appAuthToken) == ""

	// The mode of the flags wins: settings of the other mode in the environment are dropped.
	if alipayKey != "" {
		c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath = "", "", "", "", "", ""
	}
	if cmp.Or(appCert, alipayCert, rootCert) != "" {
		c.AlipayPublicKey, c.AlipayPublicKeyPath = "", ""
	}
	take(privateKey, &c.PrivateKey, &c.PrivateKeyPath)
	take(alipayKey, &c.AlipayPublicKey, &c.AlipayPublicKeyPath)
	take(appCert, &c.AppCertContent, &c.AppCertPath)
	take(alipayCert, &c.AlipayPublicCertContent, &c.AlipayPublicCertPath)
	take(rootCert, &c.RootCertContent, &c.RootCertPath)
	c.BaseURL, c.AppID = cmp.Or(baseURL, c.BaseURL), cmp.Or(appID, c.AppID)
	c.AppAuthToken = cmp.Or(appAuthToken, c.AppAuthToken)
	if data, err := os.ReadFile(encryptKey); err == nil {
		encryptKey = strings.TrimSpace(string(data))
	}
	c.EncryptKey = cmp.Or(encryptKey, c.EncryptKey)
	return o, cli.OK, true
}

// take puts a flag's value into the right field: the content itself, or the file
// that contains it.
func take(given string, content, path *string) {
	switch {
	case given == "":
	case keys.LooksLikeContent(given):
		*content, *path = given, ""
	default:
		*content, *path = "", given
	}
}

// settings says which gateway is called, for whom, and in which mode.
func (r *report) settings(c alipay.AlipayConfig) {
	r.begin("settings", "Settings", "设置")
	base, err := credentials.ParseBaseURL(c.BaseURL)
	where := both("neither production nor sandbox, but another address", "既不是正式环境也不是沙箱，而是其他地址")
	switch {
	case err != nil:
		r.note(both("gateway: the base URL cannot be read", "网关：BaseURL 无法识别"))
	case base.String() == alipay.DefaultBaseURL:
		where = both("production (正式环境)", "正式环境")
	case base.String() == alipay.SandboxBaseURL:
		where = both("the sandbox (沙箱), which has an APPID and keys of its own", "沙箱环境，它有自己的 APPID 和密钥")
	}
	if err == nil {
		r.note(both("gateway: host %s, %s", "网关：主机 %s，%s", base.Host, where))
	}
	if c.AppID != "" {
		r.note(both("APPID: %s", "APPID：%s", shownAppID(c.AppID)))
	}
	for _, file := range []struct{ field, path string }{
		{"PrivateKeyPath", c.PrivateKeyPath}, {"AlipayPublicKeyPath", c.AlipayPublicKeyPath}, {"AppCertPath", c.AppCertPath},
		{"AlipayPublicCertPath", c.AlipayPublicCertPath}, {"RootCertPath", c.RootCertPath},
	} {
		if file.path != "" && !keys.LooksLikeContent(file.path) && len(file.path) < 256 {
			r.add(levelNote, file.field, both("the file %q", "文件 %q", file.path))
		}
	}
	switch publicKey, certificates := modes(c); {
	case publicKey && certificates:
		r.note(both("mode: both, which cannot be", "加签方式：两种都配置了，只能选一种"))
	case certificates:
		r.note(both("mode: certificates (证书模式)", "加签方式：证书模式"))
	case publicKey:
		r.note(both("mode: public key (公钥模式)", "加签方式：公钥模式"))
	default:
		r.note(both("mode: neither public key nor certificates", "加签方式：公钥和证书都没有配置"))
	}
	if c.EncryptKey != "" {
		r.note(both("content encryption (接口内容加密): on", "接口内容加密：已开启"))
	}
	if c.AppAuthToken != "" {
		r.note(both("calls are made for another merchant (app_auth_token is set)", "代其他商户调用（已设置 app_auth_token）"))
	}
}

// modes reports what is set of each mode.
func modes(c alipay.AlipayConfig) (publicKey, certificates bool) {
	return cmp.Or(c.AlipayPublicKey, c.AlipayPublicKeyPath) != "",
		cmp.Or(c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath) != ""
}

// shownAppID shows an APPID with its wrong characters marked. What looks like
// another value is not shown.
func shownAppID(id string) text {
	var marked strings.Builder
	digits, wrong := 0, 0
	at := 0
	for n, c := range []rune(id) {
		if '0' <= c && c <= '9' {
			digits++
			marked.WriteRune(c)
			continue
		}
		if wrong++; wrong == 1 {
			at = n + 1
		}
		shown := string(c)
		if c <= ' ' || c > '~' {
			shown = fmt.Sprintf("U+%04X", c)
		}
		marked.WriteString("[" + shown + "]")
	}
	switch {
	case len(id) > 40 || digits < 10 || wrong > digits/4:
		return both("%d characters that are no APPID (not shown: another value may have been put here)", "%d 个字符，不是 APPID（可能填成了别的值，因此不显示）", len([]rune(id)))
	case wrong > 0:
		return both("%s (character %d does not belong there)", "%s（第 %d 个字符不应出现）", marked.String(), at)
	}
	return bilingual.Same(id)
}
