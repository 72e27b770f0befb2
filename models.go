package alipay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

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

// Format implements [fmt.Formatter]: every verb prints which parameters are set, and
// no value.
func (p QueryParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (p QueryParams) LogValue() slog.Value { return shownOf(p).LogValue() }

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
	IdentityResult IdentityResult `json:"identity_result,omitempty"`
	// IdentityResultSkipURL is a mini-program link to the result page,
	// alipays://… (identity_result_skip_url).
	IdentityResultSkipURL string `json:"identity_result_skip_url,omitempty"`
	// MerchantIdentityID is the same whenever the same user is checked again
	// under this merchant (merchant_identity_id).
	MerchantIdentityID string `json:"merchant_identity_id,omitempty"`
	// OpenID is the user's Ant open id (open_id).
	OpenID string `json:"open_id,omitempty"`
	// TokenStatus is the state of the order, for example FINISH (token_status).
	TokenStatus TokenStatus `json:"token_status,omitempty"`
	// UserID is the user's Ant member id (user_id).
	UserID string `json:"user_id,omitempty"`
	// Extra holds the members that this version of the library does not know,
	// as they came. It is nil when there are none.
	Extra map[string]json.RawMessage `json:"-"`
	// Meta is the answer this was decoded from: status, headers, ids, attempts
	// and the raw body.
	Meta Response `json:"-"`
}

// UnmarshalJSON accepts what the platform may send: a number or boolean becomes a
// string with the same spelling, null is empty, and unknown members go to Extra.
// Meta is kept. On an error the receiver is unchanged.
func (r *QueryResponse) UnmarshalJSON(data []byte) error { return unmarshalAnswer(r, data, nil) }

// MarshalJSON writes the answer under its wire names, empty members left out,
// followed by the members of Extra in alphabetical order.
func (r QueryResponse) MarshalJSON() ([]byte, error) {
	type members QueryResponse
	return marshalAnswer(members(r), r.Extra)
}

func (r *QueryResponse) decodeAnswer(object []byte, target *target, by acceptor) error {
	return decodeAnswer(r, object, target, by, nil)
}

func (*QueryResponse) answers(target *target) bool { return target.endpoint() == jobworthPath }

func (r *QueryResponse) pending() bool { return r.IdentityResult == IdentityResultWaitingVerify }

// Format implements [fmt.Formatter]: every verb prints the states and which other
// members came, and none of their values.
func (r QueryResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
func (r QueryResponse) LogValue() slog.Value { return shownOf(r).LogValue() }

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

// Format implements [fmt.Formatter]: every verb prints status, ids and sizes.
func (r Response) Format(f fmt.State, verb rune) { r.shown().Format(f, verb) }

// LogValue implements [slog.LogValuer] with what Format prints.
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

// answerType is how an answer type of this package is laid out: members by their
// wire names, Extra for unknown ones, and Meta.
type answerType struct {
	members map[string]int
	extra   int
}

var answerTypesKnown sync.Map // of *answerType, by reflect.Type

func answerTypeOf(t reflect.Type) *answerType {
	if known, ok := answerTypesKnown.Load(t); ok {
		return known.(*answerType)
	}
	a := &answerType{members: make(map[string]int)}
	for i := range t.NumField() {
		switch name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); {
		case t.Field(i).Name == "Extra":
			a.extra = i
		case name != "-":
			a.members[name] = i
		}
	}
	answerTypesKnown.Store(t, a)
	return a
}

func unmarshalAnswer[T any](r *T, data []byte, ignored func(name []byte) bool) error {
	if lenient.IsNull(data) {
		return nil // the convention of encoding/json
	}
	_, err := decodeMembers(r, data, ignored)
	return err
}

