// Package gateway is the subcommand gateway: it serves a local, signed fake of
// Alipay's OpenAPI v3 until it is interrupted, so that clients in any language can
// be tried against it without an account, and shows on a page what arrives: each
// request with its verdict; if its signature does not verify, the string to sign
// next to the one that the client signed; and the state of every once_token, order
// and message.
package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
)

const aboutEN = `
Serves a local, signed fake of Alipay's gateway until it is interrupted, and
prints the ALIPAY_… variables that alipay.ConfigFromEnv reads, as lines for a
shell, or with -json one line of JSON that serves both modes. The keys are public
test material.

  alipay gateway -addr 127.0.0.1:8080
  eval "$(alipay gateway -background)"; …; kill $ALIPAY_GATEWAY_PID

A page on loopback, whose address it prints, shows what arrives, with the
mistake of each request that is refused. It has buttons for faults, plays
Alipay's app with an order string, and shows the keys as each SDK needs them.

-endpoints adds endpoints. The file holds a list of them, of v3 by method and
path, of the old gateway by the name of the API; body is what is answered:

  [{"method": "POST", "path": "/v3/alipay/trade/query", "body": {"trade_no": "1"}},
   {"method": "GET", "path": "/v3/orders/{id}", "status": 400,
    "body": {"code": "ORDER_NOT_EXIST", "message": "…"}},
   {"api": "alipay.trade.close", "body": {"trade_no": "1"}},
   {"api": "alipay.trade.refund", "code": "ACQ.TRADE_NOT_EXIST"}]`

const aboutZH = `
在本机运行一个会签名的测试网关，直到被中断；打印 alipay.ConfigFromEnv 读取的
ALIPAY_… 变量（shell 语句），加 -json 则打印一行 JSON，两种加签方式通用。所有密钥都是
公开的测试密钥。

  alipay gateway -addr 127.0.0.1:8080
  eval "$(alipay gateway -background)"; …; kill $ALIPAY_GATEWAY_PID

它还提供一个仅限本机访问的页面（会打印地址），显示收到的请求以及每个被拒请求的错误原因，
可以注入故障、模拟支付宝 App 打开签约串（orderStr），并给出各语言 SDK 的配置。

-endpoints 用于添加接口。文件内容是一个列表：v3 接口写 method 和 path，旧版网关接口写
接口名 api；body 为返回的内容：

  [{"method": "POST", "path": "/v3/alipay/trade/query", "body": {"trade_no": "1"}},
   {"method": "GET", "path": "/v3/orders/{id}", "status": 400,
    "body": {"code": "ORDER_NOT_EXIST", "message": "…"}},
   {"api": "alipay.trade.close", "body": {"trade_no": "1"}},
   {"api": "alipay.trade.refund", "code": "ACQ.TRADE_NOT_EXIST"}]`

// Run serves until ctx ends.
func Run(ctx context.Context, c cli.IO, args []string) int {
	flags := c.Flags("gateway", c.T("[flags]", "[参数]"), c.T(aboutEN, aboutZH))
	addr := flags.String("addr", "127.0.0.1:0", c.T("`address` to listen on; port 0 takes a free one", "监听的`地址`；端口 0 表示任选空闲端口"))
	asJSON := flags.Bool("json", false, c.T("print one line of JSON instead of export lines", "打印一行 JSON，而不是 export 语句"))
	cert := flags.Bool("cert", false, c.T("print the variables of certificate mode (the gateway takes both modes at once)", "打印证书模式的变量（网关同时支持两种模式）"))
	encrypt := flags.Bool("encrypt", false, c.T("turn content encryption on, with a new key", "开启内容加密，使用新生成的密钥"))
	encryptKey := flags.String("encrypt-key", "", c.T("turn content encryption on, with this base64 AES `key`", "开启内容加密，使用这个 base64 的 AES `密钥`"))
	inspect := flags.String("inspect", "127.0.0.1:0", c.T("`address` of the page that shows what arrives, on loopback; \"\" for none", "页面的`地址`，仅限本机；\"\" 表示不要页面"))
	messagesTo := flags.String("messages-to", "", c.T("`URL` that messages to the merchant are posted to (应用网关地址)", "向商户发送消息的 `URL`（应用网关地址）"))
	prefix := flags.String("prefix", "", c.T("`path` prefix, as of a reverse proxy in front", "`路径`前缀，模拟前面的反向代理"))
	endpointsFile := flags.String("endpoints", "", c.T("JSON `file` of further endpoints, see above", "更多接口的 JSON `文件`，写法见上"))
	inBackground := flags.Bool("background", false, c.T("run in the background: return as soon as it serves; the variables name the process, to end it with kill", "在后台运行：启动完成即返回；变量中有进程号，可用 kill 结束"))
	if status, ok := c.Parse(flags, args); !ok {
		return status
	}
	if flags.NArg() > 0 {
		return c.Wrong(flags, fmt.Errorf(c.T("unexpected argument %q", "多余的参数 %q"), flags.Arg(0)))
	}
	if *encrypt && *encryptKey == "" {
		var key [16]byte
		rand.Read(key[:]) // never fails, see crypto/rand
		*encryptKey = base64.StdEncoding.EncodeToString(key[:])
	}

	if *inBackground {
		if err := background(c, args, *asJSON, *cert); err != nil {
			return c.Fail(flags, err)
		}
		return cli.OK
	}
	endpoints, err := readEndpoints(*endpointsFile)
	if err != nil {
		return c.Wrong(flags, err)
	}
	gateway, err := alipaytest.StartGateway(
		alipaytest.WithAddr(*addr), alipaytest.WithEncryptKey(*encryptKey), alipaytest.WithPathPrefix(*prefix),
		alipaytest.WithMessagesTo(*messagesTo), alipaytest.WithHistory(shownRequests),
	)
	if err != nil {
		return c.Fail(flags, err)
	}
	defer gateway.Close()
	for _, e := range endpoints {
		e.add(gateway)
	}
	page := ""
	if *inspect != "" {
		inspector, err := startInspector(gateway, *inspect, *messagesTo)
		if err != nil {
			return c.Fail(flags, err)
		}
		defer inspector.close()
		page = inspector.url()
	}
	if err := startOf(gateway, page).print(c.Stdout, *asJSON, *cert); err != nil {
		return c.Fail(flags, err)
	}
	fmt.Fprintf(c.Stderr, c.T("gateway: serving at %s until interrupted\n", "gateway：服务地址 %s，按 Ctrl+C 结束\n"), gateway.BaseURL())
	if page != "" {
		fmt.Fprintf(c.Stderr, c.T("gateway: what arrives is shown at %s\n", "gateway：收到的内容见 %s\n"), page)
	}
	<-ctx.Done()
	if err := gateway.Close(); err != nil {
		return c.Fail(flags, err)
	}
	return cli.OK
}

