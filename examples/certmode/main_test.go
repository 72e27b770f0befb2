package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/alipaytest"
)

func TestTheMainJobNeedsNoAccount(t *testing.T) {
	var out, errs bytes.Buffer
	assert.Zero(t, run(nil, &out, &errs), errs.String())
	assert.Regexp(t, `(?s)^app_cert_sn +[0-9a-f]{32}
alipay-sn +([0-9a-f]{32})
alipay-root-cert-sn +[0-9a-f_]+
answered under certificate ([0-9a-f]{32})
identity_result SUCCESS
$`, out.String())
	assert.Equal(t, 2, run([]string{"-what"}, &out, &errs))
}

func TestLiveAsksWhatTheEnvironmentNames(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	config := gateway.CertConfig()
	dir := t.TempDir()
	for variable, content := range map[string]string{
		"ALIPAY_APP_CERT": config.AppCertContent, "ALIPAY_PUBLIC_CERT": config.AlipayPublicCertContent, "ALIPAY_ROOT_CERT": config.RootCertContent,
	} {
		file := filepath.Join(dir, variable)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		t.Setenv(variable, "")
		t.Setenv(variable+"_PATH", file)
	}
	t.Setenv("ALIPAY_BASE_URL", config.BaseURL)
	t.Setenv("ALIPAY_APP_ID", config.AppID)
	t.Setenv("ALIPAY_PRIVATE_KEY", config.PrivateKey)
	for _, variable := range []string{"ALIPAY_PRIVATE_KEY_PATH", "ALIPAY_PUBLIC_KEY", "ALIPAY_PUBLIC_KEY_PATH", "ALIPAY_ENCRYPT_KEY", "ALIPAY_APP_AUTH_TOKEN"} {
		t.Setenv(variable, "")
	}
	var out, errs bytes.Buffer
	assert.Zero(t, run([]string{"-live", "-once-token", "t-1"}, &out, &errs), errs.String())
	assert.Contains(t, out.String(), "identity_result SUCCESS")
	assert.True(t, gateway.Token("t-1").Spent)
	assert.Equal(t, 1, run([]string{"-live", "-once-token", "t-1"}, &out, &errs))
	assert.Contains(t, errs.String(), "TOKEN_INVALID")

	t.Setenv("ALIPAY_PUBLIC_CERT_PATH", "")
	errs.Reset()
	assert.Equal(t, 1, run([]string{"-live"}, &out, &errs))
	assert.Contains(t, errs.String(), "ALIPAY_PUBLIC_CERT")
}
