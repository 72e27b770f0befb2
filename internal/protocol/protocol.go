// Package protocol implements the signatures of Alipay's OpenAPI v3 in both
// directions: what a client signs and a gateway checks, what a gateway signs and
// a client checks. The client and the test gateway share it, so they cannot
// drift apart.
package protocol

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Scheme is the authentication scheme that opens the Authorization header.
const Scheme = "ALIPAY-SHA256withRSA"

// The header names of the protocol, in the form that http.Header keeps as keys.
const (
	HeaderRequestID    = "Alipay-Request-Id"
	HeaderAppAuthToken = "Alipay-App-Auth-Token"
	HeaderRootCertSN   = "Alipay-Root-Cert-Sn"
	HeaderSDKVersion   = "Alipay-Sdk-Version"
	HeaderEncryptType  = "Alipay-Encrypt-Type"
	HeaderSignature    = "Alipay-Signature"
	HeaderTimestamp    = "Alipay-Timestamp"
	HeaderNonce        = "Alipay-Nonce"
	HeaderSN           = "Alipay-Sn"
	HeaderTraceID      = "Alipay-Trace-Id"
	HeaderOldTraceID   = "Trace_id" // of the old gateway
)

// AuthString returns the authString of a request: the application, a nonce that
// has not been used before and the time in Unix milliseconds. appCertSN is empty
// in public-key mode.
func AuthString(appID, appCertSN, nonce string, timestamp int64) string {
	b := make([]byte, 0, 256) // on the stack, as long as that is enough
	b = append(append(b, "app_id="...), appID...)
	if appCertSN != "" {
		b = append(append(b, ",app_cert_sn="...), appCertSN...)
	}
	b = append(append(b, ",nonce="...), nonce...)
	b = strconv.AppendInt(append(b, ",timestamp="...), timestamp, 10)
	return string(b)
}

// StringToSign returns what the signature of a request covers: authString,
// method, request URI and body, and the app auth token only when it is sent,
// every line ended by a line feed.
func StringToSign(authString, method, requestURI string, body []byte, appAuthToken string) []byte {
	b := make([]byte, 0, len(authString)+len(method)+len(requestURI)+len(body)+len(appAuthToken)+5)
	b = append(append(b, authString...), '\n')
	b = append(append(b, method...), '\n')
	b = append(append(b, requestURI...), '\n')
	b = append(append(b, body...), '\n')
	if appAuthToken != "" {
		b = append(append(b, appAuthToken...), '\n')
	}
	return b
}

// SignedContent returns what the signature of an answer covers: timestamp,
// nonce and the body exactly as received, every line ended by a line feed.
func SignedContent(timestamp, nonce string, body []byte) []byte {
	b := make([]byte, 0, len(timestamp)+len(nonce)+len(body)+3)
	b = append(append(b, timestamp...), '\n')
	b = append(append(b, nonce...), '\n')
	return append(append(b, body...), '\n')
}

