package alipay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// exchange is one signed request and what comes back for it. Its steps are
// methods, in the order in which they run: send, read, verify, decrypt, decode.
type exchange struct {
	client    *Client
	ctx       context.Context // of the call, with its deadline
	call      *call
	keys      *keySet // the client's when it began
	number    int     // of the attempt, from 1
	requestID string

	request  outgoing
	report   delivery.Report
	answer   answer
	accepted bool         // the answer was taken for this call
	mask     *redact.Mask // made when the first text has to be shown
}

// do sends the call once and turns what comes back into an answer or an error.
func (x *exchange) do(out any) (*Response, error) {
	defer x.report.Close()
	resp, err := x.send()
	if err != nil {
		return nil, x.notAnswered(err)
	}
	if err = x.read(resp); err == nil {
		err = x.verify()
	}
	if err == nil {
		err = x.answer.decode(&x.call.target, x, out, x.client.keys.Load(), x.keys)
	}
	if err != nil {
		return nil, x.failed(err)
	}
	return x.answer.response(x.requestID, x.number), nil
}

// send builds the request of this exchange, signs it and puts it on the wire.
func (x *exchange) send() (resp *http.Response, err error) {
	x.call.build(x.keys, x.requestID, &x.request)
	if err = x.keys.signRequest(x.ctx, &x.request); err != nil {
		return nil, err
	}
	return x.client.transport.Send(x.ctx, x.request.Request, &x.report)
}

// read reads the answer. An error answer without a signature is a refusal, as far
// as its body can be read.
func (x *exchange) read(resp *http.Response) error {
	defer resp.Body.Close()
	a := &x.answer
	a.status, a.header = resp.StatusCode, resp.Header
	if a.status < 200 { // after 101 no context ends a read of the body
		return errNoSuccess
	}
	if isRedirect(a.status) && !protocol.IsSigned(a.header) && x.call.order == nil {
		x.report.Drain(resp.Body)
		return ErrRedirect
	}
	raw, tooLarge, err := delivery.ReadAtMost(resp.Body, x.client.settings.maxResponseBytes, resp.ContentLength)
	a.raw, a.received = raw, x.client.settings.clock()
	switch {
	case tooLarge:
		x.report.Drain(resp.Body)
		a.raw, err = nil, ErrResponseTooLarge
	case err != nil:
		err = delivery.BrokenOff(x.ctx, err)
	}
	a.takeApart(x.call.api, x.client.settings.maxResponseBytes)
	switch {
	case a.status >= 400 && !a.isSigned():
		return newUnsignedRefusal(a, err, x.client.keys.Load(), x.keys)
	case isRedirect(a.status):
		return ErrRedirect
	case tooLarge:
		return err
	}
	a.brokenOff = err // the signature, not the framing, says whether the body is complete
	return nil
}

// verify checks the answer as received, under the present keys or else under those
// that the exchange began with. If its certificate is not configured, the answer is
// held while the certificate is downloaded.
func (x *exchange) verify() error {
	// A cache in front of the gateway sends Age: 0 with what it has just fetched.
	if age := x.answer.header.Get("Age"); x.answer.isSigned() && (age != "" && age != "0" || !x.report.OnTheWire()) {
		return protocol.ErrFromCache
	}
	if o := x.call.order; o != nil && o.download {
		x.answer.body = x.answer.old.Content()
		return x.answer.old.err
	}
	err := x.answer.verify(x.client.keys.Load(), x.keys)
	unknown, ok := errors.AsType[*protocol.UnknownCertificate](err)
	if !ok || unknown.SN == "" || x.client.settings.noDownload {
		return err
	}
	x.report.Refuse() // frees those that wait for the connection; the download may be one
	keys, failed := x.client.fetchCertificate(x.ctx, unknown.SN)
	if failed != nil {
		return fmt.Errorf("%w; downloading it failed: %w", err, failed)
	}
	return x.answer.verify(keys) // not the present keys: a Reload may have replaced them
}

// accept takes a verified answer for this call: no other call is given the same
// one, and the connection is free for the next request. The caller's own code
// (UnmarshalJSON) runs after it.
func (x *exchange) accept() error {
	if id, ok := protocol.AnswerID(x.answer.header); ok && !x.client.seen.Add(id) {
		return protocol.ErrSeenBefore
	}
	x.accepted = true
	x.report.Close()
	return nil
}

