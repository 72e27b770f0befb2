package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	alipay "github.com/seed-39a49030/alipay"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// stepArgs is the one kind of job: take the check's next step, whatever that is.
type stepArgs struct {
	CheckID string `json:"check_id"`
}

// Kind implements [river.JobArgs].
func (stepArgs) Kind() string { return "step" }

type stepWorker struct {
	river.WorkerDefaults[stepArgs]
	*service
}

// Work takes one step: it claims the check, sends Alipay one query, and stores the
// result together with the end of the job. While there is more to do the job
// snoozes, so a wait occupies no worker and survives the process.
func (w *stepWorker) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	// A query that was sent may be the only one that succeeds. Neither a shutdown
	// nor River's timeout may cancel it: it has a separate timeout.
	ctx = context.WithoutCancel(ctx)
	began := time.Now()
	c, err := w.claim(ctx, job.Args.CheckID, job.ID)
	if err != nil {
		return err
	}
	if c.ID == "" {
		// Another job is in charge by now, or there is nothing to do any more.
		busy, err := w.busy(ctx, job.Args.CheckID, job.ID)
		if busy {
			return river.JobSnooze(time.Second)
		}
		return err
	}

	ctx, span := w.tracer.Start(ctx, "step", trace.WithAttributes(attribute.String("check.id", c.ID), attribute.String("check.from", string(c.State))))
	defer span.End()
	// Counted from before the claim: a process that was frozen in between has no
	// time left, and sends nothing while another process has the lease.
	asking, cancel := context.WithDeadline(ctx, began.Add(w.timing.query))
	defer cancel()
	var n next
	switch c.State {
	case stateStarted:
		n = w.confirm(asking, c)
	case stateAgreed:
		n = w.ask(asking, c)
	case stateSealed:
		n = w.open(c)
	default:
		return fmt.Errorf("check %s: no step leads on from %s", c.ID, c.State)
	}

	settled, err := w.store(ctx, job, c, n)
	if err != nil {
		return err
	}
	span.SetAttributes(attribute.String("check.to", string(n.state)))
	w.log.InfoContext(ctx, "step", "check", c.ID, "from", c.State, "to", n.state, "attempt", c.Attempts, "note", n.note, "settled", settled)
	if settled && !n.last() {
		return river.JobSnooze(n.pause)
	}
	return nil
}

// NextRetry retries a step that failed in the database soon, rather than with
// River's pauses, which grow to hours.
func (w *stepWorker) NextRetry(*river.Job[stepArgs]) time.Time { return time.Now().Add(w.lease()) }

// store settles the step and ends its job, in one transaction. It tries again,
// since the database may be away for a moment and the answer must not be lost.
func (w *stepWorker) store(ctx context.Context, job *river.Job[stepArgs], c check, n next) (settled bool, err error) {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err = w.db.tx(ctx, func(tx transaction) (err error) {
			if settled, err = w.settle(ctx, tx, c, n); err != nil || !n.last() {
				return err
			}
			err = tx.completeJob(ctx, job)
			if errors.Is(err, river.ErrNotFound) { // River has given the job up already
				err = nil
			}
			return err
		})
		if err == nil || pause > 10*time.Second {
			return settled, err
		}
		w.log.Error("cannot store a step; trying again", "check", c.ID, "error", err)
		time.Sleep(pause)
	}
}

// confirm asks whether the user has agreed. A message may have said so, but only
// the answer to our own query counts.
func (s *service) confirm(ctx context.Context, c check) next {
	agreement, err := s.client.ZhimaCreditPayafteruseCreditagreement.Query(ctx, &alipay.CreditAgreementQueryParams{OutAgreementNo: c.ID})
	if err != nil {
		// This query spends nothing, whatever its outcome. Until the user has
		// answered, the platform knows no such agreement.
		if errors.Is(err, alipay.CodeCreditAgreementNotExist) {
			return s.again(c, next{pause: s.timing.agreement})
		}
		return s.again(c, next{note: err.Error(), pause: min(5*s.timing.poll, s.timing.agreement)})
	}
	if agreement.OutAgreementNo != "" && agreement.OutAgreementNo != c.ID {
		return s.again(c, next{note: "the answer is about another agreement", pause: s.timing.agreement})
	}
	switch agreement.AgreementStatus {
	case alipay.AgreementStatusValid:
		return next{state: stateAgreed, stays: s.timing.result, openID: agreement.OpenID, userID: agreement.AlipayUserID}
	case alipay.AgreementStatusInvalid:
		return next{state: stateDeclined}
	}
	return s.again(c, next{note: "agreement_status is " + string(agreement.AgreementStatus), pause: s.timing.agreement})
}