// shownRequests is how many requests the page shows, the newest.
const shownRequests = 300

// start is what is printed when the gateway serves: what both modes need, and where
// the page is.
type start struct {
	BaseURL          string `json:"base_url"`
	AppID            string `json:"app_id"`
	PrivateKey       string `json:"private_key"`
	AlipayPublicKey  string `json:"alipay_public_key"`
	AppCert          string `json:"app_cert"`
	AlipayPublicCert string `json:"alipay_public_cert"`
	RootCert         string `json:"root_cert"`
	EncryptKey       string `json:"encrypt_key,omitempty"`
	InspectorURL     string `json:"inspector_url,omitempty"`
	PID              int    `json:"pid,omitempty"` // in the background only
}

func startOf(gateway *alipaytest.Gateway, page string) start {
	config, cert := gateway.Config(), gateway.CertConfig()
	return start{
		BaseURL: config.BaseURL, AppID: config.AppID, PrivateKey: config.PrivateKey, AlipayPublicKey: config.AlipayPublicKey,
		AppCert: cert.AppCertContent, AlipayPublicCert: cert.AlipayPublicCertContent, RootCert: cert.RootCertContent,
		EncryptKey: config.EncryptKey, InspectorURL: page,
	}
}

// print writes one line of JSON, or lines for a shell.
func (s start) print(w io.Writer, asJSON, cert bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(s)
	}
	if cert {
		s.AlipayPublicKey = ""
	} else {
		s.AppCert, s.AlipayPublicCert, s.RootCert = "", "", ""
	}
	return s.printExports(w)
}

// printExports prints the variables, quoted for sh. What is not set is unset: the
// shell may have it from another mode.
func (s start) printExports(w io.Writer) error {
	var unset, exports strings.Builder
	for _, variable := range []struct{ name, value string }{
		{"ALIPAY_BASE_URL", s.BaseURL}, {"ALIPAY_APP_ID", s.AppID},
		{"ALIPAY_PRIVATE_KEY", s.PrivateKey}, {"ALIPAY_PRIVATE_KEY_PATH", ""},
		{"ALIPAY_PUBLIC_KEY", s.AlipayPublicKey}, {"ALIPAY_PUBLIC_KEY_PATH", ""},
		{"ALIPAY_APP_CERT", s.AppCert}, {"ALIPAY_APP_CERT_PATH", ""},
		{"ALIPAY_PUBLIC_CERT", s.AlipayPublicCert}, {"ALIPAY_PUBLIC_CERT_PATH", ""},
		{"ALIPAY_ROOT_CERT", s.RootCert}, {"ALIPAY_ROOT_CERT_PATH", ""},
		{"ALIPAY_ENCRYPT_KEY", s.EncryptKey}, {"ALIPAY_APP_AUTH_TOKEN", ""},
	} {
		if variable.value == "" {
			unset.WriteString(" " + variable.name)
			continue
		}
		fmt.Fprintf(&exports, "export %s='%s'\n", variable.name, strings.ReplaceAll(strings.TrimSpace(variable.value), "'", `'\''`))
	}
	if s.PID != 0 {
		fmt.Fprintf(&exports, "export ALIPAY_GATEWAY_PID=%d\n", s.PID)
	}
	_, err := fmt.Fprintf(w, "unset%s\n%s", unset.String(), exports.String())
	return err
}
