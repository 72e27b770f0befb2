package alipay

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// The base URLs of the platform.
const (
	DefaultBaseURL = "https://openapi.alipay.com"               // 正式环境
	SandboxBaseURL = "https://openapi-sandbox.dl.alipaydev.com" // 沙箱环境
)

// AlipayConfig says who calls which gateway, with which keys. Give an
// application private key (or a Signer) and one of the two modes: public-key
// mode (公钥模式: AlipayPublicKey) or certificate mode (证书模式: AppCert…,
// AlipayPublicCert… and RootCert…).
//
// A key is accepted in every usual form: PEM of PKCS#8, PKCS#1 or SPKI, or the
// bare base64 of the same in one line or many, also with \n spelled out, CRLF, a
// byte order mark, indentation or spaces around it. Of a field and its …Path
// variant, which names a file with the same content (or binary DER), only one
// may be set.
//
// Printing, logging and JSON of an AlipayConfig show which fields are set, and
// no key, token or certificate. NewClient copies it.
type AlipayConfig struct {
	// BaseURL is the gateway, "" for DefaultBaseURL. It may carry the path
	// prefix of a reverse proxy. https only, except for loopback addresses or
	// with WithInsecureHTTP.
	BaseURL string
	// AppID is the application's APPID.
	AppID string
	// PrivateKey is the application's RSA private key (应用私钥), 2048 bits or more.
	PrivateKey, PrivateKeyPath string
	// Signer signs in place of a private key, for keys in a KMS or HSM. It must
	// hold an RSA key of 2048 bits or more and sign with PKCS #1 v1.5 and
	// SHA-256. It must be safe for concurrent use. A call waits for it however
	// long it takes, so it should bound itself. What its errors say is not
	// printed; errors.Is and errors.As reach them.
	Signer crypto.Signer
	// AlipayPublicKey is Alipay's public key (支付宝公钥, not 应用公钥), as the
	// console shows it once the application's public key has been uploaded.
	AlipayPublicKey, AlipayPublicKeyPath string
	// AppCertContent is the application's certificate (应用公钥证书, appCertPublicKey_….crt).
	AppCertContent, AppCertPath string
	// AlipayPublicCertContent holds one or several of Alipay's certificates
	// (支付宝公钥证书, alipayCertPublicKey_RSA2.crt), each as a rule with its
	// intermediate. Give the old and the new one together while one replaces
	// the other.
	AlipayPublicCertContent, AlipayPublicCertPath string
	// RootCertContent is Alipay's root bundle (支付宝根证书, alipayRootCert.crt).
	RootCertContent, RootCertPath string
	// EncryptKey is the base64 AES key of content encryption (接口内容加密方式).
	// When it is set, bodies are encrypted and answers decrypted.
	EncryptKey string
	// AppAuthToken is sent with every call that does not choose its own with
	// WithAppAuthToken, to call on behalf of another merchant (应用授权令牌).
	AppAuthToken string
}

// Validate reports the first mistake in the config as a *[ConfigError] with the
// field and the cure, nil when there is none. It checks all that needs neither
// an option nor the network; NewClient does the same, and also judges http
// base URLs.
func (c AlipayConfig) Validate() error {
	_, err := c.resolve(time.Now())
	return err
}

// credentials is what a valid AlipayConfig comes down to. It never changes.
type credentials struct {
	base         *url.URL
	appID        string
	signer       crypto.Signer
	appCertSN    string                    // certificate mode only
	rootCertSN   string                    // certificate mode only
	alipayKey    *rsa.PublicKey            // public-key mode only
	alipayCerts  map[string]*rsa.PublicKey // certificate mode only, by SN
	cipher       *aescbc.Cipher            // nil without content encryption
	appAuthToken string
}

