package alipaytest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	alipay "github.com/seed-39a49030/alipay"
)

// Equal marks the test as failed unless got equals want, and prints each field
// that differs with both values. It is for values that print redacted, of which
// other comparisons show nothing: *alipay.QueryParams in a [StubQuerier],
// *alipay.QueryResponse and the like. It prints the values, so use it with test
// data only. The field Meta is not compared, since it differs in every answer.
func Equal[T any](tb testing.TB, want, got T) bool {
	tb.Helper()
	found := differences("", reflect.ValueOf(&want).Elem(), reflect.ValueOf(&got).Elem())
	if len(found) > 0 {
		tb.Errorf("alipaytest.Equal: %T differs:\n%s", want, strings.Join(found, "\n"))
	}
	return len(found) == 0
}

var (
	timeType = reflect.TypeFor[time.Time]()
	metaType = reflect.TypeFor[alipay.Response]()
)

// differences returns a line for everything under path that differs.
func differences(path string, want, got reflect.Value) (found []string) {
	if want.Kind() == reflect.Interface {
		want, got = want.Elem(), got.Elem()
		if want.IsValid() && got.IsValid() && want.Type() != got.Type() {
			return []string{line(path, want.Type(), got.Type())}
		}
	}
	if !want.IsValid() || !got.IsValid() {
		if want.IsValid() == got.IsValid() {
			return nil
		}
		return []string{line(path, shown(want), shown(got))}
	}
	switch {
	case want.Kind() == reflect.Pointer && !want.IsNil() && !got.IsNil():
		return differences(path, want.Elem(), got.Elem())
	case want.Type() == timeType:
		if want.Interface().(time.Time).Equal(got.Interface().(time.Time)) {
			return nil
		}
	case want.Kind() == reflect.Struct:
		visible := 0
		for i := range want.NumField() {
			field := want.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			visible++
			if field.Name != "Meta" || field.Type != metaType {
				found = append(found, differences(join(path, field.Name), want.Field(i), got.Field(i))...)
			}
		}
		if visible > 0 {
			return found
		}
	case want.Kind() == reflect.Map && want.Type().Key().Kind() == reflect.String:
		return mapDifferences(path, want, got)
	}
	if want.CanInterface() && !reflect.DeepEqual(want.Interface(), got.Interface()) {
		return []string{line(path, shown(want), shown(got))}
	}
	return nil
}

func mapDifferences(path string, want, got reflect.Value) (found []string) {
	names := map[string]reflect.Value{}
	for _, m := range []reflect.Value{want, got} {
		for _, key := range m.MapKeys() {
			names[key.String()] = key
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		found = append(found, differences(join(path, name), want.MapIndex(names[name]), got.MapIndex(names[name]))...)
	}
	return found
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

func line(path string, want, got any) string {
	if path == "" {
		return fmt.Sprintf("  want %v, got %v", want, got)
	}
	return fmt.Sprintf("  %s: want %v, got %v", path, want, got)
}

// shown is a value in Go's syntax where that is informative.
func shown(value reflect.Value) string {
	switch {
	case !value.IsValid():
		return "nothing"
	case value.Kind() == reflect.String:
		return fmt.Sprintf("%q", value.String())
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Uint8:
		return fmt.Sprintf("%q", value.Bytes())
	case value.Kind() == reflect.Pointer && value.IsNil():
		return "nil"
	case value.Kind() == reflect.Pointer, value.Kind() == reflect.Struct && value.Type() != timeType:
		return "a " + value.Type().String() // its own text may be redacted
	}
	return fmt.Sprint(value.Interface())
}
