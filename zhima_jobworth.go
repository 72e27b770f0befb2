package alipay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay/internal/backoff"
)

const jobworthPath = "/v3/zhima/customer/jobworth/authentication"

// ZhimaCustomerJobworthAuthentication is 职得身份认证查询接口,
// zhima.customer.jobworth.authentication.query: it asks, with a one-time token,
// for the result of a user's identity check.
type ZhimaCustomerJobworthAuthentication struct {
	client *Client
}

// Format implements [fmt.Formatter]: every verb prints the name, and nothing of
// the client behind it.
func (s ZhimaCustomerJobworthAuthentication) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.ZhimaCustomerJobworthAuthentication")
}

// LogValue implements [slog.LogValuer] with what Format prints.
func (s ZhimaCustomerJobworthAuthentication) LogValue() slog.Value {
	return slog.StringValue("alipay.ZhimaCustomerJobworthAuthentication")
}

// JobworthQuerier is what a caller of Query needs: accept it in place of the
// service, and a unit test can pass a fake, such as alipaytest.StubQuerier.
type JobworthQuerier interface {
	Query(ctx context.Context, params *QueryParams, opts ...RequestOption) (*QueryResponse, error)
}

var _ JobworthQuerier = (*ZhimaCustomerJobworthAuthentication)(nil)

// Query asks once for the result of an identity check. params may be nil.
//
// A once_token gives only one final answer, so Query delivers at most one request
// that the gateway may act on. [OutcomeOf] says what an error means: the token may
// have been spent and its answer lost, nothing happened, or the gateway answered
// no. On an error the QueryResponse is nil.
//
// If the context ends while the request is in flight, the answer may be lost. If
// the customer can cancel ctx by closing a page, pass context.WithoutCancel(ctx)
// with a timeout instead.
func (s *ZhimaCustomerJobworthAuthentication) Query(ctx context.Context, params *QueryParams, opts ...RequestOption) (*QueryResponse, error) {
	if s == nil || s.client == nil {
		return nil, errArgument("ZhimaCustomerJobworthAuthentication", "this service does not belong to a Client made by NewClient")
	}
	answer := new(QueryResponse)
	resp, err := s.client.Do(ctx, &Request{Method: http.MethodGet, Path: jobworthPath, Query: params}, answer, opts...)
	if err != nil {
		return nil, err
	}
	answer.Meta = *resp
	return answer, nil
}

// Open checks a sealed answer again, under the present keys of the client, and
// returns the result that Query would have returned: see [Client.Open]. Check that
// its UserID or OpenID is that of the person in question.
func (s *ZhimaCustomerJobworthAuthentication) Open(answer *SealedAnswer) (*QueryResponse, error) {
	if s == nil || s.client == nil {
		return nil, errArgument("ZhimaCustomerJobworthAuthentication", "this service does not belong to a Client made by NewClient")
	}
	opened := new(QueryResponse)
	resp, err := s.client.Open(answer, opened)
	if err != nil {
		return nil, err
	}
	opened.Meta = *resp
	return opened, nil
}

// PollPolicy says how WaitForResult polls. The zero value of each member means
// its default.
type PollPolicy struct {
	Initial time.Duration // the first step, doubling with each; default 1 s
	Max     time.Duration // the longest step; default 15 s
	Timeout time.Duration // how long to wait in all; default 10 min
}

func (p PollPolicy) withDefaults() PollPolicy {
	return PollPolicy{
		Initial: cmp.Or(p.Initial, time.Second),
		Max:     cmp.Or(p.Max, 15*time.Second),
		Timeout: cmp.Or(p.Timeout, 10*time.Minute),
	}
}

// WaitForResult is the function [WaitForResult] with this service.
func (s *ZhimaCustomerJobworthAuthentication) WaitForResult(ctx context.Context, params *QueryParams, policy PollPolicy, opts ...RequestOption) (*QueryResponse, error) {
	return WaitForResult(ctx, s, params, policy, opts...)
}

