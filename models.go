package alipay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/seed-39a49030/alipay/internal/identity"
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

// QueryParams holds the parameters of 职得身份认证查询接口. All are optional: one that
// is empty is left out of the request. After the check has reached a final state only
// one query with its OnceToken succeeds; to ask again, start the whole check over.
//
// The values are personal. Printing and logging a QueryParams, with any verb of
// fmt and with log/slog, shows which parameters are set and none of their values. Its
// JSON, and every other encoding, contains the values: do not log that. For a struct,
// slice or map that contains a QueryParams, [slog.JSONHandler] writes this JSON: log
// the QueryParams itself, or give the handler the ReplaceAttr of the example.
type QueryParams struct {
	ConnKey      string       `url:"conn_key,omitempty" json:"conn_key,omitempty"`           // the out_agreement_no of the first step
	OnceToken    string       `url:"once_token,omitempty" json:"once_token,omitempty"`       // the credential for one result
	QueryType    QueryType    `url:"query_type,omitempty" json:"query_type,omitempty"`       // exact or fuzzy matching
	IdentityType IdentityType `url:"identity_type,omitempty" json:"identity_type,omitempty"` // the occupation to check
	ServiceID    string       `url:"service_id,omitempty" json:"service_id,omitempty"`       // credit service id, assigned by Zhima
	UserID       string       `url:"user_id,omitempty" json:"user_id,omitempty"`             // Ant member id; or give OpenID, or CertNo
	OpenID       string       `url:"open_id,omitempty" json:"open_id,omitempty"`             // Ant open id
	CertNo       string       `url:"cert_no,omitempty" json:"cert_no,omitempty"`             // number of the identity document
	CertType     CertType     `url:"cert_type,omitempty" json:"cert_type,omitempty"`         // kind of that document
}

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (p QueryParams) Format(f fmt.State, verb rune) { shownOf(p).Format(f, verb) }
func (p QueryParams) LogValue() slog.Value          { return shownOf(p).LogValue() }

// QueryResponse is the verified answer of 职得身份认证查询接口. Every member is
// optional: one that did not come, or came as null, is empty.
//
// The values are personal. Printing and logging it shows the states and none of the
// ids. Its JSON contains the values, and the members of Extra: see [QueryParams].
type QueryResponse struct {
	IdentityResult        IdentityResult             `json:"identity_result,omitempty"`          // the outcome
	IdentityResultSkipURL string                     `json:"identity_result_skip_url,omitempty"` // mini-program link to the result, alipays://…
	MerchantIdentityID    string                     `json:"merchant_identity_id,omitempty"`     // the same in every check of a user by this merchant
	OpenID                string                     `json:"open_id,omitempty"`                  // the user's Ant open id
	TokenStatus           TokenStatus                `json:"token_status,omitempty"`             // state of the order
	UserID                string                     `json:"user_id,omitempty"`                  // the user's Ant member id
	Extra                 map[string]json.RawMessage `json:"-"`                                  // unknown members, as they came; nil without any
	Meta                  Response                   `json:"-"`                                  // the answer this was decoded from
}

// UnmarshalJSON accepts what the platform may send: a number or boolean becomes the
// string that spells it, null is empty, and unknown members go to Extra. Meta is
// kept. On an error the receiver is unchanged.
func (r *QueryResponse) UnmarshalJSON(data []byte) error { return unmarshalAnswer(r, data) }

// MarshalJSON writes the members that are not empty, and those of Extra, in
// alphabetical order.
func (r QueryResponse) MarshalJSON() ([]byte, error) { return marshalAnswer(&r) }

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (r QueryResponse) Format(f fmt.State, verb rune) { shownOf(r).Format(f, verb) }
func (r QueryResponse) LogValue() slog.Value          { return shownOf(r).LogValue() }

func (r *QueryResponse) pending() bool { return r.IdentityResult == IdentityResultWaitingVerify }

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

// Format and LogValue implement [fmt.Formatter] and [slog.LogValuer].
func (r Response) Format(f fmt.State, verb rune) { r.shown().Format(f, verb) }
func (r Response) LogValue() slog.Value          { return r.shown().LogValue() }

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

// answerType is how an answer type of this package is laid out. Its last two fields
// are Extra and Meta.
type answerType struct {
	endpoint string
	members  map[string]int // field by wire name
}

// answerTypes are the answer types of this package, by pointer.
var answerTypes = layOut(map[string]any{
	jobworthPath:     new(QueryResponse),
	preconsultMethod: new(PreconsultResponse),
	agreementPath:    new(CreditAgreementQueryResponse),
	unsignMethod:     new(CreditAgreementUnsignResponse),
})

