package alipay_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// inPathForm names the …Path variant of a content field.
var inPathForm = map[string]string{
	"PrivateKey": "PrivateKeyPath", "AlipayPublicKey": "AlipayPublicKeyPath", "AppCertContent": "AppCertPath",
	"AlipayPublicCertContent": "AlipayPublicCertPath", "RootCertContent": "RootCertPath",
}

func setField(c *alipay.AlipayConfig, field, value string) {
	reflect.ValueOf(c).Elem().FieldByName(field).SetString(value)
}

// assertMistake checks the error for a config: its type, field and text, and
// that nothing of what was given shows, however it is printed.
func assertMistake(t *testing.T, err error, c alipay.AlipayConfig, field string, says ...string) {
	t.Helper()
	var mistake *alipay.ConfigError
	require.ErrorAs(t, err, &mistake)
	require.IsType(t, mistake, err)
	assert.Equal(t, field, mistake.Field, mistake.Reason)
	for _, words := range says {
		assert.Contains(t, mistake.Reason, words)
	}
	assert.Equal(t, "alipay: config "+mistake.Field+": "+mistake.Reason, err.Error())
	out := map[string]string{"text": err.Error(), "%#v": fmt.Sprintf("%#v", *mistake), "JSON": mustJSON(t, err)} // redact_test.go has every verb
	for name, text := range out {
		out[name] = strings.NewReplacer(alipay.DefaultBaseURL, "", alipay.SandboxBaseURL, "").Replace(text)
	}
	var given []string
	for v, i := reflect.ValueOf(c), 0; i < v.NumField(); i++ {
		if v.Field(i).Kind() == reflect.String {
			given = append(given, v.Field(i).String())
		}
	}
	assertKeepsSecret(t, out, given...)
}

// TestMistakeInAnyFieldIsAConfigError: what is said of each is for
// internal/credentials to test.
func TestMistakeInAnyFieldIsAConfigError(t *testing.T) {
	t.Parallel()
	const nonsense = "n0nsense\x00七"
	certMode, _ := certModeConfig(t)
	tested := 1 // Signer
	for i, typ := 0, reflect.TypeFor[alipay.AlipayConfig](); i < typ.NumField(); i++ {
		field := typ.Field(i).Name
		if field == "Signer" {
			continue
		}
		tested++
		config := testConfig(t, "")
		if strings.Contains(field, "Cert") {
			config = certMode
		}
		for content, path := range inPathForm {
			if path == field {
				setField(&config, content, "")
			}
		}
		setField(&config, field, nonsense)
		validateErr := config.Validate()
		assertMistake(t, validateErr, config, field)
		client, err := alipay.NewClient(config)
		assert.Nil(t, client, field)
		assert.Equal(t, validateErr, err, "NewClient finds the same")
	}
	assert.Equal(t, 15, tested)

	config := testConfig(t, "")
	config.Signer = appKey(t)
	assertMistake(t, config.Validate(), config, "Signer", "a private key is configured as well")
	assertMistake(t, alipay.AlipayConfig{}.Validate(), alipay.AlipayConfig{}, "AppID", "it is empty")
}

func TestConfigIsReadFromTheFieldOrItsFile(t *testing.T) {
	t.Parallel()
	certMode, _ := certModeConfig(t)
	for content, path := range inPathForm {
		config := testConfig(t, "")
		if strings.Contains(content, "Cert") {
			config = certMode
		}
		require.NoError(t, config.Validate(), content)
		file := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(file, []byte(reflect.ValueOf(config).FieldByName(content).String()), 0o600))
		setField(&config, content, "")
		setField(&config, path, file)
		_, err := alipay.NewClient(config)
		require.NoError(t, err, path)
	}
}

func TestCertificateDatesAreComparedWithTheClientsClock(t *testing.T) {
	t.Parallel()
	config := vectorCertConfig(t)
	for year, valid := range map[int]bool{2020: false, 2030: true, 2046: false} {
		_, err := alipay.NewClient(config, alipay.WithClock(func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }))
		if valid {
			assert.NoError(t, err)
		} else {
			assertMistake(t, err, config, "AppCertContent", "the certificate ")
		}
	}
}