// resolve checks the config and parses every key in it, once.
func (c AlipayConfig) resolve(now time.Time) (*credentials, error) {
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if err := checkAppID(c.AppID); err != nil {
		return nil, err
	}
	signer, own, err := c.resolveSigner()
	if err != nil {
		return nil, err
	}
	r := &credentials{base: base, appID: c.AppID, signer: signer, appAuthToken: c.AppAuthToken}
	certMode, err := c.mode()
	if err != nil {
		return nil, err
	}
	if certMode {
		err = c.resolveCertificates(r, own, now)
	} else {
		r.alipayKey, err = c.resolveAlipayKey(own)
	}
	if err != nil {
		return nil, err
	}
	if c.EncryptKey != "" {
		if r.cipher, err = aescbc.New(c.EncryptKey); err != nil {
			return nil, &ConfigError{"EncryptKey", err.Error() + "; copy the AES key (接口内容加密方式) from the console"}
		}
	}
	if !isVisibleASCII(c.AppAuthToken) {
		return nil, &ConfigError{"AppAuthToken", "it holds a space, a control character or one beyond ASCII; copy the app_auth_token again"}
	}
	return r, nil
}

func parseBaseURL(raw string) (*url.URL, error) {
	wrong := func(reason string) (*url.URL, error) { return nil, &ConfigError{"BaseURL", reason} }
	raw = cmp.Or(strings.TrimSpace(raw), DefaultBaseURL)
	if !strings.Contains(raw, "://") {
		return wrong("there is no scheme; write it as in " + DefaultBaseURL)
	}
	u, err := url.Parse(raw) // its error would quote the value
	switch {
	case err != nil:
		return wrong("this is not a URL; write it as in " + DefaultBaseURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("the scheme is not https; write it as in " + DefaultBaseURL)
	case u.User != nil:
		return wrong("it holds a user name or password; the gateway takes neither, remove them")
	case len(u.Port()) > 5 || len(u.Port()) == 5 && u.Port() > "65535":
		return wrong("the port is larger than 65535")
	case u.Hostname() == "":
		return wrong("there is no host; write it as in " + DefaultBaseURL)
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case strings.HasSuffix(strings.ToLower(prefix), "/gateway.do"):
		return wrong("/gateway.do is the gateway of the old protocol; the v3 protocol has no such path: use " +
			DefaultBaseURL + ", or " + SandboxBaseURL + " for the sandbox (沙箱)")
	case v3Segment.MatchString(prefix):
		return wrong("its path holds /v3, which the path of every request brings along; leave it off, as in " + DefaultBaseURL)
	case u.RawQuery != "" || u.ForceQuery:
		return wrong("it holds a query; remove it, parameters belong to each call")
	case strings.Contains(raw, "#"):
		return wrong("it holds a fragment; remove it")
	}
	path, err := url.PathUnescape(prefix)
	if err != nil {
		return wrong("its path is not validly escaped")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: path, RawPath: prefix}, nil
}

var v3Segment = regexp.MustCompile(`/v3(/|$)`)

// isLoopback holds for 127.0.0.0/8, ::1 and localhost, and nothing that merely
// looks like them.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback())
}

func checkAppID(id string) error {
	switch {
	case id == "":
		return &ConfigError{"AppID", "it is empty; copy the APPID of the application from the console (开放平台控制台)"}
	case len(id) > 64:
		return &ConfigError{"AppID", "it is longer than 64 characters; an APPID has about 16 digits, has another value been put here?"}
	case !isVisibleASCII(id) || strings.ContainsAny(id, `,="`):
		return &ConfigError{"AppID", "it holds a comma, a space, a control character or another that no APPID has; copy it again, digits only"}
	}
	return nil
}

