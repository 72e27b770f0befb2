package alipay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay/internal/backoff"
)

// PollPolicy says how [WaitForResult] polls. The zero value of each member means
// its default.
type PollPolicy struct {
	Initial time.Duration // the first step, doubling with each; default 1 s
	Max     time.Duration // the longest step; default 15 s
	Timeout time.Duration // how long to wait in all; default 10 min
}

// WaitForResult queries at once, and again while the answer is
// [IdentityResultWaitingVerify], with growing pauses, each between half and all of
// its step. It returns the first other answer.
//
// A poll that was lost on the wire, got a 5xx or was not delivered does not end the
// wait. A refusal does, and what repeating cannot help, such as a Signer that fails.
// But a lost poll may have taken the result with it, or take it later: a refusal
// after one satisfies [ErrOutcomeUnknown] beside its own code.
//
// An answer that could not be accepted is kept: the error of the wait carries it
// ([CallError].Answer). The wait ends at once when it can never verify under the
// present keys ([ErrResponseSignature], [ErrUnknownCertificate], [ErrDecrypt]), and
// when it verifies and is final (an old one, or one from a cache). After one that was
// changed on its way ([ErrResponseAltered]) or is about somebody else, the asking
// goes on.
//
// The policy's Timeout ends the asking, never a poll in progress: that one ends by the
// client's own timeout, or by ctx. When ctx or the Timeout has ended, WaitForResult
// returns the last answer (nil if there was none) and an error that satisfies
// [ErrStillWaiting] and the context's error, and ErrOutcomeUnknown if any poll was
// lost. Its text says what happened to that poll.
//
// A wait lives as long as its process. To record every poll, and go on after a
// crash, use package check.
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
	first := cmp.Or(policy.Initial, time.Second)
	longest := max(first, cmp.Or(policy.Max, 15*time.Second))
	asking, cancel := context.WithTimeout(ctx, cmp.Or(policy.Timeout, 10*time.Minute))
	defer cancel()

	var w wait
	for poll := 0; ; poll++ {
		if id := fixed.requestID; poll > 0 && id != "" { // an id names one request
			suffix := "-" + strconv.Itoa(poll+1)
			opts = append(opts[:len(opts):len(opts)], WithRequestID(id[:min(len(id), 32-len(suffix))]+suffix))
		}
		answer, err := querier.Query(ctx, params, opts...)
		if done, err := w.polled(answer, err, ctx.Err() != nil); done {
			return answer, err
		}
		if !backoff.Sleep(asking, backoff.Jitter(backoff.Step(first, longest, poll))) {
			return w.last, markEnded(ctx, w.stillWaiting(asking.Err()))
		}
	}
}

// wait is the state of the polls so far.
type wait struct {
	last        *QueryResponse // the last answer
	lost        error          // of a poll that was lost, which answers to later polls do not undo
	kept        *SealedAnswer  // an answer that could not be accepted
	keeps       keptState      // of kept
	undelivered error          // the last poll that was not delivered, with no answer since
}

// polled records the result of a poll, and reports whether the wait is over. ended
// says that the caller's context is.
func (w *wait) polled(answer *QueryResponse, err error, ended bool) (done bool, result error) {
	var failed *CallError
	if errors.As(err, &failed) && failed.Answer != nil && (w.kept == nil || failed.keeps >= w.keeps) {
		w.kept, w.keeps = failed.Answer, failed.keeps
	}
	switch outcome := OutcomeOf(err); {
	case err == nil && answer == nil:
		return true, &CallError{what: "the querier returned neither an answer nor an error", outcome: OutcomeUnknown}
	case err == nil && !answer.pending():
		return true, nil
	case err == nil:
		w.last, w.undelivered = answer, nil
	case outcome == OutcomeUnknown && (neverVerifies(err) || w.keeps == keepsFinal):
		return true, w.withKept(err)
	case outcome == OutcomeUnknown:
		w.lost = laterOf(w.lost, err)
	case Retryable(err), ended && outcome == OutcomeNotDelivered && !isMistake(err):
		w.undelivered = laterOf(w.undelivered, err)
	case w.lost != nil:
		return true, w.inDoubt(err)
	default:
		return true, err
	}
	return false, nil
}

// inDoubt is the error of a wait that ended with err after a poll was lost, and
// perhaps the result with it; after TOKEN_INVALID it probably was. ErrNotDelivered
// is true of the last poll only, so it is left out.
func (w *wait) inDoubt(err error) error {
	end := "and asking again ended with"
	if errors.Is(err, CodeTokenInvalid) {
		end = "and now the token is spent: the result was probably delivered and lost"
	}
	e := &CallError{what: "an earlier answer was lost (" + describePoll(w.lost) + "), " + end, cause: w.lost, Answer: w.kept, outcome: OutcomeUnknown}
	e.like(err)
	var failed *CallError
	switch {
	case !errors.Is(err, ErrNotDelivered):
		e.reasons = []error{err}
	case errors.As(err, &failed):
		e.reasons = failed.reasons
	default:
		e.what += " " + describePoll(err)
	}
	return e
}

// withKept is err with the answer kept from an earlier poll, where that says more
// than the one that err carries.
func (w *wait) withKept(err error) error {
	var failed *CallError
	if w.kept == nil || errors.As(err, &failed) && failed.Answer == w.kept {
		return err
	}
	e := &CallError{reasons: []error{err}, outcome: OutcomeUnknown, Answer: w.kept}
	e.like(err)
	return e
}

// neverVerifies reports whether an answer came that can never be accepted with
// the present keys.
func neverVerifies(err error) bool {
	return errors.Is(err, ErrResponseSignature) && !errors.Is(err, ErrResponseAltered) || errors.Is(err, ErrUnknownCertificate) || errors.Is(err, ErrDecrypt)
}

// laterOf returns the later error, unless it is a timeout or a cancellation, which
// may be the end of the wait itself.
func laterOf(before, now error) error {
	if before != nil && (errors.Is(now, context.DeadlineExceeded) || errors.Is(now, context.Canceled)) {
		return before
	}
	return now
}

// stillWaiting is the error of a wait whose time has run out. It shows the last
// poll's error, and unwraps to it where that does not contradict the outcome.
func (w *wait) stillWaiting(ended error) error {
	e := &CallError{what: "the last answer was WAITING_VERIFY", outcome: OutcomePending, reasons: []error{ErrStillWaiting, ended}, Answer: w.kept}
	if w.last != nil {
		e.TraceID, e.RequestID, e.Attempts = w.last.Meta.TraceID, w.last.Meta.RequestID, w.last.Meta.Attempts
	}
	switch {
	case w.lost != nil:
		e.like(w.lost)
		e.what, e.cause, e.outcome = "a poll was lost ("+describePoll(w.lost)+")", w.lost, OutcomeUnknown
	case w.last == nil:
		e.like(w.undelivered)
		e.what, e.cause, e.outcome = "no poll was delivered ("+describePoll(w.undelivered)+")", w.undelivered, OutcomeNotDelivered
	case w.undelivered != nil:
		e.what += ", and no later poll was delivered (" + describePoll(w.undelivered) + ")"
	}
	return e
}

// describePoll shows the texts of this package's errors only: those of another
// querier may contain anything.
func describePoll(err error) string {
	if e, ok := err.(interface{ brief() string }); ok {
		return e.brief()
	}
	return fmt.Sprintf("%T", err)
}
