package alipaytest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	alipay "github.com/seed-39a49030/alipay"
)

const jobworthPath = "/v3/zhima/customer/jobworth/authentication"

// sample is the platform's own sample of a successful answer, exactly as on its
// page, where the link is cut off.
const sample = `{"identity_result":"SUCCESS","identity_result_skip_url":"alipays://platformapi/startapp?appId","merchant_identity_id":"V1_4dc286a6e91c9d51104e1172813b34c5","open_id":"074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5","token_status":"FINISH","user_id":"2088402562742105"}`

// Result is what a once_token gives. Empty members are left out of the answer;
// a Result without any member gives the platform's sample, which is a SUCCESS,
// about the user in the request.
type Result struct {
	IdentityResult        alipay.IdentityResult
	IdentityResultSkipURL string
	MerchantIdentityID    string
	OpenID                string
	TokenStatus           alipay.TokenStatus
	UserID                string

	// WaitingPolls is how many queries are answered WAITING_VERIFY first. An
	// IdentityResult that itself is WAITING_VERIFY never becomes final.
	WaitingPolls int
	// Extra holds further members by their wire names, or replaces one above:
	// {"user_id": 2088402562742105} for one that is not a string.
	Extra map[string]json.RawMessage
}

// body is the final answer.
func (r Result) body() []byte {
	members := make(map[string]any, 6+len(r.Extra))
	for name, value := range map[string]string{
		"identity_result":          string(r.IdentityResult),
		"identity_result_skip_url": r.IdentityResultSkipURL,
		"merchant_identity_id":     r.MerchantIdentityID,
		"open_id":                  r.OpenID,
		"token_status":             string(r.TokenStatus),
		"user_id":                  r.UserID,
	} {
		if value != "" {
			members[name] = value
		}
	}
	for name, value := range r.Extra {
		members[name] = value
	}
	if len(members) == 0 {
		return []byte(sample)
	}
	return encodeJSON(members)
}

// TokenState is the state of a once_token.
type TokenState struct {
	// Requests counts the verified queries that arrived with it, including those
	// that were refused because of load, replayed or dropped.
	Requests int
	// Acted counts those that the gateway acted on.
	Acted int
	// Spent says that the final answer was given, whether or not it arrived: the
	// next query gets TOKEN_INVALID.
	Spent bool
	// Delivered says that the final answer was written to the connection complete
	// and unchanged.
	Delivered bool
}

// token is a once_token and what it gives.
type token struct {
	TokenState
	waiting int    // WAITING_VERIFY answers still to come
	pending bool   // never final
	body    []byte // the final answer
	failure *refusal
}

// tokenOf returns the token, and makes it if it is new. g.mu is held.
func (g *Gateway) tokenOf(once string) *token {
	t := g.tokens[once]
	if t == nil {
		t = &token{body: []byte(sample)}
		g.tokens[strings.Clone(once)] = t // without the request around it
	}
	return t
}