// resolveSigner returns what signs, and the public half of it.
func (c AlipayConfig) resolveSigner() (crypto.Signer, *rsa.PublicKey, error) {
	if c.Signer != nil {
		if isNilPointer(c.Signer) {
			return nil, nil, &ConfigError{"Signer", "it holds a nil pointer; leave it nil and give a private key, or set it to a Signer that works"}
		}
		if c.PrivateKey != "" || c.PrivateKeyPath != "" {
			return nil, nil, &ConfigError{"Signer", "a private key is configured beside it; leave one of the two empty"}
		}
		own, ok := c.Signer.Public().(*rsa.PublicKey)
		switch {
		case !ok || own == nil || own.N == nil:
			return nil, nil, &ConfigError{"Signer", "its public key is not an *rsa.PublicKey; the v3 protocol signs with RSA (RSA2, SHA256withRSA) only"}
		case own.N.BitLen() < minKeyBits:
			return nil, nil, &ConfigError{"Signer", tooShort(own.N.BitLen())}
		}
		return c.Signer, own, nil
	}
	text, field, err := load("PrivateKey", c.PrivateKey, c.PrivateKeyPath)
	if err != nil {
		return nil, nil, err
	}
	if text == "" {
		return nil, nil, &ConfigError{"PrivateKey", "it is empty; give the application's private key (应用私钥), its file in PrivateKeyPath, or a Signer"}
	}
	m := keys.Inspect(text)
	cure := ""
	switch {
	case m.Kind == keys.PathLike:
		return nil, nil, isPath(field)
	case m.Kind == keys.PrivateRSA && m.Bits > 0 && m.Bits < minKeyBits:
		return nil, nil, &ConfigError{field, tooShort(m.Bits)}
	case m.Defect != "":
		cure = "copy the application's private key (应用私钥) again, whole"
	case m.Kind == keys.PrivateRSA:
		return m.Private, m.Public, nil
	case m.Kind == keys.EncryptedPrivate:
		cure = "decrypt it first, for example with: openssl pkey -in encrypted.pem -out app_private_key.pem"
	case m.Kind == keys.PublicRSA || m.Kind == keys.PublicOther:
		cure = "the application's private key (应用私钥) belongs here, which the key tool (密钥工具) made beside the public one"
	case m.Kind == keys.Certificate:
		cure = "the application's private key (应用私钥) belongs here; a certificate goes into AppCertContent (应用公钥证书) or AlipayPublicCertContent (支付宝公钥证书)"
	case m.Kind == keys.PrivateOther:
		cure = "the v3 protocol signs with RSA only: make an RSA2 key of 2048 bits"
	default:
		cure = "the application's private key (应用私钥) belongs here, as PKCS#8 or PKCS#1, PEM or bare base64"
	}
	return nil, nil, found(field, m, cure)
}

const minKeyBits = 2048

func tooShort(bits int) string {
	return fmt.Sprintf("the RSA key has %d bits; the platform asks for RSA2 with %d bits or more", bits, minKeyBits)
}

func found(field string, m keys.Material, cure string) *ConfigError {
	what := "found " + m.String()
	if m.Defect != "" {
		what += ", but " + m.Defect
	}
	return &ConfigError{field, what + "; " + cure}
}

func isPath(field string) *ConfigError {
	pathField, ok := pathFields[field]
	if !ok {
		return &ConfigError{field, "the file holds nothing but the path of a file; name that file here"}
	}
	return &ConfigError{field, "this is the path of a file; set " + pathField + " to read the file, or put its content here"}
}

// pathFields maps each content field to the one that names a file.
var pathFields = map[string]string{
	"PrivateKey":              "PrivateKeyPath",
	"AlipayPublicKey":         "AlipayPublicKeyPath",
	"AppCertContent":          "AppCertPath",
	"AlipayPublicCertContent": "AlipayPublicCertPath",
	"RootCertContent":         "RootCertPath",
}

// load returns the content of a field or of the file that its path variant
// names, and which of the two fields it came from.
func load(field, content, path string) (text, from string, err error) {
	pathField := pathFields[field]
	switch {
	case strings.TrimSpace(content) != "" && path != "":
		return "", field, &ConfigError{field, pathField + " is set too; leave one of the two empty"}
	case path == "":
		return strings.TrimSpace(content), field, nil
	case keys.LooksLikeContent(path):
		return "", pathField, &ConfigError{pathField, "this is the content itself, not the path of a file; put it into " + field}
	}
	const maxFile = 1 << 20
	text, err = readFile(strings.TrimSpace(path), maxFile)
	if err != nil {
		reason := "the file cannot be read; check that it is a regular file" // the error would quote the path, which may be anything
		switch {
		case errors.Is(err, fs.ErrNotExist):
			reason = "there is no such file; a relative path starts at the working directory of the process"
		case errors.Is(err, fs.ErrPermission):
			reason = "the process may not read the file; give its user the right to"
		case errors.Is(err, errDirectory):
			reason = "this is a directory; name the file in it"
		case errors.Is(err, errTooLong):
			reason = "the file is larger than 1 MiB; no key or certificate is"
		}
		return "", pathField, &ConfigError{pathField, reason}
	}
	if strings.TrimSpace(text) == "" {
		return "", pathField, &ConfigError{pathField, "the file is empty; put the content of " + field + " into it"}
	}
	return text, pathField, nil
}

var (
	errTooLong   = errors.New("file too long")
	errDirectory = errors.New("file is a directory")
)

