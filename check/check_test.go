package check

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// sealedAnswer is one that a client could not accept.
func sealedAnswer(tb testing.TB) *alipay.SealedAnswer {
	gateway := alipaytest.NewGateway(tb)
	gateway.Inject(alipaytest.ForeignSignature, 1)
	client, err := alipay.NewClient(gateway.Config())
	require.NoError(tb, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(tb.Context(), &alipay.QueryParams{OnceToken: "token-1"})
	answer := answerIn(err)
	require.NotNil(tb, answer)
	return answer
}

// full is a check with every member.
func full(tb testing.TB) *Check {
	at := time.Date(2026, 11, 27, 20, 0, 0, 123e6, time.UTC)
	return &Check{
		ID: "out-agreement-no-1", OnceToken: "secret-token", State: StateInDoubt, Note: "TOKEN_INVALID (400)",
		Params: Params{
			IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeDim, ServiceID: "secret-service", CategoryID: "secret-category",
			ExtraParam: map[string]any{"number": json.Number("2026112722001426251450957042"), "secret-name": "secret-value"},
		},
		OpenID: "secret-open-id", UserID: "secret-user-id", AgreedAt: at,
		Attempts: 3, InFlight: true, Lost: true,
		CreatedAt: at, ChangedAt: at.Add(time.Second), Deadline: at.Add(time.Minute), DueAt: at.Add(time.Hour),
		Lease: "lease-1", LeaseUntil: at.Add(2 * time.Hour), Woken: true,
		Result: &alipay.QueryResponse{
			IdentityResult: alipay.IdentityResultSuccess, OpenID: "secret-open-id", MerchantIdentityID: "secret-identity",
			Extra: map[string]json.RawMessage{"further": json.RawMessage(`"secret-further"`)},
			Meta:  alipay.Response{StatusCode: 200, Body: []byte(`{"secret-body":1}`), TraceID: "trace-1", Header: map[string][]string{"X": {"secret-header"}}},
		},
		Sealed: []*alipay.SealedAnswer{sealedAnswer(tb)}, Version: 7,
	}
}

func TestTheJSONOfACheckIsTheWholeCheck(t *testing.T) {
	c := full(t)
	data, err := json.Marshal(c)
	require.NoError(t, err)
	read := new(Check)
	require.NoError(t, json.Unmarshal(data, read))
	require.Len(t, read.Sealed, 1)
	assert.True(t, sameAnswer(c.Sealed[0], read.Sealed[0]))
	read.Sealed = c.Sealed
	assert.Equal(t, c, read)
	again, err := json.Marshal(read)
	require.NoError(t, err)
	assert.Equal(t, string(data), string(again))
	assert.JSONEq(t, `{"id":"1","once_token":"","params":{},"state":"started","version":0}`, marshalled(t, Check{ID: "1", State: StateStarted}))
}

func marshalled(t *testing.T, v any) string {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	c := full(t)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("check", "check", c, "value", *c, "params", c.Params)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&log, verb+verb+verb, c, *c, c.Params)
	}
	fmt.Fprint(&log, c, c.Params.String(), []*Check{c}, struct{ Check Check }{*c})
	assert.NotContains(t, log.String(), "secret")
	assert.Contains(t, c.String(), "check.Check{ID:out-agreement-no-1 OnceToken:[redacted] State:in_doubt Note:TOKEN_INVALID (400)")
	assert.Equal(t, "check.Params{IdentityType:04 QueryType:dim ServiceID:[redacted] CategoryID:[redacted] ExtraParam:2}", c.Params.String())
}

func TestWhatIsNoStoredCheckIsRefusedAndChangesNothing(t *testing.T) {
	data, err := json.Marshal(full(t))
	require.NoError(t, err)
	for _, bytes := range []string{
		``, `{}`, `[]`, `null`, `{"id":1}`, `{"id":"1","state":"unheard-of"}`, string(data) + `{}`, strings.Replace(string(data), `"sealed":["`, `"sealed":["AAAA`, 1),
	} {
		c := &Check{ID: "before"}
		err := c.UnmarshalJSON([]byte(bytes))
		require.Error(t, err, bytes)
		assert.NotContains(t, err.Error(), "secret")
		assert.Equal(t, &Check{ID: "before"}, c)
	}
}

func TestAResultIsThatOfTheUserWhoAgreed(t *testing.T) {
	c := &Check{UserID: "2088402562742105", OpenID: "open-1"}
	for came, same := range map[[2]string]bool{
		{"2088402562742105", "open-of-another-application"}: true,
		{"2088402562742106", "open-1"}:                      true,
		{"2088****2105", "null"}:                            true,
		{"2088402562742106", ""}:                            false,
		{"", "open-2"}:                                      false,
	} {
		assert.Equal(t, same, sameUser(c, &alipay.QueryResponse{UserID: came[0], OpenID: came[1]}), came)
	}
}

func FuzzCheckUnmarshalJSON(f *testing.F) {
	data, err := json.Marshal(full(f))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"id":"1","state":"done","result":{"identity_result":"SUCCESS"},"deadline":"0001-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Check
		if c.UnmarshalJSON(data) != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil { // a time beyond what RFC 3339 can say
			return
		}
		var read Check
		require.NoError(t, json.Unmarshal(again, &read))
		twice, err := json.Marshal(read)
		require.NoError(t, err)
		assert.Equal(t, string(again), string(twice))
	})
}
