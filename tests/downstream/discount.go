// Package merchant is a merchant's own code: it decides who gets the teachers'
// discount. It needs only an [alipay.JobworthQuerier], so that its tests need
// neither an account nor a network.
package merchant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed-39a49030/alipay"
)

// Decision is what the shop does next.
type Decision string

// The decisions.
const (
	Granted    Decision = "granted"     // a teacher
	Refused    Decision = "refused"     // not a teacher
	Pending    Decision = "pending"     // not known yet: ask again with the same token
	AskAgain   Decision = "ask again"   // no answer came: ask again with the same token
	StartAgain Decision = "start again" // the token is spent: start a new check of the customer
)

// Check is what the shop has stored about a customer's identity check.
type Check struct {
	AgreementNo string // out_agreement_no, which the shop chose when the check began
	OnceToken   string
}

// TeacherDiscount decides about the discount. In production its Identity is
// client.ZhimaCustomerJobworthAuthentication.
type TeacherDiscount struct {
	Identity  alipay.JobworthQuerier
	ServiceID string // credit service id assigned to the shop
}

// Decide queries once for the result of a check. An error means that the shop
// itself has something to correct, such as a permission or a key. The library's
// errors may be logged: they contain nothing personal.
func (d TeacherDiscount) Decide(ctx context.Context, check Check) (Decision, error) {
	// A customer who closes the page cancels ctx, which must not cut off an answer
	// that uses up the token. The client's timeout still bounds the call.
	answer, err := d.Identity.Query(context.WithoutCancel(ctx), &alipay.QueryParams{
		ConnKey:      check.AgreementNo,
		OnceToken:    check.OnceToken,
		QueryType:    alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher,
		ServiceID:    d.ServiceID,
	})
	if errors.Is(err, alipay.CodeTokenInvalid) {
		return StartAgain, nil
	}
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		return decided(answer.IdentityResult)
	case alipay.OutcomePending:
		return Pending, nil
	case alipay.OutcomeUnknown:
		// The answer may have been given and lost. Only asking again can show: the
		// token is then either still good or invalid.
		slog.WarnContext(ctx, "teachers' discount: no answer", "error", err)
		return AskAgain, nil
	case alipay.OutcomeNotDelivered:
		if alipay.Retryable(err) {
			slog.WarnContext(ctx, "teachers' discount: not delivered", "error", err)
			return AskAgain, nil
		}
	case alipay.OutcomeRejected:
	}
	return "", fmt.Errorf("teachers' discount: %w", err)
}

func decided(result alipay.IdentityResult) (Decision, error) {
	switch result {
	case alipay.IdentityResultSuccess:
		return Granted, nil
	case alipay.IdentityResultFailed:
		return Refused, nil
	case alipay.IdentityResultWaitingVerify:
		return Pending, nil
	}
	return "", fmt.Errorf("teachers' discount: unknown identity_result %q", result)
}
