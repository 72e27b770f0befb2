package protocol

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"crypto/rsa"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sampleAnswer = `{"identity_result":"SUCCESS","identity_result_skip_url":"alipays://platformapi/startapp?appId=1&x=<y>","user_id":"2088402562742105","name":"张三"}`

// signedHeader is that of an answer with body, signed at the time received.
func signedHeader(t testing.TB, key *rsa.PrivateKey, body string) http.Header {
	timestamp := fmt.Sprint(received.UnixMilli())
	signature, err := Sign(key, SignedContent(timestamp, "f3b1c2d4", []byte(body)))
	require.NoError(t, err)
	return http.Header{HeaderTimestamp: {timestamp}, HeaderNonce: {"f3b1c2d4"}, HeaderSignature: {signature}}
}

func compressed(writer func(io.Writer) io.WriteCloser, text string) string {
	var b bytes.Buffer
	w := writer(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func gzipWriter(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func zlibWriter(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
func flateWriter(w io.Writer) io.WriteCloser {
	f, _ := flate.NewWriter(w, flate.BestSpeed)
	return f
}

func TestDamageThatTheSignatureProvesIsUndone(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	v := Verifier{Key: &key.PublicKey, MaxSkew: time.Minute, MaxBytes: 1 << 20}
	lines := strings.ReplaceAll(sampleAnswer, ",", ",\n")
	crlf := strings.ReplaceAll(lines, "\n", "\r\n")
	for _, tc := range []struct{ signed, came, damage string }{
		{sampleAnswer, sampleAnswer, ""},
		{sampleAnswer, sampleAnswer + "\n", "white space at the end"},
		{sampleAnswer, sampleAnswer + "\r\n", "white space at the end"},
		{sampleAnswer, sampleAnswer + " \t\n\n ", "white space at the end"},
		{sampleAnswer + "\n", sampleAnswer, "white space at the end"},
		{sampleAnswer + "\r\n", sampleAnswer, "white space at the end"},
		{sampleAnswer + "\n", sampleAnswer + "\r\n", "white space at the end"},
		{sampleAnswer, "\ufeff" + sampleAnswer, "a byte order mark"},
		{lines, crlf, "other line ends"},
		{crlf, lines, "other line ends"},
		{sampleAnswer, compressed(gzipWriter, sampleAnswer), "compression"},
		{sampleAnswer, compressed(zlibWriter, sampleAnswer), "compression"},
		{sampleAnswer, compressed(flateWriter, sampleAnswer), "compression"},
		{sampleAnswer, compressed(gzipWriter, sampleAnswer)[:len(compressed(gzipWriter, sampleAnswer))-8], "compression"},
		{sampleAnswer, compressed(zlibWriter, sampleAnswer)[:len(compressed(zlibWriter, sampleAnswer))-4], "compression"},
		{"bm90IGEgYmxvY2s=", compressed(gzipWriter, "bm90IGEgYmxvY2s="), "compression"},

		{sampleAnswer, "\ufeff" + sampleAnswer + "\n", "a byte order mark and white space at the end"},
		{lines, "\ufeff" + crlf + "\r\n", "a byte order mark and white space at the end and other line ends"},
		{lines + "\n", crlf, "white space at the end and other line ends"},
		{crlf + "\r\n", lines, "white space at the end and other line ends"},
		{sampleAnswer, compressed(gzipWriter, "\ufeff"+sampleAnswer+"\n"), "compression and a byte order mark and white space at the end"},
	} {
		h := signedHeader(t, key, tc.signed)
		original, damage, err := v.Recover(h, []byte(tc.came), received)
		require.NoError(t, err, "%.100q", tc)
		assert.Equal(t, tc.signed, string(original))
		assert.Equal(t, tc.damage, damage)

		// The signature may be damaged as well.
		sign := h[HeaderSignature][0]
		for _, broken := range []string{strings.ReplaceAll(sign, "+", " "), sign[:76] + " " + sign[76:], sign[:76] + "\t" + sign[76:]} {
			if broken == sign { // without a plus sign
				continue
			}
			h.Set(HeaderSignature, broken)
			original, damage, err := v.Recover(h, []byte(tc.came), received)
			require.NoError(t, err)
			assert.Equal(t, tc.signed, string(original))
			assert.Equal(t, and("blanks in the signature", tc.damage), damage)
		}
	}
}

// What is undone is held to the same checks: freshness, the certificate, the limit.
func TestWhatIsRecoveredIsCheckedLikeAnyAnswer(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	const sn = "0123456789abcdef0123456789abcdef"
	certs := map[string]SigningCert{sn: {&key.PublicKey, received}}
	h, came := signedHeader(t, key, sampleAnswer), []byte(sampleAnswer+"\n")
	for name, tc := range map[string]struct {
		v    Verifier
		sn   string
		at   time.Time
		want error
	}{
		"fresh":           {Verifier{Key: &key.PublicKey}, "", received, nil},
		"stale":           {Verifier{Key: &key.PublicKey}, "", received.Add(time.Second), ErrStale},
		"known":           {Verifier{Certs: certs}, strings.ToUpper(sn), received, nil},
		"not named":       {Verifier{Certs: certs}, "", received, nil},
		"unknown":         {Verifier{Certs: certs}, "0" + sn[:31], received, ErrUnknownCertificate},
		"expired":         {Verifier{Certs: certs, MaxSkew: time.Hour}, sn, received.Add(1), ErrUnknownCertificate},
		"no key is valid": {Verifier{Certs: certs, MaxSkew: time.Hour}, "", received.Add(1), errForeignKey},
		"another key":     {Verifier{Key: &readKey(t, "app_private_pkcs8.pem").PublicKey}, "", received, ErrAnswerSignature},
	} {
		h.Set(HeaderSN, tc.sn)
		original, damage, err := tc.v.Recover(h, came, tc.at)
		assert.ErrorIs(t, err, tc.want, name)
		if err != nil {
			assert.Equal(t, came, original, name)
			assert.Empty(t, damage, name)
		}
	}
	_, _, err := (&Verifier{Key: &key.PublicKey}).Recover(http.Header{}, came, received)
	assert.ErrorIs(t, err, ErrUnsigned)

	packed := []byte(compressed(gzipWriter, sampleAnswer))
	for most, ok := range map[int64]bool{int64(len(sampleAnswer)): true, int64(len(sampleAnswer)) - 1: false} {
		v := Verifier{Key: &key.PublicKey, MaxBytes: most}
		_, _, err := v.Recover(h, packed, received)
		assert.Equal(t, ok, err == nil, most)
	}
}

// Changes that are seen in the digest and not undone.
func TestOtherChangesOfAnAnswerAreNamed(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	v := Verifier{Key: &key.PublicKey, MaxSkew: time.Minute, MaxBytes: 1 << 20}
	const at = "1700000000000"
	const json = "what changed is its JSON, which was parsed and written again"
	for _, tc := range []struct{ signed, came, timestamp, says string }{
		{sampleAnswer, strings.ReplaceAll(sampleAnswer, `":"`, `": "`), at, json},
		{sampleAnswer, strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(sampleAnswer), at, json},
		{sampleAnswer, strings.ReplaceAll(strings.ReplaceAll(sampleAnswer, "张三", `\u5f20\u4E09`), `":"`, `": "`), at, json},
		{sampleAnswer, strings.ReplaceAll(sampleAnswer, "/", `\/`), at, json},
		{`{"a":"\"\\u0041\n/😀"}`, `{ "a": "\"\\u0041\n\/\ud83d\ude00" }`, at, json},
		{`{"a":"\u0022b\ud83d"}`, `{"a": "\u0022b\ud83d"}`, at, json},
		{`{"a":"b\/c"}`, `{"a": "b/c"}`, at, json},
		{`{"a":"\u4e2d\/c"}`, `{"a":"\u4e2d/c"}`, at, json},
		{`{"a":"\u4e2d/c"}`, `{"a":"\u4e2d\/c"}`, at, json},
		{sampleAnswer, sampleAnswer + strings.Repeat(" ", maxHashed), at, "other content; look at"}, // too much to search
		{sampleAnswer, sampleAnswer, at[:10], "what changed is the unit of its timestamp"},
		{sampleAnswer, sampleAnswer, at + "000", "what changed is the unit of its timestamp"},
		{sampleAnswer, strings.ReplaceAll(sampleAnswer, "SUCCESS", "FAILED"), at, "other content; look at"},
		{sampleAnswer, "", at, "other content; look at"},
		{`{"a":"` + strings.Repeat("x", 64<<10-9) + `"}`, `{"a": "` + strings.Repeat("x", 64<<10-9) + `"}`, at, json},
		{`{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`, `{"a": "` + strings.Repeat("x", 64<<10-8) + `"}`, at, "other content; look at"},
		{sampleAnswer, sampleAnswer, "", "other content; look at"},
		{sampleAnswer, "\x1f\x8b", at, "other content; look at"},
		{sampleAnswer, " " + sampleAnswer, at, json},
	} {
		h := signedHeader(t, key, tc.signed)
		h.Set(HeaderTimestamp, tc.timestamp)
		original, damage, err := v.Recover(h, []byte(tc.came), received)
		require.ErrorIs(t, err, ErrAltered)
		require.ErrorIs(t, err, ErrAnswerSignature)
		assert.ErrorContains(t, err, tc.says, "%.100q", tc)
		assert.Equal(t, tc.came, string(original))
		assert.Empty(t, damage)
	}
	assert.NotEqual(t, ErrAltered.Error(), ErrAnswerSignature.Error())
}

var alteredAnswers = flag.Int("altered", 1000, "how many altered answers TestAlteredAnswersAreToldFromForeignOnes tries, and as many under foreign keys")

// Answers that were altered after they had been signed, and as many under foreign
// keys: for each one the error names the right side, and what is returned without
// one is what was signed.
func TestAlteredAnswersAreToldFromForeignOnes(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	key := readKey(t, "alipay_private_pkcs8.pem")
	v := Verifier{Key: &key.PublicKey, MaxSkew: time.Minute, MaxBytes: 1 << 20}
	foreign := []*rsa.PrivateKey{readKey(t, "app_private_pkcs8.pem")}
	for _, bits := range []int{2048, 2056} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		foreign = append(foreign, k)
	}
	type answer struct {
		header http.Header
		body   string
	}
	sign := func(key *rsa.PrivateKey) answer {
		body := fmt.Sprintf(`{"identity_result":"SUCCESS","user_id":"%d"}`, random.Uint64())
		return answer{signedHeader(t, key, body), body}
	}
	alter := func(a answer) answer {
		h := a.header.Clone()
		parts := []string{h.Get(HeaderTimestamp), h.Get(HeaderNonce), a.body}
		part := &parts[min(random.IntN(6), 2)]
		at := random.IntN(len(*part))
		switch random.IntN(5) {
		case 0: // another byte
			*part = (*part)[:at] + string((*part)[at]^byte(1+random.IntN(127))) + (*part)[at+1:]
		case 1: // one too many
			*part = (*part)[:at] + string(rune(random.IntN(0x10000))) + (*part)[at:]
		case 2: // some missing
			*part = (*part)[:at]
		case 3: // one missing
			*part = (*part)[:at] + (*part)[at+1:]
		case 4:
			*part += string(byte(random.IntN(128)))
		}
		h[HeaderTimestamp], h[HeaderNonce] = []string{parts[0]}, []string{parts[1]}
		return answer{h, parts[2]}
	}
	var signed, forged []answer
	for i := range 30 {
		signed, forged = append(signed, sign(key)), append(forged, sign(foreign[i%len(foreign)]))
	}
	for range *alteredAnswers {
		a := signed[random.IntN(len(signed))]
		b := alter(a)
		original, _, err := v.Recover(b.header, []byte(b.body), received)
		if err == nil && string(original) != a.body {
			t.Fatalf("not what was signed: %q", b)
		}
		if err != nil {
			require.ErrorIs(t, err, ErrAltered, "%q", b)
		}
	}
	for range *alteredAnswers {
		a := forged[random.IntN(len(forged))]
		if random.IntN(2) == 0 {
			a = alter(a)
		}
		_, _, err := v.Recover(a.header, []byte(a.body), received)
		require.ErrorIs(t, err, ErrAnswerSignature)
		require.NotErrorIs(t, err, ErrAltered, "%q", a)
	}
}

func TestTheSearchForAnOriginalIsBounded(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("\n"), size)
		n := 0
		for range originals(body, 1<<20) {
			n++
		}
		assert.LessOrEqual(t, n, 48)
	}
}

func FuzzRecover(f *testing.F) {
	key := readKey(f, "alipay_private_pkcs8.pem")
	v := Verifier{Key: &key.PublicKey, MaxSkew: time.Minute, MaxBytes: 1 << 16}
	f.Fuzz(func(t *testing.T, signed, came []byte, damage byte) {
		h := signedHeader(t, key, string(signed))
		original, _, err := v.Recover(h, came, received)
		if err == nil {
			require.Equal(t, string(signed), string(original))
		} else {
			require.ErrorIs(t, err, ErrAltered)
			require.Equal(t, string(came), string(original))
		}

		// Whatever was signed, these are undone.
		body := string(signed)
		if damage&1 != 0 {
			body = "\ufeff" + body
		}
		if damage&2 != 0 && !strings.ContainsAny(body, "\r") {
			body = strings.ReplaceAll(body, "\n", "\r\n")
		}
		if damage&4 != 0 && strings.TrimRight(body, " \t\r\n") == body {
			body += "\n \n"
		}
		if damage&8 != 0 {
			body = compressed(gzipWriter, body)
		}
		if damage&16 != 0 {
			h.Set(HeaderSignature, strings.ReplaceAll(h.Get(HeaderSignature), "+", " "))
		}
		original, _, err = v.Recover(h, []byte(body), received)
		if len(signed) > 0 && len(signed) <= 1<<15 {
			require.NoError(t, err, "%q", body)
			require.Equal(t, string(signed), string(original))
		}
	})
}

func BenchmarkRecover(b *testing.B) {
	key := readKey(b, "alipay_private_pkcs8.pem")
	v := Verifier{Key: &key.PublicKey, MaxSkew: time.Minute, MaxBytes: 1 << 20}
	h := signedHeader(b, key, "something else")
	for _, size := range []int{len(sampleAnswer), 64 << 10, 1 << 20} {
		body := []byte(`{"a":"` + strings.Repeat("x", size-8) + `"}`)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				_, _, _ = v.Recover(h, body, received)
			}
		})
	}
}
