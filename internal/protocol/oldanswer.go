package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
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
	// Damage is what had been done to the answer on its way, and is undone here.
	Damage string
}

// Why an answer of the old gateway cannot be taken apart.
var (
	ErrMemberTwice = errors.New("a member of the answer comes twice, so it was put together by somebody else")
	ErrNoNode      = errors.New("the answer has no node of the method that was called")
)

// NodeName is the name under which the answer to a method stands.
func NodeName(method string) string { return strings.ReplaceAll(method, ".", "_") + "_response" }

// ReadOldAnswer takes an answer to method apart. Names that are equal once their
// escapes are resolved are refused: the verifier and the reader must not look at
// different nodes. An answer without its last brace is read all the same, and one that
// is still compressed up to that many bytes. With an error, Sign still says whether the
// answer has one.
func ReadOldAnswer(method string, body []byte, most int64) (a OldAnswer, err error) {
	for original, damage := range originals(body, most) {
		if lenient.StartsObject(original) {
			body, a.Damage = original, damage
			break
		}
	}
	members, err := oldMembers(body)
	a.Sign, _ = lenient.String(members["sign"])
	if a.Sign = strings.Trim(a.Sign, "\t\r\n "); strings.Contains(a.Sign, " ") {
		a.Damage = and("blanks in the signature", a.Damage)
	}
	a.SN, _ = lenient.String(members["alipay_cert_sn"])
	a.SN = strings.TrimSpace(a.SN)
	if a.Node, a.Own = members[NodeName(method)]; !a.Own {
		a.Node = members["error_response"]
	}
	if err == nil && (len(a.Node) == 0 || a.Node[0] != '{' && a.Node[0] != '"') {
		err = ErrNoNode
	}
	return a, err
}

// oldMembers returns the members of an object as they came. With an error it returns
// those that could be read.
func oldMembers(body []byte) (members map[string][]byte, err error) {
	if !lenient.StartsObject(body) {
		return nil, lenient.ErrNotAnObject
	}
	text := shape(body)
	members = make(map[string][]byte, 4)
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, _ = decoder.Token() // the opening brace
	for decoder.More() {
		var value json.RawMessage
		name, failed := decoder.Token()
		if failed != nil || decoder.Decode(&value) != nil {
			break
		}
		key, end := name.(string), int(decoder.InputOffset())
		if _, twice := members[key]; twice {
			err = ErrMemberTwice
		} else {
			members[key] = body[end-len(value) : end]
		}
	}
	if !json.Valid(text) && (members["sign"] == nil || !json.Valid(append(text[:len(text):len(text)], '}'))) {
		err = lenient.ErrNotJSON
	}
	return members, err
}

// shape returns a text of the same length and the same structure as body that
// encoding/json reads: without GBK, whose second byte may look like a backslash, and
// without raw control characters, which the platform may send inside strings. Without
// either it is body itself.
func shape(body []byte) []byte {
	if !utf8.Valid(body) {
		body = lenient.WithoutGBK(body, "?")
	}
	isControl := func(r rune) bool { return r < ' ' }
	if !bytes.ContainsFunc(body, isControl) {
		return body
	}
	return bytes.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, body)
}

// Content returns what Node says: the object, or what is in the string, which is
// a ciphertext.
func (a *OldAnswer) Content() []byte {
	if text, err := lenient.String(a.Node); err == nil {
		return []byte(text)
	}
	return a.Node
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
	keys, err := v.KeysFor("alipay_cert_sn", a.SN, received)
	if err != nil {
		return err
	}
	spellings := [][]byte{a.Node, bytes.ReplaceAll(a.Node, []byte(`\/`), []byte("/"))}
	switch ok, byKey := VerifyAny(keys, spellings, Signatures(a.Sign)); {
	case ok:
		return nil
	case byKey:
		return alteredBy("")
	}
	return errForeignKey
}
