// Package merchant is a merchant's own code: it decides who gets the teachers'
// discount. It asks for no more than an [alipay.JobworthQuerier], so that its
// tests need neither an account nor a network.
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
	StartAgain Decision = "start again" // the token is spent: the customer must be checked anew
)

// TeacherDiscount decides about the discount. In production its Identity is
// client.ZhimaCustomerJobworthAuthentication.
type TeacherDiscount struct {
	Identity  alipay.JobworthQuerier
	ServiceID string // credit service id assigned to the shop
}

// Decide asks once what the identity check of a customer has shown. An error
// means that the shop itself has something to mend, such as a permission or a
// key. The library's errors may be logged: they hold nothing personal.
func (d TeacherDiscount) Decide(ctx context.Context, onceToken string) (Decision, error) {
	answer, err := d.Identity.Query(ctx, &alipay.QueryParams{
		OnceToken:    onceToken,
		QueryType:    alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher,
		ServiceID:    d.ServiceID,
	})
	switch {
	case errors.Is(err, alipay.CodeTokenInvalid):
		return StartAgain, nil
	case errors.Is(err, alipay.ErrNotDelivered), errors.Is(err, alipay.ErrOutcomeUnknown):
		// Nothing happened, or the answer may have been given and lost. Only
		// asking again can tell: the token is then either still good or invalid.
		slog.WarnContext(ctx, "teachers' discount: no answer", "error", err)
		return AskAgain, nil
	case err != nil:
		return "", fmt.Errorf("teachers' discount: %w", err)
	}
	switch answer.IdentityResult {
	case alipay.IdentityResultSuccess:
		return Granted, nil
	case alipay.IdentityResultFailed:
		return Refused, nil
	case alipay.IdentityResultWaitingVerify:
		return Pending, nil
	}
	return "", fmt.Errorf("teachers' discount: unknown identity_result %q", answer.IdentityResult)
}
