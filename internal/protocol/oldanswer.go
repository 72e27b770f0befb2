package protocol

import (
	"bytes"
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
// different nodes. An answer that broke off behind its signature is read as far as it
// came, and one that is still compressed up to that many bytes. With an error, Sign
// still says whether the answer has one.
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
	text := body
	if !utf8.Valid(body) {
		text = lenient.WithoutGBK(body, "?") // which is as long
	}
	if _, err = lenient.Object(text); err == lenient.ErrNotAnObject {
		return nil, err
	}
	members, twice := make(map[string][]byte, 4), false
	quoted, rest := lenient.CutValue(text[bytes.IndexByte(text, '{')+1:])
	for len(quoted) > 0 {
		var value []byte
		value, rest = lenient.CutValue(rest)
		name, _ := lenient.String(quoted)
		end := len(body) - len(rest)
		twice = twice || members[name] != nil
		members[name] = body[end-len(value) : end]
		quoted, rest = lenient.CutValue(rest)
	}
	if _, cut := lenient.String(members["sign"]); cut == nil && len(rest) == 0 {
		err = nil // it broke off behind the signature, which says whether the node is whole
	}
	if err == nil && twice {
		err = ErrMemberTwice
	}
	return members, err
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
// with / for every \/, since the platform signs either. Other line ends than those that
// were signed are undone. In certificate mode the certificate is the one that
// alipay_cert_sn names, or any where it names none. The error satisfies one of
// [ErrUnsigned], [ErrUnknownCertificate] and [ErrAnswerSignature].
func (a *OldAnswer) Verify(v *Verifier, received time.Time) error {
	if a.Sign == "" {
		return ErrUnsigned
	}
	keys, err := v.KeysFor("alipay_cert_sn", a.SN, received)
	if err != nil {
		return err
	}
	for i, node := range [][]byte{a.Node, bytes.ReplaceAll(a.Node, crlf, lf), bytes.ReplaceAll(a.Node, lf, crlf)} {
		spellings := [][]byte{node, bytes.ReplaceAll(node, []byte(`\/`), []byte("/"))}
		switch ok, byKey := VerifyAny(keys, spellings, Signatures(a.Sign)); {
		case ok && i > 0:
			a.Node, a.Damage = node, and(a.Damage, "other line ends")
			return nil
		case ok:
			return nil
		case !byKey:
			return errForeignKey
		}
	}
	return alteredBy("")
}
