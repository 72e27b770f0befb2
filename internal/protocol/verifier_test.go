package protocol

import (
	"crypto/rsa"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var received = time.UnixMilli(1_700_000_000_000)

// answered are the headers of an answer to "body" that was signed at that time.
func answered(t testing.TB, key *rsa.PrivateKey, at time.Time, sn string) http.Header {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	signature, err := Sign(key, SignedContent(timestamp, "n", []byte("body")))
	require.NoError(t, err)
	return http.Header{HeaderTimestamp: {timestamp}, HeaderNonce: {"n"}, HeaderSN: {sn}, HeaderSignature: {signature}}
}

func TestAnAnswerMayBeAsOldAsAgreedAndNoOlder(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	v := Verifier{Key: &key.PublicKey, MaxSkew: time.Minute}
	for off, text := range map[time.Duration]string{
		0: "", time.Minute: "", -time.Minute: "",
		time.Minute + time.Millisecond:     "its timestamp is 1m0s behind the local clock",
		-time.Minute - time.Millisecond:    "its timestamp is 1m0s ahead of the local clock",
		-2 * time.Minute:                   "its timestamp is 2m0s ahead of the local clock",
		2*time.Minute - 1*time.Millisecond: "its timestamp is 2m0s behind the local clock",
	} {
		_, _, err := v.Recover(answered(t, key, received.Add(-off), ""), []byte("body"), received)
		if text == "" {
			assert.NoError(t, err, off)
			continue
		}
		assert.ErrorIs(t, err, ErrStale, off)
		assert.ErrorContains(t, err, text, off)
	}
}

func TestACertificateIsTrustedToItsLastMoment(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	const sn = "0123456789abcdef0123456789abcdef"
	for ends, trusted := range map[time.Time]bool{received: true, received.Add(-time.Nanosecond): false} {
		v := Verifier{Certs: map[string]SigningCert{sn: {&key.PublicKey, ends}}, MaxSkew: time.Minute}
		for named, why := range map[string]error{sn: ErrUnknownCertificate, "0123456789ABCDEF0123456789ABCDEF": ErrUnknownCertificate, "null": ErrAnswerSignature} {
			_, _, err := v.Recover(answered(t, key, received, named), []byte("body"), received)
			if trusted {
				assert.NoError(t, err, named)
				continue
			}
			assert.ErrorIs(t, err, why, named)
			if named == sn {
				assert.ErrorContains(t, err, "alipay-sn is "+sn+", which expired on 2023-11-14 22:13:19 UTC; download")
			}
		}
	}
}

// A stranger chooses alipay-sn, so only what looks like one is shown.
func TestAnErrorNamesOnlySerialNumbers(t *testing.T) {
	v := Verifier{Certs: map[string]SigningCert{"b": {}, "a": {}}}
	for came, sn := range map[string]string{
		"0123456789abcdef0123456789abcdef": "0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcde":  "", "0123456789abcdef0123456789abcd": "", "0123456789abcdef0123456789abcdef00": "", "0123456789abcdef0123456789abcdeg": "", "<b>": "",
	} {
		_, err := v.KeysFor("alipay_cert_sn", came, received)
		var unknown *UnknownCertificate
		require.ErrorAs(t, err, &unknown)
		assert.Equal(t, sn, unknown.SN)
		shown := "alipay_cert_sn is " + sn
		if sn == "" {
			shown += "(not a serial number)"
		}
		assert.Contains(t, err.Error(), shown+", configured: a, b; download")
		assert.NotContains(t, fmt.Sprintf("%#v", err), "<b>")
	}
}

// A proxy may add an empty line of a name in front of the gateway's own.
func TestHeaderValueIsThatOfTheFirstLineWithOne(t *testing.T) {
	for want, lines := range map[string][]string{
		"":  {"null", "", "  "},
		"a": {"", "null", " a ", "b"},
	} {
		h := http.Header{HeaderSignature: lines}
		assert.Equal(t, want, HeaderValue(h, HeaderSignature))
		assert.Equal(t, want != "", IsSigned(h))
	}
	assert.Empty(t, HeaderValue(nil, HeaderSignature))
}
