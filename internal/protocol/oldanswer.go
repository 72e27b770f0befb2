package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/lenient"
)

// OldAnswer is an answer of the old gateway, taken apart. Only Node is signed, so
// nothing else of the answer may be read as its content.
type OldAnswer struct {
	Node []byte // as received: an object or, encrypted, a string with its quotes
	Own  bool   // Node stands under the method's own name, not under error_response
	Sign string // sign; empty without one
	SN   string // alipay_cert_sn; empty without one

	Damage string // what had been done to the answer on its way, and is undone here; empty for nothing
}

// Why an answer of the old gateway cannot be taken apart.
var (
	ErrMemberTwice = errors.New("a member of the answer comes twice, so it was put together by somebody else")
	ErrSignForm    = errors.New("the answer's sign is not a string")
	ErrNoNode      = errors.New("the answer has no node of the method that was called")
)

// NodeName is the name under which the answer to a method stands.
func NodeName(method string) string { return strings.ReplaceAll(method, ".", "_") + "_response" }

// ReadOldAnswer takes an answer to method apart. Names that are equal once their
// escapes are resolved are refused: the verifier and the reader must not look at
// different nodes. An answer that broke off is read as far as it came, if sign
// and node are whole, and one that is still compressed up to that many bytes. With
// an error, Sign still says whether the answer has one.
func ReadOldAnswer(method string, body []byte, most int64) (a OldAnswer, err error) {
	candidates := slices.Concat([]original{{body: body}}, withoutMark(body), decompressed(body, most))
	i := slices.IndexFunc(candidates, func(o original) bool { return lenient.StartsObject(o.body) })
	if i < 0 {
		return a, lenient.ErrNotAnObject
	}
	body, a.Damage = candidates[i].body, candidates[i].damage
	members, whole, err := oldMembers(body)
	if sign := members["sign"]; len(sign) > 0 && !lenient.IsNull(sign) {
		text, _ := lenient.String(sign)
		if sign[0] != '"' {
			text, err = "", errors.Join(err, ErrSignForm)
		}
		a.Sign = strings.Trim(text, "\t\r\n ")
		if strings.Contains(a.Sign, " ") {
			a.Damage = and("blanks in the signature", a.Damage)
		}
	}
	a.SN, _ = lenient.String(members["alipay_cert_sn"])
	a.SN = strings.TrimSpace(a.SN)
	if a.Node = members[NodeName(method)]; a.Node != nil {
		a.Own = true
	} else {
		a.Node = members["error_response"]
	}
	switch {
	case err != nil:
	case !whole && (a.Node == nil || a.Sign == ""):
		err = lenient.ErrNotJSON
	case a.Node == nil || a.Node[0] != '{' && a.Node[0] != '"':
		err = ErrNoNode
	}
	return a, err
}

// oldMembers returns the members of an object as they came, and whether it came
// to its end. With an error it returns those that were read.
func oldMembers(body []byte) (members map[string][]byte, whole bool, err error) {
	members = make(map[string][]byte, 4)
	decoder := json.NewDecoder(bytes.NewReader(shape(body)))
	_, failed := decoder.Token() // the opening brace
	for failed == nil && decoder.More() {
		var value json.RawMessage
		var name json.Token
		if name, failed = decoder.Token(); failed == nil {
			failed = decoder.Decode(&value)
		}
		if failed == nil {
			key, end := name.(string), int(decoder.InputOffset())
			if _, twice := members[key]; twice {
				err = ErrMemberTwice
			} else {
				members[key] = body[end-len(value) : end]
			}
		}
	}
	if failed == nil {
		_, failed = decoder.Token() // the closing brace
	}
	if failed == nil {
		whole = true
		_, failed = decoder.Token() // nothing behind it
	}
	// Go 1.27 calls an end before the closing brace a syntax error.
	rest := bytes.Trim(body[decoder.InputOffset():], ", \t\r\n")
	if failed != io.EOF && !errors.Is(failed, io.ErrUnexpectedEOF) && (whole || len(rest) > 0) {
		err = lenient.ErrNotJSON
	}
	return members, whole, err
}

// shape returns a text of the same length and the same structure as body, that
// encoding/json reads: without raw control characters, which the platform may
// send inside strings, and without the bytes of a text in GBK, whose second byte
// may look like a backslash. Without either it is body itself.
func shape(body []byte) []byte {
	foreign := !utf8.Valid(body)
	if !foreign && !bytes.ContainsFunc(body, func(r rune) bool { return r < ' ' }) {
		return body
	}
	out := bytes.Clone(body)
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c < ' ':
			out[i] = ' '
		case c >= 0x80 && foreign:
			out[i] = '?'
			if i+1 < len(out) && out[i+1] >= '@' {
				i++
				out[i] = '?'
			}
		}
	}
	return out
}

// Content returns what Node says: the object, or what is in the string, which is
// a ciphertext.
func (a *OldAnswer) Content() []byte {
	if a.Node[0] != '"' {
		return a.Node
	}
	text, _ := lenient.String(a.Node) // without a raw control character, or empty
	return []byte(text)
}

// Verify checks the signature over the node as it was received, or over the same
// with / for every \/, since the platform signs either. In certificate mode the
// certificate is the one that alipay_cert_sn names, or any where it names none.
// Its error satisfies one of [ErrUnsigned], [ErrUnknownCertificate] and
// [ErrAnswerSignature].
func (a *OldAnswer) Verify(v *Verifier, received time.Time) error {
	if a.Sign == "" {
		return ErrUnsigned
	}
	keys, err := v.KeysFor(a.SN, received)
	if unknown, ok := errors.AsType[*UnknownCertificate](err); ok {
		unknown.member = "alipay_cert_sn"
		return unknown
	}
	contents := [][]byte{a.Node}
	if bytes.Contains(a.Node, []byte(`\/`)) {
		contents = append(contents, bytes.ReplaceAll(a.Node, []byte(`\/`), []byte("/")))
	}
	switch ok, byKey := VerifyAny(keys, contents, Signatures(a.Sign)); {
	case ok:
		return nil
	case byKey:
		return &alteredAnswer{}
	}
	return errForeignKey
}
