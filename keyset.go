package alipay

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// keySet is what requests need of one config. It never changes.
type keySet struct {
	*credentials.Credentials
	clock    func() time.Time
	verifier protocol.Verifier
	header   http.Header // what every request carries
}

func newKeySet(c *credentials.Credentials, s *settings) *keySet {
	k := &keySet{
		Credentials: c,
		clock:       s.clock,
		verifier:    protocol.Verifier{Key: c.AlipayKey, MaxSkew: s.maxClockSkew, MaxBytes: s.maxResponseBytes},
		header: http.Header{
			"Accept":                  {"application/json"},
			"Cache-Control":           {"no-store"}, // an answer is for one request
			"User-Agent":              {s.userAgent},
			protocol.HeaderSDKVersion: {"alipay-go-" + Version},
		},
	}
	if c.AlipayCerts != nil {
		k.verifier.Certs = make(map[string]protocol.SigningCert, len(c.AlipayCerts))
		for sn, cert := range c.AlipayCerts {
			k.verifier.Certs[sn] = protocol.SigningCert{Key: cert.Key, NotAfter: cert.NotAfter}
		}
	}
	if c.RootCertSN != "" {
		k.header[protocol.HeaderRootCertSN] = []string{c.RootCertSN}
	}
	if c.Cipher != nil {
		k.header[protocol.HeaderEncryptType] = []string{"AES"}
		k.header["Content-Type"] = []string{"text/plain"}
	}
	return k
}

func (k *keySet) decrypt(raw []byte) ([]byte, error) {
	switch {
	case len(raw) == 0 || lenient.StartsObject(raw):
		return raw, nil
	case k.Cipher == nil && aescbc.LooksEncrypted(raw):
		return nil, errNoEncryptKey
	case k.Cipher == nil:
		return raw, nil
	}
	plain, err := k.Cipher.Decrypt(raw)
	if err != nil || !lenient.StartsObject(plain) { // a wrong key sometimes yields valid padding
		return nil, ErrDecrypt
	}
	return plain, nil
}

// sign signs a text. Its error is the context's, or is safe to show.
func (k *keySet) sign(ctx context.Context, content []byte) ([]byte, error) {
	signature, err := protocol.SignContext(ctx, k.Signer, content)
	if ended := ctx.Err(); ended != nil { // signing may have taken too long
		return nil, ended
	}
	if err != nil {
		return nil, &signerError{err}
	}
	return signature, nil
}

// signRequest signs a request as it will be on the wire.
func (k *keySet) signRequest(ctx context.Context, r *outgoing) (err error) {
	if r.signature, err = k.sign(ctx, r.content); err != nil {
		return err
	}
	if r.query == nil {
		r.authorization[0] = protocol.Authorization(r.authString, r.signature)
	} else {
		r.URL.RawQuery = protocol.OrderString(r.query, r.base64())
	}
	return nil
}

// diagnose finds out which side is wrong when the gateway says invalid-signature.
func (k *keySet) diagnose(r *outgoing) error {
	if public, ok := k.Signer.Public().(*rsa.PublicKey); ok && protocol.Verify(public, r.content, r.base64()) != nil {
		return errors.New("the Signer's signature does not verify under its own public key: it must be PKCS #1 v1.5 over SHA-256, made with that key")
	}
	return errors.New("the signature verifies under the configured private key, so the console has another public key (应用公钥) on file for this APPID, " +
		"this is the other environment (沙箱), or the request was changed on the way")
}

// ContextSigner is a [crypto.Signer] that a context can cancel, for keys in a KMS or HSM.
// As AlipayConfig.Signer it is called with the context and the deadline of the call.
type ContextSigner = protocol.ContextSigner

// signerError makes the error of a caller's Signer reachable by errors.Is and
// errors.As, but never shows its text, which may contain anything.
type signerError struct{ cause error }

func (e *signerError) Error() string {
	return fmt.Sprintf("the private key or Signer failed to sign (%T; errors.As reaches it)", e.cause)
}
func (e *signerError) Is(target error) bool { return errors.Is(e.cause, target) }
func (e *signerError) As(target any) bool   { return errors.As(e.cause, target) }