func TestInvalidOptionIsAConfigError(t *testing.T) {
	overTLSVersions := func(least, most uint16) alipay.Option {
		return alipay.WithHTTPClient(&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: least, MaxVersion: most}}})
	}
	for name, tt := range map[string]struct {
		option alipay.Option
		field  string
	}{
		"timeout":            {alipay.WithTimeout(-1), "WithTimeout"},
		"limit":              {alipay.WithMaxResponseBytes(-1), "WithMaxResponseBytes"},
		"skew":               {alipay.WithMaxClockSkew(-1), "WithMaxClockSkew"},
		"attempts":           {alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: -1}), "WithRetryPolicy"},
		"first step":         {alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: -1}), "WithRetryPolicy"},
		"longest step":       {alipay.WithRetryPolicy(alipay.RetryPolicy{MaxDelay: -1}), "WithRetryPolicy"},
		"ratio":              {alipay.WithRetryPolicy(alipay.RetryPolicy{TokenRatio: -0.1}), "WithRetryPolicy"},
		"ratio, no number":   {alipay.WithRetryPolicy(alipay.RetryPolicy{TokenRatio: math.NaN()}), "WithRetryPolicy"},
		"tokens, no number":  {alipay.WithRetryPolicy(alipay.RetryPolicy{MaxTokens: math.NaN()}), "WithRetryPolicy"},
		"a line in a header": {alipay.WithUserAgent("a\r\nb"), "WithUserAgent"},
		"a nil Transport":    {alipay.WithHTTPClient(&http.Client{Transport: (*http.Transport)(nil)}), "WithHTTPClient"},
		"at least TLS 1.0":   {overTLSVersions(tls.VersionTLS10, 0), "WithHTTPClient"},
		"at least TLS 1.1":   {overTLSVersions(tls.VersionTLS11, 0), "WithHTTPClient"},
		"at most TLS 1.1":    {overTLSVersions(0, tls.VersionTLS11), "WithHTTPClient"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := alipay.NewClient(testConfig(t, ""), tt.option, alipay.WithTimeout(time.Minute))
			assert.Nil(t, client)
			assertMistake(t, err, testConfig(t, ""), tt.field)
		})
	}
}

func TestBaseURLsAreThoseOfTheCredentials(t *testing.T) {
	assert.Equal(t, credentials.ProductionURL, alipay.DefaultBaseURL)
	assert.Equal(t, credentials.SandboxURL, alipay.SandboxBaseURL)
}

func TestPlainHTTPIsForLoopbackOnly(t *testing.T) {
	t.Parallel()
	for host, loopback := range map[string]bool{
		"127.0.0.1:8080": true, "127.8.9.10": true, "[::1]:8080": true, "LocalHost": true,
		"127.0.0.1.example.com": false, "[::ffff:127.0.0.1]": false, "127.1": false, "10.0.0.1": false, "0.0.0.0": false, "localhost.": false,
	} {
		config := testConfig(t, "http://"+host+"/")
		require.NoError(t, config.Validate(), "%s: NewClient decides, which knows the options", host)
		_, err := alipay.NewClient(config)
		if loopback {
			require.NoError(t, err, host)
		} else {
			assertMistake(t, err, config, "BaseURL", "http would send personal data in the clear", "use https", "WithInsecureHTTP")
		}
		_, err = alipay.NewClient(config, alipay.WithInsecureHTTP())
		assert.NoError(t, err, host)
		config.BaseURL = "https://" + host
		_, err = alipay.NewClient(config)
		assert.NoError(t, err, host)
	}
}

func TestConfigFromEnv(t *testing.T) {
	for _, variable := range []string{
		"ALIPAY_BASE_URL", "ALIPAY_APP_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PRIVATE_KEY_PATH", "ALIPAY_PUBLIC_KEY", "ALIPAY_PUBLIC_KEY_PATH", "ALIPAY_APP_CERT", "ALIPAY_APP_CERT_PATH",
		"ALIPAY_PUBLIC_CERT", "ALIPAY_PUBLIC_CERT_PATH", "ALIPAY_ROOT_CERT", "ALIPAY_ROOT_CERT_PATH", "ALIPAY_ENCRYPT_KEY", "ALIPAY_APP_AUTH_TOKEN",
	} {
		t.Setenv(variable, "")
	}
	t.Setenv("ALIPAY_APP_ID", "2021000000000001")
	t.Setenv("ALIPAY_PUBLIC_KEY_PATH", "testdata/vectors/alipay_public.pem")
	c, err := alipay.ConfigFromEnv()
	assertMistake(t, err, c, "PrivateKey", "not set in the environment: ALIPAY_PRIVATE_KEY or ALIPAY_PRIVATE_KEY_PATH")
	assert.Equal(t, "2021000000000001", c.AppID, "what was found is kept")
	c.Signer = appKey(t)
	require.NoError(t, c.Validate(), "a Signer fills the gap")

	t.Setenv("ALIPAY_PRIVATE_KEY", strings.ReplaceAll(vector(t, "app_private_pkcs8.pem"), "\n", `\n`))
	c, err = alipay.ConfigFromEnv()
	require.NoError(t, err)
	require.NoError(t, c.Validate())
}

