package protocol

import (
	"cmp"
	"crypto/md5"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/replay"
)

// Why an answer is not accepted. The client exports these under its own names, but for
// the two kinds of [ErrReplayed].
var (
	ErrUnsigned           = errors.New("the answer is not signed")
	ErrAnswerSignature    = errors.New("the answer's signature does not verify")
	ErrAltered            = error(altered{})
	ErrStale              = errors.New("the answer is stale")
	ErrUnknownCertificate = errors.New("the answer is signed under a certificate that is not configured")
	ErrReplayed           = errors.New("the answer does not belong to this request")
	ErrSeenBefore         = fmt.Errorf("%w: this client has been given the same signed answer before, "+
		"so something between the gateway and here repeats answers or mixes them up", ErrReplayed)
	ErrFromCache = fmt.Errorf("%w: it is cached, or the RoundTripper answered without sending the request", ErrReplayed)
)

// HeaderValue returns a header of an answer: the first line of that name with a
// value. The literal null means absent.
func HeaderValue(h http.Header, name string) string {
	for _, v := range h.Values(name) {
		if v = strings.TrimSpace(v); v != "" && v != "null" {
			return v
		}
	}
	return ""
}

// IsSigned reports whether an answer carries a signature.
func IsSigned(h http.Header) bool { return HeaderValue(h, HeaderSignature) != "" }

// AnswerID identifies a signed answer by the beginning of its signature, spelled in
// any way that [Signatures] reads: without what is no base64, and without +, which
// may have become a blank. It returns false for an answer without a nonce, since two
// such answers may rightly be the same, and for a signature that is too short.
func AnswerID(h http.Header) (id replay.ID, ok bool) {
	const spelled = (len(id) + 2) / 3 * 4
	var text, raw [spelled]byte
	n := 0
	for _, c := range []byte(HeaderValue(h, HeaderSignature)) {
		if n < spelled && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/') {
			text[n] = c
			n++
		}
	}
	if n < spelled || HeaderValue(h, HeaderNonce) == "" {
		return id, false
	}
	_, _ = base64.StdEncoding.Decode(raw[:], text[:]) // which cannot fail
	copy(id[:], raw[:])
	return id, true
}

// Verifier checks answers: signature, certificate, freshness. It works on the
// body as received, before anything has read it.
type Verifier struct {
	Key      *rsa.PublicKey         // public-key mode
	Certs    map[string]SigningCert // certificate mode: by SN
	MaxSkew  time.Duration
	MaxBytes int64 // bounds a body that Recover decompresses
}

// SigningCert is a certificate of Alipay's that may sign answers.
type SigningCert struct {
	Key      *rsa.PublicKey
	NotAfter time.Time // it is trusted until then
}

// Recover checks an answer that was received at the given time, and returns what was
// signed. Where that is not the body as it came but can be had from it, damage says what
// had been done to the answer on its way. The error satisfies one of [ErrUnsigned],
// [ErrUnknownCertificate], [ErrAnswerSignature] and [ErrStale].
func (v *Verifier) Recover(h http.Header, body []byte, received time.Time) (signed []byte, damage string, err error) {
	a := signedAnswer{HeaderValue(h, HeaderTimestamp), HeaderValue(h, HeaderNonce), HeaderValue(h, HeaderSignature)}
	if a.signature == "" {
		return body, "", ErrUnsigned
	}
	keys, err := v.KeysFor("alipay-sn", HeaderValue(h, HeaderSN), received)
	if err != nil {
		return body, "", err
	}
	signed = body
	content := a.content(body)
	if !slices.ContainsFunc(keys, func(key *rsa.PublicKey) bool { return Verify(key, content, a.signature) == nil }) {
		signed, damage, err = a.search(keys, body, v.MaxBytes)
	}
	if err == nil {
		err = v.checkFreshness(a.timestamp, received)
	}
	if err != nil {
		return body, "", err
	}
	return signed, damage, nil
}

// KeysFor returns the keys that may have signed at that time: in certificate mode
// that of the certificate with that SN or, without an SN, of every certificate. Its
// error is an *[UnknownCertificate] that says where the SN stood.
func (v *Verifier) KeysFor(member, sn string, at time.Time) (keys []*rsa.PublicKey, err error) {
	switch sn = strings.ToLower(sn); {
	case v.Certs == nil:
		return []*rsa.PublicKey{v.Key}, nil
	case sn == "":
		for _, cert := range v.Certs {
			if !at.After(cert.NotAfter) {
				keys = append(keys, cert.Key)
			}
		}
		return keys, nil
	}
	cert, ok := v.Certs[sn]
	if ok && !at.After(cert.NotAfter) {
		return []*rsa.PublicKey{cert.Key}, nil
	}
	state := ", configured: " + strings.Join(slices.Sorted(maps.Keys(v.Certs)), ", ")
	if ok {
		state = ", which expired on " + cert.NotAfter.UTC().Format("2006-01-02 15:04:05 MST")
	}
	if raw, err := hex.DecodeString(sn); err != nil || len(raw) != md5.Size {
		sn = "" // a stranger may have written it
	}
	return nil, &UnknownCertificate{sn, fmt.Errorf("%w: %s is %s%s; download the current 支付宝公钥证书 and add it to AlipayPublicCertContent",
		ErrUnknownCertificate, member, cmp.Or(sn, "(not a serial number)"), state)}
}

func (v *Verifier) checkFreshness(timestamp string, received time.Time) error {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: its timestamp is missing or not in milliseconds", ErrStale)
	}
	side, off := "behind", received.Sub(time.UnixMilli(ms))
	if off < 0 {
		side = "ahead of"
	}
	if off = off.Abs(); off <= v.MaxSkew {
		return nil
	}
	return fmt.Errorf("%w: its timestamp is %s %s the local clock; check the clock (NTP)", ErrStale, off.Round(time.Second), side)
}

// UnknownCertificate says which certificate an answer names and which are
// configured, for those who have to install the new one.
type UnknownCertificate struct {
	SN string // that the answer names; "" if it is no SN
	error
}

func (e *UnknownCertificate) Unwrap() error { return e.error }

// errForeignKey also names the usual causes.
var errForeignKey = fmt.Errorf("%w: the configured key or certificate of Alipay (支付宝公钥, 支付宝公钥证书) is not the one that signed; "+
	"check that it is of this application and this environment, production or sandbox (沙箱)", ErrAnswerSignature)

// altered is the text of [ErrAltered], which is an [ErrAnswerSignature].
type altered struct{}

func (altered) Error() string {
	return "the answer was changed on the way: the configured key of Alipay has signed other content"
}

func (altered) Unwrap() error { return ErrAnswerSignature }

// alteredBy says what was changed, "" where that is not known.
func alteredBy(change string) error {
	if change != "" {
		change = "; what changed is " + change
	}
	return fmt.Errorf("%w%s; look at the proxies between the gateway and here", ErrAltered, change)
}
