package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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
		"fingerprint of the public key (SHA-256): ", "is not the application's own", "it accepts this configuration", noMistake, "gateway: host " + strings.TrimPrefix(gateway.BaseURL(), "http://"), "APPID: 2021000000000001\n",
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
		"belongs to the private key", "leads to the root bundle", "not readable here, as is usual for an SM2 certificate",
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

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
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
			[]string{"AppID: it is empty", "PrivateKey: it is empty", "AlipayPublicKey: neither mode", "not set in the environment: ALIPAY_APP_ID", "there is none that can be read", "there are no two to compare"}, nil, "3 of"},
		"all that can be wrong in public-key mode": {good, func(c *alipay.AlipayConfig) {
			c.BaseURL, c.AppID, c.PrivateKey, c.AlipayPublicKey = alipay.DefaultBaseURL+"/gateway.do", "1,2", c.AlipayPublicKey, "words"
			c.EncryptKey, c.AppAuthToken = "c2hvcnQta2V5", "secret token"
		}, []string{"BaseURL: /gateway.do", "AppID: it holds a comma", "PrivateKey: found an RSA-2048 public key", "AlipayPublicKey: found", "EncryptKey: the AES key", "AppAuthToken: it holds a space"}, nil, "6 of"},
		"own public key": {good, func(c *alipay.AlipayConfig) {
			c.AlipayPublicKey = read1(t, vectors+"app_public.pem")
			c.PrivateKey = other
		},
			[]string{"FAIL  AlipayPublicKey: the key given as Alipay's (支付宝公钥) is the application's own public key", "AlipayPublicKey: this is the application's own public key"}, nil, "2 of"},
		"damaged key": {good, func(c *alipay.AlipayConfig) { c.PrivateKey = c.PrivateKey[:1000] },
			[]string{"PrivateKey: an RSA private key (PKCS#8, PEM)", "damaged: base64 cut short", "FAIL  PrivateKey: found"}, nil, "1 of"},
		"certificate of another key": {certs, func(c *alipay.AlipayConfig) { c.PrivateKey = other },
			[]string{"FAIL  AppCertContent: the application's certificate (应用公钥证书) belongs to another private key", "AppCertContent: the certificate does not match"}, []string{"AlipayPublicCertContent:  "}, "2 of"},
		"private key missing in certificate mode": {certs, func(c *alipay.AlipayConfig) { c.PrivateKey = "" },
			[]string{"PrivateKey: it is empty"}, []string{"FAIL  AppCertContent", "FAIL  AlipayPublicCertContent"}, "1 of"},
		"both keys and root wrong": {certs, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.RootCertContent, c.EncryptKey = "x", c.AppCertContent, "x"
		},
			[]string{"FAIL  PrivateKey: ", "FAIL  RootCertContent: ", "FAIL  EncryptKey: "}, []string{"FAIL  AppCertContent", "FAIL  AlipayPublicCertContent"}, "FAIL"},
		"certificates swapped": {certs, func(c *alipay.AlipayConfig) {
			c.AppCertContent, c.AlipayPublicCertContent = c.AlipayPublicCertContent, c.AppCertContent
		}, []string{"belongs to another private key", "is the application's own (应用公钥证书)", "FAIL  AppCertContent: ", "FAIL  AlipayPublicCertContent: "}, nil, "FAIL"},
		"half of certificate mode": {certs, func(c *alipay.AlipayConfig) { c.AppCertContent, c.RootCertContent = "", "" },
			[]string{"FAIL  AppCertContent: it is missing", "FAIL  RootCertContent: it is missing"}, []string{"FAIL  AlipayPublicCertContent"}, "2 of"},
		"another root": {certs, func(c *alipay.AlipayConfig) { c.RootCertContent = read1(t, vectors+"root_bundle.crt") },
			[]string{"does not lead to the root bundle", "FAIL  AlipayPublicCertContent: "}, nil, "2 of"},
		"both modes": {certs, func(c *alipay.AlipayConfig) { c.AlipayPublicKey, c.EncryptKey = good.AlipayPublicKey, "x" },
			[]string{"mode: both", "AlipayPublicKey: both modes are configured", "EncryptKey: "}, nil, "3 of"},
		"expired": {certs, func(c *alipay.AlipayConfig) { c.AlipayPublicCertContent = read1(t, vectors+"expired_alipay_cert.crt") },
			[]string{"EXPIRED", "AlipayPublicCertContent: the certificate expired on 2022-01-01", "cannot be checked; no mistake", "outside its dates"}, nil, "2 of"},
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
		})
	}
	t.Run("no call is made with a mistake", func(t *testing.T) {
		c := good
		c.AlipayPublicKey = ""
		environment(t, c)
		before := len(gateway.Requests())
		status, out := examine(t, "-live")
		assert.Equal(t, 1, status)
		assert.Contains(t, out, "not made: correct the mistakes above first")
		assert.Len(t, gateway.Requests(), before)
	})
}

