package lenient

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyOneObjectIsAnAnswer(t *testing.T) {
	for body, want := range map[string]error{
		`{}`: nil, " \t\r\n{\"a\":1}\n": nil,
		``: ErrNotAnObject, `[]`: ErrNotAnObject, `"x"`: ErrNotAnObject, `null`: ErrNotAnObject, "\ufeff{}": ErrNotAnObject,
		`{`: ErrNotJSON, `{}{}`: ErrNotJSON, "{}\x81": ErrNotJSON, `{} x`: ErrNotJSON, `{"a":}`: ErrNotJSON, `{'a':1}`: ErrNotJSON,
	} {
		object, err := Object([]byte(body))
		assert.Equal(t, want, err, body)
		if err == nil {
			assert.Equal(t, body, string(object), "as it came")
		}
	}
}

func TestARawControlCharacterInsideAStringIsReadAsItStands(t *testing.T) {
	for body, want := range map[string]string{
		"{\"a\":\"x\ny\"}":             "x\ny",
		"{\"a\":\"\t\"}":               "\t",
		"{\"a\":\"\x00\x1f\"}":         "\x00\x1f",
		"{\n\"a\":\t\"\\\"\r\\\\\" }":  "\"\r\\",
		"{\"a\":\"\x01\\u0041张\x02\"}": "\x01A张\x02",
	} {
		object, err := Object([]byte(body))
		require.NoError(t, err, "%q", body)
		var got map[string]string
		require.NoError(t, json.Unmarshal(object, &got))
		assert.Equal(t, map[string]string{"a": want}, got)
	}
	object, err := Object([]byte("{\"a\":\"x y\n z\"}"))
	require.NoError(t, err)
	assert.Equal(t, `{"a":"x y\u000a z"}`, string(object), "and nothing else changes")
	for _, body := range []string{"{\"a\x01\":1", "{\"a\":\"x\\\ny\"}", "{\"a\":1\x01}", "{\x01\"a\":1}"} {
		_, err := Object([]byte(body))
		assert.Equal(t, ErrNotJSON, err, "%q: only inside strings, and not escaped", body)
	}
}

func TestStringTakesWhatThePlatformWritesForOne(t *testing.T) {
	for value, want := range map[string]string{
		`"x"`: "x", `"\u5f20\n\""`: "张\n\"", `"张"`: "张", `12.50`: "12.50", `-1e3`: "-1e3", `true`: "true", `false`: "false", `null`: "", `""`: "",
		"\"\x80\"": "\ufffd",
	} {
		got, err := String([]byte(value))
		require.NoError(t, err, value)
		assert.Equal(t, want, got)
	}
	for value, want := range map[string]error{`{}`: ErrNotAString, `[1]`: ErrNotAString, ``: ErrNotJSON, `"`: ErrNotJSON, `"\x"`: ErrNotJSON} {
		_, err := String([]byte(value))
		assert.Equal(t, want, err, value)
	}
}

