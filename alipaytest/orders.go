package alipaytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

const agreementPath = "/v3/zhima/credit/payafteruse/creditagreement/query"

// The states of an agreement, as agreement_status has them.
const (
	agreementValid   = "VALID"
	agreementInvalid = "INVALID"
)

// The user of every agreement, who is also the one in the platform's sample.
const (
	sampleUserID = "2088402562742105"
	sampleOpenID = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"
)

// Order is an order of zhima.credit.payafteruse.creditagreement.sign that
// Alipay's app has opened: the user sees what they are asked for, and has not
// answered yet. Its fields are what the merchant sent.
type Order struct {
	OutAgreementNo  string
	ZmServiceID     string
	CategoryID      string
	ProductCode     string
	ExtraParam      string // JSON
	CancelBackLink  string
	ReturnBackLink  string
	ExternalLogonID string
	// OnceToken is the member onceToken of ExtraParam; "" if there is none.
	OnceToken string

	AppAuthToken string
	NotifyURL    string
	ReturnURL    string
	// Params are all parameters as they came, sign included.
	Params url.Values
	// BizContent is biz_content, decrypted if it came encrypted.
	BizContent json.RawMessage

	g         *Gateway
	agreement *agreement
}

// agreement is the agreement of an order. It is guarded by Gateway.mu.
type agreement struct {
	outNo, onceToken string
	terms            string // what the order asked for
	certificates     bool   // the order came in certificate mode
	id, status, time string // "" until the user has answered
}

// OpenOrder does what Alipay's app does with an order string: it checks every
// parameter and the signature, and shows the user what they are asked for. The
// error says which parameter is wrong, and how. It also accepts the URL of a page
// at this gateway, whose query is the same.
//
// An order may be opened again, as when a user comes back. An out_agreement_no
// that was used for a different order is refused: each user needs a different one.
//
// [Order.Agree] and [Order.Decline] give the user's answer. Until then
// the order's agreement does not exist for the creditagreement query, and a query
// of its once_token or with its conn_key is answered WAITING_VERIFY. Once the
// user has agreed, the token gives what it would give without an order, see
// [Gateway.SetResult]; once they have declined, USER_NOT_AUTHORIZE.
//
// The token belongs to the order if extra_param has it as onceToken. A query of it
// with any other conn_key is then refused with WRONG_OUT_AGREEMENT_NO_INTERCEPT.
func (g *Gateway) OpenOrder(orderString string) (*Order, error) {
	query := orderString
	if strings.HasPrefix(orderString, "http://") || strings.HasPrefix(orderString, "https://") {
		address := g.baseURL + protocol.OldGatewayPath + "?"
		if query = strings.TrimPrefix(orderString, address); query == orderString {
			return nil, notOpened{said{"the URL of a page at this gateway begins with " + address, "本网关的页面 URL 以 " + address + " 开头"}}
		}
	}
	form, err := url.ParseQuery(query)
	if err != nil {
		return nil, notOpened{said{"an order string is name=value joined by &, escaped as in a form, and this is not", "orderStr 是用 & 连接的 name=value，按表单编码，这里不是"}}
	}
	if method := form.Get("method"); method != "" && method != signMethod {
		return nil, notOpened{said{fmt.Sprintf("the method is %q, and the app here opens orders of %s only", method, signMethod), fmt.Sprintf("method 是 %q，而这里的 App 只打开 %s 的签约串", method, signMethod)}}
	}
	var order *Order
	request, refused := g.checkOld(form)
	if refused == nil {
		order, refused = g.readOrder(request)
	}
	if refused == nil {
		refused = g.register(order)
	}
	if refused != nil {
		return nil, notOpened{refused.said}
	}
	return order, nil
}

// notOpened is why an order string was not opened.
type notOpened struct{ said }

func (e notOpened) Error() string { return "alipaytest: OpenOrder: " + e.en }

// Chinese is the same in Chinese, for the gateway's page.
func (e notOpened) Chinese() string { return e.zh }

