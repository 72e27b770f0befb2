package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/keys"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

const vectors = "../../testdata/vectors/"

// now lies within the validity of the vectors' certificates.
var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func text(tb testing.TB, name string) string {
	tb.Helper()
	raw, err := os.ReadFile(vectors + name)
	require.NoError(tb, err)
	return string(raw)
}

func parse(tb testing.TB, name string) []Certificate {
	tb.Helper()
	certs, err := Parse(text(tb, name))
	require.NoError(tb, err)
	return certs
}

func TestSNIsThatOfTheVectors(t *testing.T) {
	raw, err := os.ReadFile(vectors + "vectors.json")
	require.NoError(t, err)
	var v struct {
		CertSN     map[string]string `json:"cert_sn"`
		RootCertSN map[string]string `json:"root_cert_sn"`
	}
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.CertSN)
	require.NotEmpty(t, v.RootCertSN)
	for name, want := range v.CertSN {
		assert.Equal(t, want, parse(t, name)[0].SN, name)
	}
	for name, want := range v.RootCertSN {
		sn, err := RootSN(parse(t, name))
		require.NoError(t, err)
		assert.Equal(t, want, sn, name)
	}
}

func TestIssuerNameIsTheJDKs(t *testing.T) {
	raw, err := os.ReadFile("testdata/jdk_names.json")
	require.NoError(t, err)
	var golden map[string]*string // hex of the DER → X500Principal.getName() of JDK 17, null where it throws
	require.NoError(t, json.Unmarshal(raw, &golden))
	require.Greater(t, len(golden), 300)
	for der, want := range golden {
		got, err := IssuerName(must(hex.DecodeString(der)))
		if want == nil {
			assert.Error(t, err, der)
			continue
		}
		require.NoError(t, err, der)
		assert.Equal(t, *want, got, der)
	}
}

func TestNamesThatAreNotWhollyReadAreRefused(t *testing.T) {
	good := must(asn1.Marshal(pkix.Name{CommonName: "x"}.ToRDNSequence()))
	name, err := IssuerName(good)
	require.NoError(t, err)
	assert.Equal(t, "CN=x", name)
	stray := append([]byte{0x30, good[1] + 1, 0x31, good[3] + 1}, append(append([]byte(nil), good[4:]...), 0)...)
	at := func(i int, to byte) []byte { der := append([]byte(nil), good...); der[i] = to; return der }
	require.Equal(t, byte(6), good[6], "the type of the attribute")
	for what, der := range map[string][]byte{"type of another class": at(6, 0x86), "type of another tag": at(6, 5), "no SET": at(2, 0x30), "SET of another class": at(2, 0xb1), "SET that is not constructed": at(2, 0x11), "nothing": nil, "one byte more": append(append([]byte(nil), good...), 0), "one byte more in a set": stray, "cut": good[:len(good)-1]} {
		_, err := IssuerName(der)
		assert.Equal(t, errNoName, err, what)
	}
}

func TestParseKeepsFileOrderAndSkipsNothing(t *testing.T) {
	certs := parse(t, "root_bundle.crt")
	require.Len(t, certs, 4)
	var rsaSigned, readable []bool
	for _, c := range certs {
		rsaSigned = append(rsaSigned, c.RSASignature)
		readable = append(readable, c.X509 != nil)
		assert.Regexp(t, "^[0-9a-f]{32}$", c.SN)
		assert.NotEmpty(t, c.Raw)
	}
	assert.Equal(t, []bool{false, true, false, true}, rsaSigned, "SM2, RSA-SHA256, ECDSA, RSA-SHA1")
	assert.Equal(t, []bool{false, true, true, true}, readable, "crypto/x509 refuses SM2")

	leafFirst := parse(t, "alipay_public_cert.crt")
	require.Len(t, leafFirst, 2)
	assert.False(t, IsCA(leafFirst[0].X509))
	assert.True(t, IsCA(leafFirst[1].X509))
}

