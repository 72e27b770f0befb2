package alipaytest

import "github.com/seed-39a49030/alipay/internal/protocol"

// StringToSign is what the gateway checks the signature over. It is empty for a
// request that was refused before that: for want of an Authorization, say.
func (r ReceivedRequest) StringToSign() string {
	if r.authString == "" {
		return ""
	}
	// The app auth token counts as sent, even the word null.
	return string(protocol.StringToSign(r.authString, r.Method, r.target, r.signed, r.AppAuthToken))
}

// SignedString is what the client signed: StringToSign when the signature holds,
// and else what [ReceivedRequest].Diagnosis found out, empty when it did not.
func (r ReceivedRequest) SignedString() string {
	if r.Verified {
		return r.StringToSign()
	}
	return r.signedString
}

// PendingFault is a fault that was injected and not met often enough yet.
type PendingFault struct {
	Fault Fault
	Times int // how many more requests are to meet it; negative: all
}

// PendingFaults returns what [Gateway.Inject] has in store, in turn.
func (g *Gateway) PendingFaults() []PendingFault {
	g.mu.Lock()
	defer g.mu.Unlock()
	pending := make([]PendingFault, len(g.faults))
	for i, f := range g.faults {
		pending[i] = PendingFault{f.fault, f.times}
	}
	return pending
}
