package alipay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/identity"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// SealedAnswer is a signed answer that could not be accepted, because its certificate is
// unknown, a key was copied wrongly, a clock is wrong, or it is about somebody else. It
// may be the only copy of a person's result, since a once_token gives only one. Once the
// cause is fixed, [Client.Open] makes the same checks again, in this process or another:
//
//	var failed *alipay.CallError
//	if errors.As(err, &failed) && failed.Answer != nil {
//		data, _ := failed.Answer.MarshalBinary() // a BLOB column, beside the order
//	}
//
// It is bound to what was asked: it contains AppID, method and path of the call, and a
// salted hash of each id that the request named, and nothing else of the request, so
// store it under your own number for the check. Without content encryption the result
// in it is plain text: protect it as you protect a result, and delete it in time.
//
// The signature proves who made the answer. When it was received, which decides whether
// it is fresh, comes only from the stored bytes: who can write them can make an old
// answer look new.
//
// Printing, logging and JSON show nothing of its content. The zero value holds no answer;
// fill it with UnmarshalBinary.
type SealedAnswer struct {
	kept **keptAnswer // where fmt cannot call Format, it prints the struct behind one pointer, but not behind two
}

// content returns what is kept, nil when there is nothing.
func (s *SealedAnswer) content() *keptAnswer {
	if s == nil || s.kept == nil {
		return nil
	}
	return *s.kept
}

// keptAnswer is what checking needs of an answer, and of the call it came to.
type keptAnswer struct {
	target
	status    int
	values    [len(keptHeaders)]string
	raw       []byte
	received  time.Time
	attempts  int
	requestID string
}

// keptHeaders are those that are signed, name a key, or are of use to support.
var keptHeaders = [...]string{
	protocol.HeaderSignature, protocol.HeaderTimestamp, protocol.HeaderNonce, protocol.HeaderSN, protocol.HeaderTraceID,
}

// seal keeps the answer of an exchange.
func (x *exchange) seal() *SealedAnswer {
	a := &x.answer
	kept := &keptAnswer{target: x.call.target, status: a.status, raw: a.raw, received: a.received, attempts: x.number, requestID: x.requestID}
	kept.asked = kept.asked.Sealed()
	for i, name := range keptHeaders {
		kept.values[i] = protocol.HeaderValue(a.header, name)
	}
	kept.values[len(keptHeaders)-1] = x.shownTraceID() // masked now: what was sent is not known when it is opened
	return &SealedAnswer{&kept}
}

// restored is the answer as it came.
func (k *keptAnswer) restored() answer {
	a := answer{status: k.status, header: make(http.Header, len(keptHeaders)), raw: bytes.Clone(k.raw), received: k.received}
	for i, name := range keptHeaders {
		if k.values[i] != "" {
			a.header[name] = []string{k.values[i]}
		}
	}
	return a
}

// keptState is what is known of an answer that was not accepted. A later one takes
// the place of an earlier one unless it says less.
type keptState int

const (
	keepsPending keptState = iota - 2 // it verifies, and says WAITING_VERIFY
	keepsDamaged                      // it cannot be opened, whatever changes
	keepsUnknown                      // it does not verify, or is no answer to the query
	keepsFinal                        // it verifies, and is a result
)

// keeps finds out what an answer says that was not accepted.
func (a answer) keeps(target *target, keys *keySet, others ...*keySet) keptState {
	switch err := a.verify(keys, others...); {
	case errors.Is(err, ErrResponseAltered):
		return keepsDamaged
	case errors.Is(err, ErrResponseStale):
		a.body = a.raw
	case err != nil:
		return keepsUnknown
	}
	if a.decrypt(keys, others...) != nil {
		return keepsUnknown
	}
	var result QueryResponse
	object, err := lenient.Object(a.body)
	switch {
	case err != nil || target.endpoint() != jobworthPath || decodeAnswer(&result, object, target, nobody{}) != nil:
		return keepsUnknown
	case result.pending():
		return keepsPending
	}
	return keepsFinal
}

// OpenOption changes what [Client.Open] checks.
type OpenOption func(*openOptions)

type openOptions struct{ anyUser bool }

// WithoutUserCheck opens also an answer that is about another user, agreement or
// application than was asked for. It is for a person who has found out whose it is.
func WithoutUserCheck() OpenOption { return func(o *openOptions) { o.anyUser = true } }