func TestParseUndoesTheManglingsOfPastedText(t *testing.T) {
	chain := text(t, "alipay_public_cert.crt")
	want := parse(t, "alipay_public_cert.crt")
	for name, mangled := range map[string]string{
		"CRLF":             strings.ReplaceAll(chain, "\n", "\r\n"),
		"\\n spelled out":  strings.ReplaceAll(chain, "\n", `\n`),
		"squeezed":         strings.ReplaceAll(chain, "\n", " "),
		"BOM and indented": "\ufeff  " + strings.ReplaceAll(chain, "\n", "\n  "),
		"text around":      "subject=/C=CN\nissuer: x\n" + strings.ReplaceAll(chain, "-----BEGIN", "1 s:CN = x\n-----BEGIN") + "\n---\nServer certificate",
		"wrong label":      strings.ReplaceAll(chain, "CERTIFICATE", "PUBLIC KEY"),
	} {
		got, err := Parse(mangled)
		require.NoError(t, err, name)
		require.Len(t, got, 2, name)
		assert.Equal(t, want[0].SN, got[0].SN, name)
		assert.Equal(t, want[1].Raw, got[1].Raw, name)
	}
	bare, err := Parse(base64.StdEncoding.EncodeToString(want[0].Raw))
	require.NoError(t, err)
	require.Len(t, bare, 1)
	assert.Equal(t, want[0].SN, bare[0].SN)
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	cert := text(t, "app_public_cert.crt")
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":         {" \n", "no certificate in the text"},
		"a path":          {"/etc/certs/app.crt", "a file path instead of a file's content instead of a certificate"},
		"a public key":    {text(t, "app_public.pem"), "an RSA-2048 public key (SPKI, PEM) instead of a certificate"},
		"a private key":   {cert + text(t, "app_private_pkcs8.pem"), "block 2 of 2: an RSA-2048 private key (PKCS#8, PEM) instead of a certificate"},
		"cut short":       {cert[:700], "a certificate (X.509, PEM): base64 cut short: the DER announces"},
		"second cut":      {cert + cert[:700], "block 2 of 2: "},
		"prose":           {"s3cr3t words!", "not base64"},
		"no serial":       {base64.StdEncoding.EncodeToString(forge(t, []byte{0x30, 0}, func(s *skeleton) { s.Serial.FullBytes = []byte{2, 0} })), "not a well-formed X.509 certificate"},
		"far too many":    {strings.Repeat("-----BEGIN CERTIFICATE-----\n", maxCertificates+1), "more than 200"},
		"issuer corrupt":  {base64.StdEncoding.EncodeToString(forge(t, []byte{0x30, 2, 5, 0})), "not a well-formed X.500 name"},
		"no such version": {"MAA=", "neither a key nor a certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			certs, err := Parse(tc.text)
			require.Error(t, err)
			assert.Nil(t, certs)
			assert.Contains(t, err.Error(), tc.want)
			assert.NotContains(t, err.Error(), "s3cr3t")
			assert.NotContains(t, err.Error(), "block 1 of 1")
		})
	}
	assert.Len(t, must(Parse(strings.Repeat(cert, maxCertificates))), maxCertificates)
}

// forge builds a certificate around a DER issuer name, with extra members
// replacing serial number or key.
func forge(tb testing.TB, issuer []byte, replace ...func(*skeleton)) []byte {
	tb.Helper()
	algorithm := must(asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}}))
	empty := asn1.RawValue{FullBytes: []byte{0x30, 0}}
	s := skeleton{
		Serial: asn1.RawValue{FullBytes: []byte{2, 1, 7}}, Algorithm: asn1.RawValue{FullBytes: algorithm}, Issuer: asn1.RawValue{FullBytes: issuer},
		Validity: empty, Subject: empty, Key: empty,
	}
	for _, f := range replace {
		f(&s)
	}
	return must(asn1.Marshal(struct {
		TBS       skeleton
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}{s, s.Algorithm, asn1.BitString{}}))
}

type skeleton struct{ Serial, Algorithm, Issuer, Validity, Subject, Key asn1.RawValue }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// snOf is the SN of what keys takes for a certificate.
func snOf(der []byte) (string, error) {
	c, err := read(keys.Material{Kind: keys.Certificate, DER: der})
	return c.SN, err
}

