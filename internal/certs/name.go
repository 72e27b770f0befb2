package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
)

// keywords are the attributes RFC 2253 names; all others are written as OIDs.
var keywords = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.9":                    "STREET",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"0.9.2342.19200300.100.1.25": "DC",
	"0.9.2342.19200300.100.1.1":  "UID",
}

// IssuerName writes a DER-encoded X.500 name exactly as Java's
// X500Principal.getName() does (v3 protocol, certificate mode), since an SN is a
// hash of that text. Names for which the JDK throws are errors here too.
func IssuerName(rawName []byte) (string, error) {
	var rdns []asn1.RawValue
	if rest, err := asn1.Unmarshal(rawName, &rdns); err != nil || len(rest) > 0 {
		return "", errNoName
	}
	var parts []string
	for _, rdn := range slices.Backward(rdns) { // most specific first
		part, err := rdnString(rdn)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ","), nil
}

func rdnString(rdn asn1.RawValue) (string, error) {
	if rdn.Class != asn1.ClassUniversal || rdn.Tag != asn1.TagSet || !rdn.IsCompound {
		return "", errNoName
	}
	var parts []string
	for rest := rdn.Bytes; len(rest) > 0; {
		var ava []asn1.RawValue // type and value
		var err error
		if rest, err = asn1.Unmarshal(rest, &ava); err != nil || len(ava) != 2 {
			return "", errNoName
		}
		var oid x509.OID // unlike asn1.ObjectIdentifier, takes arcs of any size
		if ava[0].Class != asn1.ClassUniversal || ava[0].Tag != asn1.TagOID || oid.UnmarshalBinary(ava[0].Bytes) != nil {
			return "", errNoName
		}
		parts = append(parts, avaString(oid.String(), ava[1]))
	}
	return strings.Join(parts, "+"), nil
}

func avaString(oid string, value asn1.RawValue) string {
	keyword, known := keywords[oid]
	if !known || !isString(value) {
		if !known {
			keyword = oid
		}
		return keyword + "=#" + hex.EncodeToString(value.FullBytes)
	}
	return keyword + "=" + escape(string(value.Bytes))
}

// isString reports whether the JDK writes a string type as text, and not in hex
// (NumericString, UniversalString…).
func isString(v asn1.RawValue) bool {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return false
	}
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString, asn1.TagBMPString:
		return true
	}
	return false
}

// escape puts a backslash before the characters that the JDK escapes anywhere, and
// before each space and carriage return at either end. Like the JDK it takes strings
// of any type for UTF-8; bytes that are none become U+FFFD.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune(`,=+<>#;"\`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == 0:
			b.WriteString(`\00`)
		default:
			b.WriteRune(r)
		}
	}
	s = b.String()
	const blanks = " \r"
	inner := strings.TrimLeft(s, blanks)
	lead := s[:len(s)-len(inner)]
	core := strings.TrimRight(inner, blanks)
	trail := inner[len(core):]
	return escapeAll(lead) + core + escapeAll(trail)
}

func escapeAll(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte('\\')
		b.WriteByte(c)
	}
	return b.String()
}