func readFile(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", errDirectory
	}
	data, tooLarge, err := readAtMost(f, limit, -1)
	if tooLarge {
		err = errTooLong
	}
	if len(data) > 2 && data[0] == 0x30 && data[1]&0x80 != 0 { // a SEQUENCE of some length: binary DER
		return base64.StdEncoding.EncodeToString(data), err
	}
	return string(data), err
}

// mode reports whether certificate mode is configured; it is an error when both
// modes are, or neither.
func (c AlipayConfig) mode() (certificates bool, err error) {
	publicKey := c.AlipayPublicKey != "" || c.AlipayPublicKeyPath != ""
	parts := []struct {
		field string
		set   bool
	}{
		{"AppCertContent", c.AppCertContent != "" || c.AppCertPath != ""},
		{"AlipayPublicCertContent", c.AlipayPublicCertContent != "" || c.AlipayPublicCertPath != ""},
		{"RootCertContent", c.RootCertContent != "" || c.RootCertPath != ""},
	}
	missing := ""
	for _, p := range parts {
		certificates = certificates || p.set
		if !p.set {
			missing = cmp.Or(missing, p.field)
		}
	}
	switch {
	case publicKey && certificates:
		return false, &ConfigError{"AlipayPublicKey", "both modes are configured; leave it empty for certificate mode (证书模式), or leave the certificates empty for public-key mode (公钥模式), whichever the console shows under 接口加签方式"}
	case !publicKey && !certificates:
		return false, &ConfigError{"AlipayPublicKey", "neither mode is configured; give AlipayPublicKey (支付宝公钥, public-key mode) or the three certificates (certificate mode), whichever the console shows under 接口加签方式"}
	case certificates && missing != "":
		return false, &ConfigError{missing, "it is missing; certificate mode (证书模式) needs all three: AppCertContent (应用公钥证书), AlipayPublicCertContent (支付宝公钥证书) and RootCertContent (支付宝根证书), or their …Path variants"}
	}
	return certificates, nil
}

const ownKeyGiven = "this is the application's own public key (应用公钥); copy Alipay's (支付宝公钥) from the console instead: it is shown there once the application's own has been uploaded"

func (c AlipayConfig) resolveAlipayKey(own *rsa.PublicKey) (*rsa.PublicKey, error) {
	text, field, err := load("AlipayPublicKey", c.AlipayPublicKey, c.AlipayPublicKeyPath)
	if err != nil {
		return nil, err
	}
	m := keys.Inspect(text)
	cure := ""
	switch {
	case m.Kind == keys.PathLike:
		return nil, isPath(field)
	case m.Kind == keys.PublicRSA && m.Bits > 0 && m.Bits < minKeyBits:
		return nil, &ConfigError{field, tooShort(m.Bits)}
	case m.Defect != "":
		cure = "copy Alipay's public key (支付宝公钥) again from the console, whole"
	case m.Kind == keys.PublicRSA && own.Equal(m.Public):
		return nil, &ConfigError{field, ownKeyGiven}
	case m.Kind == keys.PublicRSA:
		return m.Public, nil
	case m.Kind == keys.Certificate && m.Public != nil && own.Equal(m.Public):
		cure = "it is the application's own and belongs into AppCertContent (certificate mode); for public-key mode copy Alipay's public key (支付宝公钥) from the console"
	case m.Kind == keys.Certificate:
		cure = "put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key (支付宝公钥) from the console"
	case m.Kind == keys.PrivateRSA || m.Kind == keys.PrivateOther || m.Kind == keys.EncryptedPrivate:
		cure = "Alipay's public key (支付宝公钥) belongs here; a private key goes into PrivateKey only, and nowhere else"
	default:
		cure = "Alipay's public key (支付宝公钥) belongs here, as SPKI or PKCS#1, PEM or bare base64"
	}
	return nil, found(field, m, cure)
}

// resolveCertificates fills in what certificate mode needs.
func (c AlipayConfig) resolveCertificates(r *credentials, own *rsa.PublicKey, now time.Time) error {
	roots, rootField, err := loadCertificates("RootCertContent", c.RootCertContent, c.RootCertPath,
		"Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here")
	if err != nil {
		return err
	}
	if r.rootCertSN, err = certs.RootSN(roots); err != nil {
		return &ConfigError{rootField, "there is no certificate with an RSA signature in it; use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded"}
	}
	if !hasRoot(roots) {
		return &ConfigError{rootField, "there is no root certificate in it; use the root bundle (支付宝根证书, alipayRootCert.crt), not the application's or Alipay's own certificate"}
	}
	if r.appCertSN, err = c.resolveAppCert(own, now); err != nil {
		return err
	}
	r.alipayCerts, err = c.resolveAlipayCerts(own, roots, now)
	return err
}

