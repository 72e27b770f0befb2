package alipay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/download"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// SealedAnswer is an answer that came whole and signed and could not be accepted:
// its certificate is unknown, a key was copied wrongly, a clock is off. It may be
// the only copy of a person's result, since a once_token buys one. So
// [CallError].Answer carries it. Once the cause is removed, [Client.Open] makes
// the very same checks again, in this process or in another:
//
//	var failed *alipay.CallError
//	if errors.As(err, &failed) && failed.Answer != nil {
//		data, _ := failed.Answer.MarshalBinary() // a BLOB column, beside the order
//	}
//
// It holds the answer and nothing of the request, and neither names the person:
// store it under your own number for the check. Where content encryption is off
// the result is in it in the clear, so it needs the same care as a result: who
// may read it, and when it is deleted. It makes sense until its cause is removed,
// which is hours or days, or until the person has done the check again.
//
// The signature proves who made the answer. When it was received, by which its
// freshness is judged, is known from the stored bytes alone: who can write them
// can pass an old answer off as a new one.
//
// Printing, logging and JSON show nothing of its content. The zero value holds no
// answer; fill it with UnmarshalBinary.
type SealedAnswer struct {
	kept **keptAnswer // fmt does not follow it where it cannot call Format; it does follow a pointer to a struct
}

func newSealedAnswer(kept *keptAnswer) SealedAnswer { return SealedAnswer{&kept} }

// content is what is kept, nil when there is nothing.
func (s *SealedAnswer) content() *keptAnswer {
	if s == nil || s.kept == nil {
		return nil
	}
	return *s.kept
}

// keptAnswer is what verification needs of an answer with status 200.
type keptAnswer struct {
	received  time.Time
	attempts  int
	requestID string
	header    [len(keptHeaders)]string
	body      []byte // as received
}

// keptHeaders are those that are signed, name a key, or help support.
var keptHeaders = [...]string{
	protocol.HeaderSignature, protocol.HeaderTimestamp, protocol.HeaderNonce, protocol.HeaderSN, protocol.HeaderTraceID,
}

// seal keeps the answer of an attempt.
func (a *attempt) seal(header http.Header, raw []byte) *SealedAnswer {
	kept := &keptAnswer{received: a.received, attempts: a.number, requestID: a.requestID, body: raw}
	for i, name := range keptHeaders {
		kept.header[i] = protocol.HeaderValue(header, name)
		if name == protocol.HeaderTraceID {
			kept.header[i] = a.shownTraceID() // what was sent is not known when it is opened
		}
	}
	sealed := newSealedAnswer(kept)
	return &sealed
}

// notUsable is notAccepted for an answer that has come whole. One that is signed
// may be the only copy of a result, so the error carries it.
func (a *attempt) notUsable(reason error, header http.Header, raw []byte) error {
	e := a.notAccepted(reason)
	switch {
	case reason == ErrResponseMismatch: // it is somebody else's
	case a.opened != nil:
		e.Answer = a.opened
	case a.status == http.StatusOK && protocol.IsSigned(header):
		e.Answer = a.seal(header, raw)
	}
	return e
}

// Open checks a sealed answer again, under the present keys of this client, and
// decodes it into out, as [Client.Do] does with an answer that has just come. Its
// freshness is judged by when it was received, and by the MaxClockSkew of this
// client: one with a larger WithMaxClockSkew forgives a clock that was wrong.
// Nothing is sent, and no certificate is downloaded.
//
// An answer that still cannot be accepted is a *[CallError] that carries it again.
// The [Response] has the header lines that were kept: those that are signed, name
// a certificate, or hold the trace id.
//
// An answer may be opened any number of times. What is in it is not compared with
// what was asked for, since nothing of the request is kept: do so yourself.
func (c *Client) Open(answer *SealedAnswer, out any) (*Response, error) {
	if c == nil || c.transport == nil {
		return nil, errArgument("Client", "this Client was not made by NewClient")
	}
	kept := answer.content()
	if kept == nil {
		return nil, errArgument("SealedAnswer", "there is no answer in it")
	}
	if !decodable(out) {
		return nil, errArgument("out", "out is not a non-nil pointer")
	}
	header := make(http.Header, len(keptHeaders))
	for i, name := range keptHeaders {
		if kept.header[i] != "" {
			header[name] = []string{kept.header[i]}
		}
	}
	a := &attempt{
		client: c, keys: c.keys.Load(), call: &call{info: CallInfo{AppID: c.appID}, url: new(url.URL)},
		number: kept.attempts, requestID: kept.requestID, received: kept.received,
		status: http.StatusOK, traceID: protocol.HeaderValue(header, protocol.HeaderTraceID), opened: answer,
	}
	if int64(len(kept.body)) > c.settings.maxResponseBytes {
		return nil, a.notUsable(ErrResponseTooLarge, header, kept.body)
	}
	return a.accept(header, bytes.Clone(kept.body), out)
}

// learntCert is a certificate of Alipay's that was downloaded, and is trusted.
type learntCert struct{ sn, pem string }

