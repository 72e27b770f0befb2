package lenient

import (
	"bytes"
	"strings"
)

// EachMember calls f for every member of a JSON object, in order, names
// unescaped and values as they came. encoding/json cannot do this: unknown members
// as well as known ones, names in their exact spelling, in one pass. data must be
// valid JSON, as it is inside UnmarshalJSON.
func EachMember(data []byte, f func(name, value []byte) error) error {
	if !StartsObject(data) {
		return ErrNotAnObject
	}
	quoted, rest := CutValue(data[bytes.IndexByte(data, '{')+1:])
	for len(quoted) > 0 {
		name, err := memberName(quoted)
		if err != nil {
			return err
		}
		var value []byte
		value, rest = CutValue(rest)
		if err := f(name, value); err != nil {
			return err
		}
		quoted, rest = CutValue(rest)
	}
	return nil
}

// CutValue returns the next value whole, and what follows: a string, a literal, or an
// object or array with all that is nested in it. It is empty at the end of what it is in.
func CutValue(data []byte) (value, rest []byte) {
	data = bytes.TrimLeft(data, " \t\r\n,:")
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && strings.IndexByte(" \t\r\n,:}]", c) >= 0:
			return data[:i], data[i:]
		}
	}
	return data, nil
}

// memberName returns a member's name, without a copy if nothing in it is escaped.
func memberName(quoted []byte) ([]byte, error) {
	if len(quoted) >= 2 && isPlain(quoted[1:len(quoted)-1]) {
		return quoted[1 : len(quoted)-1], nil
	}
	name, err := String(quoted)
	return []byte(name), err
}
