package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
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

// called runs a command to its end.
func called(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), cli.IO{Lang: cli.LocaleLang(), Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}, args)
	return status, out.String(), errs.String()
}

// environment sets what a config holds, and nothing else.
func environment(t *testing.T, c alipay.AlipayConfig) {
	t.Helper()
	for variable, value := range map[string]string{
		"ALIPAY_BASE_URL": c.BaseURL, "ALIPAY_APP_ID": c.AppID, "ALIPAY_PRIVATE_KEY": c.PrivateKey, "ALIPAY_PRIVATE_KEY_PATH": "",
		"ALIPAY_PUBLIC_KEY": c.AlipayPublicKey, "ALIPAY_PUBLIC_KEY_PATH": "", "ALIPAY_APP_CERT": c.AppCertContent, "ALIPAY_APP_CERT_PATH": "",
		"ALIPAY_PUBLIC_CERT": c.AlipayPublicCertContent, "ALIPAY_PUBLIC_CERT_PATH": "", "ALIPAY_ROOT_CERT": c.RootCertContent, "ALIPAY_ROOT_CERT_PATH": "",
		"ALIPAY_ENCRYPT_KEY": c.EncryptKey, "ALIPAY_APP_AUTH_TOKEN": c.AppAuthToken, "LC_ALL": "C",
	} {
		t.Setenv(variable, value)
	}
}

func TestUsageNamesEveryCommand(t *testing.T) {
	environment(t, alipay.AlipayConfig{})
	status, stdout, stderr := called(t, "", "help")
	assert.Equal(t, cli.OK, status)
	assert.Empty(t, stderr)
	for _, command := range commands {
		assert.Contains(t, stdout, "  "+command.name)
		status, help, stderr := called(t, "", command.name, "-h")
		assert.Equal(t, cli.OK, status)
		assert.Empty(t, stderr, "help that was asked for is no error")
		assert.Contains(t, help, "usage: alipay "+command.name)
		status, help, stderr = called(t, "", command.name, "-nonsense")
		assert.Equal(t, cli.Usage, status)
		assert.Empty(t, help)
		assert.Contains(t, stderr, "-nonsense")
	}
	for _, args := range [][]string{nil, {"nonsense"}, {"-v"}} {
		status, stdout, stderr = called(t, "", args...)
		assert.Equal(t, cli.Usage, status)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "usage: alipay <command>")
	}
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	_, stdout, _ = called(t, "", "help")
	assert.Contains(t, stdout, "用法：alipay <子命令>")
	_, stdout, _ = called(t, "", "sign", "-h")
	assert.Contains(t, stdout, "用法：alipay sign [参数] 方法 路径")
}

// kept is an answer that came under a key which was copied wrongly.
func kept(t *testing.T, gateway *alipaytest.Gateway, userID string) []byte {
	t.Helper()
	config := gateway.Config()
	other, err := os.ReadFile("../../testdata/vectors/alipay_public.pem")
	require.NoError(t, err)
	config.AlipayPublicKey = string(other)
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "kept", UserID: userID})
	var failed *alipay.CallError
	require.True(t, errors.As(err, &failed) && failed.Answer != nil, "%v", err)
	data, err := failed.Answer.MarshalBinary()
	require.NoError(t, err)
	return data
}

func TestAStoredAnswerIsOpenedUnderTheRightKeys(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	gateway.SetResult("kept", alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, MerchantIdentityID: "m-1"})
	data := kept(t, gateway, "")
	environment(t, gateway.Config())
	file := filepath.Join(t.TempDir(), "answer.bin")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	wrapped := base64.StdEncoding.EncodeToString(data)
	for name, tc := range map[string]struct {
		stdin string
		args  []string
	}{
		"a file":              {"", []string{file}},
		"standard input":      {string(data), nil},
		"standard input, -":   {string(data), []string{"-"}},
		"base64":              {wrapped + "\n", nil},
		"base64 in lines":     {wrapped[:76] + "\n" + wrapped[76:], nil},
		"bytea of PostgreSQL": {`\x` + hex.EncodeToString(data) + "\n", nil},
		"hexadecimal":         {"0x" + strings.ToUpper(hex.EncodeToString(data)), nil},
	} {
		status, stdout, stderr := called(t, tc.stdin, append([]string{"open"}, tc.args...)...)
		require.Equal(t, cli.OK, status, "%s: %s", name, stderr)
		var result alipay.QueryResponse
		require.NoError(t, json.Unmarshal([]byte(stdout), &result))
		assert.Equal(t, "m-1", result.MerchantIdentityID)
	}
}

