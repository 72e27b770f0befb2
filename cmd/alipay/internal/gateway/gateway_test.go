package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
)

// output is what run prints, readable while it runs.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// serving runs the command until the test ends and returns what it printed.
func serving(t *testing.T, last string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var stdout output
	done := make(chan int, 1)
	go func() { done <- Run(ctx, cli.IO{Stdout: &stdout, Stderr: io.Discard}, args) }()
	t.Cleanup(func() {
		cancel()
		assert.Zero(t, <-done)
	})
	require.Eventually(t, func() bool {
		text := stdout.String()
		return strings.Contains(text, last) && strings.HasSuffix(text, "\n")
	}, 5*time.Second, time.Millisecond)
	return stdout.String()
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
