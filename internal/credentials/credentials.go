// Package credentials resolves an AlipayConfig: it reads and checks every field,
// says what is wrong with one and what to do about it, and parses every key once.
package credentials

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/bilingual"
	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// The base URLs of the platform.
const (
	ProductionURL = "https://openapi.alipay.com"
	SandboxURL    = "https://openapi-sandbox.dl.alipaydev.com"
)

// Config has the fields of alipay.AlipayConfig, in the same order, so that one
// converts into the other and the compiler keeps both lists the same.
type Config struct {
	BaseURL                                       string
	AppID                                         string
	PrivateKey, PrivateKeyPath                    string
	Signer                                        crypto.Signer
	AlipayPublicKey, AlipayPublicKeyPath          string
	AppCertContent, AppCertPath                   string
	AlipayPublicCertContent, AlipayPublicCertPath string
	RootCertContent, RootCertPath                 string
	EncryptKey                                    string
	AppAuthToken                                  string
}

// Format keeps keys and tokens out of every fmt verb.
func (Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "credentials.Config(redacted)") }

type text = bilingual.Text

// Error is a mistake in a Config. It contains none of the configured values.
type Error struct {
	Field  string // as in Config
	Reason text   // what was found, and what to do about it
}

func both(en, zh string, args ...any) text { return bilingual.Of(en, zh, args...) }

func mistake(field string, reason text) *Error { return &Error{field, reason} }

func (e *Error) Error() string { return e.Field + ": " + e.Reason.EN }

// Credentials is a resolved Config without mistakes. It never changes.
type Credentials struct {
	Base         *url.URL // scheme, host and the path prefix of a reverse proxy
	AppID        string
	Signer       crypto.Signer         // signs requests
	PublicKey    *rsa.PublicKey        // the application's own, the public half of Signer
	AppCertSN    string                // certificate mode only
	RootCertSN   string                // certificate mode only
	AlipayKey    *rsa.PublicKey        // public-key mode only
	AlipayCerts  map[string]AlipayCert // certificate mode only, by SN
	Cipher       *aescbc.Cipher        // nil without content encryption
	AppAuthToken string

	// Of the certificates in use, but for those of certification authorities, the first
	// to expire first; certificate mode only.
	Expiries []Expiry

	roots, intermediates []certs.Certificate // the root bundle; those in Alipay's certificate file
}

// Format keeps the private key out of every fmt verb.
func (*Credentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "credentials.Credentials(redacted)")
}

// Resolve checks the config and parses every key in it. Its error is an *Error.
// It opens no connection.
func Resolve(c Config, now time.Time) (*Credentials, error) {
	base, err := ParseBaseURL(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if err := checkAppID(c.AppID); err != nil {
		return nil, err
	}
	signer, own, err := c.signer()
	if err != nil {
		return nil, err
	}
	r := &Credentials{Base: base, AppID: c.AppID, Signer: signer, PublicKey: own, AppAuthToken: c.AppAuthToken}
	if err := c.resolveMode(r, now); err != nil {
		return nil, err
	}
	if c.EncryptKey != "" {
		if r.Cipher, err = aescbc.New(keys.Visible(c.EncryptKey)); err != nil {
			return nil, mistake("EncryptKey", err.(aescbc.KeyError).Then(both("copy the AES key (接口内容加密方式) from the console", "请从控制台复制 AES 密钥（接口内容加密方式）")))
		}
	}
	if !isVisibleASCII(c.AppAuthToken) {
		return nil, mistake("AppAuthToken", both("it contains a space, an invisible or a non-ASCII character; copy the app_auth_token again",
			"含有空格、控制字符或非 ASCII 字符；请重新复制 app_auth_token"))
	}
	return r, nil
}

var pid = regexp.MustCompile(`^2088\d{12}$`)

func checkAppID(id string) error {
	switch {
	case id == "":
		return mistake("AppID", both("it is empty; copy the APPID of the application from the console (开放平台控制台)", "没有填写；请从开放平台控制台复制应用的 APPID"))
	case pid.MatchString(id):
		return mistake("AppID", both("this is the id of a merchant (PID, 2088…), not an APPID; copy the APPID of the application from the console", "这是商户号（2088 开头的 PID），不是 APPID；请从控制台复制应用的 APPID"))
	case len(id) > 64:
		return mistake("AppID", both("it is longer than 64 characters; an APPID has about 16 digits, has another value been put here?", "超过 64 个字符；APPID 大约是 16 位数字，是否填成了别的值？"))
	case !isVisibleASCII(id) || strings.ContainsAny(id, `,="`):
		return mistake("AppID", both("it contains a character that no APPID has: a comma, a space, an invisible or a non-ASCII one; copy it again, digits only",
			"含有 APPID 中不会有的字符：逗号、空格、不可见字符或非 ASCII 字符；请重新复制，只有数字"))
	}
	return nil
}

func isVisibleASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r >= 0x7f })
}

// resolveMode resolves the keys of the one mode that is configured.
func (c Config) resolveMode(r *Credentials, now time.Time) (err error) {
	publicKey := cmp.Or(c.AlipayPublicKey, c.AlipayPublicKeyPath)
	app := cmp.Or(c.AppCertContent, c.AppCertPath)
	alipay := cmp.Or(c.AlipayPublicCertContent, c.AlipayPublicCertPath)
	root := cmp.Or(c.RootCertContent, c.RootCertPath)
	missing := ""
	switch certificates := cmp.Or(app, alipay, root); {
	case publicKey != "" && certificates != "":
		return mistake("AlipayPublicKey", both(
			"both modes are configured; leave it empty for certificate mode (证书模式), or leave the certificates empty for public-key mode (公钥模式), whichever the console shows under 接口加签方式",
			"两种加签方式都配置了；证书模式请留空此项，公钥模式请留空证书，以控制台的接口加签方式为准"))
	case publicKey != "":
		r.AlipayKey, err = c.alipayKey(r.PublicKey)
		return err
	case certificates == "":
		return mistake("AlipayPublicKey", both(
			"neither mode is configured; give AlipayPublicKey (支付宝公钥, public-key mode) or the three certificates (certificate mode), whichever the console shows under 接口加签方式",
			"两种加签方式都没有配置；请填写支付宝公钥（公钥模式）或三个证书（证书模式），以控制台的接口加签方式为准"))
	case app == "":
		missing = "AppCertContent"
	case alipay == "":
		missing = "AlipayPublicCertContent"
	case root == "":
		missing = "RootCertContent"
	default:
		return c.resolveCertificates(r, now)
	}
	return mistake(missing, both(
		"it is missing; certificate mode (证书模式) needs all three: AppCertContent (应用公钥证书), AlipayPublicCertContent (支付宝公钥证书) and RootCertContent (支付宝根证书), or their …Path variants",
		"缺少此项；证书模式需要三个证书：AppCertContent（应用公钥证书）、AlipayPublicCertContent（支付宝公钥证书）、RootCertContent（支付宝根证书），或对应的 …Path"))
}