// notAnswered is the error of an exchange that got no answer.
func (x *exchange) notAnswered(err error) error {
	e := x.callError("")
	switch failure := x.report.Failure(); {
	case errors.As(err, new(*signerError)):
		e.permanent, e.reasons = true, []error{err}
	case failure.Err == nil: // signing took too long
		e.reasons = []error{x.ctx.Err()}
	default:
		e.Stage, e.permanent, e.reasons = Stage(failure.Stage), failure.Permanent, []error{failure.Err}
	}
	e.outcome = OutcomeNotDelivered
	if x.report.MaybeSent() {
		e.outcome = OutcomeUnknown
	}
	return e
}

// failed is the error of an exchange that got an answer: a refusal, or why the answer
// cannot be used. A signed one may be the only copy of a result, so the error carries it.
func (x *exchange) failed(reason error) error {
	if refused, ok := reason.(*APIError); ok {
		return x.refused(refused)
	}
	e := x.callError("HTTP status " + strconv.Itoa(x.answer.status))
	e.outcome = OutcomeUnknown
	if !x.accepted && reason != ErrRedirect && reason != ErrResponseTooLarge || x.answer.isForeign() {
		x.report.Refuse()
	}
	id, identified := protocol.AnswerID(x.answer.header)
	switch {
	case !x.accepted && identified && x.client.seen.Has(id):
		reason = protocol.ErrSeenBefore // nothing is lost: a call was given it
	case x.answer.raw != nil && x.answer.isSigned():
		e.Answer, e.keeps = x.seal(), x.answer.keeps(&x.call.target, x.client.keys.Load(), x.keys)
	}
	if broken := x.answer.brokenOff; broken != nil {
		e.reasons = append(e.reasons, broken)
		if reason == ErrResponseUnsigned || errors.Is(reason, ErrResponseAltered) {
			return e // the bytes that did not come explain it
		}
	}
	if about := delivery.DescribeUnsigned(x.answer.header, x.answer.isForeign()); reason == ErrRedirect || reason == ErrResponseUnsigned {
		reason = fmt.Errorf("%w: %s", reason, x.masked(about, maxMessage))
	}
	e.reasons = append(e.reasons, reason)
	return e
}

// refused is the error of an exchange that the gateway refused.
func (x *exchange) refused(e *APIError) error {
	a := &x.answer
	if a.isForeign() {
		x.report.Refuse()
	}
	e.of(&x.call.CallInfo, a, x.requestID, x.number).TraceID = x.shownTraceID()
	if e.Code.bare() == CodeInvalidSignature {
		e.cause = x.keys.diagnose(&x.request)
	}
	if e.Code == "" && e.cause == nil && !a.isSigned() {
		e.cause = errors.New(x.masked(delivery.DescribeUnsigned(a.header, a.isForeign()), maxMessage))
	}
	e.Message = x.masked(e.Message, maxMessage)
	for i, link := range e.Links {
		e.Links[i] = ErrorLink{x.masked(link.Link, maxLink), x.masked(link.Desc, maxLink)}
	}
	if shown := x.masked(string(e.Code), maxID); shown != string(e.Code) {
		e.shownCode = redact.Printable(shown, maxShownID)
	}
	return e
}

func (x *exchange) callError(what string) *CallError {
	e := &CallError{StatusCode: x.answer.status, Attempts: x.number, TraceID: x.shownTraceID(), RequestID: x.requestID, what: what}
	return e.at(&x.call.CallInfo)
}

// shownTraceID is the answer's trace id, masked in case it repeats what was sent.
func (x *exchange) shownTraceID() string { return x.masked(x.answer.traceID(), maxID) }

// masked cuts a text to limit bytes, and masks in it what the call has sent.
func (x *exchange) masked(text string, limit int) string {
	if text == "" {
		return ""
	}
	if x.mask == nil {
		x.mask = x.call.newMask()
		x.mask.Add(x.request.base64(), x.keys.AppAuthToken)
	}
	return x.mask.Apply(text, limit)
}

func isRedirect(status int) bool {
	return status >= 300 && status <= 308 && status != 304 && status != 306
}

// Why an answer is not accepted, in addition to the exported errors.
var (
	errNoSuccess    = errors.New("this status is no success")
	errNoResult     = errors.New("the answer verifies, but has no member of this endpoint's")
	errNoEncryptKey = fmt.Errorf("%w: it is encrypted and EncryptKey is empty; copy the AES key (接口内容加密方式) from the console", ErrDecrypt)
)

// answer is what came for a call: in an exchange, or out of a [SealedAnswer].
type answer struct {
	status    int // 0 before an answer
	header    http.Header
	raw       []byte     // the body as received
	old       *oldAnswer // the same, of the old gateway and taken apart; nil for v3
	received  time.Time  // by the clock of the client
	brokenOff error      // why there may be less of the body than was sent
	body      []byte     // what was signed, once it is verified; then decrypted
	damage    string     // what had been done to it, and was undone
}