func loadCertificates(field, content, path, belongs string) ([]certs.Certificate, string, error) {
	text, field, err := load(field, content, path)
	if err != nil {
		return nil, field, err
	}
	m := keys.Inspect(text)
	if m.Kind == keys.PathLike {
		return nil, field, isPath(field)
	}
	if m.Kind != keys.Certificate || m.Defect != "" {
		return nil, field, found(field, m, belongs)
	}
	list, err := certs.Parse(text)
	if err != nil {
		return nil, field, &ConfigError{field, err.Error() + "; " + belongs}
	}
	return list, field, nil
}

func hasRoot(list []certs.Certificate) bool {
	for _, c := range list {
		if c.X509 != nil && certs.IsSelfSigned(c.X509) {
			return true
		}
	}
	return false
}

// publicKey returns nil for a certificate without an RSA key.
func publicKey(c certs.Certificate) *rsa.PublicKey {
	if c.X509 == nil {
		return nil
	}
	key, _ := c.X509.PublicKey.(*rsa.PublicKey)
	return key
}

func belongsTo(own *rsa.PublicKey, c certs.Certificate) bool {
	key := publicKey(c)
	return key != nil && own.Equal(key)
}

func (c AlipayConfig) resolveAppCert(own *rsa.PublicKey, now time.Time) (sn string, err error) {
	list, field, err := loadCertificates("AppCertContent", c.AppCertContent, c.AppCertPath,
		"the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here")
	if err != nil {
		return "", err
	}
	authoritiesOnly := true
	for _, cert := range list {
		authoritiesOnly = authoritiesOnly && (cert.X509 == nil || certs.IsCA(cert.X509))
		if !belongsTo(own, cert) {
			continue
		}
		if reason := notValidAt(cert, now); reason != "" {
			return "", &ConfigError{field, reason + "; download a new one (应用公钥证书) from the console"}
		}
		return cert.SN, nil
	}
	if authoritiesOnly {
		return "", &ConfigError{field, "it holds certificates of certification authorities only; the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here"}
	}
	return "", &ConfigError{field, "the certificate does not match the application's private key; use the 应用公钥证书 that was issued for this key, or the key that belongs to the certificate"}
}

// notValidAt gives the dates of a certificate that is not valid, else "".
func notValidAt(c certs.Certificate, now time.Time) string {
	const day = "2006-01-02 15:04:05 MST"
	switch {
	case now.After(c.X509.NotAfter):
		return "the certificate expired on " + c.X509.NotAfter.UTC().Format(day) + ", it was valid from " + c.X509.NotBefore.UTC().Format(day)
	case now.Before(c.X509.NotBefore):
		return "the certificate is not valid before " + c.X509.NotBefore.UTC().Format(day) + " (until " + c.X509.NotAfter.UTC().Format(day) + "); check the clock of this machine"
	}
	return ""
}

