package check

import (
	"errors"
	"strings"

	"github.com/seed-39a49030/alipay"
)

// isFinal reports whether a verified answer ends the asking.
func isFinal(response *alipay.QueryResponse) bool {
	return response.IdentityResult != alipay.IdentityResultWaitingVerify
}

// answerIn returns the answer that an error carries.
func answerIn(err error) *alipay.SealedAnswer {
	var failed *alipay.CallError
	if errors.As(err, &failed) {
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

// sameUser reports whether a result can be that of the user who agreed. One id
// that agrees proves it, whatever the other says.
func sameUser(c *Check, response *alipay.QueryResponse) bool {
	user := compareIDs(c.UserID, response.UserID, true)
	open := compareIDs(c.OpenID, response.OpenID, false)
	return user > 0 || open > 0 || user == 0 && open == 0
}

// compareIDs returns 1 when two ids are the same, -1 when they cannot be, and 0
// when that cannot be told. Two user ids can be compared only if both have the
// platform's form, or neither.
func compareIDs(a, b string, userIDs bool) int {
	switch {
	case !isPlain(a) || !isPlain(b) || userIDs && isMemberID(a) != isMemberID(b):
		return 0
	case a == b:
		return 1
	}
	return -1
}

// isPlain reports whether an id is as Alipay issues them, and not masked or a word
// for none.
func isPlain(id string) bool {
	switch strings.ToLower(id) {
	case "null", "-", "false", "true", "none", "undefined":
		return false
	}
	return isID(id)
}

// isMemberID reports whether an id has the form of an Ant member id.
func isMemberID(id string) bool {
	return len(id) == 16 && strings.HasPrefix(id, "2088") && strings.Trim(id, "0123456789") == ""
}

// isID reports whether text can be an out_agreement_no or a user's id: at most 128
// letters, digits, "_" and "-".
func isID(text string) bool {
	for _, b := range []byte(text) {
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && b != '_' && b != '-' {
			return false
		}
	}
	return text != "" && len(text) <= 128
}