func TestSerialNumberIsWrittenAsJavaDoes(t *testing.T) {
	for serial, want := range map[string]string{
		"020107":                 "8f14e45fceea167a5a36dedd4bea2543", // md5 of "7"
		"0201ff":                 "6bb61e3b7bce0931da574d19d1d82c88", // of "-1"
		"020180":                 "bb8a6de218bc9d8045e4cc5f62d7c32d", // of "-128"
		"02017f":                 "ec5decca5ed3d6b8079e2e7e7bacc9f2", // of "127"
		"02020080":               "76dc611d6ebaafc66cc0879c71b5db5c", // of "128"
		"02020007":               "8f14e45fceea167a5a36dedd4bea2543", // not the shortest form
		"020900ffffffffffffffff": "7e7825a3d8588a756abd0ce2ed07e121", // of "18446744073709551615"
	} {
		sn, err := snOf(forge(t, []byte{0x30, 0}, func(s *skeleton) { s.Serial.FullBytes = must(hex.DecodeString(serial)) }))
		require.NoError(t, err)
		assert.Equal(t, want, sn, serial)
	}
}

func TestSNRefusesWhatIsNoCertificate(t *testing.T) {
	good := parse(t, "app_public_cert.crt")[0].Raw
	for name, der := range map[string][]byte{
		"nothing": nil, "empty": {0x30, 0}, "nothing signed": {0x30, 10, 0x30, 0, 0x30, 3, 6, 1, 42, 3, 1, 0}, "cut": good[:len(good)-1],
		"no serial": forge(t, []byte{0x30, 0}, func(s *skeleton) { s.Serial.FullBytes = []byte{2, 0} }),
		"key":       must(base64.StdEncoding.DecodeString("MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
	} {
		_, err := snOf(der)
		assert.EqualError(t, err, "not a well-formed X.509 certificate", name)
	}
	member := func(body ...byte) []byte { return append([]byte{0x30, byte(len(body))}, body...) }
	short := func(tbs ...byte) []byte { return member(append(member(tbs...), 0x30, 3, 6, 1, 42, 3, 1, 0)...) }
	sn, err := snOf(short(2, 1, 7, 0x30, 0, 0x30, 0))
	require.NoError(t, err, "serial number, algorithm, issuer: what an SN needs")
	assert.Equal(t, "8f14e45fceea167a5a36dedd4bea2543", sn)
	for name, der := range map[string][]byte{
		"no issuer": short(2, 1, 7, 0x30, 0), "serial of another type": short(4, 1, 7, 0x30, 0, 0x30, 0),
		"a version alone":            short(0xa0, 0),
		"a tag that is no version's": short(0xa1, 0, 2, 1, 7, 0x30, 0, 0x30, 0),
	} {
		_, err := snOf(der)
		assert.EqualError(t, err, "not a well-formed X.509 certificate", name)
	}
	_, err = snOf(short(2, 1, 7, 0x30, 0, 0x31, 0, 0x30, 0))
	assert.Equal(t, errNoName, err, "an issuer of another type")
}

func TestRootSNNeedsAnRSARoot(t *testing.T) {
	bundle := parse(t, "root_bundle.crt")
	_, err := RootSN([]Certificate{bundle[0], bundle[2]})
	assert.EqualError(t, err, "no certificate with an RSA signature in the root bundle")
	_, err = RootSN(nil)
	assert.EqualError(t, err, "no certificate with an RSA signature in the root bundle")
}

func TestSelfSignedIsToldFromIssued(t *testing.T) {
	odd := parse(t, "odd_issuer.crt")[0].X509
	assert.True(t, IsSelfSigned(odd))
	for _, root := range parse(t, "root_bundle.crt")[1:] {
		assert.True(t, IsSelfSigned(root.X509), "ECDSA and SHA-1 ones too")
		assert.True(t, IsCA(root.X509))
	}
	for _, name := range []string{"app_public_cert.crt", "alipay_public_cert.crt", "expired_alipay_cert.crt"} {
		c := parse(t, name)[0].X509
		assert.False(t, IsSelfSigned(c), name)
		assert.False(t, IsCA(c), name)
	}
	root := issue(t, "root", nil)
	forged := *root.cert.X509
	forged.Signature = issue(t, "root", root).cert.X509.Signature
	assert.True(t, IsSelfSigned(root.cert.X509))
	assert.False(t, IsSelfSigned(&forged), "the names are equal, the signature is invalid")
	renamed := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another"}}, root.cert.X509, root.key.Public(), root.key))
	assert.False(t, IsSelfSigned(must(x509.ParseCertificate(renamed))), "its own key has signed, the names differ")
	assert.False(t, IsSelfSigned(nil))
	assert.False(t, IsCA(nil))
}

func TestOnlyBasicConstraintsMakeAnAuthority(t *testing.T) {
	root := issue(t, "root", nil)
	for name, tc := range map[string]struct {
		constraints, ca bool
		usage           x509.KeyUsage
		want            bool
	}{
		"an authority":                   {true, true, x509.KeyUsageCertSign, true},
		"an authority without key usage": {true, true, 0, true},
		"constraints that deny it":       {true, false, x509.KeyUsageDigitalSignature, false},
		"key usage alone":                {false, false, x509.KeyUsageCertSign, false},
		"key usage for CRLs too":         {false, false, x509.KeyUsageCertSign | x509.KeyUsageCRLSign, false},
		"neither, as X.509 v1 has":       {false, false, 0, false},
		"key usage, denied by the other": {true, false, x509.KeyUsageCertSign, false},
	} {
		c := issue(t, "c", root, func(c *x509.Certificate) {
			c.BasicConstraintsValid, c.IsCA, c.KeyUsage = tc.constraints, tc.ca, tc.usage
		})
		assert.Equal(t, tc.want, IsCA(c.cert.X509), name)
		below := issue(t, "leaf", c, leafOf)
		verified, reason := CheckChain(below.cert.X509, bundle(c), bundle(root), now)
		assert.Equal(t, tc.want, verified, "%s: %s", name, reason.EN)
	}
}

// authority issues certificates. P-256, since RSA keys take long to generate.
type authority struct {
	cert Certificate
	key  crypto.Signer
}

var serial int64

func ecKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// issue signs a certificate of subject; parent nil makes it self-signed.
func issue(tb testing.TB, subject string, parent *authority, change ...func(*x509.Certificate)) *authority {
	tb.Helper()
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: subject},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, f := range change {
		f(template)
	}
	a := &authority{key: ecKey(tb)}
	signer, issuer := a.key, template
	if parent != nil {
		signer, issuer = parent.key, parent.cert.X509
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, a.key.Public(), signer)
	require.NoError(tb, err)
	certs, err := Parse(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	require.NoError(tb, err)
	a.cert = certs[0]
	return a
}

func leafOf(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid, c.KeyUsage = false, false, 0 }

func bundle(all ...*authority) (certs []Certificate) {
	for _, a := range all {
		certs = append(certs, a.cert)
	}
	return certs
}

func TestCheckChainOfTheVectors(t *testing.T) {
	chain, roots := parse(t, "alipay_public_cert.crt"), parse(t, "root_bundle.crt")
	for _, name := range []string{"alipay_public_cert.crt", "app_public_cert.crt", "expired_alipay_cert.crt"} {
		leaf := parse(t, name)[0].X509
		verified, reason := CheckChain(leaf, chain, roots, now)
		assert.True(t, verified, "%s: %s", name, reason.EN)
		verified, reason = CheckChain(leaf, nil, roots, now)
		assert.False(t, verified, name)
		assert.Empty(t, reason, name)
		verified, reason = CheckChain(leaf, chain, roots[2:], now)
		assert.False(t, verified, name)
		assert.Contains(t, reason.EN, "not in the root bundle")
	}
	sha1 := roots[3].X509
	require.Equal(t, x509.SHA1WithRSA, sha1.SignatureAlgorithm)
	verified, reason := CheckChain(sha1, nil, roots, now)
	assert.True(t, verified, "a root itself")
	assert.Empty(t, reason)
	again := *sha1
	again.Raw = append(slices.Clone(sha1.Raw), 0)
	verified, reason = CheckChain(&again, nil, roots, now)
	assert.False(t, verified)
	assert.Equal(t, "it is signed with an algorithm that is no longer safe", reason.EN)
	odd := parse(t, "odd_issuer.crt")[0].X509
	verified, reason = CheckChain(odd, chain, roots, now)
	assert.False(t, verified)
	assert.Empty(t, reason)
}

func TestCheckChain(t *testing.T) {
	root := issue(t, "root", nil)
	middle := issue(t, "middle", root)
	low := issue(t, "low", middle)
	otherRoot := issue(t, "root", nil) // same name, another key
	otherMiddle := issue(t, "middle", otherRoot)
	orphan := issue(t, "orphan", issue(t, "nobody", nil))
	expired := issue(t, "middle", root, func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, -1, 0) })
	future := issue(t, "middle", root, func(c *x509.Certificate) { c.NotBefore = now.AddDate(0, 1, 0) })
	oldRoot := issue(t, "root", nil, func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, -1, 0) })
	noCA := issue(t, "middle", root, leafOf)
	noSigner := issue(t, "middle", root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	short := issue(t, "middle", root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	lowOfShort := issue(t, "low", short)
	leaf := func(by *authority) *x509.Certificate { return issue(t, "leaf", by, leafOf).cert.X509 }
	leafOfMiddle := leaf(middle)
	// Two authorities that vouch for one another: a loop of issuer names.
	loopA := issue(t, "loop A", issue(t, "loop B", nil))
	loopB := issue(t, "loop B", loopA)
	backA := &authority{key: loopA.key}
	{
		der, err := x509.CreateCertificate(rand.Reader, loopA.cert.X509, loopB.cert.X509, loopA.key.Public(), loopB.key)
		require.NoError(t, err)
		backA.cert = must(Parse(base64.StdEncoding.EncodeToString(der)))[0]
	}
	pathLen := func(n int, c *authority) *authority {
		return issue(t, fmt.Sprint("pathlen ", n), c, func(c *x509.Certificate) { c.MaxPathLen = n })
	}
	one := pathLen(1, root)
	belowOne := issue(t, "below", one)
	belowBelow := issue(t, "below that", belowOne)
	sm2 := parse(t, "root_bundle.crt")[0]

	for name, tc := range map[string]struct {
		leaf                 *x509.Certificate
		intermediates, roots []Certificate
		verified             bool
		reason               string
	}{
		"leaf under the root":                 {leaf(root), nil, bundle(root), true, ""},
		"one intermediate":                    {leafOfMiddle, bundle(middle), bundle(root), true, ""},
		"two, in any order":                   {leaf(low), bundle(middle, low), bundle(otherRoot, root), true, ""},
		"two, in the other order":             {leaf(low), bundle(low, middle), bundle(root), true, ""},
		"the leaf itself among them":          {leafOfMiddle, append(bundle(middle), Certificate{X509: leafOfMiddle}), bundle(root), true, ""},
		"the root among them":                 {leafOfMiddle, bundle(root, middle), bundle(root), true, ""},
		"an SM2 root in the bundle":           {leafOfMiddle, append([]Certificate{sm2}, bundle(middle)...), append([]Certificate{sm2}, bundle(root)...), true, ""},
		"several by one name, one works":      {leafOfMiddle, bundle(otherMiddle, expired, noCA, middle), bundle(otherRoot, root), true, ""},
		"a root past its validity":            {leaf(oldRoot), nil, bundle(oldRoot), true, ""},
		"pathlen 0 above a leaf":              {leaf(short), bundle(short), bundle(root), true, ""},
		"pathlen 1 above one":                 {leaf(belowOne), bundle(one, belowOne), bundle(root), true, ""},
		"nobody there":                        {leafOfMiddle, nil, nil, false, ""},
		"intermediate missing":                {leafOfMiddle, bundle(orphan), bundle(root), false, ""},
		"lower intermediate missing":          {leaf(low), bundle(middle), bundle(root), false, ""},
		"self-signed":                         {otherMiddle.cert.X509, nil, bundle(middle), false, ""},
		"another's intermediate":              {leafOfMiddle, bundle(otherMiddle), bundle(root, otherRoot), false, "it is not signed by the intermediate certificate with its issuer's name"},
		"another's root":                      {leafOfMiddle, bundle(middle), bundle(otherRoot), false, "its intermediate certificate is not signed by the root certificate with its issuer's name"},
		"leaf of another's root":              {leaf(otherRoot), nil, bundle(root), false, "it is not signed by the root certificate with its issuer's name"},
		"issuer of the intermediate missing":  {leaf(orphan), bundle(orphan), bundle(root), false, "the issuer of its intermediate certificate is not in the root bundle"},
		"upper intermediate missing":          {leaf(low), bundle(low), bundle(root), false, "the issuer of its intermediate certificate is not in the root bundle"},
		"no roots":                            {leafOfMiddle, bundle(middle), nil, false, "not in the root bundle"},
		"pathlen 0, of another root":          {leaf(short), bundle(short), bundle(otherRoot), false, "its intermediate certificate is not signed by the root certificate"},
		"pathlen 1, of another root":          {leaf(belowOne), bundle(one, belowOne), bundle(otherRoot), false, "its intermediate certificate is not signed by the root certificate"},
		"expired intermediate":                {leaf(expired), bundle(expired), bundle(root), false, "valid from 2029-01-01 to 2029-12-01 only"},
		"intermediate of the future":          {leaf(future), bundle(future), bundle(root), false, "valid from 2030-02-01 to 2031-01-01 only"},
		"an intermediate that is no CA":       {leaf(noCA), bundle(noCA), bundle(root), false, "not a CA certificate"},
		"a CA that may not sign certificates": {leaf(noSigner), bundle(noSigner), bundle(root), false, "not signed by"},
		"pathlen 0 above an intermediate":     {leaf(lowOfShort), bundle(short, lowOfShort), bundle(root), false, "longer than allowed"},
		"pathlen 1 above two":                 {leaf(belowBelow), bundle(one, belowOne, belowBelow), bundle(root), false, "longer than allowed"},
		"the first reason of two":             {leafOfMiddle, bundle(expired, noCA), bundle(root), false, "valid from"},
		"the first reason of two, reversed":   {leafOfMiddle, bundle(noCA, expired), bundle(root), false, "not a CA certificate"},
		"the reason of the longest attempt":   {leaf(low), bundle(noCA, low, expired), bundle(root), false, "not a CA certificate"},
		"a loop":                              {leaf(loopB), bundle(loopB, backA, loopA), bundle(root), false, "not in the root bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			verified, reason := CheckChain(tc.leaf, tc.intermediates, tc.roots, now)
			assert.Equal(t, tc.verified, verified, reason.EN)
			if tc.reason != "" {
				assert.Contains(t, reason.EN, tc.reason)
				assert.Regexp(t, `\p{Han}`, reason.ZH)
				assert.NotContains(t, reason.EN+reason.ZH, "%!")
			} else {
				assert.Empty(t, reason)
			}
		})
	}
}