func TestEachMemberGivesNamesUnescapedAndValuesAsTheyCame(t *testing.T) {
	var got []string
	collect := func(name, value []byte) error { got = append(got, string(name)+"="+string(value)); return nil }
	require.NoError(t, EachMember([]byte(" { \"a\" : 1 , \"\\u0062\":{\"x\":[1,\"}\"]},\"c\":\"\\\"]\" ,\"张\":[ ],\"d\":null}"), collect))
	assert.Equal(t, []string{`a=1`, `b={"x":[1,"}"]}`, `c="\"]"`, `张=[ ]`, `d=null`}, got)
	got = nil
	require.NoError(t, EachMember([]byte(" { } "), collect))
	assert.Empty(t, got)
	assert.Equal(t, ErrNotAnObject, EachMember([]byte("[]"), collect))
	got = nil
	require.NoError(t, EachMember([]byte("{\"a\":1\t,\"b\":2\r,\"c\":3\n,\"d\":4\r\n}"), collect))
	assert.Equal(t, []string{`a=1`, `b=2`, `c=3`, `d=4`}, got)
	for broken, want := range map[string]error{`{`: nil, `{"`: ErrNotJSON, `{"\x":1}`: ErrNotJSON, `{"a"`: nil, `{"a":1`: nil, `{"a":"\`: nil, `{"a":[`: nil} {
		assert.Equal(t, want, EachMember([]byte(broken), collect), broken)
	}
	stop := errors.New("stop")
	calls := 0
	assert.Equal(t, stop, EachMember([]byte(`{"a":1,"b":2}`), func(_, _ []byte) error { calls++; return stop }))
	assert.Equal(t, 1, calls)
}

func TestDecodeLeavesOutAsItWasWithAnError(t *testing.T) {
	type target struct {
		A int
		B string
	}
	out := target{A: 1, B: "x"}
	assert.EqualError(t, Decode([]byte(`{"b":"y","a":"personal"}`), &out), "its member A does not fit the Go value: a string where int belongs")
	assert.Equal(t, target{A: 1, B: "x"}, out)
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &out))
	assert.Equal(t, target{A: 1, B: "y"}, out, "over what it holds, as encoding/json does")
	require.NoError(t, Decode([]byte(`{"b":"y"}`), nil))

	held := &target{A: 7}
	var behind any = held
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &behind))
	assert.Equal(t, &target{A: 7, B: "y"}, held, "into the pointer that an interface holds")
	assert.Error(t, Decode([]byte(`{"b":"z","a":"personal"}`), &behind))
	assert.Equal(t, &target{A: 7, B: "y"}, held)
	behind = (*target)(nil)
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &behind))
	assert.Equal(t, map[string]any{"b": "y"}, behind)
	var fresh any
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &fresh))
	assert.Equal(t, map[string]any{"b": "y"}, fresh)

	var once once
	require.NoError(t, Decode([]byte(`{}`), &once), "an empty value is filled once")
	assert.EqualError(t, Decode([]byte(`{}`), &once), "it does not fit the Go value: decoding ended with a *errors.errorString")
}

func TestNumbersStringsAndBooleansAreReadAsTheOtherKindWhereNothingIsLost(t *testing.T) {
	type fields struct {
		S  string          `json:"s"`
		I  int64           `json:"i"`
		U  uint8           `json:"u"`
		F  float64         `json:"f"`
		B  bool            `json:"b"`
		N  json.Number     `json:"n"`
		P  *int            `json:"p"`
		L  []int           `json:"l"`
		In struct{ I int } `json:"in"`
		M  map[string]int64
		A  any
	}
	five := 5
	for object, want := range map[string]fields{
		`{"i":"31536000"}`:                   {I: 31536000},
		`{"s":2088402562742105}`:             {S: "2088402562742105"},
		`{"s":1.50}`:                         {S: "1.50"},
		`{"s":-5}`:                           {S: "-5"},
		`{"s":true,"b":"false"}`:             {S: "true"},
		`{"b":"true"}`:                       {B: true},
		`{"f":"0.1","u":"255"}`:              {F: 0.1, U: 255},
		`{"n":"12","p":"5"}`:                 {N: "12", P: &five},
		`{"l":["1", 2 ,"3"]}`:                {L: []int{1, 2, 3}},
		`{"in":{"i":"-7"}}`:                  {In: struct{ I int }{-7}},
		`{"M":{"a":"1","b":2}}`:              {M: map[string]int64{"a": 1, "b": 2}},
		`{"A":2026112722001426251450957042}`: {A: json.Number("2026112722001426251450957042")},
		`{ "x" : "y", "i" : "1" }`:           {I: 1},
	} {
		var got fields
		require.NoError(t, Decode([]byte(object), &got), object)
		assert.Equal(t, want, got, object)
	}
	for object, says := range map[string]string{
		`{"i":"007"}`:                  "member i does not fit the Go value: a string where int64 belongs",
		`{"i":"1.5"}`:                  "member i",
		`{"i":1.5}`:                    "member i does not fit the Go value: a number where int64 belongs",
		`{"i":""}`:                     "member i",
		`{"i":"99999999999999999999"}`: "member i",
		`{"u":"256"}`:                  "member u",
		`{"u":"-1"}`:                   "member u",
		`{"b":"yes"}`:                  "member b",
		`{"b":1}`:                      "member b does not fit the Go value: a number where bool belongs",
		`{"i":true}`:                   "member i",
		`{"s":{"secret":1}}`:           "member s does not fit the Go value: a object where string belongs",
		`{"in":{"i":"personal"}}`:      "member in.I",
		`{"M":{"personal":"x"}}`:       "",
	} {
		got := fields{S: "before"}
		err := Decode([]byte(object), &got)
		require.Error(t, err, object)
		assert.ErrorContains(t, err, says, object)
		assert.NotContains(t, err.Error(), "personal")
		assert.Equal(t, fields{S: "before"}, got, object)
	}
}

// A path goes through pointers, lists and arrays, and ends where it leaves the Go type.
func TestAMisfitIsNamedAsFarAsTheTypeNamesIt(t *testing.T) {
	type inner struct {
		N int `json:"n"`
	}
	var got struct {
		P *inner           `json:"p"`
		L []*inner         `json:"l"`
		A [1]inner         `json:"a"`
		M map[string]inner `json:"m"`
	}
	for _, object := range []string{`{"p":{"n":"personal"}}`, `{"l":[{"n":"personal"}]}`, `{"m":{"personal":{"n":"personal"}}}`} {
		err := Decode([]byte(object), &got)
		assert.ErrorContains(t, err, "its member "+object[2:3], object)
		assert.NotContains(t, err.Error(), "personal")
	}
	for path, member := range map[string]string{
		"p.n": "p.n", "l.n": "l.n", "a.n": "a.n", "P.N": "p.n", "p.personal.n": "p", "m.personal.n": "m", "m.n": "m",
	} {
		assert.Equal(t, member, memberOf(reflect.TypeOf(got), path), path)
	}
}

// TestDecodingIsBounded: a list whose items are all of the other kind costs no more
// than reading it some times.
func TestDecodingIsBounded(t *testing.T) {
	list := `{"l":[` + strings.Repeat(`"1",`, 100_000) + `"1"]}`
	var got struct{ L []int }
	before := testing.AllocsPerRun(1, func() { _ = Decode([]byte(list), &got) })
	assert.Less(t, before, float64(10_000_000))
	assert.Empty(t, got.L, "too many to try")
}

type panicking struct{}

func (*panicking) UnmarshalJSON([]byte) error { panic("personal") }

func TestAPanicOfAnUnmarshalJSONIsAnError(t *testing.T) {
	err := Decode([]byte(`{}`), new(panicking))
	assert.EqualError(t, err, "it does not fit the Go value: an UnmarshalJSON panicked with a string")
}

func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, object []byte) {
		var got struct {
			S string
			I int64
			F float64
			B bool
			L []int
			A any
		}
		valid, err := Object(object)
		if err != nil {
			return
		}
		if err := Decode(valid, &got); err != nil {
			assert.ErrorAs(t, err, new(*Misfit))
		}
	})
}

// once cannot be decoded into twice.
type once bool

func (o *once) UnmarshalJSON([]byte) error {
	if *o {
		return errors.New("personal")
	}
	*o = true
	return nil
}

func TestLinksAreReadInEitherForm(t *testing.T) {
	a, b := Link{Link: "https://a"}, Link{Link: "https://b", Desc: "B"}
	for value, want := range map[string][]Link{
		`"https://a"`: {a}, `""`: nil, `null`: nil, `{"link":"https://b","desc":"B","x":1}`: {b}, `{}`: nil, `["`: nil,
		`["https://a", {"desc":"B","link":"https://b"}]`: {a, b}, `[{}, null, [], {"link":[]}, "https://a"]`: {a},
	} {
		assert.Equal(t, want, Links([]byte(value), 5), value)
	}
	assert.Equal(t, []Link{a, a}, Links([]byte(`["https://a","https://a","https://a"]`), 2))
	assert.Empty(t, Links([]byte(`"https://a"`), 0))
	assert.Len(t, Links([]byte(`"https://a"`), 1), 1)
	assert.Empty(t, Links([]byte(`["https://a"]`), 0))
}

func TestWhatStandsForItselfIsNotDecoded(t *testing.T) {
	object, count := []byte(`{"plain":"text","":"x"}`), func(_, value []byte) error { _, err := String(value); return err }
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = EachMember(object, count) }), 2.0, "at most one for each value")
}

