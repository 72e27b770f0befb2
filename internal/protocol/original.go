package protocol

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// signedAnswer is what an answer's signature covers beside the body, and the signature.
type signedAnswer struct{ timestamp, nonce, signature string }

func (a *signedAnswer) content(body []byte) []byte { return SignedContent(a.timestamp, a.nonce, body) }

const maxHashed = 32 << 20 // bytes, in the search for what was signed

// search looks for what one of the keys has signed in place of the body, up to so many
// bytes when decompressed. Its error says what else became of the answer.
func (a *signedAnswer) search(keys []*rsa.PublicKey, body []byte, most int64) (signed []byte, damage string, err error) {
	signatures := Signatures(a.signature)
	digests, byKey := signedDigests(keys, signatures)
	if !byKey {
		return nil, "", errForeignKey
	}
	covered := func(content []byte) bool {
		sum := sha256.Sum256(content)
		return slices.ContainsFunc(digests, func(digest []byte) bool { return bytes.Equal(digest, sum[:]) })
	}
	hashed := 0
	for original, damage := range originals(body, most) {
		if hashed > maxHashed {
			return nil, "", alteredBy("")
		}
		hashed += len(original)
		content := a.content(original)
		if !covered(content) {
			continue
		}
		if ok, _ := VerifyAny(keys, [][]byte{content}, signatures); ok {
			if strings.ContainsAny(a.signature, " \t") {
				damage = and("blanks in the signature", damage)
			}
			return original, damage, nil
		}
	}
	shorter, longer := a.timestamp[:max(0, len(a.timestamp)-3)], a.timestamp+"000"
	switch {
	case covered(SignedContent(shorter, a.nonce, body)), covered(SignedContent(longer, a.nonce, body)):
		return nil, "", alteredBy("the unit of its timestamp")
	case slices.ContainsFunc(rewritten(body), func(text []byte) bool { return covered(a.content(text)) }):
		return nil, "", alteredBy("its JSON, which was parsed and written again")
	}
	return nil, "", alteredBy("")
}

func and(damage, more string) string {
	if damage == "" || more == "" {
		return damage + more
	}
	return damage + " and " + more
}

// usualDamage is what is undone, and the bodies that there may have been before it.
var usualDamage = []struct {
	name   string
	before func(body []byte, most int64) [][]byte
}{
	{"compression", func(body []byte, most int64) [][]byte { return [][]byte{decompressed(body, most)} }},
	{"a byte order mark", func(body []byte, _ int64) [][]byte { return [][]byte{bytes.TrimPrefix(body, []byte("\ufeff"))} }},
	{"white space at the end", func(body []byte, _ int64) [][]byte {
		trimmed := bytes.TrimRight(body, " \t\r\n")
		return [][]byte{trimmed, slices.Concat(trimmed, lf), slices.Concat(trimmed, crlf)}
	}},
	{"other line ends", func(body []byte, _ int64) [][]byte {
		return [][]byte{bytes.ReplaceAll(body, crlf, lf), bytes.ReplaceAll(body, lf, crlf)}
	}},
}

var lf, crlf = []byte("\n"), []byte("\r\n")

// originals yields what may have been sent instead of a body that arrived, and the
// damage that was done to it since: the body itself, then with each usual damage
// undone, and with several. Decompressed it has at most that many bytes.
func originals(body []byte, most int64) iter.Seq2[[]byte, string] {
	type original struct {
		body   []byte
		damage string
	}
	return func(yield func([]byte, string) bool) {
		all := []original{{body: body}}
		if !yield(body, "") {
			return
		}
		for _, usual := range usualDamage {
			for _, o := range all {
				for _, before := range usual.before(o.body, most) {
					undone := original{before, and(o.damage, usual.name)}
					if bytes.Equal(before, o.body) {
						continue
					}
					if !yield(undone.body, undone.damage) {
						return
					}
					all = append(all, undone)
				}
			}
		}
	}
}

// decompressed undoes a Content-Encoding. The bytes tell which it was, since the
// header may be lost. The end may be missing: the signature says whether it is all.
func decompressed(body []byte, most int64) []byte {
	var r io.Reader = flate.NewReader(bytes.NewReader(body))
	if z, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
		r = z
	}
	if gz, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		r = gz
	}
	plain, _ := io.ReadAll(io.LimitReader(r, most))
	return plain
}

// rewritten returns the ways in which Alipay may have written JSON that arrived in
// another layout, or with other escapes. Of more than 64 KiB it returns none.
func rewritten(body []byte) [][]byte {
	var compact bytes.Buffer
	if len(body) > 64<<10 || json.Compact(&compact, body) != nil {
		return nil
	}
	plain := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).ReplaceAllFunc(compact.Bytes(), func(text []byte) []byte {
		var s string
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = json.Unmarshal(text, &s)
		_ = encoder.Encode(s)
		return bytes.TrimSpace(b.Bytes())
	})
	bare := bytes.ReplaceAll(compact.Bytes(), []byte(`\/`), []byte("/"))
	escaped := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("/"), []byte(`\/`)) }
	return [][]byte{compact.Bytes(), bare, escaped(bare), plain, escaped(plain)}
}
