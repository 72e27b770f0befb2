package alipay

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHintsNameWhatToLookAt(t *testing.T) {
	for _, tc := range []struct {
		code ErrorCode
		want []string
	}{
		{CodeTokenInvalid, []string{"one final answer", "expired", "started anew"}},
		{CodeTokenNotMatchIdentityType, []string{"IdentityType"}},
		{CodeWrongOutAgreementNoIntercept, []string{"ConnKey", "out_agreement_no", "first step"}},
		{CodeUserNotAuthorize, []string{"authorize"}},
		{CodeNotOpenZM, []string{"芝麻信用"}},
		{CodeUserNotOpenJobworth, []string{"职得"}},
		{CodeCardNoNotMatch, []string{"CertNo"}},
		{CodeMobileNoNotMatch, []string{"earlier step"}},
		{CodeUserNameNotMatch, []string{"earlier step"}},
		{CodeMerchantIntercept, []string{"签约"}},
		{CodeRiskIntercept, []string{"TraceID"}},
		{CodeParamError, []string{"QueryParams"}},
		{CodeInvalidParameter, []string{"QueryParams"}},
		{CodeGatewayInvalidParameter, []string{"QueryParams"}},
		{CodeSystemError, []string{"outcome is unknown", "same token", "TOKEN_INVALID"}},
		{CodeUnknowError, []string{"outcome is unknown", "same token", "TOKEN_INVALID"}},

		{CodeInvalidSignature, []string{"PrivateKey", "应用公钥", "沙箱"}},
		{CodeMissingSignature, []string{"Authorization"}},
		{CodeMissingSignatureKey, []string{"应用公钥", "接口加签方式"}},
		{CodeMissingSignatureConfig, []string{"应用公钥", "接口加签方式"}},
		{CodeInvalidSignatureType, []string{"RSA2", "接口加签方式"}},
		{CodeAppKeySecurityRisk, []string{"PrivateKey", "接口加签方式"}},
		{CodeUnsupportedExpiredAppKeySign, []string{"PrivateKey", "应用公钥"}},

		{CodeInvalidAppID, []string{"AppID", "BaseURL", "沙箱"}},
		{CodeMissingAppID, []string{"Authorization"}},
		{CodeInvalidAppState, []string{"已上线"}},
		{CodeMissingTimestamp, []string{"Authorization"}},
		{CodeInvalidTimestamp, []string{"10 minutes", "NTP"}},
		{CodeIllegalTimestamp, []string{"10 minutes", "NTP"}},

		{CodeInsufficientISVPermissions, []string{"签约", "产品绑定"}},
		{CodeInsufficientUserPermissions, []string{"签约", "第三方应用授权"}},
		{CodeForbiddenAPI, []string{"disabled"}},
		{CodeSeviceNotBeenSubscribedTo, []string{"订购"}},
		{CodeNotSupportAppAuth, []string{"AppAuthToken"}},
		{CodeSelfInvokeForbidden, []string{"AppAuthToken"}},
		{CodeAppUnbindPartner, []string{"PID"}},
		{CodeIllegalClientIP, []string{"IP white list", "IP白名单"}},

		{CodeAppCertExpired, []string{"AppCertContent"}},
		{CodeAppCertNotExist, []string{"AppCertContent"}},
		{CodeAlipayCertNotExist, []string{"AlipayPublicCertContent", "支付宝公钥证书"}},
		{CodeMissingAppCertSN, []string{"AppCertContent"}},
		{CodeMissingAlipayRootCertSN, []string{"RootCertContent"}},
		{CodeInvalidAlipayRootCertSN, []string{"RootCertContent", "支付宝根证书"}},

		{CodeMissingEncryptKey, []string{"EncryptKey", "接口内容加密方式"}},
		{CodeMissingEncryptType, []string{"EncryptKey", "接口内容加密方式"}},
		{CodeInvalidEncrypt, []string{"EncryptKey", "接口内容加密方式"}},
		{CodeDecryptionError, []string{"EncryptKey"}},
		{CodeDecryptionErrorMissingEncryptType, []string{"EncryptKey"}},
		{CodeDecryptionErrorNotValidEncryptType, []string{"EncryptKey"}},
		{CodeDecryptionErrorNotValidEncryptKey, []string{"EncryptKey"}},
		{CodeDecryptionErrorUnknown, []string{"EncryptKey"}},

		{CodeInvalidAppAuthToken, []string{"AppAuthToken", "第三方应用授权"}},
		{CodeAppAuthTokenTimeOut, []string{"AppAuthToken", "第三方应用授权"}},
		{CodeInvalidAppAuthTokenNoAPI, []string{"AppAuthToken", "第三方应用授权"}},
		{CodeOpenIDError, []string{"OpenID"}},

		{CodeAppCallLimited, []string{"nothing happened", "RetryPolicy"}},
		{CodeMethodCallLimited, []string{"nothing happened", "RetryPolicy"}},
	} {
		hint := hintFor(tc.code, 400)
		for _, want := range tc.want {
			assert.Contains(t, hint, want, string(tc.code))
		}
	}
}