// jobworth is the endpoint zhima.customer.jobworth.authentication.query.
func (g *Gateway) jobworth(x *exchange, act bool) reply {
	params := x.received.Params
	x.received.lacks(params.Get, documentedParameters[jobworthPath][:5]...)
	once := params.Get("once_token")
	if once == "" {
		return x.no(http.StatusBadRequest, alipay.CodeParamError, "参数错误")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tokenOf(once)
	if act {
		t.Acted++
	}
	order, mismatch := g.orderOf(once, x.received.Params.Get("conn_key"))
	switch {
	case t.failure != nil:
		return x.no(t.failure.status, t.failure.code, t.failure.message)
	case mismatch:
		return x.no(http.StatusBadRequest, alipay.CodeWrongOutAgreementNoIntercept, "商户协议号错误")
	case order != nil && order.status == "":
		return reply{status: http.StatusOK, body: encodeJSON(map[string]any{"identity_result": alipay.IdentityResultWaitingVerify})}
	case order != nil && order.status != agreementValid:
		return x.no(http.StatusBadRequest, alipay.CodeUserNotAuthorize, "用户未授权")
	case t.Spent:
		return x.no(http.StatusBadRequest, alipay.CodeTokenInvalid, "token无效")
	case t.waiting > 0:
		if act {
			t.waiting--
		}
		return reply{status: http.StatusOK, body: encodeJSON(map[string]any{"identity_result": alipay.IdentityResultWaitingVerify})}
	}
	body := t.body
	if string(body) == sample {
		body = sampleAbout(x.received.Params.Get("user_id"), x.received.Params.Get("open_id"))
	}
	if !act || t.pending {
		return reply{status: http.StatusOK, body: body}
	}
	t.Spent = true
	return reply{status: http.StatusOK, body: body, spends: t}
}

// sampleAbout is the sample about the user in the request: a client refuses an
// answer about another one.
func sampleAbout(userID, openID string) []byte {
	members := map[string]string{}
	if err := json.Unmarshal([]byte(sample), &members); err != nil {
		panic(err)
	}
	members["user_id"] = cmp.Or(userID, members["user_id"])
	members["open_id"] = cmp.Or(openID, members["open_id"])
	return encodeJSON(members)
}

// SetResult decides what onceToken gives from now on, and resets its state:
// result.WaitingPolls times WAITING_VERIFY, then result once, then TOKEN_INVALID.
// An answer in progress still counts for the previous state. It panics if a value
// in result.Extra is not JSON.
func (g *Gateway) SetResult(onceToken string, result Result) {
	t := &token{
		body:    result.body(),
		waiting: result.WaitingPolls,
		pending: result.IdentityResult == alipay.IdentityResultWaitingVerify,
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens[onceToken] = t
}

// SetError decides that every query of onceToken gives this error, signed, and
// resets the token's state. The token is never spent. Status 0 means 400, which is
// what most errors of the endpoint have.
func (g *Gateway) SetError(onceToken string, status int, code alipay.ErrorCode, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens[onceToken] = &token{failure: &refusal{cmp.Or(status, http.StatusBadRequest), code, message}}
}

// Token returns the state of onceToken since SetResult, SetError or Reset; the
// zero TokenState if the token is unknown.
func (g *Gateway) Token(onceToken string) TokenState {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tokens[onceToken]; t != nil {
		return t.TokenState
	}
	return TokenState{}
}

// Deliveries returns how many verified queries arrived with onceToken, which is
// [TokenState].Requests: the number that must not exceed one per call, unless
// they were refused because of load and so may be retried.
func (g *Gateway) Deliveries(onceToken string) int { return g.Token(onceToken).Requests }

// Ledger returns the state of every once_token that was set, or that a verified
// query named. It grows with their number until [Gateway.Reset].
func (g *Gateway) Ledger() map[string]TokenState {
	g.mu.Lock()
	defer g.mu.Unlock()
	ledger := make(map[string]TokenState, len(g.tokens))
	for once, t := range g.tokens {
		ledger[once] = t.TokenState
	}
	return ledger
}

// noteArrival counts a verified query, and remembers the token of a merchant that
// a call is on behalf of.
func (g *Gateway) noteArrival(received *ReceivedRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if token := received.AppAuthToken; token != "" && !slices.Contains(g.authTokens, token) {
		g.authTokens = append(g.authTokens[max(0, len(g.authTokens)-7):], strings.Clone(token))
	}
	if once := received.Params.Get("once_token"); once != "" && received.Path == jobworthPath && received.inside {
		g.tokenOf(once).Requests++
	}
}

// noteDelivery records whether the final answer was written. It records it in the
// token of the request, which SetResult or Reset may have replaced since.
func (x *exchange) noteDelivery(delivered bool) {
	if x.reply.spends == nil {
		return
	}
	x.g.mu.Lock()
	defer x.g.mu.Unlock()
	x.reply.spends.Delivered = delivered
}
