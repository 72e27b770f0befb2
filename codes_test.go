package alipay_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/hints"
)

func TestErrorCodeIsAnErrorWithTheBareCodeAsText(t *testing.T) {
	var err error = alipay.CodeTokenInvalid
	assert.Equal(t, "TOKEN_INVALID", err.Error())
	wrapped := fmt.Errorf("query: %w", err)
	assert.ErrorIs(t, wrapped, alipay.CodeTokenInvalid)
	assert.NotErrorIs(t, wrapped, alipay.CodeParamError)

	var code alipay.ErrorCode
	require.True(t, errors.As(wrapped, &code))
	assert.Equal(t, alipay.CodeTokenInvalid, code)

	assert.Equal(t, "not-in-the-list", alipay.ErrorCode("not-in-the-list").Error())
}

func TestKnownIsTrueForTheConstantsOnly(t *testing.T) {
	for _, code := range []alipay.ErrorCode{alipay.CodeUserNotAuthorize, alipay.CodeDependFailure, alipay.CodeInvalidAppAPIFieldConfig} {
		assert.True(t, code.Known(), string(code))
	}
	for _, code := range []alipay.ErrorCode{"", "not-in-the-list", "token_invalid"} {
		assert.False(t, code.Known(), string(code))
	}
}

func TestHintsComeInBothLanguages(t *testing.T) {
	refused := &alipay.APIError{StatusCode: 400, Code: alipay.CodeTokenInvalid}
	assert.Equal(t, hints.For(hints.Jobworth, "TOKEN_INVALID", 400), hints.Text{EN: refused.Hint(), ZH: refused.HintZH()})
	require.NotEmpty(t, refused.Hint())

	failed := &alipay.APIError{StatusCode: 502}
	assert.Equal(t, hints.For(hints.Jobworth, "", 502), hints.Text{EN: failed.Hint(), ZH: failed.HintZH()})
	require.NotEmpty(t, failed.HintZH())

	nothing := &alipay.APIError{StatusCode: 400, Code: "not-in-the-list"}
	assert.Empty(t, nothing.Hint())
	assert.Empty(t, nothing.HintZH())
}

// A hint that sends the reader to a field or an option must name one that exists.
func TestHintsNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[alipay.AlipayConfig](), reflect.TypeFor[alipay.QueryParams](), reflect.TypeFor[alipay.APIError](), reflect.TypeFor[alipay.Request](),
	} {
		known[typ.Name()] = true
		for i := range typ.NumField() {
			known[typ.Field(i).Name] = true
		}
	}
	for _, other := range []string{
		"RetryPolicy", "WithAppAuthToken", "WithClock", "DefaultBaseURL", "SandboxBaseURL",
		"OutAgreementNo", "CreditAgreementID", "ExtraParam",
	} {
		known[other] = true
	}
	names := regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z]+[a-z]*)+\b`)
	check := func(text hints.Text) {
		t.Helper()
		for _, name := range names.FindAllString(text.EN+" "+text.ZH, -1) {
			assert.True(t, known[name], "%s in %q", name, text)
		}
	}
	for _, group := range hints.Groups {
		for _, entry := range group.Entries {
			check(entry.Advice)
		}
	}
	for status := 100; status < 600; status++ {
		check(hints.For(hints.Jobworth, "", status))
	}
}