// Format prints the text for every verb of fmt.
func (e *signerError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// orderParams returns the parameters of a request to the old gateway. Those that are
// empty are neither signed nor sent.
func (k *keySet) orderParams(c *call) map[string]string {
	params := map[string]string{
		"method":              c.api,
		"app_id":              k.AppID,
		"timestamp":           protocol.FormatOldTime(k.clock()),
		"format":              "json",
		"version":             "1.0",
		"alipay_sdk":          "alipay-go-" + Version,
		"charset":             "UTF-8",
		"sign_type":           "RSA2",
		"app_cert_sn":         k.AppCertSN,  // certificate mode only
		"alipay_root_cert_sn": k.RootCertSN, // certificate mode only
		"app_auth_token":      c.merchant(k),
		"biz_content":         string(c.body),
	}
	maps.Copy(params, c.order.params)
	if c.body != nil && k.Cipher != nil && !c.order.download {
		params["biz_content"] = string(k.Cipher.Encrypt(c.body))
		params["encrypt_type"] = "AES"
	}
	return params
}

// resolve checks a config as NewClient and Reload do.
func resolve(config AlipayConfig, s *settings) (*credentials.Credentials, error) {
	resolved, err := credentials.Resolve(credentials.Config(config), s.clock())
	if err != nil {
		return nil, configError(err)
	}
	if resolved.Base.Scheme != "https" && !s.insecureHTTP && !credentials.IsLoopback(resolved.Base.Hostname()) {
		return nil, &ConfigError{"BaseURL", "http would send personal data in the clear; use https (http is for loopback addresses, or with WithInsecureHTTP)"}
	}
	return resolved, nil
}

// Reload replaces the client's keys with those of another config that has the same AppID
// and BaseURL: when a key is changed or a certificate is about to expire. It checks the
// config as [NewClient] does. On an error, a *[ConfigError], nothing changes.
//
// The next attempt of every call is signed with the new keys. Answers are verified with
// them and, failing that, with those that the attempt began with.
func (c *Client) Reload(config AlipayConfig) error {
	if c == nil || c.transport == nil {
		return &ConfigError{"Client", "this Client was not made by NewClient"}
	}
	resolved, err := resolve(config, &c.settings)
	switch {
	case err != nil:
		return err
	case resolved.AppID != c.appID:
		return &ConfigError{"AppID", "it differs from the client's; make another client for another application"}
	case !sameGateway(resolved.Base, c.origin):
		return &ConfigError{"BaseURL", "it differs from the client's; make another client for another gateway"}
	}
	for {
		before := c.keys.Load()
		if c.keys.CompareAndSwap(before, c.keepFetched(resolved, before)) { // else a certificate was just downloaded
			c.certificateExpires(context.Background())
			return nil
		}
	}
}

// sameGateway treats two spellings of one base URL as equal.
func sameGateway(a, b *url.URL) bool {
	host := func(u *url.URL) string {
		return strings.TrimSuffix(u.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	}
	return a.Scheme == b.Scheme && host(a) == host(b) && a.Path == b.Path
}

// keepFetched returns the keys of a new config, plus those of the certificates
// downloaded before that this config trusts too.
func (c *Client) keepFetched(resolved *credentials.Credentials, before *keySet) *keySet {
	for sn, cert := range before.AlipayCerts {
		if _, configured := resolved.AlipayCerts[sn]; configured || cert.PEM == "" {
			continue
		}
		if _, trusted, err := resolved.Trust(cert.PEM, sn, c.settings.clock()); err == nil {
			resolved = resolved.With(sn, trusted)
		}
	}
	return newKeySet(resolved, &c.settings)
}

// certificateExpires returns when the first configured certificate expires, if
// that is soon, and logs it once a day. Otherwise it returns the zero time.
func (c *Client) certificateExpires(ctx context.Context) time.Time {
	expiries := c.keys.Load().Expiries
	if len(expiries) == 0 || !expiries[0].Soon(c.settings.clock()) {
		return time.Time{}
	}
	now := c.settings.clock()
	if last := c.warned.Load(); now.Unix()-last >= 24*60*60 && c.warned.CompareAndSwap(last, now.Unix()) {
		for _, expiry := range expiries {
			if expiry.Soon(now) {
				c.settings.warn(ctx, "alipay: certificate expires",
					slog.String("app_id", c.appID), slog.String("field", expiry.Field), slog.String("sn", expiry.SN), slog.Time("not_after", expiry.NotAfter),
					slog.String("advice", "download the next one from the console, and give it to Reload or to the next start"))
			}
		}
	}
	return expiries[0].NotAfter
}

// downloadError is why a certificate cannot be had. It leads to the causes of the
// download's error and not to the error itself, whose outcome is not that of the
// call that waits.
type downloadError struct{ failed error }

func (e *downloadError) Error() string { return briefly(e.failed) }

func (e *downloadError) Unwrap() []error {
	if failed, ok := e.failed.(*CallError); ok {
		return failed.reasons
	}
	return nil
}

// fetchCertificate returns keys that include the certificate with that SN. They
// are the client's present keys, or were a moment ago. Its error says why the
// certificate cannot be had, and is safe to show.
func (c *Client) fetchCertificate(ctx context.Context, sn string) (*keySet, error) {
	known := func() (*keySet, bool) {
		keys := c.keys.Load()
		_, ok := keys.AlipayCerts[sn]
		return keys, ok
	}
	return c.downloads.Do(ctx, sn, known, func(ctx context.Context) (keys *keySet, final bool, err error) {
		pem, err := c.downloadCertificate(ctx, sn)
		for err == nil {
			before := c.keys.Load()
			_, cert, refused := before.Trust(pem, sn, c.settings.clock())
			if refused != nil {
				return nil, true, refused
			}
			keys = newKeySet(before.With(sn, cert), &c.settings)
			if c.keys.CompareAndSwap(before, keys) { // else Reload came first, and its keys may not trust it
				c.settings.warn(ctx, "alipay: new certificate",
					slog.String("app_id", c.appID), slog.String("sn", sn), slog.Time("not_after", cert.NotAfter),
					slog.String("advice", "answers are signed under a certificate that is not configured; it was downloaded and is trusted until this process ends: "+
						"add the current 支付宝公钥证书 from the console to AlipayPublicCertContent"))
				break
			}
		}
		return keys, false, err
	})
}

// downloadCertificate asks the old gateway for a certificate. Nothing of the call
// that waits for it is sent. The answer's signature is not checked, since it may be
// made with the very key that is asked for.
func (c *Client) downloadCertificate(ctx context.Context, sn string) (pem string, err error) {
	request := &ExecuteRequest{Method: "alipay.open.app.alipaycert.download", BizContent: map[string]string{"alipay_cert_sn": sn}}
	call, err := c.encodeOrder(request, nil, nil)
	if err != nil {
		return "", err
	}
	call.otherMerchant, call.order.download = true, true
	var answer struct {
		Content string `json:"alipay_cert_content"`
	}
	if _, err = c.observed(ctx, downloadTimeout, call, &answer); err != nil {
		return "", &downloadError{err}
	}
	content, err := base64.StdEncoding.DecodeString(strings.TrimSpace(answer.Content)) // it ignores line ends inside
	if err != nil || len(content) == 0 {
		return "", errors.New("the answer to the download holds no certificate")
	}
	return string(content), nil
}
