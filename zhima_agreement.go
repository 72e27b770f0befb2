package alipay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"unicode/utf8"
)

const (
	agreementPath       = "/v3/zhima/credit/payafteruse/creditagreement/query"
	agreementSignMethod = "zhima.credit.payafteruse.creditagreement.sign"
	unsignMethod        = "zhima.credit.payafteruse.creditagreement.unsign"
)

// ProductCodeZhimaAuth is the product code of identity checks. The platform's
// default is CREDIT_PAY_AFTER_USE.
const ProductCodeZhimaAuth = "ZHIMA_AUTH"

// AgreementStatus says whether an agreement is in force (agreement_status).
type AgreementStatus string

// The statuses that the platform's documents name.
const (
	AgreementStatusValid   AgreementStatus = "VALID"   // the user has agreed
	AgreementStatusInvalid AgreementStatus = "INVALID" // the user has not agreed, or no longer agrees
)

// ZhimaCreditPayafteruseCreditagreement is the first step of an identity check:
// the user agrees to it in Alipay's app (芝麻信用授权, zhima.credit.payafteruse.creditagreement).
type ZhimaCreditPayafteruseCreditagreement struct {
	client *Client
}

// CreditAgreementSignParams holds the parameters of an order string. Printing and
// logging it shows which are set, and the product code.
type CreditAgreementSignParams struct {
	OutAgreementNo  string `json:"out_agreement_no"`            // the merchant's number, 1 to 64 characters, new for every user; required
	ZmServiceID     string `json:"zm_service_id"`               // credit service id that Zhima has assigned to the merchant; required
	CategoryID      string `json:"category_id,omitempty"`       // category of the service
	ProductCode     string `json:"product_code,omitempty"`      // [ProductCodeZhimaAuth] for identity checks
	CancelBackLink  string `json:"cancel_back_link,omitempty"`  // opened when the user declines; without effect with ProductCodeZhimaAuth
	ReturnBackLink  string `json:"return_back_link,omitempty"`  // opened when the user has agreed; without effect with ProductCodeZhimaAuth
	ExternalLogonID string `json:"external_logon_id,omitempty"` // the user's login at the merchant
	ExtraParam      any    `json:"extra_param,omitempty"`       // at most 1,024 characters of JSON, or what encodes to it
	AppAuthToken    string `json:"app_auth_token,omitempty"`    // the merchant to act for; "" means the AppAuthToken of the config
}

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (p CreditAgreementSignParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }
func (p CreditAgreementSignParams) LogValue() slog.Value          { return shownOf(p).LogValue() }

// Sign returns the order string of zhima.credit.payafteruse.creditagreement.sign,
// which the merchant's app or mini-program hands to Alipay's app, where the user
// agrees. Nothing is sent. A parameter that is missing or too long is reported as
// an *[ArgumentError].
func (s *ZhimaCreditPayafteruseCreditagreement) Sign(ctx context.Context, params *CreditAgreementSignParams) (orderString string, err error) {
	const argument = "CreditAgreementSignParams"
	switch {
	case s == nil || s.client == nil:
		return "", errArgument("ZhimaCreditPayafteruseCreditagreement", "this service does not belong to a Client made by NewClient")
	case params == nil:
		return "", errArgument(argument, "the params are nil")
	case params.OutAgreementNo == "":
		return "", errArgument(argument+".OutAgreementNo", "it is empty; make another number for every user")
	case utf8.RuneCountInString(params.OutAgreementNo) > 64:
		return "", errArgument(argument+".OutAgreementNo", "it is longer than 64 characters")
	case params.ZmServiceID == "":
		return "", errArgument(argument+".ZmServiceID", "it is empty; Zhima has assigned it to the merchant")
	}
	content := *params
	content.AppAuthToken = ""
	if content.ExtraParam, err = encodeExtraParam(params.ExtraParam); err != nil {
		return "", errArgument(argument+".ExtraParam", "it is not JSON and does not encode to it, or it is longer than 1,024 characters")
	}
	return s.client.SDKExecute(ctx, &ExecuteRequest{Method: agreementSignMethod, AppAuthToken: params.AppAuthToken, BizContent: content})
}

// encodeExtraParam returns the JSON of extra as a string, which the platform wants;
// nil without any.
func encodeExtraParam(extra any) (any, error) {
	switch v := extra.(type) {
	case string:
		extra = json.RawMessage(v)
	case []byte:
		extra = json.RawMessage(v)
	}
	if raw, ok := extra.(json.RawMessage); extra == nil || ok && len(raw) == 0 {
		return nil, nil
	}
	encoded, err := encodeJSON(extra)
	if utf8.RuneCount(encoded) > 1024 {
		err = errors.New("it is too long")
	}
	return string(encoded), err
}