// ask asks for the result, once.
func (s *service) ask(ctx context.Context, c check) next {
	response, err := s.client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{
		ConnKey:   c.ID,
		OnceToken: c.OnceToken,
		OpenID:    c.OpenID, // so that another user's answer is refused
	})
	soon := min(time.Duration(max(c.Attempts, 1))*s.timing.poll, 15*s.timing.poll)
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		return s.answered(c, response, soon)
	case alipay.OutcomePending: // never of a single query
		return s.again(c, next{pause: soon})
	case alipay.OutcomeNotDelivered:
		// Nothing was sent, so nothing is spent. What only an operator can fix is
		// tried less often.
		if !alipay.Retryable(err) {
			soon = 15 * s.timing.poll
		}
		return s.again(c, next{note: err.Error(), pause: soon})
	case alipay.OutcomeRejected:
		// A refusal after a query whose outcome is unknown is in doubt: that query
		// may have got the result, and so spent the token.
		if c.Lost {
			return next{state: stateInDoubt, note: err.Error()}
		}
		return next{state: stateFailed, note: err.Error()}
	case alipay.OutcomeUnknown:
	}
	// A complete answer that cannot be verified yet may be the only copy of the
	// result: keep it to open it later, and do not query again.
	var call *alipay.CallError
	if errors.As(err, &call) && call.Answer != nil {
		if sealed, marshalErr := call.Answer.MarshalBinary(); marshalErr == nil {
			return next{state: stateSealed, note: err.Error(), sealed: sealed, arrived: true}
		}
	}
	return s.again(c, next{note: err.Error(), lost: true, pause: soon})
}

// answered is what follows from a verified answer.
func (s *service) answered(c check, response *alipay.QueryResponse, pause time.Duration) next {
	if response.IdentityResult == alipay.IdentityResultWaitingVerify {
		// Nothing is spent yet. But a lost query stays lost: delayed somewhere on its
		// way, it may still arrive, and then spend the token.
		return s.again(c, next{pause: pause})
	}
	result, err := json.Marshal(response) // with its values, under the wire names
	if err != nil {
		result = response.Meta.Body
	}
	return next{state: stateDone, identityResult: string(response.IdentityResult), result: result, arrived: true}
}

// open opens a kept answer with the present keys.
func (s *service) open(c check) next {
	var sealed alipay.SealedAnswer
	err := sealed.UnmarshalBinary(c.Sealed)
	if err == nil {
		var response *alipay.QueryResponse
		if response, err = s.client.ZhimaCustomerJobworthAuthentication.Open(&sealed); err == nil {
			c.State, c.Deadline = stateAgreed, c.Now+1 // if it says WAITING_VERIFY, go on asking
			n := s.answered(c, response, 0)
			n.stays = s.timing.result
			return n
		}
	}
	return next{state: stateSealed, note: err.Error(), sealed: c.Sealed}
}

// again stays in the state for another step after n.pause. If the deadline had
// passed when this step began, it ends the check: so even a check whose process
// was stopped meanwhile gets a last step.
func (s *service) again(c check, n next) next {
	n.state = c.State
	if left := c.Deadline - c.Now; left > 0 {
		n.pause = min(n.pause, time.Duration(left)*time.Millisecond)
		return n
	}
	switch {
	case c.State == stateStarted:
		n.state = stateExpired
	case c.Lost || n.lost:
		n.state = stateInDoubt
	default:
		n.state = stateFailed
	}
	n.note = strings.TrimSpace("no answer in time. " + n.note)
	return n
}
