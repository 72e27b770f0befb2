package alipay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// QueryType says how the identity is matched (query_type).
type QueryType string

// The query types of the platform.
const (
	QueryTypeExact QueryType = "exact" // 精确查询
	QueryTypeDim   QueryType = "dim"   // 模糊查询
)

// IdentityType names the occupation that is checked (identity_type). Values
// other than [IdentityTypeTeacher] are agreed with Zhima's support.
type IdentityType string

// The identity types of the platform.
const (
	IdentityTypeTeacher IdentityType = "04" // 教师
)

// CertType is the kind of identity document in [QueryParams].CertNo (cert_type).
type CertType string

// The identity documents that the platform knows.
const (
	CertTypeIDCard              CertType = "0" // 身份证
	CertTypePassport            CertType = "1" // 护照
	CertTypeHomeReturnPermit    CertType = "2" // 回乡证
	CertTypeHKMacauTravelPermit CertType = "3" // 港澳往来通行证
	CertTypeTaiwanTravelPermit  CertType = "4" // 台湾往来通行证
	CertTypeHKMacauID           CertType = "5" // 港澳证件
)

// IdentityResult is the outcome of an identity check (identity_result). A value
// that is not listed here is passed on as it came.
type IdentityResult string

// The outcomes of an identity check.
const (
	IdentityResultSuccess       IdentityResult = "SUCCESS"        // the identity can be trusted
	IdentityResultFailed        IdentityResult = "FAILED"         // the identity cannot be trusted
	IdentityResultWaitingVerify IdentityResult = "WAITING_VERIFY" // not known yet: ask again
)

// TokenStatus is the state of the order behind a once_token (token_status). A
// value that is not listed here is passed on as it came.
type TokenStatus string

// The token states that the platform documents.
const (
	TokenStatusFinish TokenStatus = "FINISH" // the check has ended
)

// QueryParams holds the parameters of 职得身份认证查询接口. All are optional:
// one that is empty is left out of the request.
//
// The values are personal. Printing and logging a QueryParams, with any verb of
// fmt and with log/slog, shows which parameters are set and none of their
// values. Its JSON contains the values, under the wire names, because they are the
// caller's own data, and so does every other encoding, such as gob: do not log
// that. For a struct, slice or map that contains a QueryParams, [slog.JSONHandler]
// writes this JSON, and the library cannot prevent it: log the QueryParams itself,
// or give the handler the ReplaceAttr of the example.
type QueryParams struct {
	// ConnKey is the out_agreement_no which the caller gave in the first step,
	// when the check was created (conn_key).
	ConnKey string `url:"conn_key,omitempty" json:"conn_key,omitempty"`
	// OnceToken is the credential for one result (once_token). After the check
	// has reached a final state only one query with it succeeds; to ask again,
	// start the whole check over.
	OnceToken string `url:"once_token,omitempty" json:"once_token,omitempty"`
	// QueryType chooses exact or fuzzy matching (query_type).
	QueryType QueryType `url:"query_type,omitempty" json:"query_type,omitempty"`
	// IdentityType is the occupation to check (identity_type).
	IdentityType IdentityType `url:"identity_type,omitempty" json:"identity_type,omitempty"`
	// ServiceID is the credit service id assigned to the merchant, for example
	// 2019120400000000000004450100 (service_id).
	ServiceID string `url:"service_id,omitempty" json:"service_id,omitempty"`
	// UserID is the Ant member id (user_id). Give UserID, OpenID or the
	// identity document.
	UserID string `url:"user_id,omitempty" json:"user_id,omitempty"`
	// OpenID is the Ant open id (open_id). Give UserID, OpenID or the identity
	// document.
	OpenID string `url:"open_id,omitempty" json:"open_id,omitempty"`
	// CertNo is the number of the identity document (cert_no).
	CertNo string `url:"cert_no,omitempty" json:"cert_no,omitempty"`
	// CertType is the kind of that document (cert_type).
	CertType CertType `url:"cert_type,omitempty" json:"cert_type,omitempty"`
}

