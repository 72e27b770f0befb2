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
	"strings"
	"unicode/utf8"
)

// maxHashed bounds how much is hashed in search of what was signed, and so how
// long that takes for a long body: a fraction of a second.
const maxHashed = 32 << 20

// signed is what a signature covers instead of the answer that it came with.
type signed struct {
	body   []byte // what Alipay sent; nil where it cannot be had from what came
	change string // what became of it; "" where that is not known
}

// explain looks for what key has signed instead of the answer. byKey is false when
// it has not signed anything. Bodies have at most that many bytes when decompressed.
func (a *signedAnswer) explain(key *rsa.PublicKey, most int64) (found signed, byKey bool) {
	left := maxHashed
	for _, signature := range Signatures(a.signature) {
		digest, ok := SignedDigest(key, signature)
		if !ok {
			continue
		}
		covers := func(timestamp string, body []byte) bool {
			if left <= 0 {
				return false
			}
			left -= len(body)
			h := sha256.New()
			_, _ = io.WriteString(h, timestamp+"\n"+a.nonce+"\n")
			h.Write(body)
			h.Write([]byte{'\n'})
			return bytes.Equal(h.Sum(nil), digest)
		}
		for body, damage := range Originals(a.body, most) {
			if covers(a.timestamp, body) && verifyRaw(key, SignedContent(a.timestamp, a.nonce, body), signature) {
				if strings.ContainsAny(a.signature, " \t") {
					damage = and("blanks in the signature", damage)
				}
				return signed{body, damage}, true
			}
			if left <= 0 {
				break
			}
		}
		return signed{change: a.changed(covers)}, true
	}
	return signed{}, false
}

// changed names a change that is seen and not undone.
func (a *signedAnswer) changed(covers func(timestamp string, body []byte) bool) string {
	for _, timestamp := range []string{a.timestamp[:max(0, len(a.timestamp)-3)], a.timestamp + "000"} {
		if covers(timestamp, a.body) {
			return "the unit of its timestamp"
		}
	}
	for body := range rewritten(a.body) {
		if covers(a.timestamp, body) {
			return "its JSON, which was parsed and written again"
		}
	}
	return ""
}

func and(damage, more string) string {
	if damage == "" || more == "" {
		return damage + more
	}
	return damage + " and " + more
}

// original is a body that may have been signed, and what became of it.
type original struct {
	body   []byte
	damage string
}

// Originals yields what may have been signed instead of a body that arrived, and
// the damage that was done to it since: first the body itself, then with each
// usual damage undone, and with several. Decompressed it has at most that many bytes.
func Originals(body []byte, most int64) iter.Seq2[[]byte, string] {
	return func(yield func([]byte, string) bool) {
		var walk func(original, ...func([]byte) []original) bool
		walk = func(o original, undo ...func([]byte) []original) bool {
			if len(undo) == 0 {
				return yield(o.body, o.damage)
			}
			if !walk(o, undo[1:]...) {
				return false
			}
			for _, next := range undo[0](o.body) {
				if !walk(original{next.body, and(o.damage, next.damage)}, undo[1:]...) {
					return false
				}
			}
			return true
		}
		unpacked := func(body []byte) []original { return decompressed(body, most) }
		walk(original{body: body}, unpacked, withoutMark, otherLineEnds, otherEnd)
	}
}

// decompressed undoes a Content-Encoding. The bytes tell which it was, since the
// header may be lost. The end may be missing: the signature says whether it is all.
func decompressed(body []byte, most int64) []original {
	if len(body) < 2 || body[0] == '{' {
		return nil
	}
	for _, open := range []func(io.Reader) (io.ReadCloser, error){
		func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
		zlib.NewReader,
		func(r io.Reader) (io.ReadCloser, error) { return flate.NewReader(r), nil },
	} {
		r, err := open(bytes.NewReader(body))
		if err != nil {
			continue
		}
		if plain, _ := io.ReadAll(io.LimitReader(r, most)); len(plain) > 0 {
			return []original{{plain, "compression"}}
		}
	}
	return nil
}

func withoutMark(body []byte) []original {
	if rest, ok := bytes.CutPrefix(body, []byte("\ufeff")); ok {
		return []original{{rest, "a byte order mark"}}
	}
	return nil
}

func otherLineEnds(body []byte) []original {
	lf, crlf := []byte("\n"), []byte("\r\n")
	const damage = "other line ends"
	switch {
	case bytes.Contains(body, crlf):
		return []original{{bytes.ReplaceAll(body, crlf, lf), damage}}
	case bytes.Contains(body, lf):
		return []original{{bytes.ReplaceAll(body, lf, crlf), damage}}
	}
	return nil
}

func otherEnd(body []byte) (others []original) {
	trimmed := bytes.TrimRight(body, " \t\r\n")
	for _, end := range []string{"", "\n", "\r\n"} {
		if other := append(trimmed[:len(trimmed):len(trimmed)], end...); len(other) != len(body) {
			others = append(others, original{other, "white space at the end"})
		}
	}
	return others
}

// maxRewritten is the longest JSON that is written again.
const maxRewritten = 64 << 10

// rewritten yields the ways in which Alipay may have written JSON that arrived in
// another layout, or with other escapes.
func rewritten(body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var compact bytes.Buffer
		if len(body) > maxRewritten || json.Compact(&compact, body) != nil {
			return
		}
		for _, text := range []string{compact.String(), unescaped(compact.String())} {
			if !yield([]byte(text)) || !yield([]byte(strings.ReplaceAll(text, "/", `\/`))) ||
				!yield([]byte(strings.ReplaceAll(text, `\/`, "/"))) {
				return
			}
		}
	}
}

// unescaped writes what is escaped in valid JSON as it is, where it may be.
func unescaped(text string) string {
	var b strings.Builder
	for i := strings.IndexByte(text, '\\'); i >= 0; i = strings.IndexByte(text, '\\') {
		end := i
		for strings.HasPrefix(text[end:], `\u`) {
			end += 6
		}
		end = max(end, i+2)
		var plain string
		_ = json.Unmarshal([]byte(`"`+text[i:end]+`"`), &plain)
		if strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }) {
			plain = text[i:end]
		}
		b.WriteString(text[:i] + plain)
		text = text[end:]
	}
	return b.String() + text
}
