package java

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// install has Maven fetch the client of a directory into one that ends with the test,
// and compiles its program.
func install(t *testing.T, from, program string) (dir string) {
	t.Helper()
	for _, program := range []string{"javac", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOTE: %s is not installed; the official Java client was left out", program)
		}
	}
	dir = t.TempDir()
	for _, name := range []string{"pom.xml", program + ".java"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Skipf("NOTE: Maven could not fetch the official Java client; it was left out: %v\n%s", err, out)
	}
	command = exec.CommandContext(ctx, "javac", "-encoding", "UTF-8", "-cp", "lib/*", program+".java")
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// client is the Java client, at work.
type client struct {
	t         *testing.T
	in        io.Writer
	out       *bufio.Scanner
	encrypted bool
}

func start(t *testing.T, dir, program string, config alipay.AlipayConfig, encrypted bool) *client {
	bare := func(pem string) string { // Java wants a key without the lines around it
		var text strings.Builder
		for line := range strings.Lines(pem) {
			if !strings.HasPrefix(line, "-----") {
				text.WriteString(strings.TrimSpace(line))
			}
		}
		return text.String()
	}
	settings := map[string]string{
		"url": config.BaseURL, "app_id": config.AppID, "key": bare(config.PrivateKey), "encrypt_key": config.EncryptKey,
	}
	if config.AppCertContent != "" {
		settings["app_cert"], settings["alipay_cert"], settings["root_cert"] = config.AppCertContent, config.AlipayPublicCertContent, config.RootCertContent
	} else {
		settings["alipay_key"] = bare(config.AlipayPublicKey)
	}
	var properties strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&properties, "%s=%s\n", name, strings.ReplaceAll(value, "\n", `\n`))
	}
	file := filepath.Join(t.TempDir(), "settings")
	require.NoError(t, os.WriteFile(file, []byte(properties.String()), 0o600))

	command := exec.CommandContext(t.Context(), "java", "-Dfile.encoding=UTF-8", "-cp", "lib/*:.", program, file)
	command.Dir, command.Stderr = dir, io.Discard
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		in.Close()
		_ = command.Wait()
	})
	return &client{t, in, bufio.NewScanner(out), encrypted}
}

// call makes one call, and returns the fields of its result.
func (c *client) call(method, argument, token string) string {
	c.t.Helper()
	return c.send(fmt.Sprintf("%s\t%s\t%s\t%t", method, argument, token, c.encrypted))
}

// send sends a line of input, and returns that of output.
func (c *client) send(line string) string {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, line)
	require.NoError(c.t, err)
	for c.out.Scan() {
		if line := c.out.Text(); strings.HasPrefix(line, "answer\t") || strings.HasPrefix(line, "refused\t") {
			return line
		}
	}
	c.t.Fatal("the client has ended")
	return ""
}

const (
	preconsult = "zhima.customer.jobworth.authentication.preconsult"
	unsign     = "zhima.credit.payafteruse.creditagreement.unsign"
)

// The official Java client works against the test gateway in both modes, with and
// without encryption: it takes what is right, and refuses what it should.
func TestTheJavaClientWorksAgainstTheGateway(t *testing.T) {
	dir := install(t, ".", "Execute")
	counts := map[string]int{}
	for _, mode := range []string{"key", "certificate"} {
		for _, encrypted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, encrypted %t", mode, encrypted), func(t *testing.T) {
				gateway := alipaytest.NewGateway(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
				configOf := map[string]func() alipay.AlipayConfig{"key": gateway.Config, "certificate": gateway.CertConfig}[mode]
				config := configOf()
				gateway.HandleMethod("alipay.trade.query", func(biz json.RawMessage) (any, error) {
					var asked struct {
						No string `json:"out_trade_no"`
					}
					if err := json.Unmarshal(biz, &asked); err != nil || asked.No == "none" {
						return nil, alipay.ErrorCode("ACQ.TRADE_NOT_EXIST")
					}
					return map[string]any{"trade_no": "of " + asked.No, "fund_bill_list": []any{}}, nil
				})
				gateway.SetPreconsult("no", false, `用户未授权/"x"`)
				java := start(t, dir, "Execute", config, encrypted)
				last := func() alipaytest.ReceivedRequest {
					requests := gateway.Requests()
					return requests[len(requests)-1]
				}
				expect := func(want, method, argument, token string) {
					t.Helper()
					counts[strings.SplitN(want, "\t", 2)[0]]++
					got := java.call(method, argument, token)
					assert.True(t, strings.HasPrefix(got, want), "%s %s: %s", method, argument, got)
					if r := last(); r.Verified && !strings.Contains(r.Params.Get("method"), "download") {
						assert.Equal(t, token, r.AppAuthToken)
						assert.Equal(t, encrypted, r.Encrypted)
					}
				}

				expect("answer\ttrue\t10000\tnull\ttrue\tnull", "preconsult", "yes", "")
				assert.True(t, last().Verified)
				assert.Empty(t, last().Missing)
				expect("answer\ttrue\t10000\tnull\tfalse\t用户未授权/\"x\"", "preconsult", "no", "")
				expect("answer\ttrue\t10000\tnull\ttrue", "preconsult", "yes", "202601BB+/=")
				expect("answer\tfalse\t40004\tPARAM_ERROR", "preconsult", "", "")
				expect("answer\ttrue\t10000\tnull\tof 1/2 一", "trade", "1/2 一", "")
				expect("answer\tfalse\t40004\tACQ.TRADE_NOT_EXIST", "trade", "none", "")

				goClient, err := alipay.NewClient(config)
				require.NoError(t, err)
				orderString, err := goClient.ZhimaCreditPayafteruseCreditagreement.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: "1", ZmServiceID: "2"})
				require.NoError(t, err)
				order, err := gateway.OpenOrder(orderString)
				require.NoError(t, err)
				order.Agree()
				expect("answer\tfalse\t40004\tCREDIT_AGREEMENT_NOT_EXIST", "unsign", "0", "")
				expect("answer\ttrue\t10000\tnull", "unsign", order.CreditAgreementID(), "")
				assert.Equal(t, "INVALID", order.Status())

				// What the client must refuse, and what it must take for a failure.
				for _, fault := range []string{"foreign signature", "wrong signature", "missing signature", "altered body", "504 HTML"} {
					gateway.Inject(alipaytest.FaultNamed(fault).For(preconsult), 1)
					expect("refused", "preconsult", "yes", "")
					assert.Equal(t, fault, last().Fault)
				}
				gateway.Inject(alipaytest.FaultNamed("400 SYSTEM_ERROR, signed").For(unsign), 1)
				expect("answer\tfalse\t20000\tSYSTEM_ERROR", "unsign", "0", "")
				expect("answer\ttrue\t10000", "preconsult", "yes", "")

				// A new certificate is downloaded.
				gateway.RotateCertificate()
				expect("answer\ttrue\t10000", "preconsult", "yes", "")
				assert.Equal(t, map[string]int{"certificate": 1}[mode], gateway.Downloads())

				// Another key of the application's.
				other := configOf()
				foreign, err := os.ReadFile("../../testdata/vectors/app_private_pkcs8.pem")
				require.NoError(t, err)
				other.PrivateKey = string(foreign)
				java = start(t, dir, "Execute", other, encrypted)
				expect("answer\tfalse\t40002\tisv.invalid-signature", "preconsult", "yes", "")
				assert.Contains(t, last().Diagnosis, "not signed with the application's private key")
			})
		}
	}
	t.Logf("the Java client: %d answers taken, %d refused", counts["answer"], counts["refused"])
}