// String shows which parameters are set, and no value.
func (p QueryParams) String() string { return p.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (p QueryParams) Format(f fmt.State, verb rune) { p.shown().Format(f, verb) }

// LogValue implements [slog.LogValuer] with what String returns.
func (p QueryParams) LogValue() slog.Value { return p.shown().LogValue() }

func (p QueryParams) shown() redact.Value {
	return redact.Value{TypeName: "alipay.QueryParams", Fields: []redact.Field{
		redact.Hidden("ConnKey", p.ConnKey),
		redact.Hidden("OnceToken", p.OnceToken),
		redact.Known("QueryType", p.QueryType, QueryTypeExact, QueryTypeDim),
		redact.Known("IdentityType", p.IdentityType, IdentityTypeTeacher),
		redact.Hidden("ServiceID", p.ServiceID),
		redact.Hidden("UserID", p.UserID),
		redact.Hidden("OpenID", p.OpenID),
		redact.Hidden("CertNo", p.CertNo),
		redact.Known("CertType", p.CertType, CertTypeIDCard, CertTypePassport, CertTypeHomeReturnPermit,
			CertTypeHKMacauTravelPermit, CertTypeTaiwanTravelPermit, CertTypeHKMacauID),
	}}
}

// QueryResponse is the verified answer of 职得身份认证查询接口. Every member is
// optional: one that did not come, or came as null, is empty.
//
// The values are personal. Printing and logging a QueryResponse, with any verb
// of fmt and with log/slog, shows the states and none of the ids. Its JSON contains
// the values, under the wire names and with the members of Extra, because they are
// the caller's own data, and so does every other encoding: do not log that. For a
// struct, slice or map that contains one see [QueryParams].
type QueryResponse struct {
	// IdentityResult is the outcome (identity_result).
	IdentityResult IdentityResult
	// IdentityResultSkipURL is a mini-program link to the result page,
	// alipays://… (identity_result_skip_url).
	IdentityResultSkipURL string
	// MerchantIdentityID is the same whenever the same user is checked again
	// under this merchant (merchant_identity_id).
	MerchantIdentityID string
	// OpenID is the user's Ant open id (open_id).
	OpenID string
	// TokenStatus is the state of the order, for example FINISH (token_status).
	TokenStatus TokenStatus
	// UserID is the user's Ant member id (user_id).
	UserID string
	// Extra holds the members that this version of the library does not know,
	// as they came. It is nil when there are none.
	Extra map[string]json.RawMessage
	// Meta is the answer this was decoded from: status, headers, ids, attempts
	// and the raw body.
	Meta Response `json:"-"`
}

var queryMembers = []string{"identity_result", "identity_result_skip_url", "merchant_identity_id", "open_id", "token_status", "user_id"}

// member returns where the member of that wire name is kept, nil for an unknown
// one.
func (r *QueryResponse) member(name []byte) *string {
	switch string(name) {
	case "identity_result":
		return (*string)(&r.IdentityResult)
	case "identity_result_skip_url":
		return &r.IdentityResultSkipURL
	case "merchant_identity_id":
		return &r.MerchantIdentityID
	case "open_id":
		return &r.OpenID
	case "token_status":
		return (*string)(&r.TokenStatus)
	case "user_id":
		return &r.UserID
	}
	return nil
}

// UnmarshalJSON accepts what the platform may send: a number or boolean becomes a
// string with the same spelling, null is empty, and unknown members go to Extra.
// Meta is kept. On an error the receiver is unchanged.
func (r *QueryResponse) UnmarshalJSON(data []byte) error {
	if lenient.IsNull(data) {
		return nil // the convention of encoding/json
	}
	before := *r
	*r = QueryResponse{Meta: r.Meta}
	err := decodeMembers(data, r.member, &r.Extra)
	if err != nil {
		*r = before
	}
	return err
}

func (r *QueryResponse) decodeAnswer(object []byte, target *target, by acceptor) error {
	before := *r
	err := r.UnmarshalJSON(object)
	switch {
	case err != nil:
		return err
	case target.asked.isAnother(subject{r.UserID, r.OpenID}):
		err = ErrResponseMismatch
	case r.IdentityResult == "" && r.IdentityResultSkipURL == "" && r.MerchantIdentityID == "" && r.TokenStatus == "": // other endpoints have the ids, too
		err = errNoResult
	default:
		err = by.accept()
	}
	if err != nil {
		*r = before
	}
	return err
}

func (*QueryResponse) answers(target *target) bool { return target.endpoint() == jobworthPath }

func (r *QueryResponse) pending() bool { return r.IdentityResult == IdentityResultWaitingVerify }

// MarshalJSON writes the answer under its wire names, empty members left out,
// followed by the members of Extra in alphabetical order.
func (r QueryResponse) MarshalJSON() ([]byte, error) {
	return encodeMembers(queryMembers, r.member, r.Extra)
}

// String shows the states and which other members came, and none of their values.
func (r QueryResponse) String() string { return r.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (r QueryResponse) Format(f fmt.State, verb rune) { r.shown().Format(f, verb) }

// LogValue implements [slog.LogValuer] with what String returns.
func (r QueryResponse) LogValue() slog.Value { return r.shown().LogValue() }

func (r QueryResponse) shown() redact.Value {
	return redact.Value{TypeName: "alipay.QueryResponse", Fields: append([]redact.Field{
		redact.Known("IdentityResult", r.IdentityResult, IdentityResultSuccess, IdentityResultFailed, IdentityResultWaitingVerify),
		redact.Hidden("IdentityResultSkipURL", r.IdentityResultSkipURL),
		redact.Hidden("MerchantIdentityID", r.MerchantIdentityID),
		redact.Hidden("OpenID", r.OpenID),
		redact.Known("TokenStatus", r.TokenStatus, TokenStatusFinish),
		redact.Hidden("UserID", r.UserID),
		redact.Count("Extra", len(r.Extra)),
	}, r.Meta.shown().Fields...)}
}

// decodeMembers decodes an object into the strings that member returns for the
// known names, and the rest into extra.
func decodeMembers(object []byte, member func(name []byte) *string, extra *map[string]json.RawMessage) error {
	return lenient.EachMember(object, func(name, value []byte) error {
		if text := member(name); text != nil {
			s, err := lenient.String(value)
			if *text = s; err != nil {
				return &lenient.Misfit{Member: string(name), Why: err.Error()}
			}
			return nil
		}
		if *extra == nil {
			*extra = make(map[string]json.RawMessage)
		}
		(*extra)[string(name)] = bytes.Clone(value)
		return nil
	})
}

// encodeMembers writes the known members that are not empty, in the given order,
// and then those of extra that are not known, in alphabetical order.
func encodeMembers(known []string, member func(name []byte) *string, extra map[string]json.RawMessage) ([]byte, error) {
	names := slices.Clone(known)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if member([]byte(name)) == nil {
			names = append(names, name)
		}
	}
	out := []byte{'{'}
	for _, name := range names {
		var value any = extra[name]
		if text := member([]byte(name)); text != nil {
			if *text == "" {
				continue
			}
			value = *text
		}
		encoded, err := json.Marshal(map[string]any{name: value})
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, encoded[1:len(encoded)-1]...)
	}
	return append(out, '}'), nil
}