// resolveAlipayCerts returns the keys of the certificates that may sign
// answers, by SN. Intermediates are no signers. Beside a valid certificate an
// expired one is passed over, and one that is not valid yet is ready for the day
// on which Alipay changes to it.
func (c AlipayConfig) resolveAlipayCerts(own *rsa.PublicKey, roots []certs.Certificate, now time.Time) (map[string]*rsa.PublicKey, error) {
	list, field, err := loadCertificates("AlipayPublicCertContent", c.AlipayPublicCertContent, c.AlipayPublicCertPath,
		"Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here")
	if err != nil {
		return nil, err
	}
	const download = "; use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console"
	wrong := func(reason string) (map[string]*rsa.PublicKey, error) {
		return nil, &ConfigError{field, reason + download}
	}
	var leaves, intermediates []certs.Certificate
	anyRoot, anySelfSigned := false, false
	for _, cert := range list {
		isRoot := isAmong(roots, cert)
		anyRoot = anyRoot || isRoot
		anySelfSigned = anySelfSigned || certs.IsSelfSigned(cert.X509)
		switch {
		case cert.X509 == nil && !isRoot:
			return wrong("one of the certificates cannot be read: " + cert.Err.Error())
		case belongsTo(own, cert):
			return wrong("this is the application's own certificate (应用公钥证书)")
		case certs.IsCA(cert.X509):
			intermediates = append(intermediates, cert)
		case cert.X509 != nil:
			leaves = append(leaves, cert)
		}
	}
	switch {
	case len(leaves) > 0:
	case anyRoot:
		return wrong("it holds the root bundle (支付宝根证书), which belongs into RootCertContent")
	case anySelfSigned:
		return wrong(selfSigned)
	default:
		return wrong("it holds certificates of certification authorities only, and none that signs answers")
	}
	signers := make(map[string]*rsa.PublicKey)
	invalid, anyValid := "", false
	for _, leaf := range leaves {
		key := publicKey(leaf)
		switch {
		case certs.IsSelfSigned(leaf.X509):
			return wrong(selfSigned)
		case key == nil:
			return wrong("the certificate's key is not RSA")
		case key.N.BitLen() < minKeyBits:
			return wrong(tooShort(key.N.BitLen()))
		}
		if reason := notValidAt(leaf, now); reason != "" {
			invalid = cmp.Or(invalid, reason)
			if now.After(leaf.X509.NotAfter) {
				continue
			}
		} else {
			anyValid = true
		}
		if result, reason := certs.CheckChain(leaf.X509, intermediates, roots, now); result == certs.Foreign {
			return wrong("the certificate does not lead to the configured root bundle (支付宝根证书, RootCertContent), or that is another one: " + reason)
		}
		signers[leaf.SN] = key
	}
	if !anyValid {
		return wrong(invalid)
	}
	return signers, nil
}

const selfSigned = "the certificate is self-signed, so it was not issued by Alipay's certification authority"

func isAmong(list []certs.Certificate, cert certs.Certificate) bool {
	return slices.ContainsFunc(list, func(c certs.Certificate) bool { return bytes.Equal(c.Raw, cert.Raw) })
}

