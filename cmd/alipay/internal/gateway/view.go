package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// view is all that the page shows, at one moment, in one language.
type view struct {
	tongue
	Gateway, AppID string
	Encrypted      bool
	Requests       []request // newest first
	Tokens         []token
	Orders         []order
	OrderRefused   string
	MessagesTo     string
	Messages       []message // newest first
	Buttons        []button
	Pending        []pending
	SDKs           []snippet
	Certs          []certificate
}

// tongue is the language of a page.
type tongue struct{ Lang string }

// T chooses a text.
func (t tongue) T(en, zh string) string {
	if t.Lang == "zh" {
		return zh
	}
	return en
}

// Other is the language that the page can be switched to.
func (t tongue) Other() string { return t.T("zh", "en") }

type request struct {
	tongue
	alipaytest.ReceivedRequest
	ID, Time           string
	Good               bool
	API                string // the method of the old gateway
	Verdict, Diagnosis string
	Expected, Signed   []segment
	Parameters         []parameter // in their place, for the old gateway
	Same               bool        // what was signed is what was expected
	Notes              []string    // what a request that was answered, or a code, means
	Headers            []pair
	Query              []pair
	Body               string
}

type pair struct{ Name, Value string }

type token struct {
	Name string
	alipaytest.TokenState
}

type order struct {
	tongue
	*alipaytest.Order
	State   string // what the user has answered
	Content string
}

type message struct {
	tongue
	alipaytest.SentMessage
	Time, Method, Failure string
}

type pending struct {
	Name, For string
	Times     int
}

type certificate struct{ Name, File, Text string }

// button injects a fault.
type button struct {
	Fault  alipaytest.Fault
	EN, ZH string
}

// buttons are the faults that are common in practice.
var buttons = []button{
	{alipaytest.LostAnswer, "answer lost", "响应丢失"},
	{alipaytest.HalfAnswer, "half an answer", "响应只到一半"},
	{alipaytest.Drop, "connection dropped", "连接断开"},
	{alipaytest.Hang, "no answer at all", "一直不响应"},
	{alipaytest.Slow(3 * time.Second), "3 s late", "延迟 3 秒"},
	{alipaytest.RetryAfter(2 * time.Second), "throttled (429)", "限流（429）"},
	{alipaytest.FaultNamed("500 SYSTEM_ERROR, signed"), "SYSTEM_ERROR", "SYSTEM_ERROR"},
	{alipaytest.RawAnswer("bad gateway page", http.StatusBadGateway, "text/html", "<html><h1>502 Bad Gateway</h1></html>"), "a proxy's 502", "代理返回 502"},
	{alipaytest.MissingSignature, "unsigned", "没有签名"},
	{alipaytest.ForeignSignature, "another key's signature", "其他密钥的签名"},
	{alipaytest.AlteredBody, "body altered", "内容被改动"},
	{alipaytest.TimestampOff(-time.Hour), "an hour old", "一小时前的响应"},
	{alipaytest.UnknownSN, "unknown alipay-sn", "未知的 alipay-sn"},
}

// resultNamed is what the form offers for a once_token.
func resultNamed(name string, polls int) alipaytest.Result {
	return alipaytest.Result{
		IdentityResult: alipay.IdentityResult(name), TokenStatus: "FINISH", UserID: "2088402562742105",
		WaitingPolls: polls,
	}
}