// takeApart reads the body of an answer to that method of the old gateway, "" for v3.
func (a *answer) takeApart(method string, most int64) {
	if method != "" {
		a.old = new(oldAnswer)
		a.old.OldAnswer, a.old.err = protocol.ReadOldAnswer(method, a.raw, most)
	}
}

func (a *answer) traceID() string {
	id := protocol.HeaderValue(a.header, protocol.HeaderTraceID)
	if id == "" && a.old != nil {
		id = protocol.HeaderValue(a.header, protocol.HeaderOldTraceID)
	}
	return id
}

func (a *answer) isSigned() bool {
	if a.old != nil {
		return a.old.Sign != ""
	}
	return protocol.IsSigned(a.header)
}

// isForeign reports whether an answer is not the gateway's, but one of a proxy. The
// gateway's own may still follow on the same connection.
func (a *answer) isForeign() bool { return a.traceID() == "" && !a.isSigned() }

func (a *answer) response(requestID string, attempts int) *Response {
	return &Response{StatusCode: a.status, Header: a.header, Body: a.body, TraceID: a.traceID(), RequestID: requestID, Attempts: attempts}
}

// verify checks the answer as received under these keys or else under others, and undoes
// damage that the signature proves. Its error is that of the first keys.
func (a *answer) verify(keys *keySet, others ...*keySet) error {
	signed, damage, err := a.recover(keys)
	if err == nil {
		a.body, a.damage = signed, damage
		return nil
	}
	for _, other := range others {
		if other != keys && a.verify(other) == nil {
			return nil
		}
	}
	return err
}

// recover returns what was signed with these keys, and what had been done to it.
func (a *answer) recover(keys *keySet) (signed []byte, damage string, err error) {
	if a.old != nil {
		return a.old.recover(a, keys)
	}
	return keys.verifier.Recover(a.header, a.raw, a.received)
}

// decrypt decrypts the body with these keys or else with others. A plain object is a
// valid answer to an encrypted call, since it is signed. What cannot be decrypted is left
// as it is, and the error is that of the first keys.
func (a *answer) decrypt(keys *keySet, others ...*keySet) error {
	plain, err := keys.decrypt(a.body)
	if lenient.StartsObject(plain) {
		a.body = plain
		return nil
	}
	for _, other := range others {
		if a.decrypt(other) == nil {
			return nil
		}
	}
	return err
}

// acceptor is asked before an answer is handed over.
type acceptor interface{ accept() error }

// decode decrypts a verified answer and decodes it into out. A refusal is returned
// as an *APIError; any other error is why the answer cannot be used, and leaves out
// unchanged.
func (a *answer) decode(target *target, by acceptor, out any, keys *keySet, others ...*keySet) error {
	sealed := a.decrypt(keys, others...)
	object, err := lenient.Object(a.body)
	_, typed := answerTypes[reflect.TypeOf(out)]
	err = cmp.Or(sealed, err)
	if err == nil && a.old != nil {
		err = a.old.check(a, object, typed, by)
	}
	switch {
	case err != nil && a.old != nil:
		return err
	case a.status >= 400 && sealed == nil && saysMore(object, refusalMembers...): // the status is not signed, and a refusal has a code
		return a.refuse(by, nil, errNoSuccess)
	case a.status >= 400:
		return a.refuse(by, sealed, nil)
	case err != nil:
		return err
	case typed && a.status >= 200 && a.status < 300:
		if err = decodeAnswer(out, object, target, by); err == errNoResult && a.old == nil {
			return a.refuse(by, nil, err)
		}
	case a.status != http.StatusOK:
		return errNoSuccess
	case isRefusal(object):
		return a.refuse(by, nil, nil)
	case target.isAnother(object):
		return ErrResponseMismatch
	default:
		if err = by.accept(); err == nil {
			err = lenient.Decode(object, out)
		}
	}
	if _, misfit := errors.AsType[*lenient.Misfit](err); misfit {
		return fmt.Errorf("the answer verifies, but %w", err)
	}
	return err
}

// refuse returns what the answer says as an *APIError, with why its body cannot be
// read, or the given error where it has no code.
func (a *answer) refuse(by acceptor, unread, withoutCode error) error {
	e := newRefusal(a.body, unread)
	e.Verified = true
	if e.Code == "" && withoutCode != nil {
		return withoutCode
	}
	if err := by.accept(); err != nil {
		return err
	}
	return e
}
