package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
)

// serving runs the command until the test ends and returns what it printed, up to
// the line that begins with or ends in last.
func serving(t *testing.T, last string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, cli.IO{Stdout: writer, Stderr: io.Discard}, args)
		writer.Close()
	}()
	t.Cleanup(func() {
		cancel()
		assert.Zero(t, <-done)
	})
	var printed strings.Builder
	lines := bufio.NewReaderSize(reader, 64<<10) // all that is printed comes in one piece
	for !strings.Contains(printed.String(), last) {
		line, err := lines.ReadString('\n')
		printed.WriteString(line)
		if err != nil {
			break
		}
	}
	for { // a value may have several lines; the command does not print anything else
		if lines.Buffered() == 0 {
			break
		}
		line, err := lines.ReadString('\n')
		printed.WriteString(line)
		if err != nil {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return printed.String()
}

func query(t *testing.T, config alipay.AlipayConfig, token string) {
	t.Helper()
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: token})
	require.NoError(t, err)
	require.Equal(t, alipay.IdentityResultSuccess, response.IdentityResult)
}

func TestOneLineOfJSONServesBothModes(t *testing.T) {
	for _, args := range [][]string{{"-json"}, {"-json", "-encrypt"}, {"-json", "-encrypt-key", "AAECAwQFBgcICQoLDA0ODw=="}} {
		line := serving(t, "}", args...)
		require.Equal(t, 1, strings.Count(line, "\n"))
		var members map[string]string
		require.NoError(t, json.Unmarshal([]byte(line), &members))
		_, encrypted := members["encrypt_key"]
		require.Equal(t, len(args) > 1, encrypted)
		status, _, page := get(t, members["inspector_url"], nil)
		require.Equal(t, 200, status)
		require.Contains(t, page, members["base_url"])

		base := alipay.AlipayConfig{
			BaseURL: members["base_url"], AppID: members["app_id"], PrivateKey: members["private_key"], EncryptKey: members["encrypt_key"],
		}
		public, cert := base, base
		public.AlipayPublicKey = members["alipay_public_key"]
		cert.AppCertContent, cert.AlipayPublicCertContent, cert.RootCertContent = members["app_cert"], members["alipay_public_cert"], members["root_cert"]
		query(t, public, "public")
		query(t, cert, "cert")
	}
}

// TestMain lets the test's own program be the one that runs in the background.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "gateway" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(Run(ctx, cli.IO{Stdout: os.Stdout, Stderr: os.Stderr}, os.Args[2:]))
	}
	os.Exit(m.Run())
}

// A shell that evaluates the output does not wait for the end of the gateway.
func TestInTheBackgroundAShellDoesNotWait(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(shell, "-c", `eval "$('`+self+`' gateway -background -inspect '' 2>/dev/null)" && echo "$ALIPAY_GATEWAY_PID" && env -0`)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "ALIPAY_APP_CERT=of another mode"}
	out, err := command.Output()
	require.NoError(t, err)
	pid, rest, _ := strings.Cut(string(out), "\n")
	number, err := strconv.Atoi(pid)
	require.NoError(t, err)
	process, err := os.FindProcess(number)
	require.NoError(t, err)
	t.Cleanup(func() { _ = process.Kill() })
	t.Run("query", func(t *testing.T) {
		for variable := range strings.SplitSeq(rest, "\x00") {
			if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ALIPAY_") {
				t.Setenv(name, value)
			}
		}
		config, err := alipay.ConfigFromEnv()
		require.NoError(t, err)
		query(t, config, "token")
	})
	require.NoError(t, process.Signal(syscall.SIGTERM))

	var stdout, stderr bytes.Buffer
	require.Equal(t, cli.Failed, Run(t.Context(), cli.IO{Stdout: &stdout, Stderr: &stderr}, []string{"-background", "-addr", "nowhere"}))
	require.Empty(t, stdout.String())
	require.Contains(t, stderr.String(), "it did not start")
}

// What is not set is unset: a shell may have it from the other mode.
func TestTheOtherModeIsUnset(t *testing.T) {
	public, cert := serving(t, "ALIPAY_PUBLIC_KEY='"), serving(t, "ALIPAY_ROOT_CERT='", "-cert")
	for _, variable := range []string{"ALIPAY_APP_CERT", "ALIPAY_PUBLIC_CERT", "ALIPAY_ROOT_CERT", "ALIPAY_PRIVATE_KEY_PATH", "ALIPAY_ENCRYPT_KEY", "ALIPAY_APP_AUTH_TOKEN"} {
		require.Regexp(t, `(?m)^unset.* `+variable+`( |$)`, public)
	}
	require.Regexp(t, `(?m)^unset.* ALIPAY_PUBLIC_KEY `, cert)
	require.NotContains(t, cert, "export ALIPAY_PUBLIC_KEY=")
	for line := range strings.Lines(public + cert) { // nothing is set and unset
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "export "), "="); ok && strings.HasPrefix(line, "export ") {
			text := public
			if strings.Contains(cert, line) {
				text = cert
			}
			require.NotRegexp(t, `(?m)^unset.* `+name+`( |$)`, text)
		}
	}
}

