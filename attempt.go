package alipay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// attempt is one signed request and its result.
type attempt struct {
	client    *Client
	ctx       context.Context // of the call, with its deadline
	call      *call
	keys      *keySet // the client's when it began
	number    int
	requestID string

	signed  signedRequest
	report  delivery.Report
	status  int    // 0 before an answer
	traceID string // "" before an answer

	received time.Time     // when the answer had come, by the clock of the client
	opened   *SealedAnswer // the answer being opened; nil in a call

	mask *redact.Mask // made when the first text has to be shown

	requestIDHeader, authorizationHeader [1]string // save allocating slices for the header
}

func (c *Client) newAttempt(ctx context.Context, call *call, number int) *attempt {
	a := &attempt{client: c, ctx: ctx, call: call, keys: c.keys.Load(), number: number, requestID: call.requestID}
	if a.requestID == "" {
		a.requestID = protocol.NewID()
	}
	return a
}

// do sends the call once and turns what comes back into an answer or an error.
func (a *attempt) do(out any) (*Response, error) {
	defer a.report.Close()
	resp, err := a.send()
	if err != nil {
		return nil, a.notAnswered(err)
	}
	defer resp.Body.Close()
	return a.handleResponse(resp, out)
}

// send builds the request of this attempt, signs it and puts it on the wire.
func (a *attempt) send() (*http.Response, error) {
	request, signedBody := a.call.newRequest(a.keys, a)
	resp, signed, err := a.client.transport.send(a.ctx, &a.keys.signer, request, signedBody, &a.report)
	a.signed = signed
	return resp, err
}

// handleResponse reads, verifies, decrypts and decodes an answer.
func (a *attempt) handleResponse(resp *http.Response, out any) (*Response, error) {
	a.status, a.traceID = resp.StatusCode, protocol.HeaderValue(resp.Header, protocol.HeaderTraceID)
	if a.traceID == "" && !protocol.IsSigned(resp.Header) {
		defer a.report.Refuse() // not the gateway's, whose own answer may still follow on the connection
	}
	switch {
	case a.status < 200: // after 101 no context ends a read of the body
		return nil, a.notAccepted(errNot200)
	case isRedirect(a.status):
		a.report.Drain(resp.Body)
		return nil, a.notAccepted(ErrRedirect)
	}
	raw, unread := a.read(resp)
	if a.status >= 400 && !protocol.IsSigned(resp.Header) {
		return nil, a.apiError(resp.Header, raw, unread, false) // an error answer may be unsigned
	}
	if unread != nil {
		return nil, a.notAccepted(unread)
	}
	a.received = a.client.settings.clock()
	switch err := a.belongs(resp.Header); err {
	case nil:
	case protocol.ErrFromCache: // it may be the right answer, so it is kept
		return nil, a.notUsable(err, resp.Header, raw)
	default:
		return nil, a.notAccepted(err) // not sealed, since it answers another request
	}
	return a.accept(resp.Header, raw, out)
}

// accept verifies, decrypts and decodes a complete answer: that of a call, or a
// sealed one.
func (a *attempt) accept(header http.Header, raw []byte, out any) (*Response, error) {
	if err := a.verify(header, raw); err != nil {
		if errors.Is(err, ErrResponseStale) && a.isAnothersResult(raw) {
			err = ErrResponseMismatch
		}
		return nil, a.notUsable(err, header, raw)
	}
	body, err := a.decrypt(raw)
	switch {
	case a.status >= 400 && err != nil:
		return nil, a.apiError(header, raw, err, true)
	case a.status >= 400:
		return nil, a.apiError(header, body, nil, true)
	case err != nil:
		return nil, a.notUsable(err, header, raw)
	case a.status != http.StatusOK:
		return nil, a.notAccepted(errNot200)
	}
	object, err := lenient.Object(body)
	if err != nil {
		if a.client.keys.Load().Cipher == nil && aescbc.LooksEncrypted(body) {
			err = errNoEncryptKey
		}
		return nil, a.notUsable(err, header, raw)
	}
	if saysSystemError(object) {
		return nil, a.apiError(header, body, nil, true)
	}
	if err := a.decode(object, out); err != nil {
		if a.isAnothersResult(raw) {
			err = ErrResponseMismatch
		}
		return nil, a.notUsable(err, header, raw)
	}
	return &Response{
		StatusCode: a.status, Header: header, Body: body,
		TraceID: a.traceID, RequestID: a.requestID, Attempts: a.number,
	}, nil
}

