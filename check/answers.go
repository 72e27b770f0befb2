package check

import (
	"errors"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/identity"
)

// isFinal reports whether a verified answer ends the asking.
func isFinal(response *alipay.QueryResponse) bool {
	return response.IdentityResult != alipay.IdentityResultWaitingVerify
}

// answerIn returns the answer that an error carries.
func answerIn(err error) *alipay.SealedAnswer {
	if failed, ok := errors.AsType[*alipay.CallError](err); ok {
		return failed.Answer
	}
	return nil
}

// isSealed reports whether an answer cannot be accepted as long as the keys are
// what they are. Asking again could only bring another such answer.
func isSealed(err error) bool {
	return errors.Is(err, alipay.ErrUnknownCertificate) || errors.Is(err, alipay.ErrDecrypt) ||
		errors.Is(err, alipay.ErrResponseSignature) && !errors.Is(err, alipay.ErrResponseAltered)
}

// sameUser reports whether a result can be that of the user who agreed.
func sameUser(c *Check, response *alipay.QueryResponse) bool {
	agreed := identity.Ask(identity.Subject{c.UserID, c.OpenID})
	return !agreed.IsAnother(identity.Subject{response.UserID, response.OpenID})
}
