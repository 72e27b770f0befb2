package alipay

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/hints"
	"github.com/seed-39a49030/alipay/internal/lenient"
)

// Outcome says what may have happened.
type Outcome int

// Every call has one of these outcomes.
const (
	OutcomeSuccess      Outcome = iota // there is a verified answer
	OutcomePending                     // a wait ended with the answer still WAITING_VERIFY
	OutcomeRejected                    // the gateway answered no
	OutcomeUnknown                     // the request may have taken effect: a once_token may be spent
	OutcomeNotDelivered                // certainly nothing happened
)

// String returns success, pending, rejected, unknown or not_delivered.
func (o Outcome) String() string {
	names := [...]string{"success", "pending", "rejected", "unknown", "not_delivered"}
	if o < 0 || int(o) >= len(names) {
		o = OutcomeUnknown
	}
	return names[o]
}

// MarshalText returns what String returns, for JSON and logs.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// What may have happened; [OutcomeOf] returns it as an [Outcome].
var (
	// ErrOutcomeUnknown: a once_token may have been spent.
	ErrOutcomeUnknown = errors.New("outcome unknown: the request may have reached the gateway and no trustworthy answer came")
	// ErrNotDelivered: [Retryable] says whether the call may be repeated as it is.
	ErrNotDelivered = errors.New("not delivered: nothing happened, the call may be repeated")
)

var sentinels = map[Outcome]error{OutcomeUnknown: ErrOutcomeUnknown, OutcomeNotDelivered: ErrNotDelivered}

// OutcomeOf says what an error of a call, a wait, or a bare [ErrorCode] means. An
// error of any other origin is [OutcomeUnknown].
func OutcomeOf(err error) Outcome {
	var refused *APIError
	var code ErrorCode
	switch {
	case err == nil:
		return OutcomeSuccess
	case errors.Is(err, ErrOutcomeUnknown):
		return OutcomeUnknown
	case errors.Is(err, ErrNotDelivered), isMistake(err):
		return OutcomeNotDelivered
	case errors.Is(err, ErrStillWaiting):
		return OutcomePending
	case errors.As(err, &refused):
		return refused.outcome()
	case errors.As(err, &code):
		return code.outcome()
	}
	return OutcomeUnknown
}

// Stage is where a call ended that began and got no answer; else "".
type Stage string

// The stages of a call, in their order.
const (
	StageResolve Stage = delivery.StageResolve // looking up a host name
	StageConnect Stage = delivery.StageConnect // making a TCP connection
	StageProxy   Stage = delivery.StageProxy   // going through a proxy
	StageTLS     Stage = delivery.StageTLS     // the TLS handshake
	StageSend    Stage = delivery.StageSend    // sending the request
	StageAnswer  Stage = delivery.StageAnswer  // waiting for the answer
)

// Retryable reports whether the same call may be repeated as it is: nothing was
// delivered, and not because of a mistake of the caller or its Signer, of what only an
// operator can put right, or of the caller's own context, which has ended. The library
// has already retried it as far as [RetryPolicy] allows.
func Retryable(err error) bool {
	var failed *CallError
	return OutcomeOf(err) == OutcomeNotDelivered && !isMistake(err) && !(errors.As(err, &failed) && failed.permanent)
}

// isMistake finds the mistakes that are reported before anything is sent.
func isMistake(err error) bool {
	var argument *ArgumentError
	var config *ConfigError
	return errors.As(err, &argument) || errors.As(err, &config)
}

// ErrorCode is the code of an error answer, as the gateway spells it. It is also an
// error, whose text is the bare code, so that errors.Is can look for it:
//
//	if errors.Is(err, alipay.CodeTokenInvalid) { … }
//
// The constants are the codes that are known; any other is kept as it came.
// [APIError.Hint] says what to do about a code.
type ErrorCode string

// Error returns the bare code.
func (c ErrorCode) Error() string { return string(c) }

// Known reports whether the code is one of the constants. Codes come from outside, so
// a metric should give all unknown ones the same label: else their number has no bound.
func (c ErrorCode) Known() bool { return hints.Known(string(c)) || hints.Known(string(c.bare())) }

// The codes of the old gateway itself that mean something to a caller.
const (
	oldSuccess     ErrorCode = "10000"
	oldUnavailable ErrorCode = "20000"
	oldCallLimited ErrorCode = "40005"
)

// bare is the code as v3 spells it: the old gateway puts isv., isp. or aop. in front.
func (c ErrorCode) bare() ErrorCode {
	if prefix, bare, ok := strings.Cut(string(c), "."); ok && (prefix == "isv" || prefix == "isp" || prefix == "aop") {
		return ErrorCode(bare)
	}
	return c
}