// read reads the body up to the limit. unread is why it could not be read to
// its end.
func (a *attempt) read(resp *http.Response) (raw []byte, unread error) {
	raw, tooLarge, err := delivery.ReadAtMost(resp.Body, a.client.settings.maxResponseBytes, resp.ContentLength)
	switch {
	case tooLarge:
		a.report.Drain(resp.Body)
		return raw, ErrResponseTooLarge
	case err != nil:
		return raw, delivery.BrokenOff(a.ctx, err)
	}
	return raw, nil
}

// verify checks the answer as received. If its certificate is not configured, the
// answer is held while the certificate is downloaded.
func (a *attempt) verify(header http.Header, raw []byte) error {
	err := a.verifyWithKeys(header, raw)
	if err == nil || a.opened != nil || a.client.settings.noDownload {
		return err
	}
	var unknown *protocol.UnknownCertificate // declared here, since it is allocated on the heap
	if !errors.As(err, &unknown) || unknown.SN() == "" {
		return err
	}
	a.report.Refuse() // frees those that wait for the connection; the download may be one
	keys, failed := a.client.learnCertificate(a.ctx, unknown.SN())
	if failed != nil {
		return fmt.Errorf("%w; downloading it failed: %w", err, failed)
	}
	return keys.verifier.Verify(header, raw, a.received) // not the present keys: a Reload may have replaced them
}

// verifyWithKeys checks the answer under the present keys, or else under those
// that the attempt began with.
func (a *attempt) verifyWithKeys(header http.Header, raw []byte) error {
	present := a.client.keys.Load()
	err := present.verifier.Verify(header, raw, a.received)
	if err != nil && present != a.keys && a.keys.verifier.Verify(header, raw, a.received) == nil {
		return nil
	}
	return err
}

// belongs checks that a signed answer, whether or not it verifies, was made for
// this request, since the signature covers nothing that names the request. It
// remembers the answer, so it must be called only once.
func (a *attempt) belongs(header http.Header) error {
	if id, ok := protocol.AnswerID(header); ok && !a.client.seen.Add(id) {
		return protocol.ErrSeenBefore
	}
	// A cache in front of the gateway sends Age: 0 with what it has just fetched.
	if age := header.Get("Age"); protocol.IsSigned(header) && (age != "" && age != "0" || !a.report.OnTheWire()) {
		return protocol.ErrFromCache
	}
	return nil
}

// decrypt decrypts a verified body, with the present key or else with the one
// that the attempt began with. A plain object is a valid answer to an encrypted
// call, since it is signed.
func (a *attempt) decrypt(raw []byte) ([]byte, error) {
	body, err := a.client.keys.Load().decrypt(raw)
	if !lenient.StartsObject(body) {
		if older, _ := a.keys.decrypt(raw); lenient.StartsObject(older) {
			return older, nil
		}
	}
	return body, err
}

func (k *keySet) decrypt(raw []byte) ([]byte, error) {
	if k.Cipher == nil || len(raw) == 0 || lenient.StartsObject(raw) {
		return raw, nil
	}
	plain, err := k.Cipher.Decrypt(raw)
	if err != nil || !lenient.StartsObject(plain) { // a wrong key sometimes yields valid padding
		return nil, ErrDecrypt
	}
	return plain, nil
}

// ownAnswer is an answer type of this package. It decodes its members in one
// pass, and checks that it can belong to the request.
type ownAnswer interface {
	decodeAnswer(object []byte, sent url.Values) error
}

// decode decodes a verified object into out. On an error out is unchanged.
func (a *attempt) decode(object []byte, out any) error {
	if own, ok := out.(ownAnswer); ok {
		return own.decodeAnswer(object, a.call.query)
	}
	if a.namesAnother(object) { // Do with a type of the caller's
		return ErrResponseMismatch
	}
	return lenient.Decode(object, out)
}

// saysSystemError reports whether an answer with status 200 has a code that leaves
// the outcome open. Such a code does so at any status.
func saysSystemError(object []byte) bool {
	if !bytes.Contains(object, []byte(CodeSystemError)) && !bytes.Contains(object, []byte(CodeUnknowError)) &&
		!bytes.ContainsRune(object, '\\') { // the code may be spelled with escapes
		return false
	}
	var e APIError
	e.decode(object)
	return e.Code == CodeSystemError || e.Code == CodeUnknowError
}

// Why an answer is not accepted, in addition to the exported errors.
var (
	errNot200       = errors.New("only 200 is a success")
	errNoEncryptKey = fmt.Errorf("%w: it is encrypted and EncryptKey is empty; copy the AES key (接口内容加密方式) from the console", ErrDecrypt)
)

