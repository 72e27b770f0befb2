package credentials

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

func TestAPathInPlaceOfTheContentIsCalledByItsName(t *testing.T) {
	for field, path := range map[string]string{
		"PrivateKey": "/etc/alipay/secrets/app-private-key", "AlipayPublicKey": "./keys/alipay_public", "AppCertContent": "C:\\alipay\\appCertPublicKey_2021.crt",
		"AlipayPublicCertContent": "~/alipay/alipayCertPublicKey_RSA2.crt", "RootCertContent": "certs/root-7731.crt",
	} {
		c, pathField := configFor(field), pathFields[field]
		set(&c, field, path)
		assertMistake(t, c, field, "this is the path of a file; set "+pathField+" to read the file, or put its content here")
		set(&c, field, "")
		set(&c, pathField, writeFile(t, path))
		assertMistake(t, c, pathField, "the file contains only the path of another file; name that one here")
	}
}

func TestWhatCannotBeReadIsSaidWithFieldAndAdvice(t *testing.T) {
	dir := newDir(t)
	for field, pathField := range pathFields {
		content := value(configFor(field), field)
		byPath := func(path string) Config {
			c := configFor(field)
			set(&c, field, "")
			set(&c, pathField, path)
			return c
		}
		both := configFor(field)
		set(&both, pathField, writeFile(t, content))
		assertMistake(t, both, field, pathField+" is set too; leave one of the two empty")
		blank := byPath(writeFile(t, content))
		set(&blank, field, " \n")
		requireResolves(t, blank, "blanks are no content")

		for path, says := range map[string]string{
			filepath.Join(dir, "missing-file"): "there is no such file; a relative path starts at the working directory",
			"  ":                               "there is no such file",
			dir:                                "this is a directory; name the file in it",
			writeFile(t, ""):                   "the file is empty; put the content of " + field + " into it",
			writeFile(t, " \r\n\t"):            "the file is empty; put the content of " + field + " into it",
			writeFile(t, strings.Repeat("QUFB", 1<<18)+"Q"):          "the file is larger than 1 MiB, so it is no key or certificate; name the right file",
			filepath.Join(writeFile(t, "a file"), "child-of-a-file"): "the file cannot be read; check that it is a regular file",
			"secret\x00path": "the file cannot be read",
			content:          "this is the content itself, not the path of a file; put it into " + field,
			strings.ReplaceAll(bare(firstPEM(content)), "\n", ""): "this is the content itself, not the path of a file; put it into " + field,
		} {
			assertMistake(t, byPath(path), pathField, says)
		}
		requireResolves(t, byPath(" "+writeFile(t, content)+"\n"), "blanks around a path")
	}

	// Up to 1 MiB is read: the end of it counts.
	c := keyConfig()
	key := c.AlipayPublicKey
	c.AlipayPublicKey, c.AlipayPublicKeyPath = "", writeFile(t, strings.Repeat("\n", 1<<20-len(key))+key)
	requireResolves(t, c, "exactly 1 MiB")
}

func firstPEM(text string) string {
	const begin = "-----BEGIN"
	first, _, _ := strings.Cut(strings.TrimPrefix(text, begin), begin)
	return begin + first
}

func TestTheReasonsForAnUnreadableFile(t *testing.T) {
	for err, says := range map[error]string{
		fs.ErrPermission: "the process has no permission to read the file; grant it to the user of the process",
		&fs.PathError{Op: "open", Path: "secret-path", Err: fs.ErrNotExist}: "there is no such file",
		errors.New("open secret-path"):                                      "the file cannot be read; check that it is a regular file",
	} {
		got := whyUnreadable(err).EN
		assert.Contains(t, got, says)
		assert.NotContains(t, got, "secret")
	}
	if os.Geteuid() != 0 {
		c := keyConfig()
		c.PrivateKey, c.PrivateKeyPath = "", writeFile(t, c.PrivateKey)
		require.NoError(t, os.Chmod(c.PrivateKeyPath, 0))
		assertMistake(t, c, "PrivateKeyPath", "the process has no permission to read the file")
	}
}

