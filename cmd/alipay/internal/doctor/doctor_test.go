package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

const vectors = "../../../../testdata/vectors/"

func file(t *testing.T, content string) string {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func read1(t *testing.T, name string) string {
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

// environment sets what a config holds, and nothing else.
func environment(t *testing.T, c alipay.AlipayConfig) {
	for variable, value := range map[string]string{
		"ALIPAY_BASE_URL": c.BaseURL, "ALIPAY_APP_ID": c.AppID,
		"ALIPAY_PRIVATE_KEY": c.PrivateKey, "ALIPAY_PRIVATE_KEY_PATH": c.PrivateKeyPath,
		"ALIPAY_PUBLIC_KEY": c.AlipayPublicKey, "ALIPAY_PUBLIC_KEY_PATH": c.AlipayPublicKeyPath,
		"ALIPAY_APP_CERT": c.AppCertContent, "ALIPAY_APP_CERT_PATH": c.AppCertPath,
		"ALIPAY_PUBLIC_CERT": c.AlipayPublicCertContent, "ALIPAY_PUBLIC_CERT_PATH": c.AlipayPublicCertPath,
		"ALIPAY_ROOT_CERT": c.RootCertContent, "ALIPAY_ROOT_CERT_PATH": c.RootCertPath,
		"ALIPAY_ENCRYPT_KEY": c.EncryptKey, "ALIPAY_APP_AUTH_TOKEN": c.AppAuthToken,
	} {
		t.Setenv(variable, value)
	}
}

var base64Line = regexp.MustCompile(`[A-Za-z0-9+/]{60,}`)

// examine runs the doctor, and holds it to its promise to print no key.
func examine(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), cli.IO{Lang: cli.LocaleLang(), Stdout: &stdout, Stderr: &stderr}, args)
	for _, text := range base64Line.FindAllString(stdout.String()+stderr.String(), -1) {
		assert.Regexp(t, "^[0-9a-f]{64}$", text, "anything else so long may be key material")
	}
	for _, variable := range []string{"ALIPAY_PRIVATE_KEY", "ALIPAY_ENCRYPT_KEY", "ALIPAY_APP_AUTH_TOKEN"} {
		if value := os.Getenv(variable); len(value) >= 8 {
			assert.NotContains(t, stdout.String(), value)
		}
	}
	return status, stdout.String() + stderr.String()
}

const noMistake = "No mistake found offline; run -live to check against the gateway."

func TestHealthyConfigsHaveNoMistake(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	environment(t, gateway.Config())
	status, out := examine(t)
	assert.Zero(t, status, out)
	for _, words := range []string{
		"mode: public key (公钥模式)", "PrivateKey: an RSA-2048 private key (PKCS#8, PEM)", "AlipayPublicKey: an RSA-2048 public key (SPKI, PEM)",
		"fingerprint of the public key (SHA-256): ", "AlipayPublicKey: it is not the application's own public key", "it accepts this configuration", noMistake, "gateway: host " + strings.TrimPrefix(gateway.BaseURL(), "http://"), "APPID: 2021000000000001\n",
	} {
		assert.Contains(t, out, words)
	}

	config := gateway.CertConfig()
	config.EncryptKey, config.AppAuthToken = "AAECAwQFBgcICQoLDA0ODw==", "secret-token"
	environment(t, config)
	status, out = examine(t)
	assert.Zero(t, status, out)
	appSN, err := alipay.CertSN([]byte(config.AppCertContent))
	require.NoError(t, err)
	rootSN, err := alipay.RootCertSN([]byte(config.RootCertContent))
	require.NoError(t, err)
	for _, words := range []string{
		"mode: certificates (证书模式)", "content encryption", "another merchant", "1. leaf, CN ", "2. intermediate, CN ", ". root, CN ", "days left",
		"it belongs to the private key", "leads to the root bundle", "AppCertContent: it is within its dates", "AlipayPublicCertContent: it is within its dates", "not readable here, as is usual for an SM2 certificate",
		"app_cert_sn that is sent:          " + appSN, "alipay-root-cert-sn that is sent:  " + rootSN, "alipay-sn that answers may carry:  ", noMistake,
	} {
		assert.Contains(t, out, words)
	}
}