// notAnswered is the error of an attempt that got no answer.
func (a *attempt) notAnswered(err error) error {
	e := a.callError("")
	var failed *signerError
	switch ended := a.ctx.Err(); {
	case errors.As(err, &failed), err == errForeignOrigin:
		e.mistake = true
		e.reasons = append(e.reasons, err)
	default:
		e.mistake = a.report.Insecure()
		if cause := a.report.Cause(); cause != nil {
			e.reasons = append(e.reasons, cause)
		}
		if ended != nil && !errors.Is(errors.Join(e.reasons...), ended) {
			e.reasons = append(e.reasons, ended)
		}
	}
	if a.report.MaybeSent() {
		return e.withOutcome(OutcomeUnknown)
	}
	e.retryAtOnce = a.report.DeadConnection()
	return e.withOutcome(OutcomeNotDelivered)
}

// notAccepted is the error of an attempt whose answer cannot be trusted or used.
// The connection may be out of step, so it is closed.
func (a *attempt) notAccepted(reason error) *CallError {
	if reason != ErrRedirect && reason != ErrResponseTooLarge {
		a.report.Refuse()
	}
	e := a.callError("HTTP status " + strconv.Itoa(a.status))
	if a.opened != nil {
		e.what = "opening a sealed answer"
	}
	e.reasons = append(e.reasons, reason)
	return e.withOutcome(OutcomeUnknown)
}

// endedBeforeRetry is the error of a call whose time ran out before a failed
// attempt could be retried.
func (a *attempt) endedBeforeRetry(err error) error {
	e := a.callError("time ran out before the next attempt")
	e.reasons = append(e.reasons, err)
	if ended := a.ctx.Err(); !errors.Is(err, ended) {
		e.reasons = append(e.reasons, ended)
	}
	return e.withOutcome(OutcomeNotDelivered)
}

func (a *attempt) callError(what string) *CallError {
	info := &a.call.info
	return &CallError{
		Method: info.Method, Host: info.Host, Path: info.Path, StatusCode: a.status, Attempts: a.number,
		TraceID: a.shownTraceID(), RequestID: a.requestID, appID: info.AppID, what: what,
	}
}

// shownTraceID is the answer's trace id, masked in case it repeats what was sent.
func (a *attempt) shownTraceID() string {
	return a.masked(a.traceID, maxID)
}

// masked cuts a text to limit bytes, and masks in it what the call has sent.
func (a *attempt) masked(text string, limit int) string {
	if text == "" {
		return ""
	}
	if a.mask == nil {
		a.mask = a.call.newMask()
		a.mask.Add(a.signed.base64(), a.keys.AppAuthToken)
	}
	return a.mask.Apply(text, limit)
}

// apiError decodes an error answer as far as possible. unread is why its body
// could not be read.
func (a *attempt) apiError(header http.Header, body []byte, unread error, verified bool) *APIError {
	info := &a.call.info
	e := &APIError{
		StatusCode: a.status, TraceID: a.shownTraceID(), RequestID: a.requestID, Attempts: a.number,
		Header: header, Body: body, Verified: verified, cause: unread, where: place{info.AppID, info.Method, info.Host, info.Path},
	}
	if unread == nil {
		e.decode(body)
	}
	if e.Code == CodeInvalidSignature {
		e.cause = a.keys.signer.diagnose(a.signed)
	}
	if a.opened != nil { // they may repeat what was sent, which is no longer known
		e.Message, e.Links = "", nil
	}
	e.Message = a.masked(e.Message, maxMessage)
	for i, link := range e.Links {
		e.Links[i] = ErrorLink{a.masked(link.Link, maxLink), a.masked(link.Desc, maxLink)}
	}
	if shown := a.masked(string(e.Code), maxID); shown != string(e.Code) {
		e.shownCode = redact.Printable(shown, maxShownID)
	}
	return e
}

// decode reads code, message and links. A body that is not a JSON object leaves
// them empty.
func (e *APIError) decode(body []byte) {
	object, err := lenient.Object(body)
	if err != nil {
		return
	}
	_ = lenient.EachMember(object, func(name, value []byte) error {
		switch string(name) {
		case "code":
			s, _ := lenient.String(value)
			e.Code = ErrorCode(s)
		case "message":
			e.Message, _ = lenient.String(value)
		case "links":
			for _, link := range lenient.Links(value, maxLinks-len(e.Links)) {
				e.Links = append(e.Links, ErrorLink(link))
			}
		}
		return nil
	})
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMultipleChoices, http.StatusUseProxy:
		return true
	}
	return false
}

// How much is kept of an error answer's texts, in bytes, and how many of its links.
// The whole answer is in APIError.Body.
const (
	maxMessage = 8 << 10
	maxLink    = 1 << 10
	maxLinks   = 16
	maxID      = 1 << 10 // a code, or a trace id
)
