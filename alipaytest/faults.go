package alipaytest

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Fault is something that the gateway does wrong on request, for
// [Gateway.Inject]. It is a value: its methods return changed copies.
//
// With some faults the gateway acts on the request first, and spends the
// once_token, as when an answer is lost on the way. The others fail before that
// and do not spend it. [Fault.Acts] reports which, [Fault.Acting] changes it.
type Fault struct {
	name     string
	acts     bool
	harmless bool
	when     func(ReceivedRequest) bool
	do       func(*exchange)
	aim      string // of For
}

// String returns the fault's name.
func (f Fault) String() string {
	if f.do == nil {
		return "none"
	}
	return f.name
}

// Acts reports whether the gateway acts on the request, and so spends the
// once_token, before the fault.
func (f Fault) Acts() bool { return f.acts }

// Acting returns the fault with the given Acts: a 502 from a proxy whose gateway
// has acted is BadGateway.Acting(true).
func (f Fault) Acting(acts bool) Fault {
	if acts != f.acts {
		f.name += map[bool]string{true: ", acted", false: ", not acted"}[acts]
	}
	f.acts = acts
	return f
}

// acted is Acting(true) under the same name.
func (f Fault) acted() Fault { f.acts = true; return f }

// Harmless reports whether the right answer still arrives, for a client that waits
// long enough and accepts an answer of that size.
func (f Fault) Harmless() bool { return f.harmless && f.acts }

// When limits the fault to requests for which condition returns true. Others do
// not meet it and are not counted:
//
//	fault.When(func(r alipaytest.ReceivedRequest) bool { return r.Params.Get("once_token") == "token-1" })
//
// A fault may have several conditions, and all must be true; nil adds none. They
// must be quick, must not call the gateway and must not change the request.
func (f Fault) When(condition func(ReceivedRequest) bool) Fault {
	switch before := f.when; {
	case condition == nil:
	case before == nil:
		f.when = condition
	default:
		f.when = func(r ReceivedRequest) bool { return before(r) && condition(r) }
	}
	return f
}

// For limits the fault to requests for one path, or for one method of the old
// gateway, as [Fault.When] does.
func (f Fault) For(pathOrMethod string) Fault {
	f.aim = pathOrMethod
	return f.When(func(r ReceivedRequest) bool {
		return r.Path == pathOrMethod || r.Path == protocol.OldGatewayPath && r.Params.Get("method") == pathOrMethod
	})
}

// Faults returns every fault that has a name, and those with a parameter at
// typical values: the rows of a table-driven test, or what a soak chooses from.
// No two have the same name. [Hang] and slow ones are among them, so callers
// need timeouts.
func Faults() []Fault { return slices.Concat(connectionFaults, signatureFaults, answerFaults) }

// FaultNamed returns the fault of [Faults] that has this name, as in "half a
// head". It panics if there is none, since a test that injects nothing passes.
func FaultNamed(name string) Fault {
	for _, fault := range Faults() {
		if fault.name == name {
			return fault
		}
	}
	panic("alipaytest: FaultNamed: there is no fault " + strconv.Quote(name))
}

type injected struct {
	fault Fault
	times int // negative: until cleared
}

// Inject injects fault into the next requests, as many as times says, or all until
// [Gateway.ClearFaults] when it is negative. Only requests that pass the gateway's
// checks and are for an endpoint that it has count. Faults that are injected while
// others wait come after them; each request meets one.
func (g *Gateway) Inject(fault Fault, times int) {
	if fault.do == nil || times == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, injected{fault, times})
}

// ClearFaults removes all injected faults that no request has met yet.
func (g *Gateway) ClearFaults() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = nil
}

// nextFault takes the fault that a request is to meet, the zero Fault if none.
func (g *Gateway) nextFault(received ReceivedRequest) Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.faults {
		entry := &g.faults[i]
		fault := entry.fault
		if fault.when != nil && !fault.when(received) {
			continue
		}
		if entry.times > 0 {
			if entry.times--; entry.times == 0 {
				g.faults = slices.Delete(g.faults, i, i+1)
			}
		}
		return fault
	}
	return Fault{}
}

// FaultFunc makes a fault from a function. misbehave gets the right answer,
// encrypted and signed; what it writes to w is what the client receives, and a
// panic with http.ErrAbortHandler aborts the answer. r's body has been read;
// its context is done when the client goes away or the gateway closes. The fault
// acts, and the gateway does not count its answers as delivered. A misbehave that
// takes the connection over by http.Hijacker has to close it.
func FaultFunc(name string, misbehave func(w http.ResponseWriter, r *http.Request, answer *Answer)) Fault {
	return Fault{name: name, acts: true, do: func(x *exchange) { misbehave(x.w, x.r, x.answer()) }}
}

// altered makes a fault that acts and sends the right answer after a change.
func altered(name string, change func(x *exchange, p *parts)) Fault {
	return Fault{name: name, acts: true, do: func(x *exchange) {
		p := x.right()
		change(x, p)
		_ = x.assemble(p).Send(x.w)
	}}
}

// instead makes a fault that does not act and sends another answer.
func instead(name string, answer func(x *exchange) *Answer) Fault {
	return Fault{name: name, do: func(x *exchange) { _ = answer(x).Send(x.w) }}
}

// sleep waits, unless the client or the gateway goes away first.
func (x *exchange) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) flush() { _ = http.NewResponseController(x.w).Flush() }
