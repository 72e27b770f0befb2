package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sdkVersion is the newest when this was written.
const sdkVersion = "4.14.0"

// install fetches the SDK with npm into a directory that ends with the test.
func install(t *testing.T) (dir, node string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOTE: Node.js is not installed; its SDK was left out")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("NOTE: npm is not installed; the SDK for Node.js was left out")
	}
	dir = t.TempDir()
	script, err := os.ReadFile("query.mjs")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "query.mjs"), script, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "alipay-sdk@"+sdkVersion)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Skipf("NOTE: npm could not install alipay-sdk; it was left out: %v\n%s", err, out)
	}
	return dir, node
}

// call is the input of query.mjs.
type call struct {
	Config  map[string]any `json:"config"`
	Method  string         `json:"method"`
	Path    string         `json:"path"`
	Options map[string]any `json:"options,omitempty"`
}

type answer struct {
	Status int             `json:"status"`
	Data   json.RawMessage `json:"data"`
	Error  string          `json:"error"`
	Code   string          `json:"code"`
}

func (c call) run(t *testing.T, dir, node string) (a answer) {
	t.Helper()
	input, err := json.Marshal(c)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), node, "query.mjs")
	command.Dir, command.Stdin, command.Stderr = dir, bytes.NewReader(input), os.Stderr
	out, err := command.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &a), "%s", out)
	return a
}

// bare is the base64 of a PEM text.
func bare(text string) string {
	block, _ := pem.Decode([]byte(text))
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

func anotherKey(t *testing.T) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(der)
}

const (
	aesKey      = "AAECAwQFBgcICQoLDA0ODw=="
	otherAESKey = "Dw4NDAsKCQgHBgUEAwIBAA=="
	jobworth    = "/v3/zhima/customer/jobworth/authentication"
)