// Open checks a sealed answer again, under the present keys of this client, and decodes
// it into out, as [Client.Do] does with a new answer. One of another application, another
// endpoint than that of out's type, or another user or agreement than was asked for is
// refused with [ErrResponseMismatch]: see [WithoutUserCheck].
//
// Whether its timestamp is within the MaxClockSkew of this client and its certificate was
// valid goes by the time at which it was received. If a clock was wrong then, use a
// client with a larger WithMaxClockSkew. Nothing is sent or downloaded.
//
// If the answer still cannot be accepted, the error is a *[CallError] that carries it
// again. The [Response] has the header lines that are signed, name a certificate, or
// contain the trace id. An answer may be opened any number of times.
func (c *Client) Open(answer *SealedAnswer, out any, opts ...OpenOption) (*Response, error) {
	if err := c.check(context.Background(), out); err != nil {
		return nil, err
	}
	kept := answer.content()
	if kept == nil {
		return nil, errArgument("SealedAnswer", "there is no answer in it")
	}
	var o openOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	a, target, keys := kept.restored(), kept.target, c.keys.Load()
	a.takeApart(target.api, c.settings.maxResponseBytes)
	known, typed := answerTypes[reflect.TypeOf(out)]
	if o.anyUser {
		target.AppID, target.asked = c.appID, identity.Asked{}
	}
	var err error
	switch {
	case target.AppID != c.appID, typed && known.endpoint != target.endpoint():
		err = ErrResponseMismatch
	case int64(len(a.raw)) > c.settings.maxResponseBytes:
		err = ErrResponseTooLarge
	default:
		err = a.verify(keys)
	}
	if err == nil {
		err = a.decode(&target, nobody{}, out, keys)
	}
	if err == nil {
		return a.response(kept.requestID, kept.attempts), nil
	}
	if refused, ok := err.(*APIError); ok {
		refused.Message, refused.Links = "", nil // they may repeat what was sent, which is no longer known
		return nil, refused.of(&kept.CallInfo, &a, kept.requestID, kept.attempts)
	}
	e := &CallError{
		StatusCode: a.status, Attempts: kept.attempts, TraceID: a.traceID(), RequestID: kept.requestID,
		what: "opening a sealed answer", reasons: []error{err}, outcome: OutcomeUnknown, Answer: answer,
	}
	return nil, e.at(&kept.CallInfo)
}

const (
	sealedMagic   = "alipay-answer"
	sealedVersion = 2
)

// storedAnswer is the stored form, in DER. Magic and version stand before it, and
// behind it a hash of all that, which detects damaged bytes also where the signature
// does not cover them.
type storedAnswer struct {
	Seconds, Nanoseconds int64 // when it was received
	Attempts, Status     int
	Texts                [][]byte
	Forms, Body          []byte
}

// texts are the texts of the stored form, in their order.
func (k *keptAnswer) texts() []*string {
	texts := []*string{&k.requestID, &k.AppID, &k.Method, &k.Path, &k.api, &k.asked.Salt}
	for i := range k.asked.IDs {
		texts = append(texts, &k.asked.IDs[i])
	}
	for i := range k.values {
		texts = append(texts, &k.values[i])
	}
	return texts
}

// MarshalBinary returns the answer for a file or a database column. Every later
// version of this library reads it.
func (s SealedAnswer) MarshalBinary() ([]byte, error) {
	k := s.content()
	if k == nil {
		return nil, errors.New("alipay: there is no answer in the SealedAnswer")
	}
	form := storedAnswer{k.received.Unix(), int64(k.received.Nanosecond()), k.attempts, k.status, nil, k.asked.Forms[:], k.raw}
	for _, text := range k.texts() {
		form.Texts = append(form.Texts, []byte(*text))
	}
	content, err := asn1.Marshal(form)
	b := slices.Concat([]byte(sealedMagic), []byte{sealedVersion}, content)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), err
}

var errNotSealed = errors.New("alipay: these bytes are not a sealed answer, or were cut short or changed")

// UnmarshalBinary reads what MarshalBinary returned. Bytes that were cut short or changed
// are refused, and leave the receiver as it is.
func (s *SealedAnswer) UnmarshalBinary(data []byte) error {
	content, ok := bytes.CutPrefix(data, []byte(sealedMagic))
	if !ok || len(content) <= sha256.Size {
		return errNotSealed
	}
	if content[0] > sealedVersion {
		return errors.New("alipay: this sealed answer was made by a newer version of this library; update it")
	}
	sum := sha256.Sum256(data[:len(data)-sha256.Size])
	form, whole := bytes.CutSuffix(content[1:], sum[:])
	var stored storedAnswer
	rest, err := asn1.Unmarshal(form, &stored)
	k := new(keptAnswer)
	texts := k.texts()
	if content[0] != sealedVersion || !whole || err != nil || len(rest) > 0 || len(stored.Texts) != len(texts) || len(stored.Forms) != len(k.asked.Forms) {
		return errNotSealed
	}
	for i, text := range texts {
		*text = string(stored.Texts[i])
	}
	copy(k.asked.Forms[:], stored.Forms)
	k.received = time.Unix(stored.Seconds, stored.Nanoseconds)
	k.attempts, k.status, k.raw = stored.Attempts, stored.Status, stored.Body
	s.kept = &k
	return nil
}

// Format implements [fmt.Formatter] with when the answer came and how large it is.
func (s SealedAnswer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.shown().String()) }

// LogValue implements [slog.LogValuer].
func (s SealedAnswer) LogValue() slog.Value { return s.shown().LogValue() }

// MarshalJSON writes what Format prints. To store an answer, use MarshalBinary.
func (s SealedAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(s.shown().String()) }

func (s SealedAnswer) shown() redact.Value {
	v := redact.Value{TypeName: "alipay.SealedAnswer"}
	if k := s.content(); k != nil {
		v.Fields = []redact.Field{
			{Name: "Received", Text: k.received.UTC().Format(time.RFC3339)},
			{Name: "RequestID", Text: redact.Printable(k.requestID, maxShownID)},
			redact.Count("Attempts", k.attempts),
			redact.Count("BodyBytes", len(k.raw)),
		}
	}
	return v
}