// absolute reports whether messages can be sent to an address.
func absolute(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// view looks at the gateway.
func (i *inspector) view(lang string) view {
	config, cert := i.gateway.Config(), i.gateway.CertConfig()
	v := view{
		tongue: tongue{lang}, Gateway: config.BaseURL, AppID: config.AppID, Encrypted: config.EncryptKey != "",
		Buttons: buttons, SDKs: i.snippets,
		Certs: []certificate{
			{"应用公钥证书", "appCertPublicKey.crt", cert.AppCertContent},
			{"支付宝公钥证书", "alipayCertPublicKey_RSA2.crt", cert.AlipayPublicCertContent},
			{"支付宝根证书", "alipayRootCert.crt", cert.RootCertContent},
		},
	}
	requests := i.gateway.Requests()
	compared := i.compared(requests)
	for _, r := range slices.Backward(requests) {
		v.Requests = append(v.Requests, v.request(r, compared[idOf(r)]))
	}
	ledger := i.gateway.Ledger()
	for _, name := range slices.Sorted(maps.Keys(ledger)) {
		v.Tokens = append(v.Tokens, token{name, ledger[name]})
	}
	for _, f := range i.gateway.PendingFaults() {
		v.Pending = append(v.Pending, pending{v.fault(f.Fault.String()), f.For, f.Times})
	}
	for _, m := range slices.Backward(i.gateway.Messages()) {
		shown := message{tongue: v.tongue, SentMessage: m, Time: clock(m.At), Method: cmp.Or(m.Values.Get("msg_method"), m.Values.Get("notify_type"))}
		if m.Err != nil {
			shown.Failure = m.Err.Error()
		}
		v.Messages = append(v.Messages, shown)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	v.MessagesTo = i.to
	var chinese interface{ Chinese() string }
	if i.refused != nil {
		v.OrderRefused = strings.TrimPrefix(i.refused.Error(), "alipaytest: OpenOrder: ")
		if lang == "zh" && errors.As(i.refused, &chinese) {
			v.OrderRefused = chinese.Chinese()
		}
	}
	for _, o := range slices.Backward(i.orders) {
		v.Orders = append(v.Orders, order{tongue: v.tongue, Order: o, State: o.Status(), Content: indented(o.BizContent)})
	}
	return v
}

// fault is the name of a fault, as on its button where it has one.
func (t tongue) fault(name string) string {
	for _, b := range buttons {
		if b.Fault.String() == name {
			return t.T(b.EN, b.ZH)
		}
	}
	return name
}

func clock(at time.Time) string { return at.Format("15:04:05.000") }

// idOf tells requests apart.
func idOf(r alipaytest.ReceivedRequest) string {
	return "r" + strconv.Itoa(r.Connection) + "-" + strconv.Itoa(r.OnConnection)
}

// comparison is a string to sign and the one that was signed.
type comparison struct {
	expected, signed []segment
	parameters       []parameter
	same             bool
}

// compared returns the comparison of each request. Each is made once, since it
// costs more than all the rest of the page.
func (i *inspector) compared(requests []alipaytest.ReceivedRequest) map[string]comparison {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := make(map[string]comparison, len(requests))
	for _, r := range requests {
		id := idOf(r)
		c, ok := i.comparisons[id]
		if !ok {
			c = compareStrings(r.Path == protocol.OldGatewayPath, r.StringToSign(), r.SignedString())
		}
		list[id] = c
	}
	i.comparisons = list
	return list
}

func compareStrings(old bool, expected, signed string) (c comparison) {
	switch {
	case expected == "":
	case signed == "" || expected == signed:
		c = comparison{expected: []segment{{Text: expected}}, same: expected == signed}
	default:
		if old && strings.Contains(signed, "=") {
			c.parameters = compareParameters(expected, signed)
		}
		if c.parameters == nil {
			c.expected, c.signed = differences(expected, signed)
		}
	}
	return c
}

func (v *view) request(r alipaytest.ReceivedRequest, c comparison) request {
	shown := request{
		tongue: v.tongue, ReceivedRequest: r, Time: clock(r.At), ID: idOf(r),
		Good:      r.Verified && r.Code == "" && r.Fault == "",
		Diagnosis: v.T(r.Diagnosis, r.DiagnosisZH),
		Expected:  c.expected, Signed: c.signed, Parameters: c.parameters, Same: c.same,
		Body: indented(r.Body),
	}
	shown.Notes = v.notes(r)
	if r.Path == protocol.OldGatewayPath {
		shown.API = r.Params.Get("method")
	}
	switch {
	case r.Fault != "" && r.Code == "":
		shown.Verdict = v.T("fault: ", "故障：") + v.fault(r.Fault)
	case r.Code != "":
		shown.Verdict = string(r.Code)
	default:
		shown.Verdict = v.T("verified", "验签通过")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			shown.Headers = append(shown.Headers, pair{name, value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		for _, value := range r.Params[name] {
			shown.Query = append(shown.Query, pair{name, value})
		}
	}
	return shown
}

// notes say what should be looked at in a request that was answered, and what a
// refusal without a diagnosis means.
func (t tongue) notes(r alipaytest.ReceivedRequest) (notes []string) {
	if len(r.Missing) > 0 {
		list := strings.Join(r.Missing, t.T(", ", "、"))
		notes = append(notes, t.T("A real call has "+list+", too. It is answered without, since the platform's page calls them optional.", "真实调用还会带上 "+list+"。文档写明可选，因此本网关照常返回。"))
	}
	if r.Encrypted && r.Header.Get("alipay-encrypt-type") == "" && r.Path != protocol.OldGatewayPath {
		notes = append(notes, t.T("The answer is encrypted, since this gateway has an AES key; the request does not ask for it (alipay-encrypt-type). A client without the key cannot read it.", "本网关有 AES 密钥，因此响应是密文；请求没有声明 alipay-encrypt-type。没有密钥的客户端无法解密。"))
	}
	switch refused := (&alipay.APIError{StatusCode: http.StatusBadRequest, Code: r.Code}); {
	case r.Code == "":
	case r.Code == alipay.CodeTokenInvalid:
		notes = append(notes, t.T("This once_token has given its result already: it gives one. Set it again, or take another token.", "这个 once_token 已经返回过结果：每个 token 只返回一次。请重新设置它，或换一个 token。"))
	case r.Code == alipay.CodeInvalidMethod:
		notes = append(notes, t.T("Not found: this gateway has the endpoints that it was given, and a few of its own. Outside of a Go test, a file named by -endpoints adds them.", "未找到：本网关只有自带的和添加的接口。Go 测试之外，可用 -endpoints 指定的文件添加。"))
	case r.Diagnosis == "" && refused.Hint() != "":
		notes = append(notes, t.T(refused.Hint(), refused.HintZH()))
	}
	return notes
}

// maxShown bounds how much of a body the page shows.
const maxShown = 8 << 10

// indented is a body as people read it.
func indented(body []byte) string {
	var b bytes.Buffer
	if len(body) <= maxShown && json.Indent(&b, body, "", "  ") == nil {
		return b.String()
	}
	text := string(body)
	if !utf8.Valid(body) {
		text = strconv.QuoteToASCII(text)
	}
	if len(text) > maxShown {
		return text[:maxShown] + "…"
	}
	return text
}

// forgot reports whether requests that the page shows are gone.
func (v *view) forgot(known map[string]bool) bool {
	if len(v.Requests) == 0 {
		return len(known) > 0
	}
	oldest := v.Requests[len(v.Requests)-1]
	return len(known) > 0 && !known[oldest.ID]
}