func layOut(answers map[string]any) map[reflect.Type]*answerType {
	types := make(map[reflect.Type]*answerType)
	for endpoint, answer := range answers {
		known, t := &answerType{endpoint, make(map[string]int)}, reflect.TypeOf(answer)
		for i := range t.Elem().NumField() - 2 {
			name, _, _ := strings.Cut(t.Elem().Field(i).Tag.Get("json"), ",")
			known.members[name] = i
		}
		types[t] = known
	}
	return types
}

func extraOf(answer reflect.Value) *map[string]json.RawMessage {
	return answer.Field(answer.NumField() - 2).Addr().Interface().(*map[string]json.RawMessage)
}

func metaOf(answer reflect.Value) *Response {
	return answer.Field(answer.NumField() - 1).Addr().Interface().(*Response)
}

// ask makes a call of a service, and returns the answer with its Meta.
func ask[S ~struct{ client *Client }, A any](s *S, call func(c *Client, answer *A) (*Response, error)) (*A, error) {
	var c *Client
	if s != nil {
		c = struct{ client *Client }(*s).client
	}
	if c == nil {
		return nil, errArgument(reflect.TypeFor[S]().Name(), "this service does not belong to a Client made by NewClient")
	}
	answer := new(A)
	meta, err := call(c, answer)
	if err != nil {
		return nil, err
	}
	*metaOf(reflect.ValueOf(answer).Elem()) = *meta
	return answer, nil
}

func unmarshalAnswer(answer any, data []byte) error {
	if lenient.IsNull(data) {
		return nil // the convention of encoding/json
	}
	return decodeAnswer(answer, data, nil, nil)
}

// decodeAnswer decodes an object into an answer type, if it is about whom the target
// asked and has a member that only this endpoint's answers have, and by takes it.
// Without a target any object will do. A boolean is true for the word true in any
// case, as in Java. On an error the answer is unchanged.
func decodeAnswer(answer any, object []byte, target *target, by acceptor) error {
	known, v := answerTypes[reflect.TypeOf(answer)], reflect.ValueOf(answer).Elem()
	before := reflect.Zero(v.Type())
	if !v.IsZero() {
		before = reflect.New(v.Type()).Elem()
		before.Set(v)
		for i := range v.NumField() - 1 { // all but Meta
			v.Field(i).SetZero()
		}
	}
	var about identity.Subject
	own, extra, old := false, extraOf(v), !strings.HasPrefix(known.endpoint, "/")
	err := lenient.EachMember(object, func(name, value []byte) error {
		text, err := lenient.String(value)
		about.Add(name, text)
		i, ok := known.members[string(name)]
		switch {
		case !ok && old && isCommon(name):
			return nil
		case !ok:
			if *extra == nil {
				*extra = make(map[string]json.RawMessage)
			}
			(*extra)[string(name)] = bytes.Clone(value)
			return nil
		case err != nil:
			return &lenient.Misfit{Member: string(name), Why: err.Error()}
		case v.Field(i).Kind() == reflect.Bool:
			v.Field(i).SetBool(strings.EqualFold(text, "true"))
		default:
			v.Field(i).SetString(text)
		}
		switch string(name) {
		case "user_id", "open_id", "reason": // others have them, too
		default:
			own = own || text != ""
		}
		return nil
	})
	switch {
	case err != nil, target == nil:
	case target.asked.IsAnother(about):
		err = ErrResponseMismatch
	case !own && (len(known.members) > 0 || newRefusal(object, nil).gateway != oldSuccess): // without members it is the code that says so
		err = errNoResult
	default:
		err = by.accept()
	}
	if err != nil {
		v.Set(before)
	}
	return err
}

// marshalAnswer writes the members of an answer, and those of Extra that are none of
// them.
func marshalAnswer(answer any) ([]byte, error) {
	v, members := reflect.ValueOf(answer).Elem(), make(map[string]any)
	for name, value := range *extraOf(v) {
		members[name] = value
	}
	for name, i := range answerTypes[reflect.TypeOf(answer)].members {
		delete(members, name)
		if field := v.Field(i); field.Kind() == reflect.Bool || !field.IsZero() {
			members[name] = field.Interface()
		}
	}
	return json.Marshal(members)
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
			var set redact.Field
			if !field.IsZero() {
				set = redact.Hidden(name, "set")
			}
			if field.Kind() == reflect.String && shownWords[f] {
				set.Text = field.String()
			}
			shown.Fields = append(shown.Fields, set)
		}
	}
	return shown
}