// outcome is what the code alone implies.
func (c ErrorCode) outcome() Outcome {
	switch bare := string(c.bare()); {
	case strings.HasSuffix(bare, string(CodeSystemError)), bare == string(CodeUnknowError), c == oldUnavailable: // ACQ.SYSTEM_ERROR and the like
		return OutcomeUnknown
	case strings.HasSuffix(bare, "call-limited"), c == oldCallLimited:
		return OutcomeNotDelivered
	}
	return OutcomeRejected
}

// newRefusal reads code, message and links of an error answer. A body that is not
// a JSON object, or could not be read, leaves them empty.
func newRefusal(body []byte, unread error) *APIError {
	e := &APIError{Body: body, cause: unread}
	object, err := lenient.Object(body)
	if unread != nil || err != nil {
		return e
	}
	names := []string{"code", "sub_code", "message", "sub_msg", "msg"}
	texts := make([]string, len(names))
	_ = lenient.EachMember(object, func(name, value []byte) error {
		if i := slices.Index(names, string(name)); i >= 0 {
			texts[i], _ = lenient.String(value)
		} else if string(name) == "links" {
			for _, link := range lenient.Links(value, maxLinks-len(e.Links)) {
				e.Links = append(e.Links, ErrorLink(link))
			}
		}
		return nil
	})
	e.gateway = ErrorCode(texts[0])
	e.Code, e.Message = cmp.Or(ErrorCode(strings.TrimSpace(texts[1])), e.gateway), cmp.Or(texts[2:]...)
	return e
}

// newUnsignedRefusal reads an answer that nobody has signed, decrypted for its code
// where that can be done. unread is why there may be more of it.
func newUnsignedRefusal(a *answer, unread error, sets ...*keySet) *APIError {
	body := a.raw
	if a.old != nil && a.old.err == nil {
		body = a.old.Content()
	}
	for _, keys := range sets {
		if plain, err := keys.decrypt(body); err == nil && lenient.StartsObject(plain) {
			body = plain
			break
		}
	}
	e := newRefusal(body, unread)
	e.old = a.old != nil
	return e
}

// refusalMembers are those of a refusal of v3, beside its code.
var refusalMembers = []string{"message", "links", "details"}

// saysMore reports whether an answer has a member beside the common ones and those.
func saysMore(object []byte, beside ...string) (more bool) {
	_ = lenient.EachMember(object, func(name, _ []byte) error {
		more = more || !isCommon(name) && !slices.Contains(beside, string(name))
		return nil
	})
	return more
}

// isRefusal reports whether an answer with status 200 is a refusal all the same: a
// code and a message and nothing else, or a code that leaves the outcome open.
func isRefusal(object []byte) bool {
	if !bytes.Contains(object, []byte(`"code"`)) && !bytes.ContainsRune(object, '\\') { // the name may be spelled with escapes
		return false
	}
	var code, message []byte
	more := false
	_ = lenient.EachMember(object, func(name, value []byte) error {
		switch string(name) {
		case "code":
			code = value
		case "message":
			message = value
		case "links", "details":
		default:
			more = true
		}
		return nil
	})
	isString := func(value []byte) bool { return bytes.HasPrefix(value, []byte{'"'}) }
	text, _ := lenient.String(code)
	known := ErrorCode(text)
	return isString(code) && (known.outcome() == OutcomeUnknown || known.Known() && isString(message) && !more)
}