// Response is a verified answer. Printing and logging it shows status, ids and
// sizes, and nothing of header or body. Its JSON contains everything, since it is
// the caller's data, with the body as a string: do not log that.
type Response struct {
	StatusCode int         // HTTP status, 200
	Header     http.Header // header of the answer
	Body       []byte      // body, verified and decrypted
	TraceID    string      // alipay-trace-id: quote it to Alipay's support
	RequestID  string      // alipay-request-id of the attempt that was answered
	Attempts   int         // attempts made, this one included
}

// String shows status, ids and sizes.
func (r Response) String() string { return r.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (r Response) Format(f fmt.State, verb rune) { r.shown().Format(f, verb) }

// LogValue implements [slog.LogValuer] with what String returns.
func (r Response) LogValue() slog.Value { return r.shown().LogValue() }

func (r Response) shown() redact.Value {
	return redact.Value{TypeName: "alipay.Response", Fields: []redact.Field{
		redact.Count("StatusCode", r.StatusCode),
		{Name: "TraceID", Text: redact.Printable(r.TraceID, maxShownID)},
		{Name: "RequestID", Text: redact.Printable(r.RequestID, maxShownID)},
		redact.Count("Attempts", r.Attempts),
		redact.Count("BodyBytes", len(r.Body)),
	}}
}

type responseJSON struct {
	Status    int         `json:"status"`
	Header    http.Header `json:"header,omitempty"`
	Body      string      `json:"body"`
	TraceID   string      `json:"trace_id,omitempty"`
	RequestID string      `json:"request_id,omitempty"`
	Attempts  int         `json:"attempts"`
}

// MarshalJSON writes status, header, body (as a string), trace_id, request_id
// and attempts.
func (r Response) MarshalJSON() ([]byte, error) {
	return json.Marshal(responseJSON{r.StatusCode, r.Header, string(r.Body), r.TraceID, r.RequestID, r.Attempts})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Response) UnmarshalJSON(data []byte) error {
	var read responseJSON
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = Response{read.Status, read.Header, []byte(read.Body), read.TraceID, read.RequestID, read.Attempts}
	return nil
}

// ErrorLink is a page of the platform that explains an error.
type ErrorLink struct {
	Link string `json:"link"`
	Desc string `json:"desc,omitempty"`
}