// readOrder checks biz_content, and changes nothing in the gateway.
func (g *Gateway) readOrder(request *oldRequest) (*Order, *oldRefusal) {
	order := &Order{
		AppAuthToken: request.params["app_auth_token"],
		NotifyURL:    request.params["notify_url"],
		ReturnURL:    request.params["return_url"],
		Params:       url.Values{},
		BizContent:   request.biz,
		g:            g,
	}
	for name, value := range request.params {
		order.Params.Set(name, value)
	}
	if len(request.biz) == 0 {
		return nil, missing("biz_content", "isv.missing-parameter")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(request.biz, &members); err != nil {
		return nil, notAnObject()
	}
	for _, member := range []struct {
		name     string
		value    *string
		required bool
		most     int // characters; 0 means not documented
	}{
		{"out_agreement_no", &order.OutAgreementNo, true, 64},
		{"zm_service_id", &order.ZmServiceID, true, 0},
		{"category_id", &order.CategoryID, false, 0},
		{"product_code", &order.ProductCode, false, 0},
		{"extra_param", &order.ExtraParam, false, 1024},
		{"cancel_back_link", &order.CancelBackLink, false, 0},
		{"return_back_link", &order.ReturnBackLink, false, 0},
		{"external_logon_id", &order.ExternalLogonID, false, 0},
	} {
		if raw, ok := members[member.name]; ok && json.Unmarshal(raw, member.value) != nil {
			return nil, invalid("isv.invalid-parameter", "%s in biz_content is no string", "biz_content 中的 %s 不是字符串", member.name)
		}
		switch n := utf8.RuneCountInString(*member.value); {
		case member.required && n == 0:
			return nil, invalid("isv.missing-parameter", "%s is missing in biz_content", "biz_content 缺少 %s", member.name)
		case member.most > 0 && n > member.most:
			return nil, invalid("isv.invalid-parameter", "%s in biz_content has %d characters, and may have %d", "biz_content 中的 %s 有 %d 个字符，最多 %d 个", member.name, n, member.most)
		}
	}
	if order.ExtraParam != "" {
		var extra struct {
			OnceToken json.RawMessage `json:"onceToken"`
		}
		if json.Unmarshal([]byte(order.ExtraParam), &extra) != nil {
			return nil, invalid("EXTRA_PARAM_FORMAT_ERROR", "extra_param in biz_content holds no JSON object", "biz_content 中的 extra_param 不是 JSON 对象")
		}
		if extra.OnceToken != nil && json.Unmarshal(extra.OnceToken, &order.OnceToken) != nil {
			return nil, invalid("EXTRA_PARAM_FORMAT_ERROR", "onceToken in extra_param is no string", "extra_param 中的 onceToken 不是字符串")
		}
	}
	return order, nil
}

// register notes that the order was opened.
func (g *Gateway) register(order *Order) *oldRefusal {
	terms := string(encodeJSON([]string{order.ZmServiceID, order.CategoryID, order.ProductCode, order.ExtraParam, order.ExternalLogonID, order.AppAuthToken}))
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.agreements[order.OutAgreementNo]
	if known == nil {
		known = &agreement{
			outNo: order.OutAgreementNo, onceToken: order.OnceToken, terms: terms,
			certificates: order.Params.Get("app_cert_sn") != "",
		}
		if other := g.ordered[order.OnceToken]; other != nil {
			return invalid("isv.invalid-parameter", "the onceToken in extra_param belongs to the out_agreement_no %s", "extra_param 中的 onceToken 属于 out_agreement_no %s", other.outNo)
		}
		g.agreements[order.OutAgreementNo] = known
		if order.OnceToken != "" {
			g.ordered[order.OnceToken] = known
		}
	} else if known.terms != terms {
		return invalid("isv.invalid-parameter", "the out_agreement_no %s was opened before, and asked for something else: each order needs one of its own",
			"out_agreement_no %s 已用于另一个内容不同的签约串：每个签约串要用不同的单号", known.outNo)
	}
	order.agreement = known
	return nil
}

// Status is the order's agreement_status: VALID after [Order.Agree], INVALID
// after [Order.Decline], "" before.
func (o *Order) Status() string {
	o.g.mu.Lock()
	defer o.g.mu.Unlock()
	return o.agreement.status
}

// CreditAgreementID is the platform's number for the agreement; "" until the user
// has answered.
func (o *Order) CreditAgreementID() string {
	o.g.mu.Lock()
	defer o.g.mu.Unlock()
	return o.agreement.id
}

// Agree is the user's yes: the agreement is VALID when it returns, and the
// message zhima.credit.payafteruse.creditagreement.changed is on its way to the
// address of [WithMessagesTo], see [Gateway.Messages]. Agreeing again changes
// nothing and sends nothing. After a Decline it makes the agreement VALID again.
func (o *Order) Agree() { o.answer(agreementValid) }

// Decline is the user's no, or the withdrawal of their yes: the agreement is
// INVALID when it returns, and the message is on its way as after [Order.Agree].
// Declining again changes nothing and sends nothing.
func (o *Order) Decline() { o.answer(agreementInvalid) }

// answer is the user's. An order from before [Gateway.Reset] no longer has an
// agreement.
func (o *Order) answer(status string) {
	g, a := o.g, o.agreement
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.agreements[a.outNo] == a {
		g.change(a, status)
	}
}

// change changes an agreement's state, and sends the message about it. g.mu is
// held.
func (g *Gateway) change(a *agreement, status string) {
	if a.status == status {
		return
	}
	now := g.clock()
	if a.id == "" {
		g.agreed++
		day := strings.ReplaceAll(protocol.FormatOldTime(now)[:len(time.DateOnly)], "-", "")
		a.id = fmt.Sprintf("ZMOP%s%010d", day, g.agreed)
		g.agreementIDs[a.id] = a
	}
	a.status, a.time = status, protocol.FormatOldTime(now)
	g.send("zhima.credit.payafteruse.creditagreement.changed", encodeJSON(a.members()), a.certificates, now)
}

// members are what the query and the message have in common. Gateway.mu is held.
func (a *agreement) members() map[string]string {
	return map[string]string{
		"agreement_status":    a.status,
		"alipay_user_id":      sampleUserID,
		"open_id":             sampleOpenID,
		"biz_time":            a.time,
		"credit_agreement_id": a.id,
		"out_agreement_no":    a.outNo,
	}
}

// queryAgreement is the endpoint zhima.credit.payafteruse.creditagreement.query.
func (g *Gateway) queryAgreement(x *exchange, _ bool) reply {
	no := func(code alipay.ErrorCode, message string) reply { return x.no(http.StatusBadRequest, code, message) }
	outNo, id := x.received.Params.Get("out_agreement_no"), x.received.Params.Get("credit_agreement_id")
	if outNo == "" && id == "" {
		return no(alipay.CodeInvalidParameter, "参数有误：out_agreement_no和credit_agreement_id不能同时为空")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.agreements[outNo]
	if outNo == "" {
		a = g.agreementIDs[id]
	}
	switch {
	case a == nil || a.id == "":
		return no(alipay.CodeCreditAgreementNotExist, "信用服务协议不存在")
	case id != "" && id != a.id:
		return no(alipay.CodeIllegalQuery, "非法查询")
	}
	return reply{status: http.StatusOK, body: encodeJSON(a.members())}
}

// orderOf returns the agreement that a query of a once_token is about, nil if
// none: by the token, or else by its conn_key. g.mu is held.
func (g *Gateway) orderOf(onceToken, connKey string) (a *agreement, mismatch bool) {
	if a := g.ordered[onceToken]; a != nil {
		return a, connKey != "" && connKey != a.outNo
	}
	a = g.agreements[connKey]
	return a, a != nil && a.onceToken != ""
}
