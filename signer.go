package alipay

import (
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// signer makes the Authorization header of one attempt.
type signer struct {
	appID     string
	appCertSN string // certificate mode only
	key       crypto.Signer
	clock     func() time.Time
}

// proof is a signature and what it covers, kept for the time of an attempt to
// tell why the gateway did not take it.
type proof struct {
	content   []byte
	signature string
}

// sign signs a request as it will be on the wire. Nonce and timestamp are new
// with every call.
func (s *signer) sign(method, requestURI string, body []byte, appAuthToken string) (authorization string, p proof, err error) {
	authString := protocol.AuthString(s.appID, s.appCertSN, protocol.NewID(), s.clock().UnixMilli())
	p.content = protocol.StringToSign(authString, method, requestURI, body, appAuthToken)
	if p.signature, err = protocol.Sign(s.key, p.content); err != nil {
		return "", proof{}, err
	}
	return protocol.Authorization(authString, p.signature), p, nil
}

var (
	errOtherKeyOnFile = errors.New("the signature holds under the configured private key, so the console has another public key (应用公钥) on file for this APPID, this is the other environment (沙箱), or the request was changed on the way")
	errSignerMethod   = errors.New("the Signer's signature does not verify under its own public key: it must be PKCS #1 v1.5 over SHA-256, made with that key")
)

// diagnose tells which side is to blame when the gateway says invalid-signature.
func (s *signer) diagnose(p proof) error {
	key, ok := s.key.Public().(*rsa.PublicKey)
	if ok && protocol.Verify(key, p.content, p.signature) != nil {
		return errSignerMethod
	}
	return errOtherKeyOnFile
}

// signingTransport signs each attempt and hands it to the base transport. It is
// bound to one origin: a request for any other scheme, host or port is neither
// signed nor sent.
type signingTransport struct {
	base   http.RoundTripper
	signer *signer
	origin *url.URL // scheme, host, and the path prefix that the signature leaves out
	baseIs baseKind
}

var (
	errForeignOrigin = errors.New("the request is for another origin than the client's base URL; it was neither signed nor sent")
	errSigner        = errors.New("the private key or Signer failed to sign")
)

// roundTrip signs req, whose body is given beside it, and sends it once. With
// an error, watch, under whose context req is, knows whether the request may
// have been delivered.
func (t *signingTransport) roundTrip(req *http.Request, body []byte, watch *deliveryWatch) (*http.Response, error) {
	if req.URL.Scheme != t.origin.Scheme || req.URL.Host != t.origin.Host {
		watch.refused = true
		return nil, errForeignOrigin
	}
	requestURI := strings.TrimPrefix(req.URL.RequestURI(), t.origin.RawPath)
	appAuthToken := ""
	if v := req.Header[protocol.HeaderAppAuthToken]; v != nil {
		appAuthToken = v[0]
	}
	authorization, signed, err := t.signer.sign(req.Method, requestURI, body, appAuthToken)
	if err != nil {
		watch.refused = true
		return nil, &signerError{err}
	}
	if err := req.Context().Err(); err != nil { // a Signer may take its time
		watch.refused = true
		return nil, err
	}
	watch.signed = signed
	req.Header["Authorization"] = []string{authorization}
	watch.attach(req, body)
	return t.base.RoundTrip(req)
}

// signerError keeps what a caller's Signer said reachable by errors.Is and
// errors.As, and out of every text: it may hold anything.
type signerError struct{ cause error }

func (e *signerError) Error() string {
	return errSigner.Error() + fmt.Sprintf(" (%T; errors.As reaches it)", e.cause)
}
func (e *signerError) Is(target error) bool { return errors.Is(e.cause, target) }
func (e *signerError) As(target any) bool   { return errors.As(e.cause, target) }

// Format keeps every verb of fmt to the text.
func (e *signerError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// verifier checks answers: signature, freshness, certificate. It works on the
// body as received, before anything has read it.
type verifier struct {
	key     *rsa.PublicKey            // public-key mode
	certs   map[string]*rsa.PublicKey // certificate mode: by SN
	maxSkew time.Duration
	clock   func() time.Time
}

// headerValue returns a header of an answer; the literal null means absent.
func headerValue(h http.Header, name string) string {
	v := strings.TrimSpace(h.Get(name))
	if v == "null" {
		return ""
	}
	return v
}

func isSigned(h http.Header) bool { return headerValue(h, protocol.HeaderSignature) != "" }

// verify reports nil, or one of ErrResponseUnsigned, ErrUnknownCertificate,
// ErrResponseSignature and ErrResponseStale.
func (v *verifier) verify(h http.Header, body []byte) error {
	signature := headerValue(h, protocol.HeaderSignature)
	if signature == "" {
		return ErrResponseUnsigned
	}
	timestamp := headerValue(h, protocol.HeaderTimestamp)
	content := protocol.SignedContent(timestamp, headerValue(h, protocol.HeaderNonce), body)
	if err := v.verifySignature(headerValue(h, protocol.HeaderSN), content, signature); err != nil {
		return err
	}
	return v.checkFreshness(timestamp)
}

// verifySignature checks against the key that may have signed: in certificate
// mode the one that alipay-sn names, or any where that header is missing.
func (v *verifier) verifySignature(sn string, content []byte, signature string) error {
	key := v.key
	if v.certs != nil && sn == "" {
		for _, key := range v.certs {
			if protocol.Verify(key, content, signature) == nil {
				return nil
			}
		}
		return errBadSignature
	}
	if v.certs != nil {
		if key = v.certs[strings.ToLower(sn)]; key == nil {
			return &unknownCertificate{came: sn, configured: slices.Sorted(maps.Keys(v.certs))}
		}
	}
	if protocol.Verify(key, content, signature) != nil {
		return errBadSignature
	}
	return nil
}

func (v *verifier) checkFreshness(timestamp string) error {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errNoTimestamp
	}
	now, then := v.clock(), time.UnixMilli(ms)
	if then.Before(now.Add(-v.maxSkew)) || then.After(now.Add(v.maxSkew)) {
		return &staleAnswer{off: now.Sub(then).Round(time.Second)}
	}
	return nil
}

// unknownCertificate says which certificate an answer names and which are
// configured, for whoever has to install the new one.
type unknownCertificate struct {
	came       string
	configured []string
}

func (e *unknownCertificate) Error() string {
	came := strings.ToLower(e.came)
	if raw, err := hex.DecodeString(came); err != nil || len(raw) != md5.Size {
		came = "(not a serial number)"
	}
	return ErrUnknownCertificate.Error() + ": alipay-sn is " + came + ", configured: " + strings.Join(e.configured, ", ") +
		"; download the current 支付宝公钥证书 and add it to AlipayPublicCertContent"
}

func (e *unknownCertificate) Unwrap() error { return ErrUnknownCertificate }

// Format keeps every verb of fmt to the text.
func (e *unknownCertificate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// badSignature names the usual causes beside the fact.
type badSignature struct{}

var errBadSignature error = badSignature{}

func (badSignature) Error() string {
	return ErrResponseSignature.Error() + ": the configured key or certificate of Alipay (支付宝公钥, 支付宝公钥证书) is not the one that signed, " +
		"such as the sandbox's (沙箱) for production, or the answer was changed on the way"
}

func (badSignature) Unwrap() error { return ErrResponseSignature }

var errNoTimestamp = fmt.Errorf("%w: its timestamp is missing or not in milliseconds", ErrResponseStale)

// staleAnswer says how far off an answer's timestamp is.
type staleAnswer struct{ off time.Duration }

func (e *staleAnswer) Error() string {
	side := "behind"
	if e.off < 0 {
		side = "ahead of"
	}
	return ErrResponseStale.Error() + ": its timestamp is " + e.off.Abs().String() + " " + side + " the local clock; check the clock (NTP)"
}

func (e *staleAnswer) Unwrap() error { return ErrResponseStale }
