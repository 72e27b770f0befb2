package alipaytest

import "github.com/seed-39a49030/alipay/internal/protocol"

// StringToSign is what the gateway checks the signature over. It is empty for a
// request that was refused earlier, for example without an Authorization header.
func (r ReceivedRequest) StringToSign() string {
	if r.authString == "" {
		return r.oldContent
	}
	// The app auth token counts as sent, even the word null.
	return string(protocol.StringToSign(r.authString, r.Method, r.target, r.signed, r.AppAuthToken))
}

// SignedString is what the client signed: StringToSign when the signature
// verifies, else what [ReceivedRequest].Diagnosis found out, or empty.
func (r ReceivedRequest) SignedString() string {
	if r.Verified {
		return r.StringToSign()
	}
	return r.signedString
}

// PendingFault is an injected fault that more requests are to meet.
type PendingFault struct {
	Fault Fault
	For   string // the path or method that [Fault.For] has limited it to; "" for every one
	Times int    // how many more requests are to meet it; negative: all
}

// PendingFaults returns the injected faults that are still to come, in order.
func (g *Gateway) PendingFaults() []PendingFault {
	g.mu.Lock()
	defer g.mu.Unlock()
	pending := make([]PendingFault, len(g.faults))
	for i, f := range g.faults {
		pending[i] = PendingFault{f.fault, f.fault.aim, f.times}
	}
	return pending
}