func TestWhatCannotBeOpenedIsSaidAndNothingIsPrinted(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	data := kept(t, gateway, "")
	right := gateway.Config()
	wrong, without := right, right
	other, err := os.ReadFile("../../testdata/vectors/alipay_public.pem")
	require.NoError(t, err)
	wrong.AlipayPublicKey, without.AppID = string(other), ""
	changed := bytes.Clone(data)
	changed[len(changed)/2]++
	for name, tc := range map[string]struct {
		config alipay.AlipayConfig
		stdin  string
		args   []string
		status int
		says   string
	}{
		"the wrong key still":   {wrong, string(data), nil, cli.Failed, "signature"},
		"no configuration":      {without, string(data), nil, cli.Failed, "ALIPAY_APP_ID"},
		"changed":               {right, string(changed), nil, cli.Failed, "not a sealed answer"},
		"changed, base64":       {right, base64.StdEncoding.EncodeToString(changed), nil, cli.Failed, "not a sealed answer"},
		"nothing":               {right, "", nil, cli.Failed, "not a sealed answer"},
		"no such file":          {right, "", []string{"/nowhere"}, cli.Failed, "/nowhere"},
		"two files":             {right, "", []string{"a", "b"}, cli.Usage, "one file"},
		"clock not near enough": {right, string(data), []string{"-max-clock-skew", "-1s"}, cli.Failed, "WithMaxClockSkew"},
	} {
		environment(t, tc.config)
		status, stdout, stderr := called(t, tc.stdin, append([]string{"open"}, tc.args...)...)
		assert.Equal(t, tc.status, status, name)
		assert.Empty(t, stdout, name)
		assert.Contains(t, stderr, tc.says, name)
	}
}

// Another person's answer is opened only when a person has decided so.
func TestAnotherPersonsAnswerIsNotOpenedUnasked(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	gateway.SetResult("kept", alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, UserID: "2088000000000002", MerchantIdentityID: "m-2"})
	data := kept(t, gateway, "2088000000000001")
	environment(t, gateway.Config())
	status, stdout, stderr := called(t, string(data), "open")
	assert.Equal(t, cli.Failed, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "-any-user")
	status, stdout, stderr = called(t, string(data), "open", "-any-user")
	assert.Equal(t, cli.OK, status, stderr)
	assert.Contains(t, stdout, "m-2")
}

func TestSerialNumbersOfFiles(t *testing.T) {
	environment(t, alipay.AlipayConfig{})
	const dir = "../../alipaytest/testkeys/"
	files := []string{dir + "app_cert.crt", dir + "alipay_cert.crt", dir + "root_certs.crt"}
	status, stdout, stderr := called(t, "", append([]string{"sn"}, files...)...)
	require.Equal(t, cli.OK, status, stderr)
	lines := strings.Split(stdout, "\n")
	require.Len(t, lines, 4)
	for i, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		sn, err := alipay.CertSN(data)
		want := "cert " + sn + "  " + name + "  CN "
		if i == 2 {
			sn, err = alipay.RootCertSN(data)
			want = "root " + sn + "  " + name
		}
		require.NoError(t, err)
		assert.Contains(t, lines[i], want)
	}
	// A root certificate is that of an authority.
	self := filepath.Join(t.TempDir(), "self.crt")
	require.NoError(t, os.WriteFile(self, []byte(testpki.Issue(testpki.Name("self"), testpki.ECKey(), nil, time.Now()).PEM), 0o600))
	status, stdout, _ = called(t, "", "sn", self)
	assert.Equal(t, cli.OK, status)
	assert.Contains(t, stdout, "cert ")
	for _, args := range [][]string{{"/nowhere"}, {dir + "app_private_key.pem"}, {"main.go", files[0]}} {
		status, stdout, stderr = called(t, "", append([]string{"sn"}, args...)...)
		assert.Equal(t, cli.Failed, status)
		assert.Contains(t, stderr, args[0])
		assert.Equal(t, len(args)-1, strings.Count(stdout, "\n"), "the other files are read all the same")
	}
	status, _, _ = called(t, "", "sn")
	assert.Equal(t, cli.Usage, status)
}