// CreditAgreementQueryParams names the agreement to ask for, by one of its
// numbers or both. Printing and logging it shows which are set.
type CreditAgreementQueryParams struct {
	OutAgreementNo    string `url:"out_agreement_no,omitempty" json:"out_agreement_no,omitempty"`       // the merchant's number
	CreditAgreementID string `url:"credit_agreement_id,omitempty" json:"credit_agreement_id,omitempty"` // Zhima's number
}

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (p CreditAgreementQueryParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }
func (p CreditAgreementQueryParams) LogValue() slog.Value          { return shownOf(p).LogValue() }

// CreditAgreementQueryResponse is the verified answer about an agreement. Every
// member is optional: one that did not come, or came as null, is empty.
//
// The values are personal. Printing and logging it shows the status and none of the
// ids. Its JSON contains the values, and the members of Extra: do not log that.
type CreditAgreementQueryResponse struct {
	AgreementStatus   AgreementStatus            `json:"agreement_status,omitempty"`    // whether it is in force
	AlipayUserID      string                     `json:"alipay_user_id,omitempty"`      // the user's Ant member id
	OpenID            string                     `json:"open_id,omitempty"`             // the user's Ant open id
	BizTime           string                     `json:"biz_time,omitempty"`            // when it was made, as the platform writes it
	CreditAgreementID string                     `json:"credit_agreement_id,omitempty"` // Zhima's number of the agreement
	OutAgreementNo    string                     `json:"out_agreement_no,omitempty"`    // the merchant's number
	ExtInfo           string                     `json:"ext_info,omitempty"`            // further information, JSON
	Extra             map[string]json.RawMessage `json:"-"`                             // unknown members, as they came; nil without any
	Meta              Response                   `json:"-"`                             // the answer this was decoded from
}

// UnmarshalJSON and MarshalJSON do what those of [QueryResponse] do.
func (r *CreditAgreementQueryResponse) UnmarshalJSON(data []byte) error {
	return unmarshalAnswer(r, data)
}
func (r CreditAgreementQueryResponse) MarshalJSON() ([]byte, error) { return marshalAnswer(&r) }

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (r CreditAgreementQueryResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }
func (r CreditAgreementQueryResponse) LogValue() slog.Value          { return shownOf(r).LogValue() }

// Query asks for the state of an agreement
// (zhima.credit.payafteruse.creditagreement.query). It spends nothing, so it may be
// repeated. On an error the response is nil.
func (s *ZhimaCreditPayafteruseCreditagreement) Query(ctx context.Context, params *CreditAgreementQueryParams, opts ...RequestOption) (*CreditAgreementQueryResponse, error) {
	return ask(s, func(c *Client, answer *CreditAgreementQueryResponse) (*Response, error) {
		if params == nil || *params == (CreditAgreementQueryParams{}) {
			return nil, errArgument("CreditAgreementQueryParams", "neither OutAgreementNo nor CreditAgreementID is set")
		}
		return c.Do(ctx, &Request{Method: http.MethodGet, Path: agreementPath, Query: params}, answer, opts...)
	})
}

// CreditAgreementUnsignParams says which agreement ends. Printing and logging it does
// not show the number.
type CreditAgreementUnsignParams struct {
	// CreditAgreementID is Zhima's number of the agreement, from the query or the
	// message. The merchant's own number will not do. Required.
	CreditAgreementID string `json:"credit_agreement_id"`
}

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (p CreditAgreementUnsignParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }
func (p CreditAgreementUnsignParams) LogValue() slog.Value          { return shownOf(p).LogValue() }

// CreditAgreementUnsignResponse is the verified answer that an agreement has ended.
// The platform documents no members.
type CreditAgreementUnsignResponse struct {
	Extra map[string]json.RawMessage `json:"-"` // members that came all the same; nil without any
	Meta  Response                   `json:"-"` // the answer this was decoded from
}

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (r CreditAgreementUnsignResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }
func (r CreditAgreementUnsignResponse) LogValue() slog.Value          { return shownOf(r).LogValue() }

// Unsign ends an agreement, for a user who withdraws consent
// (zhima.credit.payafteruse.creditagreement.unsign, 解除授权). It is a call of the old
// gateway, see [Client.Execute]. On an error the response is nil.
func (s *ZhimaCreditPayafteruseCreditagreement) Unsign(ctx context.Context, params *CreditAgreementUnsignParams, opts ...RequestOption) (*CreditAgreementUnsignResponse, error) {
	return ask(s, func(c *Client, answer *CreditAgreementUnsignResponse) (*Response, error) {
		switch {
		case params == nil:
			return nil, errArgument("CreditAgreementUnsignParams", "the params are nil")
		case params.CreditAgreementID == "":
			return nil, errArgument("CreditAgreementUnsignParams.CreditAgreementID", "it is empty; the query and the message have it")
		}
		return c.Execute(ctx, &ExecuteRequest{Method: unsignMethod, BizContent: params}, answer, opts...)
	})
}
