package alipay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/seed-39a49030/alipay/internal/identity"
)

const (
	jobworthPath     = "/v3/zhima/customer/jobworth/authentication"
	preconsultMethod = "zhima.customer.jobworth.authentication.preconsult"
)

// ZhimaCustomerJobworthAuthentication is 职得身份认证查询接口,
// zhima.customer.jobworth.authentication.query: it asks, with a one-time token,
// for the result of a user's identity check.
type ZhimaCustomerJobworthAuthentication struct {
	client *Client
}

// JobworthQuerier is what a caller of Query needs: accept it in place of the
// service, and a unit test can pass a fake, such as alipaytest.StubQuerier.
type JobworthQuerier interface {
	Query(ctx context.Context, params *QueryParams, opts ...RequestOption) (*QueryResponse, error)
}

var _ JobworthQuerier = (*ZhimaCustomerJobworthAuthentication)(nil)

// Query asks once for the result of an identity check. params may be nil.
//
// A once_token gives only one final answer, so Query delivers at most one request
// that the gateway may act on. [OutcomeOf] says what an error means: the token may
// have been spent and its answer lost, nothing happened, or the gateway answered
// no. On an error the QueryResponse is nil.
//
// If the context ends while the request is in flight, the answer may be lost. If
// the customer can cancel ctx by closing a page, pass context.WithoutCancel(ctx)
// with a timeout instead.
func (s *ZhimaCustomerJobworthAuthentication) Query(ctx context.Context, params *QueryParams, opts ...RequestOption) (*QueryResponse, error) {
	return ask(s, func(c *Client, answer *QueryResponse) (*Response, error) {
		return c.Do(ctx, &Request{Method: http.MethodGet, Path: jobworthPath, Query: params}, answer, opts...)
	})
}

// Open checks a sealed answer of Query again, under the present keys of the client,
// and returns the result that Query would have returned: see [Client.Open].
func (s *ZhimaCustomerJobworthAuthentication) Open(answer *SealedAnswer, opts ...OpenOption) (*QueryResponse, error) {
	return ask(s, func(c *Client, opened *QueryResponse) (*Response, error) { return c.Open(answer, opened, opts...) })
}

// WaitForResult is the function [WaitForResult] with this service.
func (s *ZhimaCustomerJobworthAuthentication) WaitForResult(ctx context.Context, params *QueryParams, policy PollPolicy, opts ...RequestOption) (*QueryResponse, error) {
	return WaitForResult(ctx, s, params, policy, opts...)
}

// PreconsultParams holds the parameters of 身份验真预咨询服务. Gopay, another client,
// refuses a call without all five; the platform documents none as required. Printing
// and logging it shows which are set, and no value but the types.
type PreconsultParams struct {
	OutAgreementNo string       `json:"out_agreement_no,omitempty"` // the merchant's number of the agreement: the ConnKey of the query
	OnceToken      string       `json:"once_token,omitempty"`       // number of the check's order, 验真订单id, made by the merchant; it is not spent
	IdentityType   IdentityType `json:"identity_type,omitempty"`    // the occupation to check
	QueryType      QueryType    `json:"query_type,omitempty"`       // exact or fuzzy matching
	ZmServiceID    string       `json:"zm_service_id,omitempty"`    // credit service id: the ServiceID of the query
}

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (p PreconsultParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }
func (p PreconsultParams) LogValue() slog.Value          { return shownOf(p).LogValue() }

// PreconsultResponse is the verified answer of 身份验真预咨询服务. Printing and
// logging it shows whether the check can succeed, and not the reason.
type PreconsultResponse struct {
	PreCheckSuccess bool                       `json:"pre_check_success"` // the check can succeed
	Reason          string                     `json:"reason,omitempty"`  // why not, in the platform's words
	Extra           map[string]json.RawMessage `json:"-"`                 // unknown members, as they came; nil without any
	Meta            Response                   `json:"-"`                 // the answer this was decoded from
}

// UnmarshalJSON and MarshalJSON do what those of [QueryResponse] do. As in Java,
// pre_check_success is true for the word true in any case, also as a string, and
// false for any other.
func (r *PreconsultResponse) UnmarshalJSON(data []byte) error { return unmarshalAnswer(r, data) }
func (r PreconsultResponse) MarshalJSON() ([]byte, error)     { return marshalAnswer(&r) }

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (r PreconsultResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }
func (r PreconsultResponse) LogValue() slog.Value          { return shownOf(r).LogValue() }

// Preconsult asks, before the user is sent to Alipay, whether a check can succeed
// (zhima.customer.jobworth.authentication.preconsult, 身份验真预咨询服务), so that a wrong
// service id, type or token is found before it costs anybody a check. It is a call of
// the old gateway, see [Client.Execute]. It spends nothing, so it may be repeated. On
// an error the response is nil.
func (s *ZhimaCustomerJobworthAuthentication) Preconsult(ctx context.Context, params *PreconsultParams, opts ...RequestOption) (*PreconsultResponse, error) {
	return ask(s, func(c *Client, answer *PreconsultResponse) (*Response, error) {
		if params == nil {
			return nil, errArgument("PreconsultParams", "the params are nil")
		}
		return c.Execute(ctx, &ExecuteRequest{Method: preconsultMethod, BizContent: params}, answer, opts...)
	})
}

// target is what a call is about: the endpoint, and whom it asked about.
type target struct {
	CallInfo
	api   string // method of the old gateway, in place of a path of its own; "" for v3
	asked identity.Asked
}

// endpoint is what tells one API from another.
func (t *target) endpoint() string { return cmp.Or(t.api, t.Path) }

// isAnother reports whether an object is the answer about somebody else. What an id
// means at an endpoint that this package does not know cannot be told.
func (t *target) isAnother(object []byte) bool {
	for _, known := range answerTypes {
		if known.endpoint == t.endpoint() {
			return t.asked.IsAnother(identity.Of(object))
		}
	}
	return false
}

// nobody looks at an answer and does not take it.
type nobody struct{}

func (nobody) accept() error { return nil }