// WaitForResult queries at once, and again while the answer is
// [IdentityResultWaitingVerify], with growing pauses, each between half and all of
// its step.
//
// A poll that was lost on the wire, got a 5xx or could not be delivered does not
// end the wait, since only asking again can show the state. If the gateway then
// says TOKEN_INVALID with no answer in between, the result was probably delivered
// and lost: the error satisfies both [CodeTokenInvalid] and [ErrOutcomeUnknown].
// Any other error that ends the wait after a lost poll satisfies ErrOutcomeUnknown
// too. An answer that the present keys can never verify or decrypt
// ([ErrResponseSignature], [ErrUnknownCertificate], [ErrDecrypt]) ends the wait at
// once: asking again could only spend the token. The error carries the last answer
// that could not be accepted ([CallError].Answer), unless one was accepted since.
//
// When the context or the policy's Timeout ends, WaitForResult returns the last
// answer (nil if there was none) and an error that satisfies [ErrStillWaiting]
// and the context's error, and ErrOutcomeUnknown if the last poll was lost. Its
// text says what happened to that poll.
func WaitForResult(ctx context.Context, querier JobworthQuerier, params *QueryParams, policy PollPolicy, opts ...RequestOption) (*QueryResponse, error) {
	if policy.Initial < 0 || policy.Max < 0 || policy.Timeout < 0 {
		return nil, errArgument("PollPolicy", "a member of the PollPolicy is negative; the zero value of each means its default")
	}
	if ctx == nil {
		return nil, errArgument("ctx", "the context is nil")
	}
	if querier == nil {
		return nil, errArgument("querier", "the querier is nil")
	}
	var fixed callOptions
	if err := fixed.apply(opts); err != nil {
		return nil, err
	}
	policy = policy.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, policy.Timeout)
	defer cancel()

	w := wait{ctx: ctx}
	for poll := 0; ; poll++ {
		if poll > 0 && fixed.requestID != "" {
			opts = append(opts[:len(opts):len(opts)], WithRequestID(derivedID(fixed.requestID, poll+1)))
		}
		answer, err := querier.Query(ctx, params, opts...)
		if done, err := w.polled(answer, err); done {
			return answer, err
		}
		pause := backoff.Jitter(backoff.Step(policy.Initial, max(policy.Initial, policy.Max), poll))
		if !backoff.Sleep(ctx, pause) { // false only once the context has ended: its error is part of the result
			return w.last, w.stillWaiting()
		}
	}
}

// derivedID is the request id of a further poll: an id names one request.
func derivedID(id string, poll int) string {
	suffix := "-" + strconv.Itoa(poll)
	return id[:min(len(id), 32-len(suffix))] + suffix
}

// wait is the state of the polls so far.
type wait struct {
	ctx         context.Context
	last        *QueryResponse // the last answer
	lost        error          // the last poll that was lost, with no answer since
	kept        *SealedAnswer  // the last answer that came to a lost poll, with none since that could be accepted
	undelivered error          // the last poll that was not delivered, with no answer since
}

// polled records the result of a poll, and reports whether the wait is over.
func (w *wait) polled(answer *QueryResponse, err error) (done bool, result error) {
	outcome := OutcomeOf(err)
	if kept := sealedIn(err); kept != nil {
		w.kept = kept
	}
	switch {
	case err == nil && answer == nil:
		e := &CallError{what: "the querier returned neither an answer nor an error"}
		return true, e.withOutcome(OutcomeUnknown)
	case err == nil && answer.IdentityResult != IdentityResultWaitingVerify:
		return true, nil
	case err == nil:
		w.last, w.lost, w.kept, w.undelivered = answer, nil, nil, nil
	case outcome == OutcomeUnknown && neverVerifies(err):
		return true, w.withKept(err)
	case outcome == OutcomeUnknown:
		w.lost = moreTelling(w.lost, err)
	case !Retryable(err) && w.lost != nil:
		return true, w.inDoubt(err)
	case !Retryable(err):
		return true, err
	default:
		w.undelivered = moreTelling(w.undelivered, err)
	}
	return false, nil
}

// inDoubt is the error of a wait that ended with err after a poll was lost, and
// perhaps the result with it; after TOKEN_INVALID it probably was. ErrNotDelivered
// is true of the last poll only, so it is left out.
func (w *wait) inDoubt(err error) error {
	e := &CallError{what: "an earlier answer was lost (" + metByPoll(w.lost) + "), and asking again ended with", cause: w.lost, Answer: w.kept}
	if errors.Is(err, CodeTokenInvalid) {
		e.what = "an earlier answer was lost (" + metByPoll(w.lost) + "), and now the token is spent: the result was probably delivered and lost"
	}
	e.describe(err)
	var failed *CallError
	switch {
	case !errors.Is(err, ErrNotDelivered):
		e.reasons = []error{err}
	case errors.As(err, &failed):
		for _, reason := range failed.reasons {
			if reason != ErrNotDelivered {
				e.reasons = append(e.reasons, reason)
			}
		}
	default:
		e.what += " " + metByPoll(err)
	}
	return e.withOutcome(OutcomeUnknown)
}

