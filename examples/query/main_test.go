package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheMainJobNeedsNoAccount(t *testing.T) {
	var out, errs bytes.Buffer
	assert.Zero(t, run(nil, &out, &errs))
	assert.Empty(t, errs.String())
	assert.Regexp(t, `identity_result +SUCCESS`, out.String())
	assert.Contains(t, out.String(), "TOKEN_INVALID")
	assert.Contains(t, out.String(), "hint:")
	assert.NotContains(t, out.String(), "420192931233123123")
}

func TestLiveWithoutCredentialsNamesTheMissingVariables(t *testing.T) {
	for _, name := range []string{"ALIPAY_APP_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PRIVATE_KEY_PATH", "ALIPAY_PUBLIC_KEY", "ALIPAY_PUBLIC_KEY_PATH"} {
		t.Setenv(name, "")
	}
	var out, errs bytes.Buffer
	assert.Equal(t, 1, run([]string{"-live", "-once-token", "x"}, &out, &errs))
	for _, name := range []string{"ALIPAY_APP_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PUBLIC_KEY"} {
		assert.Contains(t, errs.String(), name)
	}
}
