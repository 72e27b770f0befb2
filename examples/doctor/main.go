// Command doctor says what is wrong with the keys and settings of an
// application, in plain words, in English or Chinese.
//
//	go run ./examples/doctor                        # what the ALIPAY_… variables say
//	go run ./examples/doctor -app-id 2021… -private-key app_private_key.pem -alipay-public-key alipay_public_key.pem
//	go run ./examples/doctor -live                  # and one signed call that cannot spend anything
//
// A flag replaces the environment variables for the same setting. The report says
// what each key or certificate is, whether they fit together, when each
// certificate expires, and the serial numbers (SN); then every mistake that
// alipay.NewClient reports, with the field and what to do. Without -live it uses
// no network. -live calls monitor.heartbeat, which needs no product, and shows
// whether the private key or the key of Alipay's is wrong. The report never
// contains key material, so it may be shown to others: it contains only app id,
// host, names of files, names and dates of certificates, and hashes of public keys.
//
// -json prints the report for scripts: ok, failures, warnings and findings, each
// with section, level (note, ok, warn, fail), field and text. -lang chooses the
// language, which otherwise follows LC_ALL, LC_MESSAGES and LANG.
//
// The exit status is 0 when nothing failed, warnings or not; 1 when a check
// failed; 2 for a wrong flag.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/keys"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	config, envErr := alipay.ConfigFromEnv()
	given, err := parseFlags(args, &config, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	r := &report{zh: given.lang == "zh"}
	r.settings(config)
	r.notes(config, time.Now())
	r.materials(config, time.Now())
	clean := r.mistakes(config, envErr, given.nothing)
	live := given.live && clean
	if given.live {
		r.begin("live", "One signed call", "一次签名调用")
		if live {
			r.live(config)
		} else {
			r.note(r.t("not made: correct the mistakes above first", "未发起：请先改正以上错误"))
		}
	}
	if given.json {
		if err := r.printJSON(stdout, live); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
	} else {
		r.print(stdout, live)
	}
	if r.count(levelFail) > 0 {
		return 1
	}
	return 0
}

// options are the flags that are not settings of the client.
type options struct {
	live, json bool
	lang       string
	nothing    bool // no flag gave a setting
}

// chinese reports whether a locale, as in zh_CN.UTF-8, is a Chinese one.
func chinese(locale string) bool { return strings.HasPrefix(strings.ToLower(locale), "zh") }

// parseFlags lets each flag replace the setting from the environment.
func parseFlags(args []string, c *alipay.AlipayConfig, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var baseURL, appID, privateKey, alipayKey, appCert, alipayCert, rootCert, encryptKey, appAuthToken string
	flags.BoolVar(&o.live, "live", false, "make one signed call that cannot spend anything, and explain the answer")
	flags.BoolVar(&o.json, "json", false, "print the report as JSON")
	flags.StringVar(&o.lang, "lang", "", "language of the report, `en or zh`; by default that of the locale")
	flags.StringVar(&baseURL, "base-url", "", "gateway, by default "+alipay.DefaultBaseURL)
	flags.StringVar(&appID, "app-id", "", "APPID of the application")
	flags.StringVar(&privateKey, "private-key", "", "`file` of the application's private key (应用私钥)")
	flags.StringVar(&alipayKey, "alipay-public-key", "", "`file` of Alipay's public key (支付宝公钥), or the key itself")
	flags.StringVar(&appCert, "app-cert", "", "`file` of the application's certificate (应用公钥证书), or the certificate itself")
	flags.StringVar(&alipayCert, "alipay-cert", "", "`file` of Alipay's certificate (支付宝公钥证书), or the certificate itself")
	flags.StringVar(&rootCert, "root-cert", "", "`file` of Alipay's root bundle (支付宝根证书), or the bundle itself")
	flags.StringVar(&encryptKey, "encrypt-key", "", "`file` of the AES key (接口内容加密), or the key itself, which other users of this machine may then see")
	flags.StringVar(&appAuthToken, "app-auth-token", "", "app_auth_token (应用授权令牌) of another merchant, which other users of this machine may see")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		err = errors.New("doctor takes flags only")
	case o.lang != "" && o.lang != "en" && o.lang != "zh":
		err = errors.New("-lang is en or zh")
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return o, err
	}
	if o.lang == "" && chinese(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG"))) {
		o.lang = "zh"
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
	return o, nil
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
	where := r.t("neither production nor sandbox, but another address", "既不是正式环境也不是沙箱，而是其他地址")
	switch {
	case err != nil:
		r.note(r.t("gateway: the base URL cannot be read", "网关：BaseURL 无法识别"))
	case base.String() == alipay.DefaultBaseURL:
		where = r.t("production (正式环境)", "正式环境")
	case base.String() == alipay.SandboxBaseURL:
		where = r.t("the sandbox (沙箱), which has an APPID and keys of its own", "沙箱环境，它有自己的 APPID 和密钥")
	}
	if err == nil {
		r.note(fmt.Sprintf(r.t("gateway: host %s, %s", "网关：主机 %s，%s"), base.Host, where))
	}
	if c.AppID != "" {
		r.note("APPID" + r.t(": ", "：") + r.appID(c.AppID))
	}
	for _, file := range []struct{ field, path string }{
		{"PrivateKeyPath", c.PrivateKeyPath}, {"AlipayPublicKeyPath", c.AlipayPublicKeyPath}, {"AppCertPath", c.AppCertPath},
		{"AlipayPublicCertPath", c.AlipayPublicCertPath}, {"RootCertPath", c.RootCertPath},
	} {
		if file.path != "" && !keys.LooksLikeContent(file.path) && len(file.path) < 256 {
			r.add(levelNote, file.field, fmt.Sprintf(r.t("the file %q", "文件 %q"), file.path))
		}
	}
	publicKey := cmp.Or(c.AlipayPublicKey, c.AlipayPublicKeyPath) != ""
	certificates := cmp.Or(c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath) != ""
	switch {
	case publicKey && certificates:
		r.note(r.t("mode: both, which cannot be", "加签方式：两种都配置了，只能选一种"))
	case certificates:
		r.note(r.t("mode: certificates (证书模式)", "加签方式：证书模式"))
	case publicKey:
		r.note(r.t("mode: public key (公钥模式)", "加签方式：公钥模式"))
	default:
		r.note(r.t("mode: neither public key nor certificates", "加签方式：公钥和证书都没有配置"))
	}
	if c.EncryptKey != "" {
		r.note(r.t("content encryption (接口内容加密): on", "接口内容加密：已开启"))
	}
	if c.AppAuthToken != "" {
		r.note(r.t("calls are made for another merchant (app_auth_token is set)", "代其他商户调用（已设置 app_auth_token）"))
	}
}

// appID shows an APPID with its wrong characters marked. What looks like another
// value is not shown.
func (r *report) appID(id string) string {
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
		return fmt.Sprintf(r.t("%d characters that are no APPID (not shown: another value may have been put here)", "%d 个字符，不是 APPID（可能填成了别的值，因此不显示）"), len([]rune(id)))
	case wrong > 0:
		return fmt.Sprintf(r.t("%s (character %d does not belong there)", "%s（第 %d 个字符不应出现）"), marked.String(), at)
	}
	return id
}

// notes warns about what may be a mistake.
func (r *report) notes(c alipay.AlipayConfig, now time.Time) {
	for _, n := range credentials.Notes(credentials.Config(c), now) {
		r.add(levelWarn, n.Field, r.t(n.Text, n.Chinese))
	}
}