func TestHintForUnknownCodeGoesByStatus(t *testing.T) {
	for status, want := range map[int]string{
		401: "credentials",
		403: "not allowed",
		404: "BaseURL",
		408: "outcome is unknown",
		413: "too large",
		414: "too large",
		429: "nothing happened",
		431: "too large",
		500: "outcome is unknown",
		502: "proxy in front of it",
		504: "once_token",
	} {
		assert.Contains(t, hintFor("some-new-code", status), want, status)
		assert.Contains(t, hintFor("", status), want, status)
	}
	for _, status := range []int{0, 200, 202, 302, 400, 409, 422} {
		assert.Empty(t, hintFor("some-new-code", status), status)
		assert.Empty(t, hintFor("", status), status)
	}
}

func TestHintOfTheCodeGoesBeforeTheStatus(t *testing.T) {
	assert.Equal(t, hintFor(CodeTokenInvalid, 400), hintFor(CodeTokenInvalid, 404))

	require.Empty(t, hintFor(CodeUploadFail, 400), "the case needs a code without advice of its own")
	assert.Equal(t, hintFor("", 500), hintFor(CodeUploadFail, 500))
}

// APIError calls the outcome unknown at these statuses, whatever the code.
func TestThrottleHintPromisesNothingWhenTheOutcomeIsUnknown(t *testing.T) {
	for _, code := range []ErrorCode{CodeAppCallLimited, CodeMethodCallLimited} {
		for _, status := range []int{202, 302, 408, 500, 503} {
			assert.Contains(t, hintFor(code, status), "outcome is unknown", status)
		}
		for _, status := range []int{0, 400, 403, 429} {
			assert.Contains(t, hintFor(code, status), "nothing happened", status)
		}
	}
}

// Hints and the README tables are for reading: whole sentences, few of them,
// nothing left open and nothing that would break a table.
func TestHintsReadWell(t *testing.T) {
	check := func(text, stop string) {
		t.Helper()
		assert.NotRegexp(t, `(?i)todo|fixme|tbd|xxx|lorem|\.\.\.|…|[%<>{}|\x60\n]|  `, text)
		assert.Equal(t, strings.TrimSpace(text), text)
		assert.True(t, strings.HasSuffix(text, strings.TrimSpace(stop)), "%q", text)
		assert.LessOrEqual(t, len(strings.SplitAfter(text+" ", stop))-1, 3, "sentences in %q", text)
	}
	for _, row := range codeRows(t) {
		assert.NotRegexp(t, `[|\x60\n]`, row.Meaning+row.MeaningZH, row.Name)
		assert.Regexp(t, `\p{Han}`, row.MeaningZH, row.Name)
		assert.Equal(t, row.Cure.EN == "", row.Cure.ZH == "", "%s: advice in one language only", row.Name)
		if row.Cure.EN != "" {
			check(row.Cure.EN, ". ")
			check(row.Cure.ZH, "。")
			assert.Regexp(t, `\p{Han}`, row.Cure.ZH, row.Name)
		}
	}
	for status := 100; status < 600; status++ {
		if hint := statusCure(status); hint != "" {
			check(hint, ". ")
		}
	}
}

// A hint that sends the reader to a field or an option must name one that exists.
func TestHintsNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[AlipayConfig](), reflect.TypeFor[QueryParams](), reflect.TypeFor[APIError](), reflect.TypeFor[Request](),
	} {
		known[typ.Name()] = true
		for i := range typ.NumField() {
			known[typ.Field(i).Name] = true
		}
	}
	for _, other := range []string{"RetryPolicy", "WithAppAuthToken", "WithClock", "DefaultBaseURL", "SandboxBaseURL"} {
		known[other] = true
	}
	names := regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z]+[a-z]*)+\b`)
	check := func(text string) {
		t.Helper()
		for _, name := range names.FindAllString(text, -1) {
			assert.True(t, known[name], "%s in %q", name, text)
		}
	}
	for _, row := range codeRows(t) {
		check(row.Cure.EN)
		check(row.Cure.ZH)
	}
	for status := 100; status < 600; status++ {
		check(statusCure(status))
	}
}
