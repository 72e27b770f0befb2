package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

const signEN = `
Prints what the library signs and sends for a request: the string to sign, and
the headers. The settings come from the ALIPAY_… variables; nothing is sent.
Values of parameters that may be personal are shown as ***; the signature covers
the values themselves.

  alipay sign -query 'once_token=abc&query_type=exact' GET /v3/zhima/customer/jobworth/authentication
  alipay sign -body '{"biz_content":"{}"}' POST /v3/monitor/heartbeat/syn

Whoever has the Authorization header and the request can send it for ten minutes.`

const signZH = `
打印本库为一个请求签名并发送的内容：待签名字符串和请求头。配置取自 ALIPAY_… 环境变量，
不发送任何请求。可能涉及个人信息的参数值显示为 ***，签名所覆盖的仍是真实值。

  alipay sign -query 'once_token=abc&query_type=exact' GET /v3/zhima/customer/jobworth/authentication
  alipay sign -body '{"biz_content":"{}"}' POST /v3/monitor/heartbeat/syn

十分钟内，拿到 Authorization 头和请求内容的人都可以发送该请求。`

func sign(ctx context.Context, c cli.IO, args []string) int {
	flags := c.Flags("sign", c.T("[flags] method path", "[参数] 方法 路径"), c.T(signEN, signZH))
	query := flags.String("query", "", c.T("parameters of the query, escaped, as in `a=b&c=d`; a ? in the path begins them, too", "查询参数，须转义，如 `a=b&c=d`；也可以写在路径的 ? 之后"))
	body := flags.String("body", "", c.T("`JSON` of the body; @file reads a file, - standard input", "请求体 `JSON`；@文件 读取文件，- 读取标准输入"))
	token := flags.String("app-auth-token", "", c.T("app auth `token` of another merchant", "其他商户的应用授权`令牌`"))
	show := flags.Bool("unmasked", false, c.T("show every value", "显示所有值"))
	if status, ok := c.Parse(flags, args); !ok {
		return status
	}
	if flags.NArg() != 2 {
		return c.Wrong(flags, errors.New(c.T("it takes a method and a path", "需要一个方法和一个路径")))
	}
	path, more, _ := strings.Cut(flags.Arg(1), "?")
	values, err := url.ParseQuery(strings.Trim(*query+"&"+more, "&"))
	if err != nil {
		return c.Wrong(flags, errors.New(c.T("the query is not validly escaped", "查询参数的转义不合法")))
	}
	request := &alipay.Request{Method: strings.ToUpper(flags.Arg(0)), Path: path, Query: values}
	if *body != "" {
		content := []byte(*body)
		if name, isFile := strings.CutPrefix(*body, "@"); isFile || *body == "-" {
			if content, err = input(c, name); err != nil {
				return c.Fail(flags, err)
			}
		}
		request.Body = json.RawMessage(content)
	}
	config, err := alipay.ConfigFromEnv()
	if err != nil {
		return c.Fail(flags, err)
	}
	wire := &unsent{}
	client, err := alipay.NewClient(config, alipay.WithHTTPClient(&http.Client{Transport: wire}), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		return c.Fail(flags, err)
	}
	var opts []alipay.RequestOption
	if *token != "" {
		opts = append(opts, alipay.WithAppAuthToken(*token))
	}
	if _, err := client.Do(ctx, request, nil, opts...); wire.request == nil {
		return c.Fail(flags, err)
	}
	base, _ := url.Parse(config.BaseURL) // NewClient has read it
	if err := wire.print(c, strings.TrimSuffix(base.EscapedPath(), "/"), *show); err != nil {
		return c.Fail(flags, err)
	}
	return cli.OK
}

// unsent takes the place of the network: it keeps the request as it would have
// been sent.
type unsent struct {
	request *http.Request
	body    []byte
}

var errUnsent = errors.New("not sent")

func (u *unsent) RoundTrip(r *http.Request) (*http.Response, error) {
	u.request = r
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if u.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	return nil, errUnsent
}

// print shows what is signed, and the headers. The prefix of a reverse proxy's
// path is sent and not signed.
func (u *unsent) print(c cli.IO, prefix string, show bool) error {
	credentials, err := protocol.ParseAuthorization(u.request.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	token := u.request.Header.Get(protocol.HeaderAppAuthToken)
	target, body := u.request.URL.RequestURI(), u.body
	header := u.request.Header.Clone()
	if !show {
		target = maskedTarget(target)
		if u.request.Header.Get(protocol.HeaderEncryptType) == "" {
			body = maskedJSON(body)
		}
		if token != "" {
			token = masked
			header.Set(protocol.HeaderAppAuthToken, token)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s %s://%s%s\n\n", c.T("request", "请求"), u.request.Method, u.request.URL.Scheme, u.request.URL.Host, target)
	fmt.Fprintln(&b, c.T("string to sign; a line feed ends every line, the last one too", "待签名字符串；每行以换行符结尾，包括最后一行"))
	signed := protocol.StringToSign(credentials.AuthString, u.request.Method, strings.TrimPrefix(target, prefix), body, token)
	for line := range strings.Lines(string(signed)) {
		fmt.Fprintf(&b, "  %s", line)
	}
	fmt.Fprintf(&b, "\n%s\n", c.T("headers", "请求头"))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(&b, "  %s: %s\n", name, value)
		}
	}
	_, err = io.WriteString(c.Stdout, b.String())
	return err
}

const masked = "***"

// impersonal are parameters whose values are words of the platform's, or name a
// product of the merchant's.
var impersonal = map[string]bool{
	"query_type": true, "identity_type": true, "cert_type": true, "service_id": true, "zm_service_id": true,
	"product_code": true, "category_id": true,
}

// hides reports whether a parameter's value is masked. One or two ASCII characters
// identify nobody.
func hides(name, value string) bool {
	short := len(value) <= 2 && !strings.ContainsFunc(value, func(r rune) bool { return r > '~' })
	return !short && !impersonal[name]
}

// maskedTarget masks the values of a query, and leaves names and order as they are.
func maskedTarget(target string) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok {
		return target
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil || hides(name, plain) {
			pairs[i] = name + "=" + masked
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

// maskedJSON masks the strings and numbers of a JSON text, and leaves everything
// else as it is: blanks and line feeds are signed, too.
func maskedJSON(body []byte) []byte {
	var out []byte
	name := ""
	for len(body) > 0 {
		n := token(body)
		text, rest := body[:n], body[n:]
		body = rest
		value := strings.Trim(string(text), `"`)
		switch {
		case text[0] == '"' && bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":")):
			name = value
		case text[0] == '"' && hides(name, value):
			text = []byte(`"` + masked + `"`)
		case (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && hides(name, value):
			text = []byte(masked)
		}
		out = append(out, text...)
	}
	return out
}

// token returns the length of the JSON token that text begins with. A blank or a
// character of structure is one, too.
func token(text []byte) int {
	if text[0] == '"' {
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(text)
	}
	if i := bytes.IndexAny(text, "{}[]:,\" \t\r\n"); i > 0 {
		return i
	} else if i == 0 {
		return 1
	}
	return len(text)
}