// The chains of testdata/restrictions were made with openssl, which refuses the same
// ones but those for another usage and of another policy: it was asked for neither.
func TestEveryRestrictionOnTheWayCounts(t *testing.T) {
	files, err := filepath.Glob("testdata/restrictions/*.pem")
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	roots := must(Parse(string(must(os.ReadFile("testdata/restrictions/root.pem")))))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		if name == "root" {
			continue
		}
		chain := must(Parse(string(must(os.ReadFile(file)))))
		require.Len(t, chain, 2)
		verified, reason := CheckChain(chain[0].X509, chain[1:], roots, now)
		if !strings.HasPrefix(name, "refused_") {
			assert.True(t, verified, "%s: %s", name, reason.EN)
			continue
		}
		assert.False(t, verified, name)
		if name != "refused_crl_signer" {
			assert.Contains(t, reason.EN, "has a restriction that forbids this use", name)
		}
		assert.Regexp(t, `\p{Han}`, reason.ZH)
		verified, reason = CheckChain(chain[0].X509, nil, roots, now)
		assert.False(t, verified, "%s: a chain that is not at hand", name)
		assert.Empty(t, reason, "%s: a chain that is not at hand", name)
	}
}

// A merchant's own certificate comes from the issuer of Alipay's, is X.509 v1 and
// so lacks the extension that denies it the right to issue.
func TestMerchantsCertificateIsNoIntermediate(t *testing.T) {
	merchant := parse(t, "app_public_cert.crt")[0]
	key := keys.Inspect(text(t, "app_private_pkcs8.pem")).Private
	require.Equal(t, 1, merchant.X509.Version)
	require.True(t, key.PublicKey.Equal(merchant.X509.PublicKey.(*rsa.PublicKey)))
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Alipay"}}, merchant.X509, key.Public(), key)
	require.NoError(t, err)
	forged := must(x509.ParseCertificate(der))

	intermediates := append(parse(t, "alipay_public_cert.crt"), merchant)
	verified, reason := CheckChain(forged, intermediates, parse(t, "root_bundle.crt"), now)
	assert.False(t, verified)
	assert.Contains(t, reason.EN, "not a CA certificate")
}