func TestExportedSNsAreThoseOfTheVectors(t *testing.T) {
	t.Parallel()
	var want struct {
		CertSN     map[string]string `json:"cert_sn"`
		RootCertSN map[string]string `json:"root_cert_sn"`
	}
	require.NoError(t, json.Unmarshal([]byte(vector(t, "vectors.json")), &want))
	require.Len(t, want.CertSN, 3)
	require.Len(t, want.RootCertSN, 1)
	for file, sn := range want.CertSN {
		got, err := alipay.CertSN([]byte(vector(t, file)))
		require.NoError(t, err)
		assert.Equal(t, sn, got, "%s", file)
	}
	for file, sn := range want.RootCertSN {
		got, err := alipay.RootCertSN([]byte(vector(t, file)))
		require.NoError(t, err)
		assert.Equal(t, sn, got, "%s: SM2 and ECDSA passed over, file order", file)
	}
	_, p := certModeConfig(t)
	key := vector(t, "app_private_pkcs8.pem")
	for name, text := range map[string]string{"nothing": "", "blanks": " \n", "a key": key, "words": "correct horse battery staple", "cut short": p.app.PEM[:len(p.app.PEM)/2], "key and certificate": p.app.PEM + key} {
		for function, sn := range map[string]func([]byte) (string, error){"CertSN": alipay.CertSN, "RootCertSN": alipay.RootCertSN} {
			got, err := sn([]byte(text))
			require.Error(t, err, "%s of %s", function, name)
			assert.Empty(t, got)
			assert.Regexp(t, "^alipay: ", err.Error())
			assertKeepsSecret(t, map[string]string{function: strings.NewReplacer("-----BEGIN line", "").Replace(err.Error())}, text)
		}
	}
	_, err := alipay.RootCertSN([]byte(issueNow("ec", p.ecKey, nil, testpki.Authority).PEM))
	assert.ErrorContains(t, err, "no certificate with an RSA signature")
}

func TestFilesOfBinaryDERAreReadAsTheyAre(t *testing.T) {
	der := func(name string) string {
		block, _ := pem.Decode([]byte(vector(t, name)))
		path := filepath.Join(t.TempDir(), name+".der")
		require.NoError(t, os.WriteFile(path, block.Bytes, 0o600))
		return path
	}
	publicKeys := alipay.AlipayConfig{
		AppID: "2021000000000001", PrivateKeyPath: der("app_private_pkcs8.pem"), AlipayPublicKeyPath: der("alipay_public.pem"),
	}
	require.NoError(t, publicKeys.Validate())
	pkcs1 := publicKeys
	pkcs1.PrivateKeyPath = der("app_private_pkcs1.pem")
	require.NoError(t, pkcs1.Validate())

	wrong := publicKeys
	wrong.PrivateKeyPath = der("app_public_cert.crt")
	var mistake *alipay.ConfigError
	require.ErrorAs(t, wrong.Validate(), &mistake)
	assert.Equal(t, "PrivateKeyPath", mistake.Field)
	assert.Contains(t, mistake.Reason, "certificate")
}

func TestNewTransportKeepsOneConnectionPerCallerForAShortTime(t *testing.T) {
	transport := alipay.NewTransport()
	assert.GreaterOrEqual(t, transport.MaxIdleConnsPerHost, 10_000)
	assert.Zero(t, transport.MaxIdleConns, "no limit")
	assert.Positive(t, transport.IdleConnTimeout)
	assert.Less(t, transport.IdleConnTimeout, 20*time.Second, "the shortest keep-alive that is common among servers")
	assert.False(t, transport.Protocols.HTTP2())
	assert.EqualValues(t, tls.VersionTLS12, transport.TLSClientConfig.MinVersion)
}