// What is printed is what a gateway takes: it is sent here as it was printed.
func TestWhatIsPrintedCanBeSent(t *testing.T) {
	plain, encrypted := alipaytest.NewGateway(t), alipaytest.NewGateway(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	prefixed := alipaytest.NewGateway(t, alipaytest.WithPathPrefix("/proxy"))
	file := filepath.Join(t.TempDir(), "body.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"biz_content":"from a file"}`), 0o600))
	for name, tc := range map[string]struct {
		gateway *alipaytest.Gateway
		cert    bool
		stdin   string
		args    []string
		body    string
	}{
		"query":         {plain, false, "", []string{"-query", "once_token=a%20b&query_type=exact", "get", "/v3/zhima/customer/jobworth/authentication?conn_key=%E5%BC%A0"}, ""},
		"certificates":  {plain, true, "", []string{"-query", "once_token=c", "GET", "/v3/zhima/customer/jobworth/authentication"}, ""},
		"prefix":        {prefixed, false, "", []string{"-query", "once_token=d", "GET", "/v3/zhima/customer/jobworth/authentication"}, ""},
		"body":          {plain, false, "", []string{"-body", `{"biz_content": "words"}`, "POST", "/v3/monitor/heartbeat/syn"}, `{"biz_content": "words"}`},
		"body in file":  {plain, false, "", []string{"-body", "@" + file, "-app-auth-token", "202101BB", "POST", "/v3/monitor/heartbeat/syn"}, `{"biz_content":"from a file"}`},
		"body on stdin": {plain, false, `{"biz_content":"{}"}`, []string{"-body", "-", "POST", "/v3/monitor/heartbeat/syn"}, `{"biz_content":"{}"}`},
		"encrypted":     {encrypted, false, "", []string{"-body", `{"biz_content":"words"}`, "POST", "/v3/monitor/heartbeat/syn"}, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			config := tc.gateway.Config()
			if tc.cert {
				config = tc.gateway.CertConfig()
			}
			environment(t, config)
			status, stdout, stderr := called(t, tc.stdin, append([]string{"sign", "-unmasked"}, tc.args...)...)
			require.Equal(t, cli.OK, status, stderr)
			parts := strings.Split(stdout, "\n\n")
			require.GreaterOrEqual(t, len(parts), 3, stdout)
			method, address, _ := strings.Cut(strings.TrimSpace(strings.Split(parts[0], "\n")[1]), " ")
			lines := strings.Split(parts[1], "\n") // a title, authString, method, target, body
			body := tc.body
			if body == "*" {
				body = strings.TrimSpace(lines[4])
			}
			require.Equal(t, body, strings.TrimSpace(strings.Join(lines[4:5], "")))
			r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
			require.NoError(t, err)
			headers := bufio.NewScanner(strings.NewReader(parts[len(parts)-1]))
			headers.Scan() // the title
			for headers.Scan() {
				name, value, ok := strings.Cut(strings.TrimSpace(headers.Text()), ": ")
				require.True(t, ok, headers.Text())
				r.Header.Set(name, value)
			}
			response, err := tc.gateway.HTTPClient().Do(r)
			require.NoError(t, err)
			response.Body.Close()
			received := tc.gateway.Requests()
			last := received[len(received)-1]
			assert.True(t, last.Verified, last.Diagnosis)
			assert.Equal(t, 200, response.StatusCode)

			var signed strings.Builder // what the gateway checked, line by line
			for line := range strings.Lines(last.StringToSign()) {
				signed.WriteString("  " + line)
			}
			assert.Contains(t, stdout, signed.String())
		})
	}
}

func TestPersonalValuesAreMasked(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	environment(t, gateway.Config())
	status, stdout, stderr := called(t, "", "sign", "-app-auth-token", "202101BBsecret", "-body",
		`{ "cert_no" : "110101199003070000", "service_id":"2019120400000000000004450100", "nested":{"list":["secret-\"1","ab",13800138000]}, "n":1}`,
		"POST", "/v3/test?once_token=secret%2B2&query_type=exact&flag=Y&user_id=")
	require.Equal(t, cli.OK, status, stderr)
	for _, secret := range []string{"secret", "19900307", "13800138000"} {
		assert.NotContains(t, stdout, secret)
	}
	assert.Contains(t, stdout, "  "+`{ "cert_no" : "***", "service_id":"2019120400000000000004450100", "nested":{"list":["***","ab",***]}, "n":1}`+"\n  ***\n")
	assert.Contains(t, stdout, "\n  /v3/test?flag=Y&once_token=***&query_type=exact&user_id=\n")
	assert.Empty(t, gateway.Requests(), "nothing is sent")

	for name, tc := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"a body with a GET":    {[]string{"-body", "{}", "GET", "/v3"}, cli.Failed, "Request.Body"},
		"a body that is words": {[]string{"-body", "secret words", "POST", "/v3"}, cli.Failed, "Request.Body"},
		"another method":       {[]string{"SECRET", "/v3"}, cli.Failed, "Request.Method"},
		"no path":              {[]string{"GET"}, cli.Usage, "a method and a path"},
		"a broken escape":      {[]string{"GET", "/v3?once_token=%secret"}, cli.Usage, "not validly escaped"},
		"no such file":         {[]string{"-body", "@/nowhere", "POST", "/v3"}, cli.Failed, "/nowhere"},
	} {
		status, stdout, stderr := called(t, "", append([]string{"sign"}, tc.args...)...)
		assert.Equal(t, tc.status, status, name)
		assert.Empty(t, stdout, name)
		assert.Contains(t, stderr, tc.says, name)
		assert.NotContains(t, stderr, "secret", name)
	}
}

// Masking keeps JSON JSON, with the same names, and hides every long value.
func FuzzMaskedJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		hidden := maskedJSON([]byte(text))
		require.True(t, json.Valid(bytes.ReplaceAll(hidden, []byte(masked), []byte("0"))), "%s", hidden)
		require.Equal(t, hidden, maskedJSON(hidden))
		decoder := json.NewDecoder(bytes.NewReader(bytes.ReplaceAll(hidden, []byte(`"`+masked+`"`), []byte(`""`))))
		decoder.UseNumber()
		for {
			token, err := decoder.Token()
			if err != nil {
				break
			}
			if number, ok := token.(json.Number); ok {
				require.LessOrEqual(t, len(number), 2)
			}
		}
	})
}