func TestFlagsTakeThePlaceOfTheEnvironment(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	environment(t, alipay.AlipayConfig{AppID: "not an app id", PrivateKey: "rubbish", AppCertContent: "rubbish"})
	c := gateway.Config()
	status, out := examine(t, "-app-id", c.AppID, "-private-key", file(t, c.PrivateKey), "-alipay-public-key", file(t, c.AlipayPublicKey), "-base-url", c.BaseURL, "-live")
	assert.Zero(t, status, out)
	assert.Contains(t, out, "PrivateKeyPath: an RSA-2048 private key")

	environment(t, alipay.AlipayConfig{AlipayPublicKey: "rubbish"})
	c = gateway.CertConfig()
	status, out = examine(t, "-app-id", c.AppID, "-private-key", file(t, c.PrivateKey), "-app-cert", file(t, c.AppCertContent),
		"-alipay-cert", file(t, c.AlipayPublicCertContent), "-root-cert", file(t, c.RootCertContent), "-base-url", c.BaseURL, "-live")
	assert.Zero(t, status, out)
	assert.Contains(t, out, "AppCertPath: a certificate with an RSA-2048 key")

	for _, args := range [][]string{{"-what"}, {"file.pem"}, {"-app-id"}} {
		status, _ = examine(t, args...)
		assert.Equal(t, 2, status)
	}
	status, _ = examine(t, "-h")
	assert.Zero(t, status)
}

