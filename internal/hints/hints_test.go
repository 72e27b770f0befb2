package hints_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/hints"
)

func TestHintsNameWhatToLookAt(t *testing.T) {
	for _, tc := range []struct {
		code string
		want []string
	}{
		{"TOKEN_INVALID", []string{"one final answer", "expired", "new check"}},
		{"TOKEN_NOT_MATCH_IDENTITY_TYPE", []string{"IdentityType"}},
		{"WRONG_OUT_AGREEMENT_NO_INTERCEPT", []string{"ConnKey", "out_agreement_no", "first step"}},
		{"CREDIT_AGREEMENT_NOT_EXIST", []string{"OutAgreementNo", "agreed"}},
		{"CREDIT_AUTH_NOT_EXIST", []string{"OutAgreementNo", "agreed"}},
		{"ILLEGAL_QUERY", []string{"AppAuthToken"}},
		{"EXTRA_PARAM_FORMAT_ERROR", []string{"ExtraParam", "1,024"}},
		{"DEPEND_FAILURE", []string{"again a little later"}},
		{"BIZ_ERROR", []string{"TraceID"}},
		{"USER_NOT_AUTHORIZE", []string{"authorize"}},
		{"NOT_OPEN_ZM", []string{"芝麻信用"}},
		{"USER_NOT_OPEN_JOBWORTH", []string{"职得"}},
		{"CARD_NO_NOT_MATCH", []string{"CertNo"}},
		{"MOBILE_NO_NOT_MATCH", []string{"earlier step"}},
		{"USER_NAME_NOT_MATCH", []string{"earlier step"}},
		{"MERCHANT_INTERCEPT", []string{"签约"}},
		{"RISK_INTERCEPT", []string{"TraceID"}},
		{"PARAM_ERROR", []string{"QueryParams"}},
		{"INVALID_PARAMETER", []string{"QueryParams"}},
		{"invalid-parameter", []string{"QueryParams"}},
		{"SYSTEM_ERROR", []string{"outcome is unknown", "same token", "TOKEN_INVALID"}},
		{"unknow-error", []string{"outcome is unknown", "same token", "TOKEN_INVALID"}},

		{"invalid-signature", []string{"PrivateKey", "应用公钥", "沙箱"}},
		{"missing-signature", []string{"Authorization"}},
		{"missing-signature-key", []string{"应用公钥", "接口加签方式"}},
		{"missing-signature-config", []string{"应用公钥", "接口加签方式"}},
		{"invalid-signature-type", []string{"RSA2", "接口加签方式"}},
		{"app-key-security-risk", []string{"PrivateKey", "接口加签方式"}},
		{"unsupported-expired-app-key-sign", []string{"PrivateKey", "应用公钥"}},

		{"invalid-app-id", []string{"AppID", "BaseURL", "沙箱"}},
		{"missing-app-id", []string{"Authorization"}},
		{"invalid-app-state", []string{"已上线"}},
		{"missing-timestamp", []string{"Authorization"}},
		{"invalid-timestamp", []string{"10 minutes", "NTP"}},
		{"illegal-timestamp", []string{"10 minutes", "NTP"}},

		{"insufficient-isv-permissions", []string{"签约", "产品绑定"}},
		{"insufficient-user-permissions", []string{"签约", "第三方应用授权"}},
		{"forbidden-api", []string{"disabled"}},
		{"sevice-not-been-subscribed-to", []string{"订购"}},
		{"not-support-app-auth", []string{"AppAuthToken"}},
		{"self-invoke-forbidden", []string{"AppAuthToken"}},
		{"app-unbind-partner", []string{"PID"}},
		{"illegal-client-ip", []string{"IP white list", "IP白名单"}},

		{"app-cert-expired", []string{"AppCertContent"}},
		{"app-cert-not-exist", []string{"AppCertContent"}},
		{"alipay-cert-not-exist", []string{"AlipayPublicCertContent", "支付宝公钥证书"}},
		{"missing-app-cert-sn", []string{"AppCertContent"}},
		{"missing-alipay-root-cert-sn", []string{"RootCertContent"}},
		{"invalid-alipay-root-cert-sn", []string{"RootCertContent", "支付宝根证书"}},

		{"missing-encrypt-key", []string{"EncryptKey", "接口内容加密方式"}},
		{"missing-encrypt-type", []string{"EncryptKey", "接口内容加密方式"}},
		{"invalid-encrypt", []string{"EncryptKey", "接口内容加密方式"}},
		{"decryption-error", []string{"EncryptKey"}},
		{"decryption-error-missing-encrypt-type", []string{"EncryptKey"}},
		{"decryption-error-not-valid-encrypt-type", []string{"EncryptKey"}},
		{"decryption-error-not-valid-encrypt-key", []string{"EncryptKey"}},
		{"decryption-error-unknown", []string{"EncryptKey"}},

		{"invalid-app-auth-token", []string{"AppAuthToken", "第三方应用授权"}},
		{"app-auth-token-time-out", []string{"AppAuthToken", "第三方应用授权"}},
		{"invalid-app-auth-token-no-api", []string{"AppAuthToken", "第三方应用授权"}},
		{"openid-error", []string{"OpenID"}},

		{"app-call-limited", []string{"nothing happened", "RetryPolicy"}},
		{"method-call-limited", []string{"nothing happened", "RetryPolicy"}},
	} {
		hint := hints.For(pathOf(tc.code), tc.code, 400).EN
		for _, want := range tc.want {
			assert.Contains(t, hint, want, tc.code)
		}
	}
}