func TestIsNull(t *testing.T) {
	for data, want := range map[string]bool{"null": true, " null\n": true, "": false, "nul": false, `"null"`: false} {
		assert.Equal(t, want, IsNull([]byte(data)), data)
	}
}

// TestGBKKeepsItsASCII: of each other character two U+FFFD are left, also when its
// second byte is a backslash.
func TestGBKKeepsItsASCII(t *testing.T) {
	for body, want := range map[string]string{
		"{\"code\":\"TOKEN_INVALID\",\"message\":\"token\xce\xde\xd0\xa7\"}": "{\"code\":\"TOKEN_INVALID\",\"message\":\"token\ufffd\ufffd\ufffd\ufffd\"}",
		"{\"message\":\"\x95\x5c\",\"code\":\"TOKEN_INVALID\"}":              "{\"message\":\"\ufffd\ufffd\",\"code\":\"TOKEN_INVALID\"}",
		"{\"message\":\"a\x95\x5cn\",\"code\":\"X\"}":                        "{\"message\":\"a\ufffd\ufffdn\",\"code\":\"X\"}",
		"{\"message\":\"\x8c\x7d\x8c\x5b\",\"code\":\"X\"}":                  "{\"message\":\"\ufffd\ufffd\ufffd\ufffd\",\"code\":\"X\"}",
		"{\"x\":\"\x81@\x81\x7f\x80A\xffA\x81\xff\"}":                        "{\"x\":\"\ufffd\ufffd\ufffd\x7f\ufffdA\ufffdA\ufffd\ufffd\"}", // only what can be a second byte is one
		"{\"open_id\":\"\xc4\"}":                                             "{\"open_id\":\"\ufffd\"}",
	} {
		object, err := Object([]byte(body))
		require.NoError(t, err, "%q", body)
		assert.Equal(t, want, string(object), "%q", body)
	}
}

