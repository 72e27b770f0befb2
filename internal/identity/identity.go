// Package identity tells whether an answer is about whom the request asked about.
package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// Subject is whom a request asks about, or an answer is about: the values of the
// members with these names.
type Subject [len(names)]string

var names = [...]string{"user_id", "open_id", "out_agreement_no", "credit_agreement_id"}

const personIDs = 2 // of names, the first ones

// Add adds a member of an object, if it is one of them.
func (s *Subject) Add(name []byte, value string) {
	for i := range names {
		if string(name) == names[i] {
			s[i] = value
		}
	}
}

// Named returns whom parameters are about.
func Named(get func(name string) string) (s Subject) {
	for i, name := range names {
		s[i] = get(name)
	}
	return s
}

// Of returns whom a JSON object is about.
func Of(object []byte) (s Subject) {
	_ = lenient.EachMember(object, func(name, value []byte) error {
		text, _ := lenient.String(value)
		s.Add(name, text)
		return nil
	})
	return s
}

// Asked recognises a subject: by the ids themselves or, once it is sealed, by their
// salted hashes.
type Asked struct {
	Salt  string
	IDs   Subject
	Forms [len(names)]byte // 0 for an id that was not named, or cannot be compared
}

// Ask returns what recognises a subject.
func Ask(about Subject) (a Asked) {
	a.IDs = about
	for i, id := range about {
		a.Forms[i] = form(i, id)
	}
	return a
}

// Sealed replaces the ids by hashes, which recognise them and do not show them.
func (a Asked) Sealed() Asked {
	a.Salt = rand.Text()
	for i, id := range a.IDs {
		if a.IDs[i] = ""; a.Forms[i] != 0 {
			a.IDs[i] = a.hash(id)
		}
	}
	return a
}

func (a *Asked) hash(id string) string {
	sum := sha256.Sum256([]byte(a.Salt + id))
	return string(sum[:])
}

// IsAnother reports whether somebody or something else came than was asked for. One
// id of the person that agrees proves that it is not, whatever the other says: an
// open_id may be that of another application.
func (a *Asked) IsAnother(came Subject) (another bool) {
	for i, id := range came {
		if form := form(i, id); form == 0 || form != a.Forms[i] {
			continue
		}
		if a.Salt != "" {
			id = a.hash(id)
		}
		if id != a.IDs[i] {
			another = true
		} else if i < personIDs {
			return false
		}
	}
	return another
}

// IsPlain reports whether an id tells whom it means. One that is masked, has blanks
// or full-width digits, is a number with an exponent, or a word for nothing does not.
func IsPlain(id string) bool {
	switch strings.ToLower(id) {
	case "", "null", "-", "false", "true", "none", "undefined":
		return false
	}
	for _, c := range []byte(id) {
		if !redact.IsWordByte(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// form returns the form of an id. Only two of the same form can be compared, and none
// of the form 0. The others stand in sealed answers.
func form(name int, id string) byte {
	switch {
	case !IsPlain(id):
		return 0
	case names[name] == "user_id" && len(id) == 16 && strings.HasPrefix(id, "2088") && strings.Trim(id, "0123456789") == "":
		return 'u'
	}
	return 'x'
}
