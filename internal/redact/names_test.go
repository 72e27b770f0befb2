package redact

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNamesAreThoseOfTheSourceAndNoKeysOfMaps(t *testing.T) {
	type deep struct {
		Amount int `json:"amount,omitempty" url:"sum"`
	}
	type body struct {
		Mobile string `json:"mobile"`
		Plain  []deep
		ByName map[string]*deep `json:"by_name"`
		Any    any              `json:"any"`
		Same   *body            `json:"same"`
		Hidden string           `json:"-"`
	}
	names := Names{}
	names.Add(&body{ByName: map[string]*deep{"Zhang San": nil}, Any: map[string]int{"Li Si": 1}})
	for _, name := range []string{"mobile", "Plain", "amount", "sum", "by_name", "any", "same"} {
		assert.True(t, names.Has(name), name)
	}
	for _, name := range []string{"Zhang San", "Li Si"} {
		assert.False(t, names.Has(name), name)
	}
	names.Add(nil)
	names.Add(map[string]string{"x": "y"})
	names.Add(7)
	assert.False(t, names.Has("x"))
}

func TestTypesThatHoldThemselvesOrOneAnotherEnd(t *testing.T) {
	type list []list
	names := Names{}
	names.Add(list(nil))
	assert.Empty(t, names)
	for depth, want := range map[int]bool{16: true, 17: false} {
		of := reflect.TypeFor[struct{ Inmost int }]()
		for level := range depth {
			if level%2 == 0 {
				of = reflect.SliceOf(of)
			} else {
				of = reflect.StructOf([]reflect.StructField{{Name: fmt.Sprint("Level", level), Type: of}})
			}
		}
		names := Names{}
		names.Add(reflect.Zero(of).Interface())
		assert.Equal(t, want, names.Has("Inmost"), depth)
	}
}

func TestAFieldThatSharesOneNameIsStillLookedInto(t *testing.T) {
	type first struct {
		Inner string `json:"inner" url:"inner_value"`
	}
	names := Names{}
	names.Add(first{})
	names.Add(struct {
		Inner struct{ ByJSON int } `json:"another" url:"inner_value"`
	}{})
	names.Add(struct {
		Inner struct{ ByURL int } `json:"inner" url:"another_value"`
	}{})
	names.Add(struct {
		Other struct{ ByField int } `json:"inner"`
	}{})
	for _, name := range []string{"ByJSON", "ByURL", "ByField"} {
		assert.True(t, names.Has(name), name)
	}
}