func isNilPointer(signer crypto.Signer) bool {
	v := reflect.ValueOf(signer)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// String shows which fields are set and none of the secrets in them.
func (c AlipayConfig) String() string { return c.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (c AlipayConfig) Format(f fmt.State, _ rune) { c.shown().writeTo(f) }

// LogValue implements [slog.LogValuer] with what String returns.
func (c AlipayConfig) LogValue() slog.Value { return c.shown().logValue() }

// MarshalJSON writes what String shows: an AlipayConfig cannot be stored and
// read back this way.
func (c AlipayConfig) MarshalJSON() ([]byte, error) {
	shown := make(map[string]string)
	for _, f := range c.shown().fields {
		if f.text != "" {
			shown[f.name] = f.text
		}
	}
	return json.Marshal(shown)
}

func (c AlipayConfig) shown() shownFields {
	base, appID, signer := hidden("BaseURL", c.BaseURL), hidden("AppID", c.AppID), shownField{}
	if u, err := parseBaseURL(c.BaseURL); err == nil && c.BaseURL != "" {
		base.text = u.Scheme + "://" + u.Host
	}
	if c.AppID != "" && len(c.AppID) <= 32 && strings.Trim(c.AppID, "0123456789") == "" {
		appID.text = c.AppID // digits only: no key that lost its way
	}
	if c.Signer != nil {
		signer = shownField{"Signer", reflect.TypeOf(c.Signer).String()}
	}
	return shownFields{"alipay.AlipayConfig", []shownField{
		base, appID, signer,
		hidden("PrivateKey", c.PrivateKey), hidden("PrivateKeyPath", c.PrivateKeyPath),
		hidden("AlipayPublicKey", c.AlipayPublicKey), hidden("AlipayPublicKeyPath", c.AlipayPublicKeyPath),
		hidden("AppCertContent", c.AppCertContent), hidden("AppCertPath", c.AppCertPath),
		hidden("AlipayPublicCertContent", c.AlipayPublicCertContent), hidden("AlipayPublicCertPath", c.AlipayPublicCertPath),
		hidden("RootCertContent", c.RootCertContent), hidden("RootCertPath", c.RootCertPath),
		hidden("EncryptKey", c.EncryptKey), hidden("AppAuthToken", c.AppAuthToken),
	}}
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
// An empty variable counts as unset. When a required one is missing the error
// is a *[ConfigError] that names every missing variable, and the config holds
// what was found, so that the rest can be filled in: a Signer, for example.
// The values are checked by NewClient or Validate.
func ConfigFromEnv() (AlipayConfig, error) {
	c := AlipayConfig{
		BaseURL:                 os.Getenv("ALIPAY_BASE_URL"),
		AppID:                   os.Getenv("ALIPAY_APP_ID"),
		PrivateKey:              os.Getenv("ALIPAY_PRIVATE_KEY"),
		PrivateKeyPath:          os.Getenv("ALIPAY_PRIVATE_KEY_PATH"),
		AlipayPublicKey:         os.Getenv("ALIPAY_PUBLIC_KEY"),
		AlipayPublicKeyPath:     os.Getenv("ALIPAY_PUBLIC_KEY_PATH"),
		AppCertContent:          os.Getenv("ALIPAY_APP_CERT"),
		AppCertPath:             os.Getenv("ALIPAY_APP_CERT_PATH"),
		AlipayPublicCertContent: os.Getenv("ALIPAY_PUBLIC_CERT"),
		AlipayPublicCertPath:    os.Getenv("ALIPAY_PUBLIC_CERT_PATH"),
		RootCertContent:         os.Getenv("ALIPAY_ROOT_CERT"),
		RootCertPath:            os.Getenv("ALIPAY_ROOT_CERT_PATH"),
		EncryptKey:              os.Getenv("ALIPAY_ENCRYPT_KEY"),
		AppAuthToken:            os.Getenv("ALIPAY_APP_AUTH_TOKEN"),
	}
	field, missing := "", []string(nil)
	need := func(name, variables string, set ...string) {
		if cmp.Or(set...) == "" {
			field = cmp.Or(field, name)
			missing = append(missing, variables)
		}
	}
	need("AppID", "ALIPAY_APP_ID", c.AppID)
	need("PrivateKey", "ALIPAY_PRIVATE_KEY or ALIPAY_PRIVATE_KEY_PATH", c.PrivateKey, c.PrivateKeyPath)
	if cmp.Or(c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath) == "" {
		need("AlipayPublicKey", "ALIPAY_PUBLIC_KEY or ALIPAY_PUBLIC_KEY_PATH (or, for certificate mode, ALIPAY_APP_CERT, ALIPAY_PUBLIC_CERT and ALIPAY_ROOT_CERT or their _PATH variants)",
			c.AlipayPublicKey, c.AlipayPublicKeyPath)
	} else {
		need("AppCertContent", "ALIPAY_APP_CERT or ALIPAY_APP_CERT_PATH", c.AppCertContent, c.AppCertPath)
		need("AlipayPublicCertContent", "ALIPAY_PUBLIC_CERT or ALIPAY_PUBLIC_CERT_PATH", c.AlipayPublicCertContent, c.AlipayPublicCertPath)
		need("RootCertContent", "ALIPAY_ROOT_CERT or ALIPAY_ROOT_CERT_PATH", c.RootCertContent, c.RootCertPath)
	}
	if missing != nil {
		return c, &ConfigError{field, "not set in the environment: " + strings.Join(missing, "; ")}
	}
	return c, nil
}

// CertSN returns the SN (序列号) of the first certificate in pem: what
// app_cert_sn and alipay-sn carry. It is the lower-case hexadecimal MD5 of the
// issuer name as Java prints it and the serial number in decimal.
func CertSN(pem []byte) (string, error) {
	list, err := certs.Parse(string(pem))
	if err != nil {
		return "", errors.New("alipay: " + err.Error())
	}
	return list[0].SN, nil
}

// RootCertSN returns the SN of a root bundle (支付宝根证书): what
// alipay-root-cert-sn carries. It joins the SNs of the certificates with an RSA
// signature, in file order, by "_"; others, such as the SM2 root, are passed over.
func RootCertSN(pem []byte) (string, error) {
	list, err := certs.Parse(string(pem))
	if err != nil {
		return "", errors.New("alipay: " + err.Error())
	}
	sn, err := certs.RootSN(list)
	if err != nil {
		return "", errors.New("alipay: " + err.Error())
	}
	return sn, nil
}
