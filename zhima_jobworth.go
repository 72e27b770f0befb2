package alipay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
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
// A once_token buys one final answer, so Query delivers at most one request
// that the gateway may act on, and never hides doubt: an error that satisfies
// [ErrOutcomeUnknown] means that the answer may have been spent and lost; one
// that satisfies [ErrNotDelivered] means that nothing happened and the call may
// be repeated; otherwise the gateway has answered no, with an *[APIError]. With
// an error the QueryResponse is nil.
func (s *ZhimaCustomerJobworthAuthentication) Query(ctx context.Context, params *QueryParams, opts ...RequestOption) (*QueryResponse, error) {
	if s == nil || s.client == nil {
		return nil, errRefused("ZhimaCustomerJobworthAuthentication", "this service does not belong to a Client made by NewClient")
	}
	answer := new(QueryResponse)
	resp, err := s.client.Do(ctx, &Request{Method: http.MethodGet, Path: jobworthPath, Query: params}, answer, opts...)
	if err != nil {
		return nil, err
	}
	answer.Meta = *resp
	return answer, nil
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

// WaitForResult asks at once, and then again while the answer is
// [IdentityResultWaitingVerify], with a growing pause of which each lies
// between half and all of its step.
//
// A poll that was lost on the wire, met a 5xx or could not be delivered is not
// the end, since only asking again can tell. If the gateway then says
// TOKEN_INVALID with no answer in between, the result was probably delivered
// and lost: the error satisfies both [CodeTokenInvalid] and [ErrOutcomeUnknown].
//
// When the context or the policy's Timeout ends, WaitForResult returns the last
// answer (nil if there was none) and an error that satisfies [ErrStillWaiting]
// and the context's error, and ErrOutcomeUnknown if the last poll was lost. What
// that poll met is reachable too: an answer that does not verify, for example,
// never ends a wait early.
func (s *ZhimaCustomerJobworthAuthentication) WaitForResult(ctx context.Context, params *QueryParams, policy PollPolicy, opts ...RequestOption) (*QueryResponse, error) {
	if policy.Initial < 0 || policy.Max < 0 || policy.Timeout < 0 {
		return nil, errRefused("PollPolicy", "a member of the PollPolicy is negative; the zero value of each means its default")
	}
	if ctx == nil {
		return nil, errRefused("ctx", "the context is nil")
	}
	policy = policy.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, policy.Timeout)
	defer cancel()

	var last *QueryResponse // the last answer
	var lost error          // the last poll that was lost, with no answer since
	var refused error       // the last poll that was not delivered, while none has been
	sent := false           // any poll may have arrived
	for poll := 0; ; poll++ {
		answer, err := s.Query(ctx, params, opts...)
		switch {
		case err == nil && answer.IdentityResult != IdentityResultWaitingVerify:
			return answer, nil
		case err == nil:
			last, lost, sent = answer, nil, true
		case errors.Is(err, ErrOutcomeUnknown):
			lost, sent = telling(lost, err), true
		case lost != nil && errors.Is(err, CodeTokenInvalid):
			return nil, &callError{
				what:    "an earlier answer was lost, and now the token is spent: the result was probably delivered and lost",
				reasons: []error{err, ErrOutcomeUnknown}, outcome: outcomeUnknown, cause: lost,
			}
		case !mayPass(err):
			return nil, err
		default:
			refused = telling(refused, err)
		}
		pause := jitter(step(policy.Initial, max(policy.Initial, policy.Max), poll))
		if !sleep(ctx, pause) { // not sooner than that: the context's error is part of the answer
			return last, stillWaiting(ctx, lost, refused, sent)
		}
	}
}

// telling returns the error that tells more: that the time was over, which may
// be the end of the wait itself, tells nothing new.
func telling(before, now error) error {
	if before != nil && (errors.Is(now, context.DeadlineExceeded) || errors.Is(now, context.Canceled)) {
		return before
	}
	return now
}

// mayPass reports whether an undelivered poll may fare better later.
func mayPass(err error) bool {
	var failed *callError
	if errors.As(err, &failed) && failed.permanent {
		return false
	}
	return errors.Is(err, ErrNotDelivered)
}

// stillWaiting is the error of a wait whose time is over. What the last poll met
// stays reachable as far as it does not contradict the whole.
func stillWaiting(ctx context.Context, lost, refused error, sent bool) error {
	e := &callError{reasons: []error{ErrStillWaiting, ctx.Err()}}
	switch {
	case lost != nil:
		e.what, e.outcome, e.cause = "the last poll was lost", outcomeUnknown, lost
	case !sent:
		e.what, e.outcome, e.cause = "no poll was delivered", notDelivered, refused
	}
	if sentinel := e.outcome.sentinel(); sentinel != nil {
		e.reasons = append(e.reasons, sentinel)
	}
	return e
}