// forms are the manglings that a PEM text meets on its way into a config. Only a
// single piece can do without armour.
func forms(text string) map[string]string {
	replaced := func(eol string) string { return strings.ReplaceAll(text, "\n", eol) }
	all := map[string]string{
		"PEM": text, "without last line end": strings.TrimSpace(text), "CRLF": replaced("\r\n"), "\\n spelled out": replaced(`\n`), "\\r\\n spelled out": replaced(`\r\n`),
		"BOM": "\ufeff" + text, "BOM and CRLF": "\ufeff" + replaced("\r\n"), "indented": "    " + replaced("\n    "), "tabs": "\t" + replaced("\n\t"),
		"spaces around": "  \n" + text + "\n  ", "spaces for line ends": replaced(" "), "double quotes": `"` + text + `"`, "single quotes": "'" + text + "'",
		"JSON string": string(testpki.Must(json.Marshal(text))), "blank lines": replaced("\n\n"), "quoted, spelled out": `"` + replaced(`\n`) + `"`,
	}
	if strings.Count(text, "-----BEGIN") > 1 {
		return all
	}
	one := bare(text)
	var lines []string
	for rest := one; rest != ""; rest = rest[min(64, len(rest)):] {
		lines = append(lines, rest[:min(64, len(rest))])
	}
	columns := strings.Join(lines, "\n")
	for name, form := range map[string]string{
		"one line": one, "64 columns": columns, "64 columns, CRLF": strings.ReplaceAll(columns, "\n", "\r\n"), "64 columns, \\n spelled out": strings.ReplaceAll(columns, "\n", `\n`),
		"64 columns, spaces for line ends": strings.Join(lines, " "), "indented": "  " + strings.ReplaceAll(columns, "\n", "\n  "),
		"BOM": "\ufeff" + one, "spaces around": "  " + one + " \n", "quoted": `"` + one + `"`, "without padding": strings.TrimRight(one, "="),
	} {
		all["bare, "+name] = form
	}
	block, _ := pem.Decode([]byte(text))
	all["binary DER"] = string(block.Bytes)
	return all
}

// TestEveryFormOfEveryFieldIsRead: in the field itself and in the file that its
// path variant names, to the very same keys and numbers.
func TestEveryFormOfEveryFieldIsRead(t *testing.T) {
	p := world()
	texts := map[string]map[string]string{
		"PrivateKey":              {"PKCS#8": vector("app_private_pkcs8.pem"), "PKCS#1": vector("app_private_pkcs1.pem")},
		"AlipayPublicKey":         {"SPKI": vector("alipay_public.pem"), "PKCS#1": testpki.Armour("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&p.alipayKey.PublicKey))},
		"AppCertContent":          {"X.509": vector("app_public_cert.crt")},
		"AlipayPublicCertContent": {"X.509 with intermediate": vector("alipay_public_cert.crt"), "X.509": firstOf(vector("alipay_public_cert.crt"))},
		"RootCertContent":         {"bundle": vector("root_bundle.crt"), "one root": p.root.PEM},
	}
	require.Len(t, texts, len(pathFields))
	combinations := 0
	for field, sources := range texts {
		for source, text := range sources {
			base := keyConfig()
			if strings.Contains(field, "Cert") {
				base = vectorConfig()
			}
			if source == "one root" {
				base.AlipayPublicCertContent = firstOf(base.AlipayPublicCertContent)
			}
			set(&base, field, text)
			want := requireResolves(t, base, source)
			for form, text := range forms(text) {
				name := field + ", " + source + ", " + form
				c := base
				if form != "binary DER" {
					set(&c, field, text)
					assertSame(t, want, requireResolves(t, c, name), name)
					combinations++
				}
				set(&c, field, "")
				set(&c, pathFields[field], writeFile(t, text))
				assertSame(t, want, requireResolves(t, c, name+", by path"), name)
				combinations++
			}
		}
	}
	assert.Greater(t, combinations, 300)
}

func assertSame(t *testing.T, want, got *Credentials, name string) {
	t.Helper()
	assert.True(t, want.Signer.(*rsa.PrivateKey).Equal(got.Signer), name)
	assert.True(t, want.PublicKey.Equal(got.PublicKey), name)
	assert.Equal(t, want.AlipayKey, got.AlipayKey, name)
	assert.Equal(t, want.AlipayCerts, got.AlipayCerts, name)
	assert.Equal(t, want.AppCertSN+want.RootCertSN, got.AppCertSN+got.RootCertSN, name)
}

func TestBinaryDERIsToldFromText(t *testing.T) {
	der, err := base64.StdEncoding.DecodeString(bare(vector("alipay_public.pem")))
	require.NoError(t, err)
	for content, want := range map[string]string{
		string(der): base64.StdEncoding.EncodeToString(der),
		"0":         "0", "0\x82": "0\x82", // too short to be anything
		"000": "000", "0123": "0123", "x\x82\x82": "x\x82\x82",
		"0\x80\x00": "MIAA",
	} {
		got, reason := source{path: writeFile(t, content)}.readFile()
		require.Empty(t, reason)
		assert.Equal(t, want, got)
	}
}