func TestOneWrongSettingOfTheOfficialSDKIsNamed(t *testing.T) {
	dir, node := install(t)
	endpoints := filepath.Join(t.TempDir(), "endpoints.json")
	require.NoError(t, os.WriteFile(endpoints, []byte(`[{"method": "POST", "path": "/v3/test/echo", "body": {"name": "张三"}}]`), 0o600))
	plain, encrypted := start(t, "-endpoints", endpoints), start(t, "-endpoints", endpoints, "-encrypt-key", aesKey)

	for name, tc := range map[string]struct {
		cert, encrypt bool
		change        func(c *call)
		says          string // the diagnosis; "" when all is well
	}{
		"right":                  {},
		"right, with a space":    {change: func(c *call) { c.Options["query"] = map[string]any{"once_token": "a b+c/张"} }},
		"right, certificates":    {cert: true},
		"right, encrypted":       {encrypt: true},
		"right, for another one": {change: func(c *call) { c.Options["appAuthToken"] = "202101BB" }},

		// alipay-sdk-nodejs-all#25, #109, #114: the commonest of all.
		"privateKey of another pair": {change: func(c *call) { c.Config["privateKey"] = anotherKey(t) },
			says: "check that the private key and the public key uploaded in the console"},
		// #151
		"endpoint of the old gateway": {change: func(c *call) { c.Config["endpoint"] = c.Config["endpoint"].(string) + "/gateway.do" },
			says: "the base URL ends in /gateway.do, which belongs to the old gateway: leave it off"},
		"endpoint of the old gateway, POST": {encrypt: true, change: func(c *call) { c.Config["endpoint"] = c.Config["endpoint"].(string) + "/gateway.do" },
			says: "the base URL ends in /gateway.do, which belongs to the old gateway: leave it off"},
		"endpoint with the path's beginning": {change: func(c *call) { c.Config["endpoint"] = c.Config["endpoint"].(string) + "/v3" },
			says: "/v3 stands twice in the path"},
		"endpoint with a slash": {encrypt: true, change: func(c *call) { c.Config["endpoint"] = c.Config["endpoint"].(string) + "/" },
			says: "the base URL ends in a slash"},
		"appId of another application": {change: func(c *call) { c.Config["appId"] = "2021000000000002" },
			says: "the app_id is 2021000000000002; this gateway knows one application only"},
		"appId of the merchant": {change: func(c *call) { c.Config["appId"] = "2088102146225135" },
			says: "the app_id is a merchant's id (2088…, PID), not an APPID"},
		"appId with a space": {change: func(c *call) { c.Config["appId"] = " " + plain.config.AppID },
			says: "the app_id has spaces around it"},
		// #56
		"appCertContent is Alipay's": {cert: true, change: func(c *call) { c.Config["appCertContent"] = c.Config["alipayPublicCertContent"] },
			says: "the app_cert_sn is the SN of Alipay's certificate (alipayCertPublicKey)"},
		"alipayRootCertContent is the application's": {cert: true, change: func(c *call) { c.Config["alipayRootCertContent"] = c.Config["appCertContent"] },
			says: "the alipay-root-cert-sn is the SN of another certificate; it has to be that of the root bundle (alipayRootCert.crt)"},
		"privateKey of another pair, certificates": {cert: true, change: func(c *call) { c.Config["privateKey"] = anotherKey(t) },
			says: "check that the private key and the public key uploaded in the console"},
		"encryptKey of another application": {encrypt: true, change: func(c *call) { c.Config["encryptKey"] = otherAESKey },
			says: "the ciphertext does not open with this gateway's key"},
		"encryptKey that the application has not": {change: func(c *call) {
			c.Config["encryptKey"] = aesKey
			c.Method, c.Path, c.Options = "POST", "/v3/test/echo", map[string]any{"body": map[string]any{"a": 1}, "needEncrypt": true}
		}, says: "the client encrypts, but the gateway has no AES key"},
		"path without /v3": {change: func(c *call) { c.Path = strings.TrimPrefix(c.Path, "/v3") },
			says: "/v3 is missing at the beginning of the path"},
		"GET for POST": {change: func(c *call) { c.Path = "/v3/test/echo" },
			says: "/v3/test/echo exists, but not for GET"},
	} {
		t.Run(name, func(t *testing.T) {
			g := plain
			if tc.encrypt {
				g = encrypted
			}
			config, cert := g.config, g.cert
			c := call{
				Config: map[string]any{"endpoint": config.BaseURL, "appId": config.AppID, "privateKey": bare(config.PrivateKey), "keyType": "PKCS8", "alipayPublicKey": bare(config.AlipayPublicKey)},
				Method: "GET", Path: jobworth, Options: map[string]any{"query": map[string]any{"once_token": name}},
			}
			if tc.cert {
				delete(c.Config, "alipayPublicKey")
				c.Config["appCertContent"], c.Config["alipayPublicCertContent"], c.Config["alipayRootCertContent"] = cert.AppCertContent, cert.AlipayPublicCertContent, cert.RootCertContent
			}
			if tc.encrypt {
				c.Config["encryptKey"] = aesKey
				c.Method, c.Path, c.Options = "POST", "/v3/test/echo", map[string]any{"body": map[string]any{"name": "张三", "n": 1}, "needEncrypt": true}
			}
			if tc.change != nil {
				tc.change(&c)
			}
			before := len(g.rows(t))
			answer := c.run(t, dir, node)
			rows := g.rows(t)
			require.Len(t, rows, before+1, "%+v", answer)
			received := rows[0]
			if tc.says == "" {
				assert.Equal(t, 200, answer.Status, "%+v", answer)
				assert.Empty(t, answer.Error)
				assert.Equal(t, "good", received.class)
				assert.Empty(t, received.diagnosis)
				return
			}
			assert.NotEmpty(t, answer.Error)
			assert.Contains(t, strings.ToLower(received.diagnosis), strings.ToLower(tc.says))
			t.Logf("the SDK: %s %s; the gateway: %s", answer.Code, answer.Error, received.diagnosis)
		})
	}
}