func TestOneSignedCallIsExplained(t *testing.T) {
	gateway := alipaytest.NewGateway(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	// always is the address of a server of one answer.
	always := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	stale := alipaytest.TimestampOff(-time.Hour)
	const taken = "ok    the gateway took the request: APPID and private key are right"
	for name, tc := range map[string]struct {
		change func(*alipay.AlipayConfig)
		fault  *alipaytest.Fault
		status int
		says   []string
	}{
		"keys work": {nil, nil, 0, []string{taken, "the signature held: Alipay's public key or certificate is right too", "The gateway takes this configuration"}},
		"unsigned refusal of the endpoint": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(400)
				_, _ = io.WriteString(w, `{"code":"INVALID_PARAMETER","message":"参数有误"}`)
			})
		}, nil, 0, []string{"the endpoint itself answered", "the answer was not signed, as is usual for errors"}},
		"another private key": {func(c *alipay.AlipayConfig) { c.PrivateKey = read1(t, vectors+"app_private_pkcs8.pem") }, nil, 1,
			[]string{"FAIL  PrivateKey: alipay: invalid-signature", "The private key is the wrong side", "the answer was not signed, as is usual for errors"}},
		"another app id": {func(c *alipay.AlipayConfig) { c.AppID = "2021000000000002" }, nil, 1,
			[]string{"FAIL  alipay: invalid-app-id", (&alipay.APIError{StatusCode: 400, Code: alipay.CodeInvalidAppID}).Hint()}},
		"another public key of Alipay's": {func(c *alipay.AlipayConfig) { c.AlipayPublicKey = read1(t, vectors+"alipay_public.pem") }, nil, 1,
			[]string{taken, "FAIL  AlipayPublicKey: ", "Alipay's key is the wrong side"}},
		"altered on the way": {nil, &alipaytest.AlteredBody, 1, []string{taken, "No key is wrong: the answer was signed with Alipay's configured key, and changed afterwards"}},
		"page of a proxy": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>") })
		}, nil, 1, []string{"not signed", "This is not how Alipay's gateway answers"}},
		"redirect": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
		}, nil, 1, []string{"This is not how Alipay's gateway answers"}},
		"not there": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
		}, nil, 1, []string{"Nothing answers at this address"}},
		"nobody listens": {func(c *alipay.AlipayConfig) { c.BaseURL = closed.URL }, nil, 1, []string{"The gateway was not reached"}},
		"hangs up": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, nil, 1, []string{"The connection broke before a whole answer came"}},
		"stale": {nil, &stale, 1, []string{taken, "Set the clock of this machine right"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := gateway.Config()
			if tc.change != nil {
				tc.change(&c)
			}
			if tc.fault != nil {
				gateway.Inject(*tc.fault, 1)
			}
			environment(t, c)
			status, out := examine(t, "-live")
			assert.Equal(t, tc.status, status, out)
			for _, words := range tc.says {
				assert.Contains(t, out, words)
			}
			// In Chinese the same is found.
			if tc.fault != nil {
				gateway.Inject(*tc.fault, 1)
			}
			status, out = examine(t, "-live", "-lang", "zh")
			assert.Equal(t, tc.status, status, out)
			assert.Contains(t, out, "一次签名调用")
		})
	}
	for _, r := range gateway.Requests() {
		assert.Empty(t, r.Params, "nothing that could be spent")
		assert.Equal(t, "/v3/monitor/heartbeat/syn", r.Path)
	}
	t.Run("unknown certificate", func(t *testing.T) {
		environment(t, gateway.CertConfig())
		gateway.Inject(alipaytest.UnknownSN, -1)
		status, out := examine(t, "-live")
		assert.Equal(t, 1, status)
		assert.Contains(t, out, taken)
		assert.Contains(t, out, "FAIL  AlipayPublicCertContent: ")
		assert.Contains(t, out, "alipay-sn is ")
	})
}

