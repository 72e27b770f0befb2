package lenient

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyOneObjectIsAnAnswer(t *testing.T) {
	for body, want := range map[string]error{
		`{}`: nil, " \t\r\n{\"a\":1}\n": nil,
		``: ErrNotAnObject, `[]`: ErrNotAnObject, `"x"`: ErrNotAnObject, `null`: ErrNotAnObject, "\ufeff{}": ErrNotAnObject,
		`{`: ErrNotJSON, `{}{}`: ErrNotJSON, `{} x`: ErrNotJSON, `{"a":}`: ErrNotJSON, `{'a':1}`: ErrNotJSON,
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
	for _, body := range []string{"{\"a\x01\":1", "{\"a\":\"x\\\ny\"}", "{\"a\":1\x01}", "{\x01\"a\":1}"} {
		_, err := Object([]byte(body))
		assert.Equal(t, ErrNotJSON, err, "%q: only inside strings, and not escaped", body)
	}
}

func TestStringTakesWhatThePlatformWritesForOne(t *testing.T) {
	for value, want := range map[string]string{
		`"x"`: "x", `"\u5f20\n\""`: "张\n\"", `"张"`: "张", `12.50`: "12.50", `-1e3`: "-1e3", `true`: "true", `false`: "false", `null`: "", `""`: "",
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
	assert.Equal(t, ErrNotDecodable, Decode([]byte(`{"b":"y","a":"personal"}`), &out))
	assert.Equal(t, target{A: 1, B: "x"}, out)
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &out))
	assert.Equal(t, target{A: 1, B: "y"}, out, "over what it holds, as encoding/json does")
	require.NoError(t, Decode([]byte(`{"b":"y"}`), nil))

	held := &target{A: 7}
	var behind any = held
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &behind))
	assert.Equal(t, &target{A: 7, B: "y"}, held, "into the pointer that an interface holds")
	var fresh any
	require.NoError(t, Decode([]byte(`{"b":"y"}`), &fresh))
	assert.Equal(t, map[string]any{"b": "y"}, fresh)

	var failing failing
	assert.Equal(t, ErrNotAString, Decode([]byte(`{}`), &failing))
}

type failing struct{}

func (*failing) UnmarshalJSON([]byte) error { return ErrNotAString }

func FuzzObject(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		object, err := Object(body)
		if err != nil {
			assert.False(t, json.Valid(body) && StartsObject(body))
			return
		}
		require.True(t, json.Valid(object))
		if json.Valid(body) {
			assert.Equal(t, body, object)
		} else {
			assert.True(t, strings.ContainsFunc(string(body), func(r rune) bool { return r < ' ' }))
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
