package alipaytest

import (
	"net/http"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Faults of the signature. All of them act.
var (
	// MissingSignature sends the right answer unsigned.
	MissingSignature = altered("missing signature", without(protocol.HeaderSignature))
	// ForeignSignature sends an answer that another key than Alipay's has signed.
	ForeignSignature = altered("foreign signature", foreignSignature)
	// AlteredBody sends a body that was changed after it was signed.
	AlteredBody = altered("altered body", alteredBody)
	// UnknownSN names a certificate that does not exist.
	UnknownSN = altered("unknown alipay-sn", with(protocol.HeaderSN, "00000000000000000000000000000000"))
)

// signatureFaults are all faults of the signature, for [Faults].
var signatureFaults = []Fault{
	altered("wrong signature", wrongSignature),
	altered("garbled signature", garbledSignature),
	MissingSignature,
	altered("null signature", with(protocol.HeaderSignature, "null")), // which means none
	ForeignSignature, AlteredBody,
	altered("missing nonce", without(protocol.HeaderNonce)),
	TimestampOff(-time.Hour), TimestampOff(time.Hour),
	altered("missing timestamp", without(protocol.HeaderTimestamp)),
	altered("garbled timestamp", garbledTimestamp),
	UnknownSN,
	// Harmless, since any configured certificate may then verify the answer.
	{name: "missing alipay-sn", acts: true, harmless: true, do: missingSN},
}

// TimestampOff sends a correctly signed answer whose timestamp is that far from
// the gateway's clock, behind it if offset is negative. It acts. By default a
// client accepts an answer within 10 minutes of its clock.
func TimestampOff(offset time.Duration) Fault {
	return altered("timestamp off by "+offset.String(), func(x *exchange, a *Answer) {
		key, _ := x.signer()
		x.sign(a, key, offset)
	})
}

// without leaves a header out, with sets one.
func without(header string) func(*exchange, *Answer) {
	return func(_ *exchange, a *Answer) { a.Header.Del(header) }
}

func with(header, value string) func(*exchange, *Answer) {
	return func(_ *exchange, a *Answer) { a.Header.Set(header, value) }
}

func wrongSignature(x *exchange, a *Answer) {
	other := &Answer{Header: http.Header{}, Body: []byte("{}")}
	key, _ := x.signer()
	x.sign(other, key, 0)
	a.Header.Set(protocol.HeaderSignature, other.Header.Get(protocol.HeaderSignature))
}

func garbledSignature(_ *exchange, a *Answer) {
	a.Header.Set(protocol.HeaderSignature, "!"+a.Header.Get(protocol.HeaderSignature))
}

func foreignSignature(x *exchange, a *Answer) { x.sign(a, keys().foreign, 0) }

// Not at the end, where a client undoes what a proxy adds.
func alteredBody(_ *exchange, a *Answer) { a.Body = slices.Insert(a.Body, min(1, len(a.Body)), ' ') }

func garbledTimestamp(x *exchange, a *Answer) {
	const noNumber = "yesterday"
	key, _ := x.signer()
	signature, err := protocol.Sign(key, protocol.SignedContent(noNumber, a.Header.Get(protocol.HeaderNonce), a.Body))
	if err != nil {
		panic(err)
	}
	a.Header.Set(protocol.HeaderTimestamp, noNumber)
	a.Header.Set(protocol.HeaderSignature, signature)
}

func missingSN(x *exchange) {
	a := x.answer()
	a.Header.Del(protocol.HeaderSN)
	x.deliver(a)
}
