package alipay_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-39a49030/alipay"
)

// Not among them are %p of a value and %w outside Errorf: there fmt calls
// no method of the operand, whatever it implements. go vet reports both.
var everyVerb = strings.Fields("%v %+v %#v %T %t %b %c %d %o %O %q %+q %#q %x %X %#x %U %e %E %f %F %g %G %s %10v %-9.3s %08d %+d")

// printed is v in every way in which a program prints or logs a value, and
// in the containers where fmt still reaches its methods. Its own JSON is not.
func printed(v any) map[string]string {
	out := map[string]string{
		"Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(v), "% x": fmt.Sprintf("% x", v), "extra operand": fmt.Sprintf(noVerb, v),
	}
	for _, verb := range everyVerb {
		out[verb] = fmt.Sprintf(verb, v)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out[verb+" in a slice"] = fmt.Sprintf(verb, []any{v})
		out[verb+" in a map"] = fmt.Sprintf(verb, map[string]any{"k": v})
		out[verb+" in a struct"] = fmt.Sprintf(verb, struct{ Value any }{v})
		out[verb+" behind a pointer"] = fmt.Sprintf(verb, &struct{ Value any }{v})
	}
	if err, ok := v.(error); ok {
		out["Error"] = err.Error()
		out["wrapped"] = fmt.Errorf("while querying: %w", err).Error()
		out["joined"] = errors.Join(errors.New("first"), err).Error()
		out["wrapped, %#v"] = fmt.Sprintf("%#v %+v", fmt.Errorf("%w", err), errors.Join(err))
	}
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"slog text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"slog JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var b bytes.Buffer
		logger := slog.New(handler(&b))
		logger.Info("as it is", "value", v)
		logger.Info("in a group", slog.Group("g", slog.Any("value", v)))
		logger.WithGroup("h").With("value", v).Info("with")
		out[name] = b.String()
	}
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, nil))
	logger.Info("in containers", "slice", []any{v}, "map", map[string]any{"k": v}, "struct", struct{ Value any }{v})
	out["slog text, in containers"] = b.String()
	return out
}

// noVerb is not a constant: vet would rightly object to the superfluous operand.
var noVerb = "no verb"

var sixNumbers = regexp.MustCompile(`(\d+,? ){6}`)

// leaks reports a part of eight characters or more of secret that text holds:
// as it is, as hex, as decimal bytes or as base64.
func leaks(text, secret string) string { return look(text).find(secret) }

// haystack is a text, cut into every stretch of the lengths that are looked for.
type haystack struct {
	raw, digits, base64 map[string]bool
	numbers             string
}

const leakWindow = 8

func look(text string) haystack {
	h := haystack{raw: stretches(text, leakWindow), base64: stretches(text, 12)}
	h.digits = stretches(strings.ToLower(strings.NewReplacer(" ", "", "0x", "").Replace(text)), 2*leakWindow)
	if sixNumbers.MatchString(text) {
		h.numbers = strings.ReplaceAll(text, ",", "")
	}
	return h
}

func stretches(text string, n int) map[string]bool {
	in := make(map[string]bool, len(text))
	for i := 0; i+n <= len(text); i++ {
		in[text[i:i+n]] = true
	}
	return in
}

func (h haystack) find(secret string) string {
	if len(secret) < leakWindow {
		return ""
	}
	inHex := hex.EncodeToString([]byte(secret))
	for i := 0; i+leakWindow <= len(secret); i++ {
		part := secret[i : i+leakWindow]
		if strings.Count(part, "0") > leakWindow/2 {
			continue // anybody's zeros, as in the address of a pointer
		}
		if h.raw[part] || h.digits[inHex[2*i:2*(i+leakWindow)]] {
			return part
		}
		if h.numbers != "" && strings.Contains(h.numbers, strings.Trim(fmt.Sprint([]byte(part)), "[]")) {
			return part
		}
	}
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret[offset : offset+(len(secret)-offset)/3*3]))
		for i := 0; i+12 <= len(encoded); i++ {
			if h.base64[encoded[i:i+12]] {
				return "base64 " + encoded[i:i+12]
			}
		}
	}
	return ""
}

// assertKeepsSecret checks every rendering against every secret.
func assertKeepsSecret(t testing.TB, renderings map[string]string, secrets ...string) {
	t.Helper()
	seen, failures := map[string]bool{}, 0
	for name, text := range renderings {
		if seen[text] {
			continue
		}
		seen[text] = true
		h := look(text)
		for _, secret := range secrets {
			if part := h.find(secret); part != "" && failures < 3 {
				failures++
				t.Errorf("%s shows %q:\n%s", name, part, text)
			}
		}
	}
}

func TestTheLeakDetectorDetects(t *testing.T) {
	secret := "once-7c1f5be0a9d24"
	type plain struct {
		Secret string
		Bytes  []byte
	}
	for _, v := range []any{secret, []byte(secret), plain{Secret: secret}, plain{Bytes: []byte("x" + secret)}, []plain{{secret, nil}}, errors.New("got " + secret)} {
		found := map[string]bool{}
		for name, text := range printed(v) {
			if leaks(text, secret) != "" {
				found[name] = true
			}
		}
		for _, name := range []string{"%v", "%+v", "%s", "%q", "%x", "%X", "% x", "%d", "Sprint", "Sprintln", "extra operand", "slog text", "slog JSON", "slog text, in containers"} {
			assert.True(t, found[name], "%T under %s", v, name)
		}
	}
	assert.Empty(t, leaks("nothing of it", secret))
}

// personal are the values of testParams that nothing may show.
func personalValues() []string {
	p := testParams()
	return []string{p.ConnKey, p.OnceToken, p.ServiceID, p.UserID, p.OpenID, p.CertNo}
}

// searchForLeaks looks for everything that is sent and received in tests, and for
// the keys of config, in texts.
func searchForLeaks(t testing.TB, config alipay.AlipayConfig, texts []string) {
	t.Helper()
	secrets := append(personalValues(), testAuthTok, "V1_4dc286a6e91c9d51104e1172813b34c5", config.EncryptKey)
	for _, key := range []string{config.PrivateKey, config.AlipayPublicKey, config.AppCertContent, config.AlipayPublicCertContent, config.RootCertContent} {
		for line := range strings.Lines(key) {
			if line = strings.TrimSpace(line); len(line) > 16 && !strings.HasPrefix(line, "-----") {
				secrets = append(secrets, line)
			}
		}
	}
	renderings := map[string]string{}
	for i, text := range texts {
		for _, name := range []string{"once_token=", "cert_no=", "sign="} {
			assert.NotContains(t, text, name)
		}
		renderings[fmt.Sprint("text ", i)] = text
	}
	assertKeepsSecret(t, renderings, secrets...)
}

// allTexts returns what every error in the tree of err says, under the verbs
// that might show more than its text, and as JSON.
func allTexts(err error) (texts []string) {
	everyError(err, func(err error) {
		data, _ := json.Marshal(err)
		texts = append(texts, fmt.Sprintf("%v|%+v|%#v|%s|%q|%x", err, err, err, err, err, err), err.Error(), string(data))
	})
	return texts
}

// everyError calls f for err and every error it wraps.
func everyError(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		everyError(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			everyError(inner, f)
		}
	}
}