// pathOf is the path of the API in whose list the code is.
func pathOf(code string) string {
	for _, group := range hints.Groups {
		for _, entry := range group.Entries {
			if entry.Code == code && group.Path != "" {
				return group.Path
			}
		}
	}
	return hints.JobworthPath // whose calls meet the gateway's codes, too
}

func TestAdviceForUnknownCodeGoesByStatus(t *testing.T) {
	for status, want := range map[int]hints.Text{
		401: {"credentials", "身份凭证"},
		403: {"not allowed", "不被允许"},
		404: {"BaseURL", "BaseURL"},
		408: {"outcome is unknown", "结果未知"},
		413: {"too large", "过大"},
		414: {"too large", "过大"},
		429: {"nothing happened", "未被执行"},
		431: {"too large", "过大"},
		500: {"outcome is unknown", "结果未知"},
		502: {"proxy in front of it", "网关前的代理"},
		504: {"once_token", "once_token"},
	} {
		for _, code := range []string{"", "some-new-code", "upload-fail"} {
			got := hints.For(hints.JobworthPath, code, status)
			assert.Contains(t, got.EN, want.EN, status)
			assert.Contains(t, got.ZH, want.ZH, status)
		}
	}
	for _, status := range []int{0, 200, 202, 302, 400, 409, 422, 499} {
		assert.Empty(t, hints.For(hints.JobworthPath, "some-new-code", status), status)
		assert.Empty(t, hints.For(hints.JobworthPath, "", status), status)
	}
}

// Other APIs use the same words for something else.
func TestABusinessCodeIsExplainedForItsOwnAPIOnly(t *testing.T) {
	const other = "/v3/other"
	assert.NotEmpty(t, hints.For(hints.JobworthPath, "TOKEN_INVALID", 400))
	assert.Empty(t, hints.For(other, "TOKEN_INVALID", 400))
	assert.Equal(t, hints.For("", "", 403), hints.For(other, "TOKEN_INVALID", 403))
	assert.Equal(t, hints.For(hints.JobworthPath, "invalid-signature", 400), hints.For(other, "invalid-signature", 400), "the gateway's are everybody's")
	assert.Contains(t, hints.For(other, "SYSTEM_ERROR", 400).EN, "outcome is unknown")
	for _, code := range []string{"INVALID_PARAMETER", "PARAM_ERROR", "invalid-parameter"} {
		assert.Contains(t, hints.For(other, code, 400).EN, "manual of this API", code)
	}
}

