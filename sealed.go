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

// SealedAnswer is a complete and signed answer that could not be accepted, because
// its certificate is unknown, a key was copied wrongly or a clock is wrong. It may
// be the only copy of a person's result, since a once_token gives only one, so
// [CallError].Answer carries it. Once the cause is fixed, [Client.Open] makes the
// same checks again, in this process or in another:
//
//	var failed *alipay.CallError
//	if errors.As(err, &failed) && failed.Answer != nil {
//		data, _ := failed.Answer.MarshalBinary() // a BLOB column, beside the order
//	}
//
// It contains the answer and nothing of the request, so it may not show whose it
// is: store it under your own number for the check. Without content
// encryption the result in it is plain text, so protect it as you protect a
// result: limit who may read it, and delete it in time. It is useful until the
// cause is fixed, which takes hours or days, or until the person repeats the check.
//
// The signature proves who made the answer. The time at which it was received,
// which decides whether it is fresh, comes only from the stored bytes: anyone who
// can write them can make an old answer look new.
//
// Printing, logging and JSON show nothing of its content. The zero value holds no
// answer; fill it with UnmarshalBinary.
type SealedAnswer struct {
	kept **keptAnswer // where fmt cannot call Format, it prints the struct behind one pointer, but not behind two
}

func newSealedAnswer(kept *keptAnswer) SealedAnswer { return SealedAnswer{&kept} }

// content returns what is kept, nil when there is nothing.
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

// keptHeaders are those that are signed, name a key, or are of use to support.
var keptHeaders = [...]string{
	protocol.HeaderSignature, protocol.HeaderTimestamp, protocol.HeaderNonce, protocol.HeaderSN, protocol.HeaderTraceID,
}

// seal keeps the answer of an attempt.
func (a *attempt) seal(header http.Header, raw []byte) *SealedAnswer {
	kept := &keptAnswer{received: a.received, attempts: a.number, requestID: a.requestID, body: raw}
	for i, name := range keptHeaders {
		kept.header[i] = protocol.HeaderValue(header, name)
		if name == protocol.HeaderTraceID {
			kept.header[i] = a.shownTraceID() // masked now: what was sent is not known when it is opened
		}
	}
	sealed := newSealedAnswer(kept)
	return &sealed
}

// notUsable is notAccepted for a complete answer. A signed one may be the only
// copy of a result, so the error carries it.
func (a *attempt) notUsable(reason error, header http.Header, raw []byte) error {
	e := a.notAccepted(reason)
	switch {
	case reason == ErrResponseMismatch: // it is about another user or agreement
	case a.opened != nil:
		e.Answer = a.opened
	case a.status == http.StatusOK && protocol.IsSigned(header):
		e.Answer = a.seal(header, raw)
	}
	return e
}

// Open checks a sealed answer again, under the present keys of this client, and
// decodes it into out, as [Client.Do] does with a new answer. It compares the
// answer's timestamp with the time at which it was received, within the
// MaxClockSkew of this client: if a clock was wrong at that time, use a client
// with a larger WithMaxClockSkew. Nothing is sent or downloaded.
//
// If the answer still cannot be accepted, the error is a *[CallError] that carries
// it again. The [Response] has the header lines that were kept: those that are
// signed, name a certificate, or contain the trace id.
//
// An answer may be opened any number of times. Its content is not compared with
// the request, of which nothing is kept: compare it yourself.
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

// learntCert is a downloaded and trusted certificate of Alipay's.
type learntCert struct{ sn, pem string }

// learnCertificate returns keys that include the certificate with that SN. They
// are the client's present keys, or were a moment ago. Its error says why the
// certificate cannot be had, and is safe to show.
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
			if c.keys.CompareAndSwap(before, keys) { // else Reload came first, and its keys may not trust it
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

// downloadCertificate asks the old gateway for a certificate, under the same rules
// as any call. Nothing of the call that waits for it is sent.
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
// detects damaged bytes, also where the signature does not cover them.
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
	errNotSealed     = errors.New("alipay: these bytes are not a sealed answer, or were cut short or changed")
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

// fieldReader reads the fields of the stored form. After a failure it returns
// zero values.
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

// MarshalJSON writes what String returns. To store a SealedAnswer and read it
// back, use MarshalBinary.
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
