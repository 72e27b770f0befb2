package alipay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
)

// Fixed texts: what encoding/json says may quote the answer.
var (
	errNotAnObject  = errors.New("the answer is not a JSON object")
	errNotJSON      = errors.New("the answer is not valid JSON")
	errNotAString   = errors.New("the answer has an object or array where a string belongs")
	errNotDecodable = errors.New("the answer does not fit the Go value it should be decoded into")
)

// decodeObject decodes body, which must be one JSON object and nothing after
// it, into out, which may be nil. With an error out is as it was.
func decodeObject(body []byte, out any) error {
	if !startsObject(body) {
		return errNotAnObject
	}
	if out == nil {
		if !json.Valid(body) {
			return errNotJSON
		}
		return nil
	}
	if answer, ok := out.(*QueryResponse); ok { // the main job, in one pass less
		if !json.Valid(body) {
			return errNotJSON
		}
		return answer.UnmarshalJSON(body)
	}
	target := reflect.ValueOf(out).Elem()
	fresh := reflect.New(decodedType(target))
	if err := json.Unmarshal(body, fresh.Interface()); err != nil {
		return safeDecodeError(err)
	}
	if target.IsZero() {
		target.Set(fresh.Elem())
		return nil
	}
	// The caller's value holds something already: decode over it, as
	// encoding/json would, now that it is known to fit.
	return safeDecodeError(json.Unmarshal(body, out))
}

// decodedType is the type that encoding/json fills in for target: that of the
// pointer an interface holds, if it holds one.
func decodedType(target reflect.Value) reflect.Type {
	if target.Kind() == reflect.Interface {
		if held := target.Elem(); held.Kind() == reflect.Pointer && !held.IsNil() {
			return held.Type().Elem()
		}
	}
	return target.Type()
}

func safeDecodeError(err error) error {
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return errNotJSON
	case errors.Is(err, errNotAString):
		return errNotAString
	}
	return errNotDecodable
}

func startsObject(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == '{'
}

func isNull(data []byte) bool { return string(bytes.TrimSpace(data)) == "null" }

// lenientString reads a JSON value as Alipay's Java SDK reads a string: numbers
// and booleans as they are spelled, null as empty.
func lenientString(value []byte) (string, error) {
	if len(value) == 0 {
		return "", errNotJSON
	}
	switch value[0] {
	case '"':
		if len(value) < 2 {
			return "", errNotJSON
		}
		if inner := value[1 : len(value)-1]; isPlain(inner) {
			return string(inner), nil
		}
		var s string
		if json.Unmarshal(value, &s) != nil {
			return "", errNotJSON
		}
		return s, nil
	case '{', '[':
		return "", errNotAString
	case 'n':
		return "", nil
	default:
		return string(value), nil
	}
}

// memberName returns a member's name without a copy where it stands for itself.
func memberName(quoted []byte) ([]byte, error) {
	if len(quoted) >= 2 && isPlain(quoted[1:len(quoted)-1]) {
		return quoted[1 : len(quoted)-1], nil
	}
	name, err := lenientString(quoted)
	return []byte(name), err
}

// isPlain reports whether the inside of a JSON string stands for itself.
func isPlain(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// eachMember calls f for every member of a JSON object, in order, names
// unescaped and values as they came. It is what encoding/json cannot give: the
// unknown members beside the known ones, names in their exact spelling, in one
// pass. data must be valid JSON, as it is inside UnmarshalJSON.
func eachMember(data []byte, f func(name, value []byte) error) error {
	s := memberScanner{rest: data}
	if s.next() != '{' {
		return errNotAnObject
	}
	if s.peek() == '}' {
		return nil
	}
	for {
		name, err := memberName(s.value())
		if err != nil {
			return err
		}
		s.next() // ':'
		if err := f(name, s.value()); err != nil {
			return err
		}
		if s.next() != ',' {
			return nil
		}
	}
}

type memberScanner struct{ rest []byte }

func (s *memberScanner) peek() byte {
	s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
	if len(s.rest) == 0 {
		return 0
	}
	return s.rest[0]
}

func (s *memberScanner) next() byte {
	c := s.peek()
	if c != 0 {
		s.rest = s.rest[1:]
	}
	return c
}

// value takes the next value whole: a string, a literal, or an object or array
// with all that is nested in it.
func (s *memberScanner) value() []byte {
	s.peek()
	depth, inString := 0, false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
			if !inString && depth == 0 {
				return s.take(i + 1)
			}
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return s.take(i)
			}
			if depth--; depth == 0 {
				return s.take(i + 1)
			}
		case depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			return s.take(i)
		}
	}
	return s.take(len(s.rest))
}

func (s *memberScanner) take(n int) []byte {
	v := s.rest[:n]
	s.rest = s.rest[n:]
	return v
}

// readAtMost reads r to its end. When that is more than limit bytes it stops
// one byte behind the limit and reports tooLarge. size is what the other side
// announced, -1 when it did not say; it is a hint only.
func readAtMost(r io.Reader, limit, size int64) (data []byte, tooLarge bool, err error) {
	const first = 1024
	room := int64(first)
	if size >= 0 && size <= min(limit, 1<<20) { // no more than that on the other side's word
		room = size + 1 // the one more lets the end be seen without growing
	}
	data = make([]byte, 0, min(room, limit+1))
	for {
		if len(data) == cap(data) {
			if int64(len(data)) > limit {
				return data, true, nil
			}
			grown := make([]byte, len(data), min(2*int64(cap(data)), limit+1))
			copy(grown, data)
			data = grown
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > limit {
			return data, true, nil
		}
		if err == io.EOF {
			return data, false, nil
		}
		if err != nil {
			return data, false, err
		}
	}
}