// withKept is err with the answer kept from an earlier poll, unless err carries
// one itself.
func (w *wait) withKept(err error) error {
	if w.kept == nil || sealedIn(err) != nil {
		return err
	}
	e := &CallError{reasons: []error{err}, outcome: OutcomeUnknown, Answer: w.kept}
	e.describe(err)
	return e
}

func sealedIn(err error) *SealedAnswer {
	var failed *CallError
	if errors.As(err, &failed) {
		return failed.Answer
	}
	return nil
}

// neverVerifies reports whether an answer came that can never be accepted with
// the present keys.
func neverVerifies(err error) bool {
	return errors.Is(err, ErrResponseSignature) && !errors.Is(err, ErrResponseAltered) || errors.Is(err, ErrUnknownCertificate) || errors.Is(err, ErrDecrypt)
}

// moreTelling returns the error that says more. A timeout or cancellation, which
// may be the end of the wait itself, does not replace an earlier error.
func moreTelling(before, now error) error {
	if before != nil && (errors.Is(now, context.DeadlineExceeded) || errors.Is(now, context.Canceled)) {
		return before
	}
	return now
}

// stillWaiting is the error of a wait whose time has run out. It shows the last
// poll's error, and unwraps to it where that does not contradict the outcome.
func (w *wait) stillWaiting() error {
	e := &CallError{what: "the last answer was WAITING_VERIFY", outcome: OutcomePending, reasons: []error{ErrStillWaiting, w.ctx.Err()}}
	switch {
	case w.lost != nil:
		e.describe(w.lost)
		e.what, e.cause, e.Answer = "the last poll was lost ("+metByPoll(w.lost)+")", w.lost, w.kept
		return e.withOutcome(OutcomeUnknown)
	case w.last == nil:
		e.describe(w.undelivered)
		e.what, e.cause = "no poll was delivered ("+metByPoll(w.undelivered)+")", w.undelivered
		return e.withOutcome(OutcomeNotDelivered)
	case w.undelivered != nil:
		e.what += ", and no later poll was delivered (" + metByPoll(w.undelivered) + ")"
	}
	e.TraceID, e.RequestID, e.Attempts = w.last.Meta.TraceID, w.last.Meta.RequestID, w.last.Meta.Attempts
	return e
}

// metByPoll shows the texts of this package's errors only: those of another
// querier may contain anything.
func metByPoll(err error) string {
	if e, ok := err.(interface{ brief() string }); ok {
		return e.brief()
	}
	return fmt.Sprintf("%T", err)
}

// describe copies from err which call it is about.
func (e *CallError) describe(err error) {
	var failed *CallError
	var refused *APIError
	switch {
	case errors.As(err, &failed):
		e.Method, e.Host, e.Path, e.StatusCode, e.Attempts = failed.Method, failed.Host, failed.Path, failed.StatusCode, failed.Attempts
		e.TraceID, e.RequestID, e.appID = failed.TraceID, failed.RequestID, failed.appID
	case errors.As(err, &refused):
		e.Method, e.Host, e.Path, e.StatusCode, e.Attempts = refused.where.method, refused.where.host, refused.where.path, refused.StatusCode, refused.Attempts
		e.TraceID, e.RequestID, e.appID = refused.TraceID, refused.RequestID, refused.where.appID
	}
}

// isAnothersResult reports whether an answer that verifies, but is stale or cannot
// be decoded, is about another user than the query. Such an answer is not kept.
func (a *attempt) isAnothersResult(raw []byte) bool {
	body, err := a.decrypt(raw)
	if err != nil {
		return false
	}
	object, err := lenient.Object(body)
	return err == nil && a.namesAnother(object)
}

// namesAnother reports whether a result is about another user than the query.
func (a *attempt) namesAnother(object []byte) (another bool) {
	if a.call.info.Path != jobworthPath {
		return false
	}
	_ = lenient.EachMember(object, func(name, value []byte) error {
		if string(name) == "user_id" || string(name) == "open_id" {
			came, _ := lenient.String(value)
			another = another || differs(a.call.query, string(name), came)
		}
		return nil
	})
	return another
}
