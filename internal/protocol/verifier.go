package protocol

import (
	"cmp"
	"crypto/md5"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/replay"
)

// Why an answer is not accepted. The client exports these under its own names.
var (
	ErrUnsigned                 = errors.New("the answer is not signed")
	ErrAnswerSignature          = errors.New("the answer's signature does not verify")
	ErrAltered            error = altered{}
	ErrStale                    = errors.New("the answer is stale")
	ErrUnknownCertificate       = errors.New("the answer is signed under a certificate that is not configured")
	ErrReplayed                 = errors.New("the answer does not belong to this request")
)

// Two ways in which an answer is not the one to this request. Both satisfy
// [ErrReplayed].
var (
	ErrSeenBefore = fmt.Errorf("%w: this client has been given the same signed answer before, so something between the gateway and here repeats answers or mixes them up", ErrReplayed)
	ErrFromCache  = fmt.Errorf("%w: it is cached, or the RoundTripper answered without sending the request", ErrReplayed)
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
	if HeaderValue(h, HeaderNonce) == "" {
		return id, false
	}
	var text, raw [spelled]byte
	n := 0
	for _, c := range []byte(HeaderValue(h, HeaderSignature)) {
		if n == spelled {
			break
		}
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/' {
			text[n] = c
			n++
		}
	}
	if n < spelled {
		return id, false
	}
	_, _ = base64.StdEncoding.Decode(raw[:], text[:]) // which cannot fail
	copy(id[:], raw[:])
	return id, true
}

// Verifier checks answers: signature, certificate, freshness. It works on the
// body as received, before anything has read it.
type Verifier struct {
	Key     *rsa.PublicKey         // public-key mode
	Certs   map[string]SigningCert // certificate mode: by SN
	MaxSkew time.Duration
	// MaxBytes bounds a body that Recover decompresses; 0 means 1 MiB.
	MaxBytes int64
}

const defaultMaxBytes = 1 << 20

// SigningCert is a certificate of Alipay's that may sign answers.
type SigningCert struct {
	Key      *rsa.PublicKey
	NotAfter time.Time // it is trusted until then
}

// Verify checks an answer that was received at the given time. Its error
// satisfies one of [ErrUnsigned], [ErrUnknownCertificate], [ErrAnswerSignature]
// and [ErrStale].
func (v *Verifier) Verify(h http.Header, body []byte, received time.Time) error {
	answer, keys, err := v.open(h, body, received)
	if err != nil {
		return err
	}
	if !answer.signedBy(keys) {
		_, err := v.explain(answer, keys)
		return err
	}
	return v.checkFreshness(answer.timestamp, received)
}

// Recover is [Verifier.Verify], and undoes what was done to the answer on its way
// where the signature proves what Alipay sent: it returns that, verified, and the
// damage. The damage is empty, and the body the given one, where there was none.
// With an error the body is the given one.
func (v *Verifier) Recover(h http.Header, body []byte, received time.Time) (original []byte, damage string, err error) {
	answer, keys, err := v.open(h, body, received)
	if err != nil {
		return body, "", err
	}
	if !answer.signedBy(keys) {
		found, err := v.explain(answer, keys)
		if found.body == nil {
			return body, "", err
		}
		body, damage = found.body, found.change
	}
	if err := v.checkFreshness(answer.timestamp, received); err != nil {
		return answer.body, "", err
	}
	return body, damage, nil
}

// signedAnswer is what an answer's signature covers, and the signature.
type signedAnswer struct {
	timestamp, nonce string
	body             []byte
	signature        string
}

// open returns what the signature of an answer covers, and the keys that may have
// made it.
func (v *Verifier) open(h http.Header, body []byte, received time.Time) (answer signedAnswer, keys []*rsa.PublicKey, err error) {
	answer = signedAnswer{HeaderValue(h, HeaderTimestamp), HeaderValue(h, HeaderNonce), body, HeaderValue(h, HeaderSignature)}
	if answer.signature == "" {
		return answer, nil, ErrUnsigned
	}
	keys, err = v.KeysFor(HeaderValue(h, HeaderSN), received)
	return answer, keys, err
}

