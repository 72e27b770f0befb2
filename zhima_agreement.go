package alipay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// Format implements [fmt.Formatter]: every verb prints the name, and nothing of
// the client behind it.
func (s ZhimaCreditPayafteruseCreditagreement) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.ZhimaCreditPayafteruseCreditagreement")
}

// LogValue implements [slog.LogValuer] with what Format prints.
func (s ZhimaCreditPayafteruseCreditagreement) LogValue() slog.Value {
	return slog.StringValue("alipay.ZhimaCreditPayafteruseCreditagreement")
}

// CreditAgreementSignParams holds the parameters of an order string. Printing and
// logging it shows which are set, and the product code.
type CreditAgreementSignParams struct {
	// OutAgreementNo is the merchant's number of the agreement, 1 to 64
	// characters, a different one for every user (out_agreement_no). It is the
	// ConnKey of the query. Required.
	OutAgreementNo string
	// ZmServiceID is the credit service id that Zhima has assigned to the
	// merchant (zm_service_id). Required.
	ZmServiceID string
	// CategoryID is the category of the service (category_id).
	CategoryID string
	// ProductCode is [ProductCodeZhimaAuth] for identity checks (product_code).
	ProductCode string
	// CancelBackLink is where Alipay's app goes when the user declines
	// (cancel_back_link). It has no effect with ProductCodeZhimaAuth.
	CancelBackLink string
	// ReturnBackLink is where Alipay's app goes when the user has agreed
	// (return_back_link). It has no effect with ProductCodeZhimaAuth.
	ReturnBackLink string
	// ExternalLogonID is the user's login at the merchant (external_logon_id).
	ExternalLogonID string
	// ExtraParam holds further parameters (extra_param), at most 1,024 characters
	// of JSON: a value that encodes to it, or a [json.RawMessage], []byte or string
	// that is JSON already.
	ExtraParam any
	// AppAuthToken names the merchant to act for (app_auth_token); "" means the
	// AppAuthToken of the config.
	AppAuthToken string
}

