package lenient

import "bytes"

// EachMember calls f for every member of a JSON object, in order, names
// unescaped and values as they came. encoding/json cannot do this: unknown members
// as well as known ones, names in their exact spelling, in one pass. data must be
// valid JSON, as it is inside UnmarshalJSON.
func EachMember(data []byte, f func(name, value []byte) error) error {
	s := memberScanner{rest: data}
	if s.next() != '{' {
		return ErrNotAnObject
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

// memberName returns a member's name, without a copy if nothing in it is escaped.
func memberName(quoted []byte) ([]byte, error) {
	if len(quoted) >= 2 && isPlain(quoted[1:len(quoted)-1]) {
		return quoted[1 : len(quoted)-1], nil
	}
	name, err := String(quoted)
	return []byte(name), err
}