// learnCertificate returns keys with the certificate of that SN among them, which
// are or just were the present ones. Its error says why there are none, and is
// safe to show.
func (c *Client) learnCertificate(ctx context.Context, sn string) (keys *keySet, err error) {
	known := func() bool {
		keys = c.keys.Load()
		_, ok := keys.AlipayCerts[sn]
		return ok
	}
	err = c.downloads.Do(ctx, sn, known, func(ctx context.Context) (final bool, err error) {
		pem, err := c.downloadCertificate(ctx, sn)
		for err == nil {
			before := c.keys.Load()
			_, cert, refused := before.Trust(pem, sn, c.settings.clock())
			if refused != nil {
				return true, refused
			}
			keys = newKeySet(before.With(sn, cert), &c.settings)
			keys.learnt = append(slices.Clip(before.learnt), learntCert{sn, pem})
			if c.keys.CompareAndSwap(before, keys) { // else Reload has other keys, which may not trust it
				c.settings.warn(ctx, "alipay: new certificate",
					slog.String("app_id", c.appID), slog.String("sn", sn), slog.Time("not_after", cert.NotAfter),
					slog.String("advice", "answers are signed under a certificate that is not configured; it was downloaded and is trusted until this process ends: "+
						"add the current 支付宝公钥证书 from the console to AlipayPublicCertContent"))
				break
			}
		}
		return false, err
	})
	return keys, err
}

// downloadCertificate asks the old gateway for a certificate, under the rules of
// every call. Nothing of the call that waits for it is sent.
func (c *Client) downloadCertificate(ctx context.Context, sn string) (pem string, err error) {
	keys := c.keys.Load()
	params := keys.commonParams(download.Method, c.settings.clock())
	params["biz_content"] = download.BizContent(sn)
	sign, err := keys.signParams(ctx, params)
	if err != nil {
		return "", err
	}
	body := url.Values{"biz_content": {params["biz_content"]}}.Encode()
	delete(params, "biz_content")
	origin := c.transport.origin
	return download.Fetch(ctx, c.transport.delivery, delivery.Request{
		Method: http.MethodPost,
		URL: &url.URL{
			Scheme: origin.Scheme, Host: origin.Host, RawQuery: protocol.OrderString(params, sign),
			Path: origin.Path + protocol.OldGatewayPath, RawPath: origin.RawPath + protocol.OldGatewayPath,
		},
		Header: http.Header{
			"Accept": keys.header["Accept"], "User-Agent": keys.header["User-Agent"],
			"Content-Type": {"application/x-www-form-urlencoded; charset=UTF-8"},
		},
		Body: []byte(body),
	})
}

// The stored form: magic, version, the fields, and a hash of all that. The hash
// finds bytes that were damaged, those that are not signed too.
const (
	sealedMagic   = "alipay-answer"
	sealedVersion = 1
)

// MarshalBinary returns the answer for a file or a database column. Every later
// version of this library reads it.
func (s SealedAnswer) MarshalBinary() ([]byte, error) {
	k := s.content()
	if k == nil {
		return nil, errors.New("alipay: there is no answer in the SealedAnswer")
	}
	b := append(make([]byte, 0, 1024+len(k.body)), sealedMagic...)
	b = append(b, sealedVersion)
	b = binary.AppendVarint(b, k.received.Unix())
	b = binary.AppendUvarint(b, uint64(k.received.Nanosecond()))
	b = binary.AppendUvarint(b, uint64(k.attempts))
	for _, text := range append([]string{k.requestID}, k.header[:]...) {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	b = append(binary.AppendUvarint(b, uint64(len(k.body))), k.body...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

var (
	errNotSealed     = errors.New("alipay: these bytes are no sealed answer, or they were cut short or changed")
	errSealedVersion = errors.New("alipay: this sealed answer was made by a newer version of this library; update it")
)

// UnmarshalBinary reads what MarshalBinary returned. Bytes that were cut short or
// changed are refused, and leave the receiver as it is.
func (s *SealedAnswer) UnmarshalBinary(data []byte) error {
	rest, ok := bytes.CutPrefix(data, []byte(sealedMagic))
	if !ok || len(rest) <= sha256.Size {
		return errNotSealed
	}
	if rest[0] > sealedVersion {
		return errSealedVersion
	}
	content, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if actual := sha256.Sum256(content); rest[0] != sealedVersion || !bytes.Equal(sum, actual[:]) {
		return errNotSealed
	}
	r := fieldReader{rest: content[len(sealedMagic)+1:]}
	k := &keptAnswer{received: time.Unix(r.varint(), int64(r.uvarint(1e9-1))), attempts: int(r.uvarint(1 << 30))}
	k.requestID = string(r.bytes())
	for i := range k.header {
		k.header[i] = string(r.bytes())
	}
	k.body = bytes.Clone(r.bytes())
	if r.failed || len(r.rest) > 0 {
		return errNotSealed
	}
	*s = newSealedAnswer(k)
	return nil
}

// fieldReader takes fields off the stored form. After a failure it returns zero
// values.
type fieldReader struct {
	rest   []byte
	failed bool
}

func (r *fieldReader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *fieldReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.failed = r.failed || n <= 0
	r.take(n)
	return v
}

func (r *fieldReader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	r.failed = r.failed || n <= 0 || v > limit
	r.take(n)
	return v
}

func (r *fieldReader) bytes() []byte { return r.take(int(r.uvarint(uint64(len(r.rest))))) }

// String shows when the answer came and how large it is.
func (s SealedAnswer) String() string { return s.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (s SealedAnswer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (s SealedAnswer) LogValue() slog.Value { return s.shown().LogValue() }

// MarshalJSON writes what String returns: a SealedAnswer cannot be stored and
// read back this way, but by MarshalBinary.
func (s SealedAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

func (s SealedAnswer) shown() redact.Value {
	v := redact.Value{TypeName: "alipay.SealedAnswer"}
	if k := s.content(); k != nil {
		v.Fields = []redact.Field{
			{Name: "Received", Text: k.received.UTC().Format(time.RFC3339)},
			{Name: "RequestID", Text: redact.Printable(k.requestID, maxShownID)},
			redact.Count("Attempts", k.attempts),
			redact.Count("BodyBytes", len(k.body)),
		}
	}
	return v
}
