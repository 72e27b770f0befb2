package lenient

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Misfit is an answer that does not fit the Go value it should be decoded into.
type Misfit struct {
	Member string // a path of names from Go types; "" where it is not known
	Why    string // what is known beside it, "" for nothing
}

func (e *Misfit) Error() string {
	text := "it"
	if e.Member != "" {
		text = "its member " + e.Member
	}
	text += " does not fit the Go value"
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// Decode decodes an object, as [Object] returns it, into out, which may be nil.
// Numbers that go into an any are of type [json.Number], and keep their digits. A
// number, string or boolean is read as the other kind where nothing is lost. The
// error, also that of an UnmarshalJSON that panics, is a *[Misfit]; out is then unchanged.
func Decode(object []byte, out any) (err error) {
	if out == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = &Misfit{Why: fmt.Sprintf("an UnmarshalJSON panicked with a %T", p)}
		}
	}()
	target := reflect.ValueOf(out).Elem()
	if held := target; held.Kind() == reflect.Interface && held.Elem().Kind() == reflect.Pointer && !held.Elem().IsNil() {
		target = held.Elem().Elem() // which is what encoding/json fills in
	}
	fresh, object, err := decodeFresh(object, target.Type())
	switch {
	case err != nil:
	case target.IsZero():
		target.Set(fresh)
	default: // decode over it, as encoding/json would, now that the answer is known to fit
		err = unmarshal(object, out)
	}
	return misfit(err, target.Type())
}

// maxWork bounds how many bytes are decoded again because a value is of another
// kind.
const maxWork = 8 << 20

// decodeFresh decodes into a new value of a type. It returns the object as it fits.
func decodeFresh(object []byte, t reflect.Type) (reflect.Value, []byte, error) {
	for work := 0; ; work += len(object) {
		fresh := reflect.New(t)
		err := unmarshal(object, fresh.Interface())
		var refitted []byte
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && work <= maxWork {
			refitted = refit(object, wrong)
		}
		if refitted == nil {
			return fresh.Elem(), object, err
		}
		object = refitted
	}
}

func unmarshal(object []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	return decoder.Decode(out)
}

// refit spells the value that does not fit as the other kind. It returns nil where
// that cannot be done.
func refit(object []byte, wrong *json.UnmarshalTypeError) []byte {
	value, end := valueAt(object, int(wrong.Offset))
	if len(value) == 0 {
		return nil
	}
	var other string
	switch kind := wrong.Type.Kind(); {
	case kind == reflect.String && strings.IndexByte("-0123456789tf", value[0]) >= 0:
		other = `"` + string(value) + `"`
	case kind == reflect.Bool && (string(value) == `"true"` || string(value) == `"false"`),
		kind >= reflect.Int && kind <= reflect.Float64 && value[0] == '"':
		other = string(value[1 : len(value)-1])
	}
	if !json.Valid([]byte(other)) {
		return nil
	}
	return slices.Concat(object[:end-len(value)], []byte(other), object[end:])
}

// valueAt returns the scalar that begins or ends at an offset, or is around it, and
// where it ends.
func valueAt(object []byte, offset int) (value []byte, end int) {
	for rest := object; end < offset && len(rest) > 0; end = len(object) - len(rest) {
		value, rest = CutValue(bytes.TrimLeft(rest, " \t\r\n,:{}[]"))
	}
	return value, end
}

// misfit replaces the errors of encoding/json, whose texts may quote the answer.
func misfit(err error, t reflect.Type) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*Misfit)):
		return err
	case errors.As(err, &wrong):
		kind, _, _ := strings.Cut(wrong.Value, " ")
		return &Misfit{Member: memberOf(t, wrong.Field), Why: "a " + kind + " where " + wrong.Type.String() + " belongs"}
	}
	return &Misfit{Why: fmt.Sprintf("decoding ended with a %T", err)}
}

// memberOf is a path as far as t names its members. Since Go 1.27 a path is that of
// the answer, in which a key of a map may be personal.
func memberOf(t reflect.Type, path string) string {
	var known []string
	for name := range strings.SplitSeq(path, ".") {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			break
		}
		var called string
		fields := reflect.VisibleFields(t)
		i := slices.IndexFunc(fields, func(field reflect.StructField) bool {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			called = cmp.Or(tag, field.Name)
			return strings.EqualFold(called, name)
		})
		if i < 0 {
			break
		}
		known, t = append(known, called), fields[i].Type
	}
	return strings.Join(known, ".")
}
