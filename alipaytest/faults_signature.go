package alipaytest

import (
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Faults of the signature. All of them act.
var (
	// MissingSignature sends the right answer unsigned.
	MissingSignature = altered("missing signature", func(_ *exchange, p *parts) { p.signature = "" })
	// ForeignSignature sends an answer that another key than Alipay's has signed.
	ForeignSignature = altered("foreign signature", foreignSignature)
	// AlteredBody sends a body that was changed after it was signed.
	AlteredBody = altered("altered body", alteredBody)
	// UnknownSN names a certificate that does not exist.
	UnknownSN = altered("unknown alipay-sn", func(_ *exchange, p *parts) { p.sn = "00000000000000000000000000000000" })
)

// signatureFaults are all faults of the signature, for [Faults].
var signatureFaults = []Fault{
	altered("wrong signature", wrongSignature),
	altered("garbled signature", garbledSignature),
	MissingSignature,
	altered("null signature", func(_ *exchange, p *parts) { p.signature = "null" }), // which means none
	ForeignSignature, AlteredBody,
	altered("missing nonce", func(_ *exchange, p *parts) { p.nonce = "" }),
	TimestampOff(-time.Hour), TimestampOff(time.Hour),
	altered("missing timestamp", func(_ *exchange, p *parts) { p.timestamp = "" }),
	altered("garbled timestamp", garbledTimestamp),
	UnknownSN,
	// Harmless, since any configured certificate may then verify the answer.
	{name: "missing alipay-sn", acts: true, harmless: true, do: missingSN},
}

// TimestampOff sends a correctly signed answer whose timestamp is that far from
// the gateway's clock, behind it if offset is negative. It acts. By default a
// client accepts an answer within 10 minutes of its clock. Answers of the old
// gateway have no timestamp.
func TimestampOff(offset time.Duration) Fault {
	return altered("timestamp off by "+offset.String(), func(x *exchange, p *parts) {
		key, _ := x.signer()
		p.sign(key, x.g.clock().Add(offset))
	})
}

func wrongSignature(x *exchange, p *parts) {
	other := *p
	other.content = []byte("{}")
	key, _ := x.signer()
	other.sign(key, x.g.clock())
	p.signature = other.signature
}

func garbledSignature(_ *exchange, p *parts) { p.signature = "!" + p.signature }

func foreignSignature(x *exchange, p *parts) { p.sign(keys().foreign, x.g.clock()) }

// Not at the end, where a client undoes what a proxy adds.
func alteredBody(_ *exchange, p *parts) {
	p.content = slices.Insert(p.content, min(1, len(p.content)), ' ')
}

func garbledTimestamp(x *exchange, p *parts) {
	key, _ := x.signer()
	p.timestamp = "yesterday"
	p.signature = must(protocol.Sign(key, p.covered()))
}

func missingSN(x *exchange) {
	p := x.right()
	p.sn = ""
	x.deliver(x.assemble(p))
}
