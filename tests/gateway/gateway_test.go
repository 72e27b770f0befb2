package gateway

import (
	"bufio"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
)

// gateway is a running `alipay gateway`.
type gateway struct {
	config alipay.AlipayConfig // public-key mode
	cert   alipay.AlipayConfig // certificate mode
	page   string
}

// program builds the command once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "alipay-command-")
	if err != nil {
		return "", err
	}
	command := filepath.Join(dir, "alipay")
	build := exec.Command("go", "build", "-o", command, "github.com/seed-39a49030/alipay/cmd/alipay")
	build.Stderr = os.Stderr
	return command, build.Run()
})

func TestMain(m *testing.M) {
	status := m.Run()
	if command, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(command))
	}
	os.Exit(status)
}

// start runs the command until the test ends.
func start(t *testing.T, args ...string) gateway {
	t.Helper()
	command, err := program()
	require.NoError(t, err)
	run := exec.Command(command, append([]string{"gateway", "-json"}, args...)...)
	stdout, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		_ = run.Process.Signal(os.Interrupt)
		_ = run.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	var members map[string]string
	require.NoError(t, json.Unmarshal(line, &members))
	g := gateway{page: members["inspector_url"], config: alipay.AlipayConfig{
		BaseURL: members["base_url"], AppID: members["app_id"], PrivateKey: members["private_key"], EncryptKey: members["encrypt_key"],
	}}
	g.cert = g.config
	g.config.AlipayPublicKey = members["alipay_public_key"]
	g.cert.AppCertContent, g.cert.AlipayPublicCertContent, g.cert.RootCertContent = members["app_cert"], members["alipay_public_cert"], members["root_cert"]
	return g
}

// row is a request as the page shows it.
type row struct {
	class     string // good, noted or bad
	diagnosis string
}

var shownRow = regexp.MustCompile(`(?s)<details class="request (\w+)".*?<summary>.*?(?:<span class="diagnosis">(.*?)</span>)?(?:<span class="note">.*?</span>)*</summary>`)

// rows are the requests on the page, newest first.
func (g gateway) rows(t *testing.T) (list []row) {
	t.Helper()
	response, err := http.Get(g.page + "?lang=en")
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for _, match := range shownRow.FindAllStringSubmatch(string(page), -1) {
		list = append(list, row{match[1], html.UnescapeString(match[2])})
	}
	return list
}