// ContextSigner is a [crypto.Signer] that a context can cancel, for keys that are
// reached over a network.
type ContextSigner interface {
	crypto.Signer
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// SignContext returns the RSASSA-PKCS1-v1_5 signature with SHA-256 over content.
// The context is passed on to a [ContextSigner].
func SignContext(ctx context.Context, key crypto.Signer, content []byte) ([]byte, error) {
	digest := sha256.Sum256(content)
	var signature []byte
	var err error
	if signer, ok := key.(ContextSigner); ok {
		signature, err = signer.SignContext(ctx, digest[:], crypto.SHA256)
	} else {
		signature, err = key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	if err != nil {
		return nil, err
	}
	if public, ok := key.Public().(*rsa.PublicKey); ok && len(signature) != public.Size() {
		return nil, fmt.Errorf("the signature has %d bytes, the key %d", len(signature), public.Size())
	}
	return signature, nil
}

// Sign is [SignContext] without a context, in standard base64.
func Sign(key crypto.Signer, content []byte) (string, error) {
	signature, err := SignContext(context.Background(), key, content)
	return base64.StdEncoding.EncodeToString(signature), err
}

// ErrSignature reports a signature that does not verify.
var ErrSignature = errors.New("invalid signature")

// Verify checks a signature that [Sign] or its counterpart in another language
// made. The error is ErrSignature, whatever was wrong with it.
func Verify(key *rsa.PublicKey, content []byte, signature string) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !verifyRaw(key, content, raw) {
		return ErrSignature
	}
	return nil
}

func verifyRaw(key *rsa.PublicKey, content, signature []byte) bool {
	digest := sha256.Sum256(content)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
}

// Signatures returns what a signature in base64 may stand for: without the white
// space in it and, where it holds blanks, also with + in their place, since a form
// that is decoded twice loses its +. It returns none where it is not base64.
func Signatures(text string) (raw [][]byte) {
	text = strings.Trim(text, " \t\r\n")
	spellings := []string{strings.Join(strings.Fields(text), "")}
	if strings.Contains(text, " ") {
		spellings = append(spellings, strings.ReplaceAll(text, " ", "+"))
	}
	for _, spelling := range spellings {
		if decoded, err := base64.StdEncoding.DecodeString(spelling); err == nil && len(decoded) > 0 {
			raw = append(raw, decoded)
		}
	}
	return raw
}

// VerifyAny reports whether one of the keys has made one of the signatures over
// one of the contents. If not, byKey says whether one of them has made one over
// something else.
func VerifyAny(keys []*rsa.PublicKey, contents, signatures [][]byte) (ok, byKey bool) {
	for _, key := range keys {
		for _, signature := range signatures {
			if slices.ContainsFunc(contents, func(content []byte) bool { return verifyRaw(key, content, signature) }) {
				return true, true
			}
		}
	}
	_, byKey = signedDigests(keys, signatures)
	return false, byKey
}

// signedDigests returns the SHA-256 digests that the keys have signed, and whether one
// of them has signed anything.
func signedDigests(keys []*rsa.PublicKey, signatures [][]byte) (digests [][]byte, byKey bool) {
	for _, key := range keys {
		for _, signature := range signatures {
			message, _ := OpenSignature(key, signature)
			if inner, ok := Unpad(message); ok { // which ends in the digest
				digests, byKey = append(digests, inner[max(0, len(inner)-sha256.Size):]), true
			}
		}
	}
	return digests, byKey
}

// OpenSignature returns the encoded message (RFC 8017, section 8.2.2) that a
// signature shows to anyone who has the public key. It is noise when the matching
// private key did not make the signature. ok is false when there is none.
func OpenSignature(key *rsa.PublicKey, signature []byte) (message []byte, ok bool) {
	s := new(big.Int).SetBytes(signature)
	if len(signature) != key.Size() || s.Cmp(key.N) >= 0 {
		return nil, false
	}
	return s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size())), true
}

// Unpad returns what an encoded message of PKCS #1 v1.5 holds behind 00 01 FF … FF
// 00. It requires at least eight FF, which do not occur by chance.
func Unpad(message []byte) (inner []byte, ok bool) {
	rest, ok := bytes.CutPrefix(message, []byte{0, 1})
	end := bytes.IndexByte(rest, 0)
	if !ok || end < 8 || bytes.Count(rest[:end], []byte{0xff}) != end {
		return nil, false
	}
	return rest[end+1:], true
}

const signMember = ",sign="

// Authorization returns the value of the Authorization header.
func Authorization(authString string, signature []byte) string {
	b := make([]byte, 0, 1024) // on the stack, as long as that is enough
	b = append(append(append(append(b, Scheme...), ' '), authString...), signMember...)
	return string(base64.StdEncoding.AppendEncode(b, signature))
}

// Credentials is what an Authorization header says.
type Credentials struct {
	AuthString string // as received: the first line of the string to sign
	AppID      string // app_id
	AppCertSN  string // app_cert_sn, certificate mode only
	Nonce      string // nonce
	Timestamp  string // timestamp, Unix milliseconds
	Signature  string // sign
}

// ParseAuthorization takes an Authorization header apart. The members of the
// authString may come in any order and unknown ones are skipped, since official
// clients differ in both. A missing member is left empty.
func ParseAuthorization(header string) (Credentials, error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if scheme != Scheme {
		return Credentials{}, errors.New("authorization scheme is not " + Scheme)
	}
	var c Credentials
	c.AuthString = strings.TrimSpace(rest)
	if i := strings.LastIndex(c.AuthString, signMember); i >= 0 {
		c.Signature = c.AuthString[i+len(signMember):]
		c.AuthString = c.AuthString[:i]
	}
	members := map[string]*string{"app_id": &c.AppID, "app_cert_sn": &c.AppCertSN, "nonce": &c.Nonce, "timestamp": &c.Timestamp}
	for member := range strings.SplitSeq(c.AuthString, ",") {
		name, value, _ := strings.Cut(member, "=")
		if known := members[strings.TrimSpace(name)]; known != nil {
			*known = value
		}
	}
	return c, nil
}

// NewID returns 32 random hexadecimal digits: a nonce, or a request id within
// the documented alphabet and length.
func NewID() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails, see crypto/rand
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
