package identity

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIDsAreTheSameOrAnotherOrCannotBeTold(t *testing.T) {
	for _, tt := range []struct {
		asked, came Subject
		another     bool
	}{
		{Subject{"2088402562742105", "open-1"}, Subject{"2088402562742105", "open-1"}, false},
		{Subject{"2088402562742105", "open-1"}, Subject{"2088402562742105", "open-of-another-application"}, false},
		{Subject{"2088402562742105", "open-1"}, Subject{"2088402562742106", "open-1"}, false},
		{Subject{"2088402562742105", "open-1"}, Subject{"2088402562742106", "open-2"}, true},
		{Subject{"2088402562742105"}, Subject{"2088402562742106"}, true},
		{Subject{"2088402562742105"}, Subject{"", "open-1"}, false},
		{Subject{"2088402562742105"}, Subject{"2088****2105"}, false},
		{Subject{"2088402562742105"}, Subject{"20260156202601562026"}, false},
		{Subject{"2088402562742105"}, Subject{"208840256274210x"}, false},
		{Subject{"2088402562742105"}, Subject{"3088402562742105"}, false},
		{Subject{"1"}, Subject{"2"}, true},
		{Subject{"", "open-1"}, Subject{"", "open-2"}, true},
		{Subject{"", "open-1"}, Subject{"", "OPEN-1"}, true},
		{Subject{"", "2088402562742105"}, Subject{"", "1"}, true},
		{Subject{}, Subject{"2088402562742105", "open-2", "3", "4"}, false},
		{Subject{"", "", "1"}, Subject{"", "", "1", "x"}, false},
		{Subject{"", "", "1", "2"}, Subject{"", "", "1", "x"}, true},
		{Subject{"", "", "1", "2"}, Subject{"", "", "x", "2"}, true},
	} {
		plain := Ask(tt.asked)
		sealed := plain.Sealed()
		assert.Equal(t, tt.another, plain.IsAnother(tt.came), "%+v", tt)
		assert.Equal(t, tt.another, sealed.IsAnother(tt.came), "sealed, %+v", tt)
		for i, id := range tt.asked {
			assert.Equal(t, id == "", sealed.IDs[i] == id, "only a hash is left")
		}
		assert.NotEqual(t, sealed.Salt, plain.Sealed().Salt)
	}
}

func TestOnlyAPlainIDTellsWhomItMeans(t *testing.T) {
	for _, id := range []string{"1", "2088402562742105", "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", "a_b-c", "-1", "nil", "Nullable"} {
		assert.True(t, IsPlain(id), id)
	}
	for _, id := range []string{"", "null", "NULL", "-", "false", "True", "none", "undefined", "2088****2105", " 1", "1 ", "2.088402562742105e15", "２０８８", "\ufeff1", "1\u200b", "a&b"} {
		assert.False(t, IsPlain(id), id)
	}
}

func TestASubjectIsReadByTheNamesOfItsMembers(t *testing.T) {
	assert.Equal(t, Subject{"1", "a", "2", "3"}, Of([]byte(`{"user_id":1,"x":{},"open\u005fid":"a","out_agreement_no":"2","credit_agreement_id":"3"}`)))
	assert.Equal(t, Subject{"2"}, Of([]byte(`{"user_id":"1","open_id":{},"user_id":"2"}`)))
	assert.Equal(t, Subject{}, Of(nil))
	assert.Equal(t, Subject{"1", "", "2"}, Named(url.Values{"user_id": {"1"}, "out_agreement_no": {"2", "3"}}.Get))
}