func TestAdviceOfTheCodeGoesBeforeTheStatus(t *testing.T) {
	require.NotEmpty(t, hints.For(hints.JobworthPath, "TOKEN_INVALID", 400))
	assert.Equal(t, hints.For(hints.JobworthPath, "TOKEN_INVALID", 400), hints.For(hints.JobworthPath, "TOKEN_INVALID", 404))
}

// An APIError calls the outcome unknown at these statuses, whatever the code.
func TestThrottleAdvicePromisesNothingWhenTheOutcomeIsUnknown(t *testing.T) {
	for _, code := range []string{"app-call-limited", "method-call-limited"} {
		for _, status := range []int{100, 202, 302, 399, 408, 500, 503} {
			assert.Contains(t, hints.For(hints.JobworthPath, code, status).EN, "outcome is unknown", status)
			assert.Contains(t, hints.For(hints.JobworthPath, code, status).ZH, "结果未知", status)
		}
		for _, status := range []int{0, 99, 400, 403, 429, 499} {
			assert.Contains(t, hints.For(hints.JobworthPath, code, status).EN, "nothing happened", status)
			assert.Contains(t, hints.For(hints.JobworthPath, code, status).ZH, "未被执行", status)
		}
	}
}

func TestKnownIsTheListAndNothingElse(t *testing.T) {
	known := map[string]bool{}
	for _, group := range hints.Groups {
		for _, entry := range group.Entries {
			assert.False(t, known[entry.Code], "%s stands twice", entry.Code)
			assert.True(t, hints.Known(entry.Code), entry.Code)
			known[entry.Code] = true
		}
	}
	for _, code := range []string{"", "some-new-code", "token_invalid", "TOKEN_INVALID "} {
		assert.False(t, hints.Known(code), "%q", code)
	}
}

// Advice is for reading: whole sentences, few of them, nothing left open and
// nothing that would break a table.
func TestTextsReadWell(t *testing.T) {
	check := func(text hints.Text) {
		t.Helper()
		assert.Equal(t, text.EN == "", text.ZH == "", "in one language only: %+v", text)
		for _, each := range []struct{ text, stop string }{{text.EN, ". "}, {text.ZH, "。"}} {
			if each.text == "" {
				continue
			}
			assert.NotRegexp(t, `(?i)todo|fixme|tbd|xxx|lorem|\.\.\.|…|[%<>{}|\x60\n]|  `, each.text)
			assert.Equal(t, strings.TrimSpace(each.text), each.text)
			assert.True(t, strings.HasSuffix(each.text, strings.TrimSpace(each.stop)), "%q", each.text)
			assert.LessOrEqual(t, strings.Count(each.text+" ", each.stop), 3, "sentences in %q", each.text)
		}
		if text.ZH != "" {
			assert.Regexp(t, `\p{Han}`, text.ZH)
			assert.NotRegexp(t, `[,:;?!]($|[^0-9])`, text.ZH, "a Latin punctuation mark")
		}
	}
	for _, group := range hints.Groups {
		check(group.Title)
		for _, entry := range group.Entries {
			check(entry.Advice)
			assert.NotRegexp(t, `[|\x60\n]|\.$`, entry.Meaning.EN, entry.Code)
			assert.Regexp(t, `^\p{Ll}`, regexp.MustCompile(`^(PID|ISV)`).ReplaceAllString(entry.Meaning.EN, "x"), entry.Code)
			assert.Regexp(t, `\p{Han}`, entry.Meaning.ZH, entry.Code)
			assert.NotRegexp(t, `[|\x60\n。]`, entry.Meaning.ZH, entry.Code)
		}
	}
	for status := 100; status < 600; status++ {
		check(hints.For(hints.JobworthPath, "", status))
	}
}