// KeysFor returns the keys that may have signed at that time: in certificate mode
// that of the certificate with that SN or, without an SN, of every certificate.
// Its error is an *[UnknownCertificate].
func (v *Verifier) KeysFor(sn string, at time.Time) (keys []*rsa.PublicKey, err error) {
	switch sn = strings.ToLower(sn); {
	case v.Certs == nil:
		return []*rsa.PublicKey{v.Key}, nil
	case sn == "":
		for _, configured := range slices.Sorted(maps.Keys(v.Certs)) {
			if cert := v.Certs[configured]; !at.After(cert.NotAfter) {
				keys = append(keys, cert.Key)
			}
		}
		return keys, nil
	}
	cert, ok := v.Certs[sn]
	if !ok || at.After(cert.NotAfter) {
		return nil, &UnknownCertificate{came: sn, expired: cert.NotAfter, configured: slices.Sorted(maps.Keys(v.Certs))}
	}
	return []*rsa.PublicKey{cert.Key}, nil
}

// signedBy reports whether one of the keys has signed the answer as it came.
func (a *signedAnswer) signedBy(keys []*rsa.PublicKey) bool {
	content := SignedContent(a.timestamp, a.nonce, a.body)
	return slices.ContainsFunc(keys, func(key *rsa.PublicKey) bool { return Verify(key, content, a.signature) == nil })
}

// explain says what one of the keys has signed in place of the answer, and why the
// answer as it came is refused: it was changed on the way, or signed by another key.
func (v *Verifier) explain(answer signedAnswer, keys []*rsa.PublicKey) (signed, error) {
	for _, key := range keys {
		if found, byKey := answer.explain(key, cmp.Or(v.MaxBytes, defaultMaxBytes)); byKey {
			return found, &alteredAnswer{found.change}
		}
	}
	return signed{}, errForeignKey
}

func (v *Verifier) checkFreshness(timestamp string, received time.Time) error {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errNoTimestamp
	}
	then := time.UnixMilli(ms)
	if then.Before(received.Add(-v.MaxSkew)) || then.After(received.Add(v.MaxSkew)) {
		return &staleAnswer{off: received.Sub(then).Round(time.Second)}
	}
	return nil
}

// UnknownCertificate says which certificate an answer names and which are
// configured, for those who have to install the new one.
type UnknownCertificate struct {
	came       string    // as the answer names it
	member     string    // where it does; empty for alipay-sn
	expired    time.Time // when it ended; zero where it is not configured
	configured []string
}

// SN is the SN that the answer names, "" if it is not an SN.
func (e *UnknownCertificate) SN() string {
	if raw, err := hex.DecodeString(e.came); err != nil || len(raw) != md5.Size {
		return ""
	}
	return e.came
}

func (e *UnknownCertificate) Error() string {
	came := cmp.Or(e.SN(), "(not a serial number)")
	state := ", configured: " + strings.Join(e.configured, ", ")
	if !e.expired.IsZero() {
		state = ", which expired on " + e.expired.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return ErrUnknownCertificate.Error() + ": " + cmp.Or(e.member, "alipay-sn") + " is " + came + state +
		"; download the current 支付宝公钥证书 and add it to AlipayPublicCertContent"
}

func (e *UnknownCertificate) Unwrap() error { return ErrUnknownCertificate }

// Format prints the text for every verb of fmt.
func (e *UnknownCertificate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// errForeignKey also names the usual causes.
var errForeignKey error = foreignKey{}

type foreignKey struct{}

func (foreignKey) Error() string {
	return ErrAnswerSignature.Error() + ": the configured key or certificate of Alipay (支付宝公钥, 支付宝公钥证书) is not the one that signed; " +
		"check that it is of this application and this environment, production or sandbox (沙箱)"
}

func (foreignKey) Unwrap() error { return ErrAnswerSignature }

// altered is the text of [ErrAltered], which is an [ErrAnswerSignature].
type altered struct{}

func (altered) Error() string {
	return "the answer was changed on the way: the configured key of Alipay has signed other content"
}

func (altered) Unwrap() error { return ErrAnswerSignature }

// alteredAnswer says what was changed, where that is known.
type alteredAnswer struct{ change string }

func (e *alteredAnswer) Error() string {
	text := ErrAltered.Error()
	if e.change != "" {
		text += "; what changed is " + e.change
	}
	return text + "; look at the proxies between the gateway and here"
}

func (e *alteredAnswer) Unwrap() error { return ErrAltered }

var errNoTimestamp = fmt.Errorf("%w: its timestamp is missing or not in milliseconds", ErrStale)

// staleAnswer says how far off an answer's timestamp is.
type staleAnswer struct{ off time.Duration }

func (e *staleAnswer) Error() string {
	side := "behind"
	if e.off < 0 {
		side = "ahead of"
	}
	return ErrStale.Error() + ": its timestamp is " + e.off.Abs().String() + " " + side + " the local clock; check the clock (NTP)"
}

func (e *staleAnswer) Unwrap() error { return ErrStale }