func TestEveryMistakeIsToldOnce(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	good, certs := gateway.Config(), gateway.CertConfig()
	other := read1(t, vectors+"app_private_pkcs8.pem")
	for name, tc := range map[string]struct {
		config alipay.AlipayConfig
		change func(*alipay.AlipayConfig)
		says   []string
		not    []string
		fails  string
	}{
		"nothing at all": {alipay.AlipayConfig{}, nil,
			[]string{"AppID: it is empty", "PrivateKey: it is empty", "AlipayPublicKey: neither mode", "not set in the environment: ALIPAY_APP_ID", "there is none that can be read", "nothing that fits together was found"}, nil, "3 of"},
		"all that can be wrong in public-key mode": {good, func(c *alipay.AlipayConfig) {
			c.BaseURL, c.AppID, c.PrivateKey, c.AlipayPublicKey = alipay.DefaultBaseURL+"/gateway.do", "1,2", c.AlipayPublicKey, "words"
			c.EncryptKey, c.AppAuthToken = "c2hvcnQta2V5", "secret token"
		}, []string{"BaseURL: /gateway.do", "AppID: it contains a character that no APPID has", "PrivateKey: found an RSA-2048 public key", "AlipayPublicKey: found", "EncryptKey: the AES key", "AppAuthToken: it contains a space"}, []string{"WARN"}, "6 of"},
		"own public key": {good, func(c *alipay.AlipayConfig) {
			c.AlipayPublicKey = read1(t, vectors+"app_public.pem")
			c.PrivateKey = other
		}, []string{"AlipayPublicKey: this is the application's own public key"}, nil, "One of"},
		"damaged key": {good, func(c *alipay.AlipayConfig) { c.PrivateKey = c.PrivateKey[:1000] },
			[]string{"PrivateKey: an RSA private key (PKCS#8, PEM)", "damaged: base64 cut short", "FAIL  PrivateKey: found"}, nil, "One of"},
		"http": {good, func(c *alipay.AlipayConfig) { c.BaseURL = "http://openapi.alipay.com" },
			[]string{"FAIL  BaseURL: http would send personal data in the clear"}, nil, "One of"},
		"private and public key swapped": {good, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.AlipayPublicKey = c.AlipayPublicKey, c.PrivateKey
		}, []string{"FAIL  PrivateKey: the two are swapped: PrivateKey (应用私钥) holds a public key, AlipayPublicKey (支付宝公钥) a private key"}, []string{"FAIL  AlipayPublicKey"}, "One of"},
		"the halves of the own pair swapped": {good, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.AlipayPublicKey = read1(t, vectors+"app_public.pem"), other
		}, []string{"FAIL  PrivateKey: the two are swapped", "FAIL  AlipayPublicKey: this is the application's own public key"}, nil, "2 of"},
		"a private key given twice": {good, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.AlipayPublicKey = "words", c.PrivateKey
		}, []string{"FAIL  PrivateKey: found", "FAIL  AlipayPublicKey: found"}, []string{"swapped"}, "2 of"},
		"certificate of another key": {certs, func(c *alipay.AlipayConfig) { c.PrivateKey = other },
			[]string{"FAIL  AppCertContent: the certificate does not match"}, []string{"FAIL  AlipayPublicCertContent"}, "One of"},
		"private key missing in certificate mode": {certs, func(c *alipay.AlipayConfig) { c.PrivateKey = "" },
			[]string{"PrivateKey: it is empty"}, []string{"FAIL  AppCertContent", "FAIL  AlipayPublicCertContent"}, "One of"},
		"both keys and root wrong": {certs, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.RootCertContent, c.EncryptKey = "x", c.AppCertContent, "x"
		}, []string{"FAIL  PrivateKey: ", "FAIL  RootCertContent: ", "FAIL  EncryptKey: "}, []string{"FAIL  AppCertContent", "FAIL  AlipayPublicCertContent"}, "3 of"},
		"certificates swapped": {certs, func(c *alipay.AlipayConfig) {
			c.AppCertContent, c.AlipayPublicCertContent = c.AlipayPublicCertContent, c.AppCertContent
		}, []string{"FAIL  AppCertContent: the two are swapped: AppCertContent (应用公钥证书) holds Alipay's certificate"}, []string{"FAIL  AlipayPublicCertContent"}, "One of"},
		"root and Alipay's certificate swapped": {certs, func(c *alipay.AlipayConfig) {
			c.RootCertContent, c.AlipayPublicCertContent = c.AlipayPublicCertContent, c.RootCertContent
		}, []string{"FAIL  AlipayPublicCertContent: the two are swapped"}, []string{"FAIL  RootCertContent"}, "One of"},
		"root and application's certificate swapped": {certs, func(c *alipay.AlipayConfig) {
			c.AppCertContent, c.RootCertContent = c.RootCertContent, c.AppCertContent
		}, []string{"FAIL  AppCertContent: the two are swapped"}, []string{"FAIL  RootCertContent"}, "One of"},
		"two wrong, not swapped": {certs, func(c *alipay.AlipayConfig) {
			c.AlipayPublicCertContent, c.AppCertContent = c.AppCertContent, "words"
		}, []string{"FAIL  AppCertContent: found", "FAIL  AlipayPublicCertContent: this is the application's own certificate"}, []string{"swapped"}, "2 of"},
		"half of certificate mode": {certs, func(c *alipay.AlipayConfig) { c.AppCertContent, c.RootCertContent = "", "" },
			[]string{"FAIL  AppCertContent: it is missing", "FAIL  RootCertContent: it is missing"}, []string{"FAIL  AlipayPublicCertContent"}, "2 of"},
		"another root": {certs, func(c *alipay.AlipayConfig) { c.RootCertContent = read1(t, vectors+"root_bundle.crt") },
			[]string{"FAIL  AlipayPublicCertContent: the certificate does not lead to the configured root bundle"}, nil, "One of"},
		"both modes": {certs, func(c *alipay.AlipayConfig) { c.AlipayPublicKey, c.EncryptKey = good.AlipayPublicKey, "x" },
			[]string{"mode: both", "AlipayPublicKey: both modes are configured", "EncryptKey: "}, nil, "2 of"},
		"both modes, and mistakes in both": {certs, func(c *alipay.AlipayConfig) {
			c.AlipayPublicKey, c.AppCertContent = "words", c.RootCertContent
		}, []string{"both modes are configured", "AlipayPublicKey: found", "AppCertContent: it contains CA certificates only"}, nil, "3 of"},
		"expired": {certs, func(c *alipay.AlipayConfig) { c.AlipayPublicCertContent = read1(t, vectors+"expired_alipay_cert.crt") },
			[]string{"EXPIRED", "AlipayPublicCertContent: the certificate expired on 2022-01-01", "cannot be checked; no mistake"}, nil, "One of"},
		"files": {certs, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.PrivateKeyPath, c.AppCertContent, c.AppCertPath = "", "/nowhere/key.pem", "", t.TempDir()
			c.RootCertContent, c.RootCertPath = "", file(t, c.RootCertContent)
		}, []string{"PrivateKeyPath: there is no such file", "AppCertPath: this is a directory", "RootCertPath: a certificate", `PrivateKeyPath: the file "/nowhere/key.pem"`}, []string{"FAIL  AlipayPublicCertContent"}, "2 of"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.change != nil {
				tc.change(&tc.config)
			}
			environment(t, tc.config)
			status, out := examine(t)
			assert.Equal(t, 1, status)
			for _, words := range tc.says {
				assert.Contains(t, out, words)
			}
			for _, words := range tc.not {
				assert.NotContains(t, out, words)
			}
			assert.Contains(t, out, tc.fails)
			said := map[string]bool{}
			for line := range strings.Lines(out) {
				assert.False(t, strings.Contains(line, "FAIL") && said[line], "twice: %s", line)
				said[line] = true
			}
		})
	}
	t.Run("an APPID that is wrong, and certificates of another name", func(t *testing.T) {
		c := certs
		own := testpki.RSAKey([]byte(c.PrivateKey))
		c.AppCertContent = testpki.Issue(testpki.Name("2088000000000000-2021000000000009"), own, nil, time.Now()).PEM
		c.AppID = "2021 000000000009"
		environment(t, c)
		_, out := examine(t)
		assert.Contains(t, out, "FAIL  AppID: it contains a character that no APPID has")
		assert.NotContains(t, out, "FAIL  AppCertContent")
		assert.Contains(t, out, "One of the checks failed.")

		c = certs
		key := testpki.RSAKey([]byte(other))
		root := testpki.Issue(testpki.Name("root"), key, nil, time.Now(), testpki.Authority)
		c.AppCertContent, c.RootCertContent = "words", root.PEM
		c.AlipayPublicCertContent = testpki.Issue(testpki.Name("支付宝-2088102111111111"), key, root, time.Now()).PEM
		environment(t, c)
		_, out = examine(t)
		assert.Contains(t, out, "FAIL  AppCertContent: found")
		assert.Contains(t, out, "One of the checks failed.", "the certificate that stands in is nobody's")
	})
	t.Run("no call is made with a mistake", func(t *testing.T) {
		c := good
		c.AlipayPublicKey = ""
		environment(t, c)
		before := len(gateway.Requests())
		status, out := examine(t, "-live")
		assert.Equal(t, 1, status)
		assert.Contains(t, out, "not tried: correct the mistakes above first")
		assert.Len(t, gateway.Requests(), before)
	})
}