func FuzzObject(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		object, err := Object(body)
		if err != nil {
			assert.False(t, json.Valid(body) && StartsObject(body))
			return
		}
		require.True(t, json.Valid(object))
		hasControls := strings.ContainsFunc(string(body), func(r rune) bool { return r < ' ' })
		switch {
		case !utf8.Valid(body):
			assert.True(t, utf8.Valid(object) || json.Valid(body) || hasControls)
		case json.Valid(body):
			assert.Equal(t, body, object)
		default:
			assert.True(t, hasControls)
		}
		// Member by member it is what encoding/json reads.
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(object, &want))
		got := map[string]json.RawMessage{}
		require.NoError(t, EachMember(object, func(name, value []byte) error {
			got[string(name)] = json.RawMessage(string(value))
			_, err := String(value)
			assert.Equal(t, value[0] == '{' || value[0] == '[', err != nil)
			return nil
		}))
		assert.Equal(t, want, got)
		var anything any
		assert.NoError(t, Decode(object, &anything))
	})
}

// wrapping reports an offset in a text of its own, which lies behind the answer's end.
type wrapping struct{ V int }

func (w *wrapping) UnmarshalJSON(b []byte) error {
	return json.Unmarshal([]byte(`{"wrapped_by_the_caller":`+string(b)+`}`), &struct {
		V struct{ V int } `json:"wrapped_by_the_caller"`
	}{})
}

func TestAnOffsetBehindTheEndIsAMisfit(t *testing.T) {
	assert.ErrorAs(t, Decode([]byte(`{"v":"x"}`), new(wrapping)), new(*Misfit))
}