// The block is generated from internal/hints/table.go by go generate.
const (
	// Business codes of zhima.customer.jobworth.authentication.query (职得身份认证查询接口). The agreement query shares INVALID_PARAMETER and SYSTEM_ERROR.
	CodeUserNotAuthorize             ErrorCode = "USER_NOT_AUTHORIZE"               // the user has not given the authorization that the query needs
	CodeTokenInvalid                 ErrorCode = "TOKEN_INVALID"                    // the once_token is not or no longer valid
	CodeNotOpenZM                    ErrorCode = "NOT_OPEN_ZM"                      // the user has not opened Zhima Credit, 芝麻信用
	CodeUserNotOpenJobworth          ErrorCode = "USER_NOT_OPEN_JOBWORTH"           // the user has not opened Zhima Jobworth, 职得
	CodeInvalidParameter             ErrorCode = "INVALID_PARAMETER"                // a parameter is missing or has a value that is not allowed
	CodeJobWorthBlackList            ErrorCode = "JOB_WORTH_BLACK_LIST"             // a block list of Zhima Jobworth refuses the query
	CodeSystemError                  ErrorCode = "SYSTEM_ERROR"                     // the platform failed; what became of the call is unknown
	CodeMerchantIntercept            ErrorCode = "MERCHANT_INTERCEPT"               // the platform refuses this merchant
	CodeRiskIntercept                ErrorCode = "RISK_INTERCEPT"                   // risk control refuses the query
	CodeOpenZMAccountIntercept       ErrorCode = "OPEN_ZM_ACCOUNT_INTERCEPT"        // the platform refuses to open a Zhima account for the user
	CodeCardNoNotMatch               ErrorCode = "CARD_NO_NOT_MATCH"                // the identity document number is not the user's
	CodeMobileNoNotMatch             ErrorCode = "MOBILE_NO_NOT_MATCH"              // the mobile number is not the user's
	CodeUserNameNotMatch             ErrorCode = "USER_NAME_NOT_MATCH"              // the name is not the user's
	CodeWrongOutAgreementNoIntercept ErrorCode = "WRONG_OUT_AGREEMENT_NO_INTERCEPT" // the conn_key is not the out_agreement_no of this check
	CodeTokenNotMatchIdentityType    ErrorCode = "TOKEN_NOT_MATCH_IDENTITY_TYPE"    // the once_token belongs to a check of another identity_type
	CodeParamError                   ErrorCode = "PARAM_ERROR"                      // a parameter is missing or wrong

	// Business codes of zhima.credit.payafteruse.creditagreement.query (信用协议查询接口).
	CodeBizError                ErrorCode = "BIZ_ERROR"                  // the platform could not carry out the query
	CodeExtraParamFormatError   ErrorCode = "EXTRA_PARAM_FORMAT_ERROR"   // extra_param is not in the expected format
	CodeCreditAuthNotExist      ErrorCode = "CREDIT_AUTH_NOT_EXIST"      // there is no authorization for this order
	CodeIllegalQuery            ErrorCode = "ILLEGAL_QUERY"              // the query is not allowed
	CodeCreditAgreementNotExist ErrorCode = "CREDIT_AGREEMENT_NOT_EXIST" // there is no such agreement
	CodeDependFailure           ErrorCode = "DEPEND_FAILURE"             // a system that the platform depends on failed

	// Gateway codes (公共错误码), common to every v3 endpoint.
	CodeGatewayInvalidParameter            ErrorCode = "invalid-parameter"                       // a parameter is missing or has a value that is not allowed
	CodeUploadFail                         ErrorCode = "upload-fail"                             // the file could not be uploaded
	CodeInvalidFileExtension               ErrorCode = "invalid-file-extension"                  // a file of this extension is not taken
	CodeInvalidFileSize                    ErrorCode = "invalid-file-size"                       // the file is empty or too large
	CodeFileCheckFail                      ErrorCode = "file-check-fail"                         // the file did not pass the gateway's check
	CodeAppCallLimited                     ErrorCode = "app-call-limited"                        // the application makes too many calls
	CodeMethodCallLimited                  ErrorCode = "method-call-limited"                     // the API receives too many calls
	CodeInsufficientISVPermissions         ErrorCode = "insufficient-isv-permissions"            // the application has no permission for this API
	CodeIllegalClientIP                    ErrorCode = "illegal-client-ip"                       // the call came from an address outside the IP white list
	CodeInsufficientUserPermissions        ErrorCode = "insufficient-user-permissions"           // the merchant called for has no permission for this API
	CodeSelfInvokeForbidden                ErrorCode = "self-invoke-forbidden"                   // the application may not call for itself
	CodeAppAuthInvokeLimit                 ErrorCode = "app-auth-invoke-limit"                   // calls on behalf of another merchant are restricted
	CodeAppAPIPunished                     ErrorCode = "app-api-punished"                        // the application is barred from this API as a penalty
	CodeMissingMethod                      ErrorCode = "missing-method"                          // the name of the API is missing
	CodeMissingPlatform                    ErrorCode = "missing-platform"                        // the platform parameter is missing
	CodeInvalidPlatform                    ErrorCode = "invalid-platform"                        // the platform parameter is not valid
	CodeInvalidMethod                      ErrorCode = "invalid-method"                          // there is no such API
	CodeForbiddenAPI                       ErrorCode = "forbidden-api"                           // the API is disabled
	CodeInvalidFormat                      ErrorCode = "invalid-format"                          // the data format is not one the gateway takes
	CodeMissingSignature                   ErrorCode = "missing-signature"                       // the call carries no signature
	CodeMissingAppAccessToken              ErrorCode = "missing-app-access-token"                // the application's access token is missing
	CodeMissingSignatureType               ErrorCode = "missing-signature-type"                  // the signature type is missing
	CodeMissingDefaultSignatureType        ErrorCode = "missing-default-signature-type"          // no default signature type is set for the application
	CodeMissingSignatureKey                ErrorCode = "missing-signature-key"                   // no key to verify with is set for the application
	CodeInvalidSignatureType               ErrorCode = "invalid-signature-type"                  // the signature type is not one the gateway takes
	CodeInvalidSignatureTypeSaidInterface  ErrorCode = "invalid-signature-type-said-interface"   // the signature type is not the one this API asks for
	CodeInvalidSignature                   ErrorCode = "invalid-signature"                       // the signature does not verify
	CodeUnsupportedExpiredAppKeySign       ErrorCode = "unsupported-expired-app-key-sign"        // the call is signed with an application key that has expired
	CodeAppKeySecurityRisk                 ErrorCode = "app-key-security-risk"                   // the application's key is considered unsafe
	CodeAppCertExpired                     ErrorCode = "app-cert-expired"                        // the application certificate has expired
	CodeAppCertNotExist                    ErrorCode = "app-cert-not-exist"                      // the gateway knows no such application certificate
	CodeAlipayCertNotExist                 ErrorCode = "alipay-cert-not-exist"                   // the gateway knows no such Alipay certificate
	CodeMissingAppCertSN                   ErrorCode = "missing-app-cert-sn"                     // the SN of the application certificate is missing
	CodeMissingAlipayCertSN                ErrorCode = "missing-alipay-cert-sn"                  // the SN of the Alipay certificate is missing
	CodeMissingAlipayRootCertSN            ErrorCode = "missing-alipay-root-cert-sn"             // the SN of the root certificates is missing
	CodeInvalidAlipayRootCertSN            ErrorCode = "invalid-alipay-root-cert-sn"             // the SN of the root certificates is wrong
	CodeInvalidRequestData                 ErrorCode = "invalid-request-data"                    // the data of the request is not valid
	CodeInvalidResponseData                ErrorCode = "invalid-response-data"                   // the data of the response is not valid
	CodeMissingEncryptType                 ErrorCode = "missing-encrypt-type"                    // the encryption type is missing
	CodeMissingEncryptKey                  ErrorCode = "missing-encrypt-key"                     // no key for content encryption is set
	CodeInvalidEncryptType                 ErrorCode = "invalid-encrypt-type"                    // the encryption type is not one the gateway takes
	CodeInvalidEncrypt                     ErrorCode = "invalid-encrypt"                         // the gateway could not decrypt the content
	CodeMissingSession                     ErrorCode = "missing-session"                         // the session is missing
	CodeMissingAppID                       ErrorCode = "missing-app-id"                          // the app_id is missing
	CodeInvalidAppID                       ErrorCode = "invalid-app-id"                          // the gateway knows no such app_id
	CodeMissingTimestamp                   ErrorCode = "missing-timestamp"                       // the timestamp is missing, often with the whole Authorization header
	CodeInvalidTimestamp                   ErrorCode = "invalid-timestamp"                       // the timestamp is malformed or too far off
	CodeIllegalTimestamp                   ErrorCode = "illegal-timestamp"                       // the timestamp is not one the gateway takes
	CodeMissingVersion                     ErrorCode = "missing-version"                         // the version parameter is missing
	CodeInvalidVersion                     ErrorCode = "invalid-version"                         // the version parameter is not valid
	CodeUnsupportedVersion                 ErrorCode = "unsupported-version"                     // the version is not supported
	CodeInvalidEncoding                    ErrorCode = "invalid-encoding"                        // the encoding is not valid
	CodeInvalidCharset                     ErrorCode = "invalid-charset"                         // the character set is not one the gateway takes
	CodeInvalidDigestType                  ErrorCode = "invalid-digest-type"                     // the digest type is not valid
	CodeInvalidDigest                      ErrorCode = "invalid-digest"                          // the digest does not match
	CodeInvalidAppState                    ErrorCode = "invalid-app-state"                       // the application is in a state in which it may not call
	CodeInvalidSubscribeRelations          ErrorCode = "invalid-subscribe-relations"             // there is no valid subscription between merchant and application
	CodeInvalidAuthToken                   ErrorCode = "invalid-auth-token"                      // the user's access token is not valid
	CodeAuthTokenTimeOut                   ErrorCode = "auth-token-time-out"                     // the user's access token has expired
	CodeInvalidAppAuthToken                ErrorCode = "invalid-app-auth-token"                  // the app_auth_token is not valid
	CodeInvalidAppAuthTokenNoAPI           ErrorCode = "invalid-app-auth-token-no-api"           // the app_auth_token does not cover this API
	CodeAppAuthTokenTimeOut                ErrorCode = "app-auth-token-time-out"                 // the app_auth_token has expired
	CodeNotSupportAppAuth                  ErrorCode = "not-support-app-auth"                    // the API cannot be called on behalf of another merchant
	CodeAccessDataTimeOut                  ErrorCode = "access-data-time-out"                    // access to the data has timed out
	CodeUnsupportOperation                 ErrorCode = "unsupport-operation"                     // the operation is not supported
	CodeOpenIDError                        ErrorCode = "openid-error"                            // the open_id is not valid
	CodeUnknowError                        ErrorCode = "unknow-error"                            // the platform failed; what became of the call is unknown
	CodeInvalidAppMethod                   ErrorCode = "invalid-app-method"                      // the application may not call this API in this way
	CodeMissingAppUID                      ErrorCode = "missing-app-uid"                         // the user id behind the application is missing
	CodeIllegalJSON                        ErrorCode = "illegal-json"                            // the JSON of the request is malformed
	CodeIllegalCardNo                      ErrorCode = "illegal-card-no"                         // the card number is not valid
	CodeInvalidPartnerid                   ErrorCode = "invalid-partnerid"                       // the partner id, PID, is not valid
	CodeNoProductRegByPartner              ErrorCode = "no-product-reg-by-partner"               // the merchant has signed up for no product
	CodeDecryptionError                    ErrorCode = "decryption-error"                        // the gateway could not decrypt the content
	CodeDecryptionErrorMissingEncryptType  ErrorCode = "decryption-error-missing-encrypt-type"   // the gateway could not decrypt, since the encryption type is missing
	CodeDecryptionErrorNotValidEncryptType ErrorCode = "decryption-error-not-valid-encrypt-type" // the gateway could not decrypt, since it does not support the encryption type
	CodeDecryptionErrorNotValidEncryptKey  ErrorCode = "decryption-error-not-valid-encrypt-key"  // the gateway could not decrypt, since the key is not set or malformed
	CodeDecryptionErrorUnknown             ErrorCode = "decryption-error-unknown"                // the gateway could not decrypt, for an unknown reason
	CodeMissingSignatureConfig             ErrorCode = "missing-signature-config"                // no public key or certificate is set for this kind of signature
	CodeSeviceNotBeenSubscribedTo          ErrorCode = "sevice-not-been-subscribed-to"           // the service has not been subscribed to (the gateway's own spelling)
	CodeUnknownSubCode                     ErrorCode = "unknown-sub-code"                        // the platform gave a reason that the gateway cannot name
	CodeSuspectedAttack                    ErrorCode = "suspected-attack"                        // the gateway takes the request for an attack
	CodeInvalidAuthRelations               ErrorCode = "invalid-auth-relations"                  // the authorization between the parties is not valid
	CodeInvalidProduct                     ErrorCode = "invalid-product"                         // the product is not valid
	CodeMethodForbiddenBatchInvoke         ErrorCode = "method-forbidden-batch-invoke"           // the API may not be called in a batch
	CodeExistBlankSubRequestID             ErrorCode = "exist-blank-sub-request-id"              // a request of the batch has no id
	CodeExistRepeatedSubRequestID          ErrorCode = "exist-repeated-sub-request-id"           // two requests of the batch have the same id
	CodeInvalidAppAuthRelations            ErrorCode = "invalid-app-auth-relations"              // the merchant's authorization of the application is not valid
	CodeAppUnbindPartner                   ErrorCode = "app-unbind-partner"                      // the application is bound to no merchant account, PID
	CodeAppInvalidOID                      ErrorCode = "app-invalid-oid"                         // the application's oid is not valid
	CodeExceedAPIBalance                   ErrorCode = "exceed-api-balance"                      // the calls allowed for this API are used up
	CodeInnerAppNoAccess                   ErrorCode = "inner-app-no-access"                     // an application internal to Alipay has no access
	CodeInvalidInnerInvokeScene            ErrorCode = "invalid-inner-invoke-scene"              // the scene of a call internal to Alipay is not valid
	CodeInvalidAppAPIFieldConfig           ErrorCode = "invalid-app-api-field-config"            // the application's field settings for this API are not valid
)