func TestDatesOfCertificatesAreTold(t *testing.T) {
	all := readAll(alipay.AlipayConfig{AppCertContent: read1(t, vectors+"app_public_cert.crt")})
	leaf := all.appCert.certs[0]
	for days, want := range map[int]string{-1: "EXPIRED", 10: "10 days left: renew it soon", 30: "30 days left: renew it soon", 31: "31 days left", 100: "100 days left", 36500: "NOT YET VALID"} {
		assert.Equal(t, want, remaining(leaf, leaf.X509.NotAfter.Add(-time.Duration(days)*24*time.Hour)).EN)
	}
}

func TestAnAPPIDIsShownAndAnotherValueInItsPlaceIsNot(t *testing.T) {
	for id, want := range map[string]string{
		"2021000000000001":                    "2021000000000001",
		"2021000000000001 ":                   "2021000000000001[U+0020] (character 17 does not belong there)",
		"\ufeff2021000000000001":              "[U+FEFF]2021000000000001 (character 1 does not belong there)",
		"２021000000000001":                    "[U+FF12]021000000000001 (character 1 does not belong there)",
		"AAECAwQFBgcICQoLDA0ODw==":            "24 characters that are no APPID (not shown: another value may have been put here)",
		"my-secret":                           "9 characters that are no APPID (not shown: another value may have been put here)",
		strings.Repeat("1234567890abcdef", 4): "64 characters that are no APPID (not shown: another value may have been put here)",
	} {
		assert.Equal(t, want, shownAppID(id).EN)
	}
}

