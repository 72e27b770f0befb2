package alipay

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// The base URLs of the platform.
const (
	DefaultBaseURL = "https://openapi.alipay.com"               // 正式环境
	SandboxBaseURL = "https://openapi-sandbox.dl.alipaydev.com" // 沙箱环境
)

// AlipayConfig says who calls which gateway, with which keys. Give an application private
// key (or a Signer) and one of the two modes: public-key mode (公钥模式: AlipayPublicKey)
// or certificate mode (证书模式: AppCert…, AlipayPublicCert… and RootCert…).
//
// A key is accepted in every usual form: PEM of PKCS#8, PKCS#1 or SPKI, or the bare base64
// of the same, in whatever lines, spaces, escapes or encoding a console, file or variable
// has put it. Of a field and its …Path variant, which names a regular file with the same
// content (or binary DER), only one may be set.
//
// Printing, logging and JSON show which fields are set, and no key, token or certificate.
// NewClient copies it.
type AlipayConfig struct {
	// BaseURL is the gateway, "" for DefaultBaseURL. It may carry the path prefix of a
	// reverse proxy. https only, except for loopback addresses or WithInsecureHTTP.
	BaseURL                    string
	AppID                      string // APPID of the application
	PrivateKey, PrivateKeyPath string // RSA private key of the application (应用私钥), 2048 bits or more
	// Signer signs in place of a private key, for keys in a KMS or HSM: with an RSA key
	// of 2048 bits or more, PKCS #1 v1.5 and SHA-256, safe for concurrent use. A call
	// waits for it without a limit, so it should have a timeout, or be a ContextSigner.
	// Its errors are not printed; errors.Is and errors.As reach them.
	Signer crypto.Signer
	// AlipayPublicKey is Alipay's public key (支付宝公钥, not 应用公钥), which the
	// console shows once the application's public key has been uploaded.
	AlipayPublicKey, AlipayPublicKeyPath string

	AppCertContent, AppCertPath string // certificate of the application (应用公钥证书, appCertPublicKey_….crt)
	// AlipayPublicCertContent holds one or several of Alipay's certificates
	// (支付宝公钥证书, alipayCertPublicKey_RSA2.crt), usually each with its intermediate,
	// which helps to verify the next one. While a new one replaces an old one, give both.
	// One that has expired opens answers that were received before.
	AlipayPublicCertContent, AlipayPublicCertPath string

	RootCertContent, RootCertPath string // root bundle of Alipay's (支付宝根证书, alipayRootCert.crt)
	EncryptKey                    string // base64 AES key of content encryption (接口内容加密方式), which it turns on
	// AppAuthToken (应用授权令牌), to call on behalf of another merchant, is sent with
	// every call that does not choose its own.
	AppAuthToken string
}

// ConfigError reports a mistake in an [AlipayConfig] or an [Option]. Its text
// and fields never contain the configured values.
type ConfigError struct {
	Field  string // as in AlipayConfig, or the option's name
	Reason string // what was found, and what to do about it
}

func (e *ConfigError) Error() string { return "alipay: config " + e.Field + ": " + e.Reason }

// Validate reports the first mistake in the config as a *[ConfigError], nil when there is
// none. It checks all that needs neither an option nor the network, as NewClient does,
// which also decides whether an http base URL is allowed.
func (c AlipayConfig) Validate() error {
	_, err := credentials.Resolve(credentials.Config(c), time.Now())
	return configError(err)
}

// configError makes a *[ConfigError] of what package credentials reports.
func configError(err error) error {
	if mistake, ok := err.(*credentials.Error); ok {
		return &ConfigError{mistake.Field, mistake.Reason.EN}
	}
	return err
}

// Format implements [fmt.Formatter] with which fields are set.
func (c AlipayConfig) Format(f fmt.State, verb rune) { c.shown().Format(f, verb) }

// LogValue implements [slog.LogValuer].
func (c AlipayConfig) LogValue() slog.Value { return c.shown().LogValue() }

// MarshalJSON writes what Format prints, which cannot be read back.
func (c AlipayConfig) MarshalJSON() ([]byte, error) {
	shown := make(map[string]string)
	for _, f := range c.shown().Fields {
		if f.Text != "" {
			shown[f.Name] = f.Text
		}
	}
	return json.Marshal(shown)
}

func (c AlipayConfig) shown() redact.Value {
	shown := shownOf(c)
	f := shown.Fields // as the struct has them: BaseURL, AppID, the private key in two, Signer, and so on
	if u, err := credentials.ParseBaseURL(c.BaseURL); err == nil && c.BaseURL != "" {
		f[0].Text = u.Scheme + "://" + u.Host
	}
	if c.AppID != "" && len(c.AppID) <= 32 && strings.Trim(c.AppID, "0123456789") == "" {
		f[1].Text = c.AppID // digits only: not a key in the wrong field
	}
	if c.Signer != nil {
		f[4].Text = reflect.TypeOf(c.Signer).String()
	}
	f[2], f[3], f[4] = f[4], f[2], f[3]
	return shown
}

// ConfigFromEnv reads the config from the environment:
//
//	ALIPAY_BASE_URL                                BaseURL
//	ALIPAY_APP_ID                                  AppID
//	ALIPAY_PRIVATE_KEY, ALIPAY_PRIVATE_KEY_PATH    PrivateKey, PrivateKeyPath
//	ALIPAY_PUBLIC_KEY,  ALIPAY_PUBLIC_KEY_PATH     AlipayPublicKey, AlipayPublicKeyPath
//	ALIPAY_APP_CERT,    ALIPAY_APP_CERT_PATH       AppCertContent, AppCertPath
//	ALIPAY_PUBLIC_CERT, ALIPAY_PUBLIC_CERT_PATH    AlipayPublicCertContent, AlipayPublicCertPath
//	ALIPAY_ROOT_CERT,   ALIPAY_ROOT_CERT_PATH      RootCertContent, RootCertPath
//	ALIPAY_ENCRYPT_KEY                             EncryptKey
//	ALIPAY_APP_AUTH_TOKEN                          AppAuthToken
//
// An empty variable counts as unset. When a required one is missing the error is a
// *[ConfigError] that names all of them, and the config holds what was found, so that the
// rest can be filled in. The values are checked by NewClient or Validate.
func ConfigFromEnv() (AlipayConfig, error) {
	c, err := credentials.FromEnv(os.Getenv)
	return AlipayConfig(c), configError(err)
}

// CertSN returns the SN of the first certificate in pem, as app_cert_sn and alipay-sn
// carry it: the lower-case hexadecimal MD5 of the issuer name as Java prints it and the
// serial number in decimal.
func CertSN(pem []byte) (string, error) {
	list, err := certs.Parse(string(pem))
	if err != nil {
		return "", errors.New("alipay: " + err.Error())
	}
	return list[0].SN, nil
}

// RootCertSN returns the SN of a root bundle (支付宝根证书), as alipay-root-cert-sn carries
// it: those of the certificates with an RSA signature, in file order, joined by "_".
func RootCertSN(pem []byte) (string, error) {
	list, err := certs.Parse(string(pem))
	sn := ""
	if err == nil {
		sn, err = certs.RootSN(list)
	}
	if err != nil {
		return "", errors.New("alipay: " + err.Error())
	}
	return sn, nil
}