func TestCheckChainIsBoundedForHostileBundles(t *testing.T) {
	// A clique: every certificate bears the one name that also is its issuer's,
	// and the same key, so every signature holds and every path goes on.
	a := issue(t, "clique", nil)
	var clique []Certificate
	for i := range maxCertificates {
		template := *a.cert.X509
		template.SerialNumber = big.NewInt(int64(1000 + i))
		der, err := x509.CreateCertificate(rand.Reader, &template, a.cert.X509, a.key.Public(), a.key)
		require.NoError(t, err)
		clique = append(clique, must(Parse(base64.StdEncoding.EncodeToString(der)))...)
	}
	leaf := issue(t, "leaf", a, leafOf).cert.X509
	verified, reason := CheckChain(leaf, clique, nil, now)
	assert.False(t, verified)
	assert.Contains(t, reason.EN, "not in the root bundle")
}

func TestHugeKeysAreNotUsed(t *testing.T) {
	n := new(big.Int).Lsh(big.NewInt(1), 100_000)
	n.Add(n, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &rsa.PublicKey{N: n, E: 1<<31 - 1}, ecKey(t))
	require.NoError(t, err)
	_, err = Parse(base64.StdEncoding.EncodeToString(der))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "larger than any real key")
}

func FuzzParseCertificates(f *testing.F) {
	roots := parse(f, "root_bundle.crt")
	chain, app, odd := text(f, "alipay_public_cert.crt"), text(f, "app_public_cert.crt"), text(f, "odd_issuer.crt")
	sources := []string{"", chain, app, odd, text(f, "root_bundle.crt"), text(f, "expired_alipay_cert.crt"), text(f, "app_public.pem"), app + chain}
	for i := range sources {
		f.Add(uint8(i), false, uint16(0), uint16(0), "")
	}
	f.Fuzz(func(t *testing.T, source uint8, der bool, at, remove uint16, insert string) {
		text := sources[int(source)%len(sources)]
		if der && text != "" {
			text = testpki.EditDER(text, at, remove, insert)
		} else {
			text = testpki.Edit(text, at, remove, insert)
		}
		certs, err := Parse(text)
		if err != nil {
			if certs != nil || len(err.Error()) > 600 {
				t.Fatal("an error with certificates, or with a tale")
			}
			return
		}
		if len(certs) == 0 {
			t.Fatal("neither certificates nor an error")
		}
		for _, c := range certs {
			if len(c.SN) != 32 {
				t.Fatalf("incomplete: %q", c.SN)
			}
			if sn, err := snOf(c.Raw); err != nil || sn != c.SN {
				t.Fatal("SN changed its mind")
			}
			IsSelfSigned(c.X509)
			if c.X509 != nil {
				CheckChain(c.X509, certs, roots, now)
			}
		}
		_, _ = RootSN(certs)
	})
}
