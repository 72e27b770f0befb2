package alipay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// try sends the call once and turns what comes back into an answer or an
// error with one of the three meanings.
func (c *Client) try(ctx context.Context, deadline time.Time, call *call, number int, target any) (*Response, error) {
	requestID := call.requestID
	if requestID == "" {
		requestID = protocol.NewID()
	}
	started := time.Now()
	sending, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	a := &attempt{client: c, call: call, number: number, requestID: requestID, caller: ctx, sending: sending}
	a.watch.base = c.transport.baseIs
	resp, err := a.run(cancel, target)
	c.logAttempt(ctx, a, time.Since(started), err)
	return resp, err
}

// attempt is one signed request and what became of it.
type attempt struct {
	client    *Client
	call      *call
	number    int
	requestID string
	caller    context.Context
	sending   context.Context // caller's, with the deadline of the call
	watch     deliveryWatch
	status    int    // 0 before an answer
	traceID   string // "" before an answer
}

// ended returns why the time of the attempt is over, nil while it is not. That
// the watch has stopped a replay is no such reason.
func (a *attempt) ended() error {
	if err := a.caller.Err(); err != nil {
		return err
	}
	if err := a.sending.Err(); err == context.DeadlineExceeded {
		return err
	}
	return nil
}

func (a *attempt) run(cancel context.CancelFunc, target any) (*Response, error) {
	c := a.client
	req := c.newRequest(a.watch.start(a.sending, cancel), a.call, a.requestID)
	httpResp, err := c.transport.roundTrip(req, a.call.body, &a.watch)
	if httpResp == nil && err == nil {
		err = errNoResponse
	}
	if err != nil {
		if httpResp != nil && httpResp.Body != nil {
			_ = httpResp.Body.Close()
		}
		return nil, a.notAnswered(err)
	}
	if httpResp.Body == nil {
		httpResp.Body = http.NoBody
	}
	defer httpResp.Body.Close()
	a.status, a.traceID = httpResp.StatusCode, headerValue(httpResp.Header, protocol.HeaderTraceID)

	if a.status < 200 { // after 101 the connection is the caller's, and its body heeds no context
		return nil, a.notTaken(errNot200)
	}
	if isRedirect(a.status) {
		drain(httpResp.Body)
		return nil, a.notTaken(ErrRedirect)
	}
	raw, tooLarge, err := readAtMost(httpResp.Body, c.settings.maxResponseBytes, httpResp.ContentLength)
	switch {
	case tooLarge:
		drain(httpResp.Body)
		err = ErrResponseTooLarge
	case err != nil:
		err = a.brokenOff(err)
	}
	return a.judge(httpResp.Header, raw, err, target)
}

var (
	// errNoEncryptKey is ErrDecrypt with the cure.
	errNoEncryptKey = fmt.Errorf("%w: it is encrypted and EncryptKey is empty; copy the AES key (接口内容加密方式) from the console", ErrDecrypt)

	errNoResponse = errors.New("the transport returned neither an answer nor an error")
	errNot200     = errors.New("only 200 is a success")
	errReplay     = errors.New("the connection broke, and a silent repetition of the request was stopped")
)

// notAnswered is the error of an attempt to which no answer came.
func (a *attempt) notAnswered(err error) error {
	e := a.callError()
	e.outcome = notDelivered
	if a.watch.mayHaveLeft(err, a.ended() == nil) {
		e.outcome = outcomeUnknown
	}
	var signing *signerError
	switch {
	case errors.Is(err, errForeignOrigin):
		e.permanent = true
		e.reasons = append(e.reasons, errForeignOrigin)
	case errors.As(err, &signing):
		e.permanent = true
		e.reasons = append(e.reasons, signing)
	case errors.Is(err, errNoResponse):
		e.reasons = append(e.reasons, errNoResponse)
	case a.ended() == nil && a.watch.blocked.Load():
		e.reasons = append(e.reasons, errReplay)
	default:
		e.reasons = append(e.reasons, safeCause(err))
	}
	e.retryNow = e.outcome == notDelivered && a.watch.deadConnection()
	return e.finish(a.ended())
}

// notTaken is the error of an attempt whose answer cannot be trusted or used.
func (a *attempt) notTaken(reason error) error {
	e := a.callError()
	e.outcome = outcomeUnknown
	if a.status != 0 {
		e.what = "HTTP status " + strconv.Itoa(a.status)
	}
	e.reasons = append(e.reasons, reason)
	return e.finish(nil)
}

// brokenOff is the reason of an answer that ended too early.
func (a *attempt) brokenOff(err error) error {
	cause := safeCause(err)
	cause.text = "the answer broke off: " + cause.text
	if ended := a.ended(); ended != nil && !errors.Is(cause, ended) {
		cause.causes = append(cause.causes, ended)
	}
	return cause
}

func (a *attempt) callError() *callError {
	return &callError{
		where:   a.call.method + " " + a.call.url.Host + a.call.path,
		traceID: a.mask().apply(a.traceID), requestID: a.requestID, attempts: a.number,
	}
}

// finish adds why the time was over, nil if it was not, and the sentinel of the
// outcome.
func (e *callError) finish(ended error) *callError {
	if ended != nil && !errors.Is(errors.Join(e.reasons...), ended) {
		e.reasons = append(e.reasons, ended)
	}
	e.reasons = append(e.reasons, e.outcome.sentinel())
	return e
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMultipleChoices, http.StatusUseProxy:
		return true
	}
	return false
}

// maxDrain bounds what is read of a body that is not wanted, so that its
// connection can be used again.
const maxDrain = 256 << 10

func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, maxDrain) }