func TestAnswersThatNoTestGatewayGives(t *testing.T) {
	for words, err := range map[string]error{
		"Alipay's public key or certificate is right too":     nil,
		"EncryptKey is not the AES key":                       alipay.ErrDecrypt,
		"No answer came in time":                              errors.Join(alipay.ErrOutcomeUnknown, context.DeadlineExceeded),
		"The gateway, or a proxy in front of it, failed":      &alipay.APIError{StatusCode: 502},
		"The outcome is unknown":                              &alipay.APIError{StatusCode: 500, Code: alipay.CodeSystemError},
		"This is not how Alipay's gateway answers: check the": alipay.ErrResponseTooLarge,
	} {
		r := &report{}
		r.explain(err, "AlipayPublicKey")
		var out bytes.Buffer
		r.print(&out, true)
		assert.Contains(t, out.String(), words)
	}
}

func TestDatesOfCertificatesAreTold(t *testing.T) {
	all := readAll(alipay.AlipayConfig{AppCertContent: read1(t, vectors+"app_public_cert.crt")})
	leaf := all.appCert.certs[0]
	for days, want := range map[int]string{-1: "EXPIRED", 10: "10 days left: renew it soon", 30: "30 days left: renew it soon", 31: "31 days left", 100: "100 days left", 36500: "NOT YET VALID"} {
		assert.Equal(t, want, (&report{}).remaining(leaf, leaf.X509.NotAfter.Add(-time.Duration(days)*24*time.Hour)))
	}
}

func TestWarningsAreNoFailures(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	for name, tc := range map[string]struct {
		change func(*alipay.AlipayConfig)
		says   []string
	}{
		"sandbox's APPID in production": {func(c *alipay.AlipayConfig) { c.BaseURL, c.AppID = "", "9021000000000001" },
			[]string{"WARN  AppID: an APPID that begins with 9021 belongs to the sandbox", "gateway: host openapi.alipay.com, production"}},
		"old sandbox": {func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipaydev.com" },
			[]string{"WARN  BaseURL: this is the old address of the sandbox", "gateway: host openapi.alipaydev.com, neither"}},
		"APPID with a letter": {func(c *alipay.AlipayConfig) { c.AppID = "202100000O000001" },
			[]string{"WARN  AppID: character 10 is not a digit", "APPID: 202100000[O]000001 (character 10 does not belong there)"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := gateway.Config()
			tc.change(&c)
			environment(t, c)
			status, out := examine(t)
			assert.Zero(t, status, out)
			for _, words := range append(tc.says, noMistake+" Look at the warnings (1).") {
				assert.Contains(t, out, words)
			}
		})
	}
	c := gateway.CertConfig()
	leaf := readAll(c).alipayCert.certs[0]
	r := &report{}
	r.notes(c, leaf.X509.NotAfter.Add(-29*24*time.Hour))
	require.NotEmpty(t, r.findings)
	assert.Equal(t, levelWarn, r.findings[0].Level)
	assert.Contains(t, r.findings[0].Text, "days left: ")
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
		assert.Equal(t, want, (&report{}).appID(id))
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
		{"", "", "zh_CN.UTF-8", "", "离线没有发现错误；加 -live 可连接网关检查。"},
		{"", "zh_TW", "en_US.UTF-8", "", "离线没有发现错误"},
		{"C", "zh_CN", "zh_CN", "", noMistake},
		{"", "", "zh_CN.UTF-8", "en", noMistake},
		{"", "", "en_US.UTF-8", "zh", "离线没有发现错误"},
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

// Whatever the library says of the settings has a translation.
func TestEveryMistakeHasItsChinese(t *testing.T) {
	for text, want := range map[string]string{
		"found an RSA-2048 public key (SPKI, PEM); the application's private key (应用私钥) belongs here, which the key tool (密钥工具) made along with the public one": "发现 RSA-2048 公钥（SPKI、PEM）；这里要填应用私钥，它和公钥一起由密钥工具生成",
		"the RSA key has 1024 bits; the platform asks for RSA2 with 2048 bits or more":                                                                          "RSA 密钥只有 1024 位；平台要求 2048 位以上的 RSA2 密钥",
		"a sentence that nobody has translated": "a sentence that nobody has translated",
	} {
		assert.Equal(t, want, (&report{zh: true}).reason(text))
		assert.Equal(t, text, (&report{}).reason(text))
	}
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
		for line := range strings.Lines(out) {
			if !strings.Contains(line, "CN \"") && !strings.Contains(line, "文件 \"") { // names
				assert.NotRegexp(t, english, line)
			}
		}
	}
}