// Format implements [fmt.Formatter]: every verb prints which parameters are set.
func (p CreditAgreementSignParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (p CreditAgreementSignParams) LogValue() slog.Value { return shownOf(p).LogValue() }

// Sign returns the order string of zhima.credit.payafteruse.creditagreement.sign,
// which the merchant's app or mini-program hands to Alipay's app, where the user
// agrees. Nothing is sent. A parameter that is missing or too long is reported as
// an *[ArgumentError].
func (s *ZhimaCreditPayafteruseCreditagreement) Sign(ctx context.Context, params *CreditAgreementSignParams) (orderString string, err error) {
	if s == nil || s.client == nil {
		return "", errArgument("ZhimaCreditPayafteruseCreditagreement", "this service does not belong to a Client made by NewClient")
	}
	if params == nil {
		return "", errArgument("CreditAgreementSignParams", "the params are nil")
	}
	const argument = "CreditAgreementSignParams."
	switch n := utf8.RuneCountInString(params.OutAgreementNo); {
	case n == 0:
		return "", errArgument(argument+"OutAgreementNo", "it is empty; make another number for every user")
	case n > 64:
		return "", errArgument(argument+"OutAgreementNo", "it is longer than 64 characters")
	case params.ZmServiceID == "":
		return "", errArgument(argument+"ZmServiceID", "it is empty; Zhima has assigned it to the merchant")
	}
	extra, err := encodeExtraParam(params.ExtraParam)
	if err != nil || utf8.RuneCount(extra) > 1024 {
		return "", errArgument(argument+"ExtraParam", "it is not JSON and does not encode to it, or it is longer than 1,024 characters")
	}
	return s.client.SDKExecute(ctx, &ExecuteRequest{Method: agreementSignMethod, AppAuthToken: params.AppAuthToken, BizContent: struct {
		OutAgreementNo  string `json:"out_agreement_no"`
		ZmServiceID     string `json:"zm_service_id"`
		CategoryID      string `json:"category_id,omitempty"`
		ProductCode     string `json:"product_code,omitempty"`
		CancelBackLink  string `json:"cancel_back_link,omitempty"`
		ReturnBackLink  string `json:"return_back_link,omitempty"`
		ExternalLogonID string `json:"external_logon_id,omitempty"`
		ExtraParam      string `json:"extra_param,omitempty"`
	}{params.OutAgreementNo, params.ZmServiceID, params.CategoryID, params.ProductCode,
		params.CancelBackLink, params.ReturnBackLink, params.ExternalLogonID, string(extra)}})
}

func encodeExtraParam(extra any) ([]byte, error) {
	switch v := extra.(type) {
	case nil:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return compactJSON([]byte(v))
	case []byte:
		return compactJSON(v)
	case json.RawMessage:
		return compactJSON(v)
	}
	return encodeJSON(extra)
}

// CreditAgreementQueryParams names the agreement to ask for, by one of its
// numbers or both. Printing and logging it shows which are set.
type CreditAgreementQueryParams struct {
	OutAgreementNo    string `url:"out_agreement_no,omitempty" json:"out_agreement_no,omitempty"`       // the merchant's number (out_agreement_no)
	CreditAgreementID string `url:"credit_agreement_id,omitempty" json:"credit_agreement_id,omitempty"` // Zhima's number (credit_agreement_id)
}

// Format implements [fmt.Formatter]: every verb prints which are set.
func (p CreditAgreementQueryParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (p CreditAgreementQueryParams) LogValue() slog.Value { return shownOf(p).LogValue() }

// CreditAgreementQueryResponse is the verified answer about an agreement. Every
// member is optional: one that did not come, or came as null, is empty.
//
// The values are personal. Printing and logging it shows the status and none of
// the ids. Its JSON contains the values, under the wire names and with the members
// of Extra, because they are the caller's own data: do not log that.
type CreditAgreementQueryResponse struct {
	AgreementStatus   AgreementStatus            `json:"agreement_status,omitempty"`    // [AgreementStatusValid] or [AgreementStatusInvalid] (agreement_status)
	AlipayUserID      string                     `json:"alipay_user_id,omitempty"`      // the user's Ant member id (alipay_user_id)
	OpenID            string                     `json:"open_id,omitempty"`             // the user's Ant open id (open_id)
	BizTime           string                     `json:"biz_time,omitempty"`            // when it was made, as the platform writes it (biz_time)
	CreditAgreementID string                     `json:"credit_agreement_id,omitempty"` // Zhima's number of the agreement (credit_agreement_id)
	OutAgreementNo    string                     `json:"out_agreement_no,omitempty"`    // the merchant's number (out_agreement_no)
	ExtInfo           string                     `json:"ext_info,omitempty"`            // further information, JSON (ext_info)
	Extra             map[string]json.RawMessage `json:"-"`                             // members that this version does not know, as they came; nil without any
	Meta              Response                   `json:"-"`                             // the answer this was decoded from
}

// UnmarshalJSON takes what the platform may send: a number or boolean becomes the
// string that spells it, null is empty, and unknown members go to Extra. Meta is
// kept. With an error the receiver stays as it was.
func (r *CreditAgreementQueryResponse) UnmarshalJSON(data []byte) error {
	return unmarshalAnswer(r, data, nil)
}

// MarshalJSON writes the answer under its wire names, empty members left out,
// followed by the members of Extra in alphabetical order.
func (r CreditAgreementQueryResponse) MarshalJSON() ([]byte, error) {
	type members CreditAgreementQueryResponse
	return marshalAnswer(members(r), r.Extra)
}

func (r *CreditAgreementQueryResponse) decodeAnswer(object []byte, target *target, by acceptor) error {
	return decodeAnswer(r, object, target, by, nil)
}

func (*CreditAgreementQueryResponse) answers(target *target) bool {
	return target.endpoint() == agreementPath
}

// Format implements [fmt.Formatter]: every verb prints the status and which other members came.
func (r CreditAgreementQueryResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (r CreditAgreementQueryResponse) LogValue() slog.Value { return shownOf(r).LogValue() }

// Query asks for the state of an agreement
// (zhima.credit.payafteruse.creditagreement.query). It spends nothing, so it may be
// repeated. On an error the response is nil.
func (s *ZhimaCreditPayafteruseCreditagreement) Query(ctx context.Context, params *CreditAgreementQueryParams, opts ...RequestOption) (*CreditAgreementQueryResponse, error) {
	if s == nil || s.client == nil {
		return nil, errArgument("ZhimaCreditPayafteruseCreditagreement", "this service does not belong to a Client made by NewClient")
	}
	if params == nil || *params == (CreditAgreementQueryParams{}) {
		return nil, errArgument("CreditAgreementQueryParams", "neither OutAgreementNo nor CreditAgreementID is set")
	}
	answer := new(CreditAgreementQueryResponse)
	resp, err := s.client.Do(ctx, &Request{Method: http.MethodGet, Path: agreementPath, Query: params}, answer, opts...)
	if err != nil {
		return nil, err
	}
	answer.Meta = *resp
	return answer, nil
}

// CreditAgreementUnsignParams says which agreement ends. Printing and logging it does
// not show the number.
type CreditAgreementUnsignParams struct {
	// CreditAgreementID is Zhima's number of the agreement (credit_agreement_id), from
	// the query or the message. The merchant's own number will not do. Required.
	CreditAgreementID string `json:"credit_agreement_id"`
}

// Format implements [fmt.Formatter]: every verb prints whether the number is set.
func (p CreditAgreementUnsignParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (p CreditAgreementUnsignParams) LogValue() slog.Value { return shownOf(p).LogValue() }

// CreditAgreementUnsignResponse is the verified answer that an agreement has ended.
// The platform documents no members.
type CreditAgreementUnsignResponse struct {
	Extra map[string]json.RawMessage `json:"-"` // members that came all the same; nil without any
	Meta  Response                   `json:"-"` // the answer this was decoded from
}

func (r *CreditAgreementUnsignResponse) decodeAnswer(object []byte, target *target, by acceptor) error {
	if newRefusal(object, nil).gateway != oldSuccess {
		return errNoResult
	}
	return decodeAnswer(r, object, target, by, isCommon)
}

func (*CreditAgreementUnsignResponse) answers(target *target) bool {
	return target.endpoint() == unsignMethod
}

// Format implements [fmt.Formatter]: every verb prints which members came.
func (r CreditAgreementUnsignResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (r CreditAgreementUnsignResponse) LogValue() slog.Value { return shownOf(r).LogValue() }

// Unsign ends an agreement, for a user who withdraws consent
// (zhima.credit.payafteruse.creditagreement.unsign, 解除授权). It is a call of the old
// gateway, see [Client.Execute]. On an error the response is nil.
func (s *ZhimaCreditPayafteruseCreditagreement) Unsign(ctx context.Context, params *CreditAgreementUnsignParams, opts ...RequestOption) (*CreditAgreementUnsignResponse, error) {
	switch {
	case s == nil || s.client == nil:
		return nil, errArgument("ZhimaCreditPayafteruseCreditagreement", "this service does not belong to a Client made by NewClient")
	case params == nil:
		return nil, errArgument("CreditAgreementUnsignParams", "the params are nil")
	case params.CreditAgreementID == "":
		return nil, errArgument("CreditAgreementUnsignParams.CreditAgreementID", "it is empty; the query and the message have it")
	}
	answer := new(CreditAgreementUnsignResponse)
	resp, err := s.client.Execute(ctx, &ExecuteRequest{Method: unsignMethod, BizContent: params}, answer, opts...)
	if err != nil {
		return nil, err
	}
	answer.Meta = *resp
	return answer, nil
}