// decodeMembers decodes an object into an answer type. own says whether it has a
// member that only this endpoint's answers have. A boolean is true for the word true
// in any case, as in Java. On an error r is unchanged.
func decodeMembers[T any](r *T, object []byte, ignored func(name []byte) bool) (own bool, err error) {
	before, v := *r, reflect.ValueOf(r).Elem()
	layout := answerTypeOf(v.Type())
	for _, i := range layout.members {
		v.Field(i).SetZero()
	}
	extra := v.Field(layout.extra).Addr().Interface().(*map[string]json.RawMessage)
	*extra = nil
	err = lenient.EachMember(object, func(name, value []byte) error {
		i, known := layout.members[string(name)]
		if !known {
			if ignored != nil && ignored(name) {
				return nil
			}
			if *extra == nil {
				*extra = make(map[string]json.RawMessage)
			}
			(*extra)[string(name)] = bytes.Clone(value)
			return nil
		}
		text, err := lenient.String(value)
		if err != nil {
			return &lenient.Misfit{Member: string(name), Why: err.Error()}
		}
		if field := v.Field(i); field.Kind() == reflect.Bool {
			field.SetBool(strings.EqualFold(text, "true"))
		} else {
			field.SetString(text)
		}
		switch string(name) {
		case "user_id", "open_id", "reason": // others have them, too
		default:
			own = own || text != ""
		}
		return nil
	})
	if err != nil {
		*r = before
	}
	return own, err
}

// decodeAnswer is the decodeAnswer of the answer types.
func decodeAnswer[T any](r *T, object []byte, target *target, by acceptor, ignored func(name []byte) bool) error {
	before := *r
	own, err := decodeMembers(r, object, ignored)
	switch {
	case err != nil:
		return err
	case target.asked.isAnother(subjectOf(r)):
		err = ErrResponseMismatch
	case !own && len(answerTypeOf(reflect.TypeFor[T]()).members) > 0:
		err = errNoResult
	default:
		err = by.accept()
	}
	if err != nil {
		*r = before
	}
	return err
}

// subjectOf is whom an answer is about.
func subjectOf[T any](r *T) (s subject) {
	v := reflect.ValueOf(r).Elem()
	layout := answerTypeOf(v.Type())
	for i, name := range subjectNames {
		if field, ok := layout.members[name]; ok {
			s[i] = v.Field(field).String()
		} else if value, ok := v.Field(layout.extra).Interface().(map[string]json.RawMessage)[name]; ok {
			s[i], _ = lenient.String(value)
		}
	}
	return s
}

// marshalAnswer writes the members of an answer, and those of extra that are none
// of them.
func marshalAnswer[T any](members T, extra map[string]json.RawMessage) ([]byte, error) {
	out, err := json.Marshal(members)
	layout := answerTypeOf(reflect.TypeOf(members))
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if _, known := layout.members[name]; known || err != nil {
			continue
		}
		var member []byte
		member, err = json.Marshal(map[string]any{name: extra[name]})
		if out = out[:len(out)-1]; len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, member[min(1, len(member)):]...)
	}
	return out, err
}

// shownWords are the platform's own words. Anything else in a field may be a
// misplaced personal value.
var shownWords = map[any]bool{
	QueryTypeExact: true, QueryTypeDim: true, IdentityTypeTeacher: true,
	CertTypeIDCard: true, CertTypePassport: true, CertTypeHomeReturnPermit: true,
	CertTypeHKMacauTravelPermit: true, CertTypeTaiwanTravelPermit: true, CertTypeHKMacauID: true,
	IdentityResultSuccess: true, IdentityResultFailed: true, IdentityResultWaitingVerify: true, TokenStatusFinish: true,
	AgreementStatusValid: true, AgreementStatusInvalid: true, ProductCodeZhimaAuth: true,
}

// shownOf shows which fields of a struct are set, and the platform's own words.
func shownOf(value any) redact.Value {
	v := reflect.ValueOf(value)
	shown := redact.Value{TypeName: "alipay." + v.Type().Name()}
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch f := field.Interface().(type) {
		case Response:
			shown.Fields = append(shown.Fields, f.shown().Fields...)
		case map[string]json.RawMessage:
			shown.Fields = append(shown.Fields, redact.Count(name, len(f)))
		case bool:
			shown.Fields = append(shown.Fields, redact.Field{Name: name, Text: strconv.FormatBool(f)})
		default:
			text := ""
			if !field.IsZero() {
				text = "set"
			}
			shownField := redact.Hidden(name, text)
			if field.Kind() == reflect.String && shownWords[f] {
				shownField.Text = field.String()
			}
			shown.Fields = append(shown.Fields, shownField)
		}
	}
	return shown
}
