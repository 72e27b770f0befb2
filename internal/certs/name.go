package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// keywords are the attributes RFC 2253 names; all others are written as OIDs.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

var errNoName = errors.New("not a well-formed X.500 name")

// rdnSET is a list of attributes, each a type and a value. That its name ends in SET
// tells encoding/asn1 what it is.
type rdnSET [][]asn1.RawValue

// IssuerName writes a DER-encoded X.500 name exactly as Java's
// X500Principal.getName() does (v3 protocol, certificate mode), since an SN is a
// hash of that text. Names for which the JDK throws are errors here too.
func IssuerName(rawName []byte) (string, error) {
	var name []rdnSET
	if rest, err := asn1.Unmarshal(rawName, &name); err != nil || len(rest) > 0 {
		return "", errNoName
	}
	var rdns []string
	for _, rdn := range slices.Backward(name) { // most specific first
		var attributes []string
		for _, a := range rdn {
			var id x509.OID // unlike asn1.ObjectIdentifier, takes arcs of any size
			if len(a) != 2 || a[0].Class != asn1.ClassUniversal || a[0].Tag != asn1.TagOID || id.UnmarshalBinary(a[0].Bytes) != nil {
				return "", errNoName
			}
			attributes = append(attributes, attribute(id.String(), a[1]))
		}
		rdns = append(rdns, strings.Join(attributes, "+"))
	}
	return strings.Join(rdns, ","), nil
}

func attribute(id string, value asn1.RawValue) string {
	keyword, known := keywords[id]
	if !known {
		keyword = id
	}
	if known && value.Class == asn1.ClassUniversal && !value.IsCompound {
		switch value.Tag { // of NumericString, UniversalString… the JDK shows the hex
		case asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString, asn1.TagBMPString:
			return keyword + "=" + escape(string(value.Bytes))
		}
	}
	return keyword + "=#" + hex.EncodeToString(value.FullBytes)
}

// escape puts a backslash before the characters that the JDK escapes anywhere, and
// before each space and carriage return at either end. Like the JDK it takes strings
// of any type for UTF-8; bytes that are none become U+FFFD.
func escape(s string) string {
	const blanks = " \r"
	first, end := len(s)-len(strings.TrimLeft(s, blanks)), len(strings.TrimRight(s, blanks))
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case i < first, i >= end, strings.ContainsRune(`,=+<>#;"\`, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