func TestFlagsAreThereForEveryField(t *testing.T) {
	gateway := alipaytest.NewGateway(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	environment(t, alipay.AlipayConfig{})
	c := gateway.Config()
	for _, key := range []string{c.EncryptKey, file(t, c.EncryptKey+"\n")} {
		status, out := examine(t, "-app-id", c.AppID, "-private-key", file(t, c.PrivateKey), "-alipay-public-key", c.AlipayPublicKey, "-base-url", c.BaseURL,
			"-encrypt-key", key, "-app-auth-token", "202101BB0123", "-live")
		assert.Zero(t, status, out)
		assert.Contains(t, out, "content encryption (接口内容加密): on")
		assert.Contains(t, out, "another merchant")
		assert.Contains(t, out, "AlipayPublicKey: an RSA-2048 public key")
		assert.NotContains(t, out, "202101BB0123")
		requests := gateway.Requests()
		assert.Equal(t, "202101BB0123", requests[len(requests)-1].AppAuthToken)
	}
}

func TestTheReportForScripts(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	type result struct {
		OK, Live           bool
		Failures, Warnings int
		Conclusion         string
		Findings           []struct{ Section, Level, Field, Text string }
	}
	for name, tc := range map[string]struct {
		change func(*alipay.AlipayConfig)
		args   []string
		status int
		want   result
	}{
		"well":     {nil, nil, 0, result{OK: true, Conclusion: noMistake}},
		"live":     {nil, []string{"-live"}, 0, result{OK: true, Live: true, Conclusion: "The gateway takes this configuration, and its answer was verified."}},
		"mistakes": {func(c *alipay.AlipayConfig) { c.PrivateKey, c.AppID = "", "" }, []string{"-live"}, 1, result{Failures: 2, Conclusion: "2 of the checks failed."}},
	} {
		t.Run(name, func(t *testing.T) {
			c := gateway.Config()
			if tc.change != nil {
				tc.change(&c)
			}
			environment(t, c)
			status, out := examine(t, append(tc.args, "-json")...)
			assert.Equal(t, tc.status, status)
			var got result
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			fields := map[string]bool{}
			for _, f := range got.Findings {
				assert.Contains(t, []string{"settings", "materials", "fit", "mistakes", "live"}, f.Section)
				assert.Contains(t, []string{"note", "ok", "warn", "fail"}, f.Level)
				assert.NotEmpty(t, f.Text)
				if f.Level == "fail" {
					fields[f.Field] = true
				}
			}
			assert.Len(t, fields, tc.want.Failures)
			got.Findings = nil
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestAChineseLocaleIsAnsweredInChinese(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	environment(t, gateway.Config())
	for _, tc := range []struct{ all, messages, lang, flag, says string }{
		{"", "", "zh_CN.UTF-8", "", "离线检查没有发现错误；加 -live 可联网检查。"},
		{"", "zh_TW", "en_US.UTF-8", "", "离线检查没有发现错误"},
		{"C", "zh_CN", "zh_CN", "", noMistake},
		{"", "", "zh_CN.UTF-8", "en", noMistake},
		{"", "", "en_US.UTF-8", "zh", "离线检查没有发现错误"},
	} {
		t.Setenv("LC_ALL", tc.all)
		t.Setenv("LC_MESSAGES", tc.messages)
		t.Setenv("LANG", tc.lang)
		args := []string{}
		if tc.flag != "" {
			args = append(args, "-lang", tc.flag)
		}
		status, out := examine(t, args...)
		assert.Zero(t, status)
		assert.Contains(t, out, tc.says)
	}
	status, _ := examine(t, "-lang", "fr")
	assert.Equal(t, 2, status)
}

// english matches what no Chinese sentence of the report holds: words of English
// prose.
var english = regexp.MustCompile(`\b(the|is|not|it|of|and|or|but|in|an?|this|that|from|here|has|found|private|public|keys?|things|text|certificates?)\b`)

// A Chinese report has no English sentence, whatever is wrong.
func TestAReportInChineseIsChinese(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	good, cert := gateway.Config(), gateway.CertConfig()
	for _, set := range []func(c *alipay.AlipayConfig){
		func(c *alipay.AlipayConfig) { *c = alipay.AlipayConfig{} },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipay.com/gateway.do" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "openapi.alipay.com" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "ftp://openapi.alipay.com" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://u:p@openapi.alipay.com" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipay.com/v3" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipay.com/?a=b" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipay.com/#a" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "https://a:123456" },
		func(c *alipay.AlipayConfig) { c.AppID = "2021 0000" },
		func(c *alipay.AlipayConfig) { c.AppID = strings.Repeat("1", 65) },
		func(c *alipay.AlipayConfig) { c.PrivateKey = c.AlipayPublicKey },
		func(c *alipay.AlipayConfig) { c.PrivateKey = c.PrivateKey[:900] },
		func(c *alipay.AlipayConfig) { c.PrivateKey = cert.AppCertContent },
		func(c *alipay.AlipayConfig) { c.PrivateKey = "words" },
		func(c *alipay.AlipayConfig) { c.PrivateKey += c.PrivateKey },
		func(c *alipay.AlipayConfig) { c.PrivateKey += "\n" + cert.AppCertContent },
		func(c *alipay.AlipayConfig) { c.PrivateKey = "" },
		func(c *alipay.AlipayConfig) { c.AlipayPublicKey = "" },
		func(c *alipay.AlipayConfig) { *c = cert; c.AlipayPublicCertContent = "" },
		func(c *alipay.AlipayConfig) { c.PrivateKey = read1(t, vectors+"ec_private.pem") },
		func(c *alipay.AlipayConfig) { c.PrivateKey = read1(t, vectors+"rsa1024_private_pkcs8.pem") },
		func(c *alipay.AlipayConfig) { c.PrivateKey = "app_private_key.pem" },
		func(c *alipay.AlipayConfig) { c.PrivateKey, c.PrivateKeyPath = "", "/nowhere/key.pem" },
		func(c *alipay.AlipayConfig) { c.PrivateKey, c.PrivateKeyPath = "", t.TempDir() },
		func(c *alipay.AlipayConfig) { c.PrivateKey, c.PrivateKeyPath = "", file(t, " ") },
		func(c *alipay.AlipayConfig) { c.PrivateKey, c.PrivateKeyPath = "", c.PrivateKey },
		func(c *alipay.AlipayConfig) { c.PrivateKeyPath = "key.pem" },
		func(c *alipay.AlipayConfig) { c.AlipayPublicKey = c.PrivateKey },
		func(c *alipay.AlipayConfig) { c.AlipayPublicKey = cert.AlipayPublicCertContent },
		func(c *alipay.AlipayConfig) { c.AlipayPublicKey = cert.AppCertContent },
		func(c *alipay.AlipayConfig) { c.AlipayPublicKey = "words" },
		func(c *alipay.AlipayConfig) { c.AlipayPublicKey = c.AlipayPublicKey[:300] },
		func(c *alipay.AlipayConfig) { c.RootCertContent = cert.RootCertContent },
		func(c *alipay.AlipayConfig) { c.EncryptKey = "x" },
		func(c *alipay.AlipayConfig) { c.BaseURL = "http://openapi.alipay.com" },
		func(c *alipay.AlipayConfig) { c.PrivateKey, c.AlipayPublicKey = c.AlipayPublicKey, c.PrivateKey },
		func(c *alipay.AlipayConfig) {
			*c = cert
			c.AppCertContent, c.AlipayPublicCertContent = c.AlipayPublicCertContent, c.AppCertContent
		},
		func(c *alipay.AlipayConfig) { *c = cert; c.AlipayPublicKey = good.AlipayPublicKey },
		func(c *alipay.AlipayConfig) { c.EncryptKey = "AAAA" },
		func(c *alipay.AlipayConfig) { c.AppAuthToken = "a b" },
		func(c *alipay.AlipayConfig) { *c = cert; c.RootCertContent = "" },
		func(c *alipay.AlipayConfig) { *c = cert; c.RootCertContent = c.AppCertContent },
		func(c *alipay.AlipayConfig) { *c = cert; c.RootCertContent = "words" },
		func(c *alipay.AlipayConfig) { *c = cert; c.RootCertContent = read1(t, vectors+"root_bundle.crt") },
		func(c *alipay.AlipayConfig) { *c = cert; c.AppCertContent = c.RootCertContent },
		func(c *alipay.AlipayConfig) { *c = cert; c.AppCertContent = c.AlipayPublicCertContent },
		func(c *alipay.AlipayConfig) { *c = cert; c.AlipayPublicCertContent = c.AppCertContent },
		func(c *alipay.AlipayConfig) { *c = cert; c.AlipayPublicCertContent = c.RootCertContent },
		func(c *alipay.AlipayConfig) { *c = cert; c.AlipayPublicCertContent = good.AlipayPublicKey },
		func(c *alipay.AlipayConfig) {
			*c = cert
			c.AlipayPublicCertContent = read1(t, vectors+"expired_alipay_cert.crt")
		},
	} {
		c := good
		set(&c)
		environment(t, c)
		status, out := examine(t, "-lang", "zh")
		assert.Equal(t, 1, status)
		isChinese(t, out)
	}
}

func isChinese(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "CN \"") && !strings.Contains(line, "文件 \"") { // names
			assert.NotRegexp(t, english, strings.ReplaceAll(line, "text/html", ""))
			assert.NotContains(t, line, "%!")
		}
	}
}
