package redact

import (
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