func TestEndpointsOfAFileAreServed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "endpoints.json")
	require.NoError(t, os.WriteFile(file, []byte(`[
		{"method": "POST", "path": "/v3/alipay/trade/{id}/close", "body": {"trade_no": "1"}},
		{"method": "GET", "path": "/v3/orders", "status": 404, "body": {"code": "ORDER_NOT_EXIST", "message": "没有"}},
		{"method": "DELETE", "path": "/v3/orders"},
		{"api": "alipay.trade.close", "body": {"trade_no": "2"}},
		{"api": "alipay.trade.cancel"},
		{"api": "alipay.trade.refund", "code": "ACQ.TRADE_NOT_EXIST"}]`), 0o600))
	var members map[string]string
	require.NoError(t, json.Unmarshal([]byte(serving(t, "}", "-json", "-endpoints", file)), &members))
	client, err := alipay.NewClient(alipay.AlipayConfig{
		BaseURL: members["base_url"], AppID: members["app_id"], PrivateKey: members["private_key"], AlipayPublicKey: members["alipay_public_key"],
	})
	require.NoError(t, err)
	var got struct {
		TradeNo string `json:"trade_no"`
	}
	_, err = client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/alipay/trade/7/close"}, &got)
	require.NoError(t, err)
	require.Equal(t, "1", got.TradeNo)
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/orders"}, nil)
	require.ErrorIs(t, err, alipay.ErrorCode("ORDER_NOT_EXIST"))
	_, err = client.Do(t.Context(), &alipay.Request{Method: "DELETE", Path: "/v3/orders"}, nil)
	require.NoError(t, err)
	order, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "alipay.trade.close", BizContent: map[string]string{"trade_no": "2"}})
	require.NoError(t, err)
	response, err := http.Post(members["base_url"]+"/gateway.do", "application/x-www-form-urlencoded", strings.NewReader(order))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `"trade_no":"2"`)
}

func TestAFileOfEndpointsWithAMistakeIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{}`:                                  "not a JSON list",
		`[{"methods":"GET"}]`:                 "unknown field",
		`[] []`:                               "more than one",
		`[{"method":"get","path":"/v3"}]`:     "endpoint 1: the method is not",
		`[{"method":"GET","path":"v3"}]`:      "does not begin with /",
		`[{"method":"GET","path":"/v3?a=b"}]`: "has a query",
		`[{"method":"GET","path":"/v3","status":100}]`:                             "between 200 and 599",
		`[{"method":"GET","path":"/v3","body":[]}]`:                                "not a JSON object",
		`[{"method":"GET","path":"/v3"},{"method":"GET","path":"/v3","code":"X"}]`: "endpoint 2: a code is for an api",
		`[{"api":"a.b","path":"/v3"}]`:                                             "an api, which is of the old gateway, and",
		`[{"api":"a.b","body":1}]`:                                                 "not a JSON object",
	} {
		_, err := parseEndpoints([]byte(text))
		require.ErrorContains(t, err, says, text)
	}
	var stderr bytes.Buffer
	require.Equal(t, cli.Usage, Run(t.Context(), cli.IO{Stdout: io.Discard, Stderr: &stderr}, []string{"-endpoints", "/nowhere"}))
	require.Contains(t, stderr.String(), "/nowhere")
}

// What is accepted can be served.
func FuzzEndpoints(f *testing.F) {
	gateway := alipaytest.NewGateway(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseEndpoints(data)
		if err != nil {
			return
		}
		for _, e := range list {
			e.add(gateway)
		}
	})
}

// The export lines go through a real shell and back through ConfigFromEnv.
func TestExportLinesAreWhatConfigFromEnvReads(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	for _, args := range [][]string{nil, {"-cert", "-encrypt"}} {
		last := "ALIPAY_PUBLIC_KEY="
		if args != nil {
			last = "ALIPAY_ENCRYPT_KEY="
		}
		script := filepath.Join(t.TempDir(), "alipay.env")
		require.NoError(t, os.WriteFile(script, []byte(serving(t, last, args...)), 0o600))
		command := exec.Command(shell, "-c", ". "+script+"; env -0")
		command.Env = []string{"PATH=" + os.Getenv("PATH")}
		environment, err := command.Output()
		require.NoError(t, err)
		count := 0
		t.Run("query", func(t *testing.T) {
			for variable := range strings.SplitSeq(string(environment), "\x00") {
				if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ALIPAY_") {
					t.Setenv(name, value)
					count++
				}
			}
			require.GreaterOrEqual(t, count, 4)
			config, err := alipay.ConfigFromEnv()
			require.NoError(t, err)
			query(t, config, "token")
		})
	}
}

func TestThePageCanBeLeftOut(t *testing.T) {
	require.NotContains(t, serving(t, "}", "-json", "-inspect", ""), "inspector_url")
}

func TestWrongArgumentsAreToldAtOnce(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {"-encrypt-key", "short"}, {"-addr", "nowhere"}, {"-inspect", "0.0.0.0:0"}, {"-messages-to", "nowhere"}} {
		var stderr bytes.Buffer
		require.NotZero(t, Run(t.Context(), cli.IO{Stdout: io.Discard, Stderr: &stderr}, args))
		require.Contains(t, stderr.String(), "alipay gateway: ")
	}
}
