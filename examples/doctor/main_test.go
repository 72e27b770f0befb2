package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

const vectors = "../../testdata/vectors/"

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
	status = run(args, &stdout, &stderr)
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

func TestHealthyConfigsAreWell(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	environment(t, gateway.Config())
	status, out := examine(t)
	assert.Zero(t, status, out)
	for _, words := range []string{
		"mode: public key (公钥模式)", "PrivateKey: an RSA-2048 private key (PKCS#8, PEM)", "AlipayPublicKey: an RSA-2048 public key (SPKI, PEM)",
		"fingerprint of the public key (SHA-256): ", "is not the application's own", "it accepts this configuration", "All is well.",
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
		"app_cert_sn that is sent:          " + appSN, "alipay-root-cert-sn that is sent:  " + rootSN, "alipay-sn that answers may carry:  ", "All is well.",
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
			[]string{"FAIL  the key given as Alipay's (支付宝公钥) is the application's own public key", "AlipayPublicKey: this is the application's own public key"}, nil, "2 of"},
		"damaged key": {good, func(c *alipay.AlipayConfig) { c.PrivateKey = c.PrivateKey[:1000] },
			[]string{"PrivateKey: an RSA private key (PKCS#8, PEM)", "damaged: base64 cut short", "FAIL  PrivateKey: found"}, nil, "1 of"},
		"certificate of another key": {certs, func(c *alipay.AlipayConfig) { c.PrivateKey = other },
			[]string{"FAIL  the application's certificate (应用公钥证书) belongs to another private key", "AppCertContent: the certificate does not match"}, []string{"AlipayPublicCertContent:  "}, "2 of"},
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
		}, []string{"PrivateKeyPath: there is no such file", "AppCertPath: this is a directory", "RootCertPath: a certificate"}, []string{"FAIL  AlipayPublicCertContent", "/nowhere"}, "2 of"},
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
		assert.Contains(t, out, "not made: mend the mistakes above first")
		assert.Len(t, gateway.Requests(), before)
	})
}

func TestOneSignedCallIsExplained(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	// always is the address of a server of one answer.
	always := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	stale := alipaytest.TimestampOff(-time.Hour)
	for name, tc := range map[string]struct {
		change func(*alipay.AlipayConfig)
		fault  *alipaytest.Fault
		status int
		says   []string
	}{
		"keys work": {nil, nil, 0, []string{"the endpoint itself answered", "the signature held", "PARAM_ERROR", "All is well."}},
		"unsigned refusal of the endpoint": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(400)
				_, _ = io.WriteString(w, `{"code":"INVALID_PARAMETER","message":"参数有误"}`)
			})
		}, nil, 0, []string{"the endpoint itself answered", "the answer was not signed, as is usual for errors"}},
		"another private key": {func(c *alipay.AlipayConfig) { c.PrivateKey = read1(t, vectors+"app_private_pkcs8.pem") }, nil, 1,
			[]string{"FAIL  alipay: invalid-signature", (&alipay.APIError{StatusCode: 400, Code: alipay.CodeInvalidSignature}).Hint()}},
		"another app id": {func(c *alipay.AlipayConfig) { c.AppID = "2021000000000002" }, nil, 1, []string{"FAIL  alipay: invalid-app-id"}},
		"another public key of Alipay's": {func(c *alipay.AlipayConfig) { c.AlipayPublicKey = read1(t, vectors+"alipay_public.pem") }, nil, 1,
			[]string{"the answer's signature does not verify", "is not what it signs with: copy it again"}},
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
		"stale": {nil, &stale, 1, []string{"Set the clock of this machine right"}},
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
		})
	}
	for _, r := range gateway.Requests() {
		assert.Empty(t, r.Params, "nothing that could be spent")
	}
	t.Run("unknown certificate", func(t *testing.T) {
		environment(t, gateway.CertConfig())
		gateway.RotateCertificate()
		status, out := examine(t, "-live")
		assert.Equal(t, 1, status)
		assert.Contains(t, out, "alipay-sn is ")
		assert.Contains(t, out, "AlipayPublicCertContent")
	})
}

func TestAnswersThatNoTestGatewayGives(t *testing.T) {
	for words, err := range map[string]error{
		"keys and signature work both ways":                   nil,
		"EncryptKey is not the AES key":                       alipay.ErrDecrypt,
		"No answer came in time":                              errors.Join(alipay.ErrOutcomeUnknown, context.DeadlineExceeded),
		"The gateway, or a proxy in front of it, failed":      &alipay.APIError{StatusCode: 502},
		"The outcome is unknown":                              &alipay.APIError{StatusCode: 500, Code: alipay.CodeSystemError},
		"This is not how Alipay's gateway answers: check the": alipay.ErrResponseTooLarge,
	} {
		var out bytes.Buffer
		(&report{out: &out}).explain(err)
		assert.Contains(t, out.String(), words)
	}
}

func TestDatesAreJudged(t *testing.T) {
	all := readAll(alipay.AlipayConfig{AppCertContent: read1(t, vectors+"app_public_cert.crt")})
	leaf := all.appCert.certs[0]
	for days, want := range map[int]string{-1: "EXPIRED", 10: "10 days left: renew it soon", 100: "100 days left", 36500: "NOT YET VALID"} {
		assert.Equal(t, want, remaining(leaf, leaf.X509.NotAfter.Add(-time.Duration(days)*24*time.Hour)))
	}
}
