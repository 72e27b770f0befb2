package doctor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// noted are the warnings about a config, and their fields.
func noted(t *testing.T, c alipay.AlipayConfig, now time.Time) (fields, says []string) {
	t.Helper()
	r := &report{}
	r.notes(c, mistakes(c, now), now)
	for _, f := range r.findings {
		assert.Equal(t, levelWarn, f.level)
		assert.Regexp(t, `\p{Han}`, f.text.ZH)
		assert.NotContains(t, f.text.EN+f.text.ZH, "%!")
		assert.NotRegexp(t, english, f.text.ZH)
		fields, says = append(fields, f.field), append(says, f.text.EN)
	}
	return fields, says
}

func TestWarningsAboutAPPIDAndBaseURL(t *testing.T) {
	const (
		digits  = "is not a digit"
		sandbox = "an APPID that begins with 9021 belongs to the sandbox"
		length  = "digits, and the platform's APPIDs have 16"
	)
	gateway := alipaytest.NewGateway(t)
	for _, tc := range []struct {
		base, id, key string
		field, says   []string
	}{
		{"", "2021000000000001", "", nil, nil},
		{"", "2021000000000001", "AAECAwQFBgcICQoLDA0ODw==", nil, nil},
		{alipay.SandboxBaseURL, "9021000000000001", "", nil, nil},
		{"https://proxy.example", "9021000000000001", "", nil, nil},
		{"not a URL", "9021000000000001", "", nil, nil}, // a mistake, and no warning beside it
		{"", "", "", nil, nil},
		{"", "202100000000000", "", []string{"AppID"}, []string{"it has 15 " + length}},
		{"", "20210000000000011", "", []string{"AppID"}, []string{"it has 17 " + length}},
		{"", "9021000000000001", "", []string{"AppID"}, []string{sandbox}},
		{alipay.DefaultBaseURL + "/", "9021000000000001", "", []string{"AppID"}, []string{sandbox}},
		{"", "20A1000000000001", "", []string{"AppID"}, []string{"character 3 " + digits}},
		{"https://openapi.alipaydev.com", "9021000000000001", "", []string{"BaseURL"}, []string{"this is the old address of the sandbox (沙箱); use " + alipay.SandboxBaseURL}},
		{"https://OPENAPI.alipay.cn:443/", "20x1000000000001", "", []string{"BaseURL", "AppID"}, []string{"this host of Alipay's is not the gateway; use " + alipay.DefaultBaseURL, "character 3 " + digits}},
		{"", "2021000000000001", "000102030405060708090a0b0c0d0e0f", nil, nil}, // a mistake, and no warning beside it
	} {
		c := gateway.Config()
		c.BaseURL, c.AppID, c.EncryptKey = tc.base, tc.id, tc.key
		fields, says := noted(t, c, time.Now())
		require.Equal(t, tc.field, fields, "%v: %v", tc, says)
		for i := range says {
			assert.Contains(t, says[i], tc.says[i])
		}
	}
}

// A merchant's id is a mistake, and is said once.
func TestAMerchantsIDIsNoAPPID(t *testing.T) {
	c := alipaytest.NewGateway(t).Config()
	c.AppID = "2088102146225135"
	environment(t, c)
	_, out := examine(t)
	assert.Regexp(t, `FAIL  AppID: .*PID`, out)
	assert.NotRegexp(t, `(?s)(FAIL|WARN)  AppID: .*(FAIL|WARN)  AppID: `, out)
}

func TestWarningsAreNoFailures(t *testing.T) {
	c := alipaytest.NewGateway(t).Config()
	c.AppID = "202100000O000001"
	environment(t, c)
	status, out := examine(t)
	assert.Zero(t, status, out)
	assert.Contains(t, out, "WARN  AppID: character 10 is not a digit")
	assert.Contains(t, out, "APPID: 202100000[O]000001 (character 10 does not belong there)")
	assert.Contains(t, out, noMistake+" Look at the warnings (1).")
}

func TestCertificatesThatExpireAreTold(t *testing.T) {
	c := alipaytest.NewGateway(t).CertConfig()
	leaf := readAll(c).alipayCert.certs[0].X509
	fields, says := noted(t, c, leaf.NotAfter.Add(-29*24*time.Hour))
	require.Contains(t, fields, "AlipayPublicCertContent")
	assert.Contains(t, says[0], "(days left: 29)")
	fields, _ = noted(t, c, leaf.NotAfter.Add(-31*24*time.Hour))
	assert.Empty(t, fields)

	now := time.Now()
	ended := testpki.Issue(leaf.Subject, testpki.ECKey(), nil, now, testpki.Valid(now.AddDate(0, 0, -2), now.AddDate(0, 0, -1)))
	r := &report{}
	all := c
	all.AlipayPublicCertContent += ended.PEM
	r.expiries(all, now)
	_, err := alipay.NewClient(all)
	if err == nil { // a self-signed one may be refused as a whole
		require.Len(t, r.findings, 1)
		assert.Contains(t, r.findings[0].text.EN, "opens only answers that were received before")
	}
	c.AppCertContent = ""
	fields, _ = noted(t, c, now)
	assert.Empty(t, fields, "mistakes are told elsewhere")
}
