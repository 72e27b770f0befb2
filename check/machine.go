package check

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/backoff"
	"github.com/seed-39a49030/alipay/internal/identity"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// Machine carries checks from one state to the next. It is safe for concurrent
// use, and holds nothing but what it was given: any number of processes may have
// one over the same store.
type Machine struct {
	client *alipay.Client
	store  Store
	timing Timing

	preconsults bool

	clock func() time.Time
	log   *slog.Logger
	wake  chan struct{} // tells Run that a step is due

	// What the simulation decides by its seed.
	randomID func() string
	jitter   func(time.Duration) time.Duration
}

// Option configures a [Machine].
type Option func(*Machine) error

// WithTiming sets how long things take and wait.
func WithTiming(timing Timing) Option {
	return func(m *Machine) error {
		for _, d := range []time.Duration{timing.Agreement, timing.User, timing.Poll, timing.Result, timing.Query} {
			if d < 0 {
				return &alipay.ConfigError{Field: "WithTiming", Reason: "a member is negative; the zero value of each means its default"}
			}
		}
		m.timing = timing
		return nil
	}
}

// WithLogger logs each step at Debug, at Info when the state changes, and at Warn
// what a store refuses. The attributes are check, from, to, attempts, lost, kept
// and note: nothing personal. By default nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(m *Machine) error {
		if logger != nil {
			m.log = logger
		}
		return nil
	}
}

// WithClock sets the clock by which steps are due, for tests. The default, also
// for nil, is [time.Now]. The clocks of all processes may differ by less than
// Timing.Query. Timeouts and pauses go by the real clock.
func WithClock(now func() time.Time) Option {
	return func(m *Machine) error {
		if now != nil {
			m.clock = now
		}
		return nil
	}
}

// WithPreconsult has Start ask Alipay whether the check can succeed, before there is
// an order string (身份验真预咨询, zhima.customer.jobworth.authentication.preconsult).
// A wrong service id or type is then found before the user is sent to Alipay.
func WithPreconsult() Option {
	return func(m *Machine) error {
		m.preconsults = true
		return nil
	}
}

// New returns a Machine over a client and a store.
func New(client *alipay.Client, store Store, opts ...Option) (*Machine, error) {
	if client == nil || store == nil {
		return nil, &alipay.ConfigError{Field: "check.New", Reason: "the client or the store is nil"}
	}
	m := &Machine{
		client: client, store: store, clock: time.Now, log: slog.New(slog.DiscardHandler),
		wake: make(chan struct{}, 1), randomID: randomHex, jitter: backoff.Jitter,
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(m); err != nil {
			return nil, err
		}
	}
	m.timing = Timing{
		Agreement: cmp.Or(m.timing.Agreement, time.Minute), User: cmp.Or(m.timing.User, 24*time.Hour),
		Poll: cmp.Or(m.timing.Poll, time.Second), Result: cmp.Or(m.timing.Result, time.Hour), Query: cmp.Or(m.timing.Query, 15*time.Second),
	}
	return m, nil
}

// Start makes a check, with an ID and a OnceToken of its own, stores it, and
// returns it with the order string for the merchant's app or mini-program. The
// user has Timing.User to answer.
//
// With an error there is no order string, and a check that was stored already has
// failed. A mistake in params is an *[alipay.ArgumentError].
func (m *Machine) Start(ctx context.Context, params Params) (c *Check, orderString string, err error) {
	extra := map[string]any{}
	for name, value := range params.ExtraParam {
		extra[name] = value
	}
	switch _, taken := extra["onceToken"]; {
	case params.ServiceID == "":
		err = &alipay.ArgumentError{Argument: "Params.ServiceID", Reason: "it is empty; Zhima has assigned it to the merchant"}
	case params.IdentityType == "" || params.QueryType == "":
		err = &alipay.ArgumentError{Argument: "Params", Reason: "IdentityType or QueryType is empty, and without them the result cannot be asked for"}
	case taken:
		err = &alipay.ArgumentError{Argument: "Params.ExtraParam", Reason: "onceToken is set by Start"}
	}
	if err != nil {
		return nil, "", err
	}
	now := m.now()
	c = &Check{
		ID: m.randomID(), OnceToken: m.randomID(), Params: params, State: StateStarted, CreatedAt: now, ChangedAt: now,
		Deadline: now.Add(m.timing.User), DueAt: now.Add(m.timing.Agreement), Version: 1,
	}
	extra["onceToken"] = c.OnceToken
	if err := m.stored(ctx, "Insert", func(ctx context.Context) error { return m.store.Insert(ctx, c) }); err != nil {
		return nil, "", err
	}
	if m.preconsults {
		err = m.preconsult(ctx, c)
	}
	if err == nil {
		orderString, err = m.client.ZhimaCreditPayafteruseCreditagreement.Sign(ctx, &alipay.CreditAgreementSignParams{
			OutAgreementNo: c.ID, ZmServiceID: params.ServiceID, CategoryID: params.CategoryID,
			ProductCode: alipay.ProductCodeZhimaAuth, ExtraParam: extra,
		})
	}
	if err != nil {
		c.apply(finding{event: refused, note: err.Error(), began: now}, m.timing, m.now())
		if storeErr := m.update(ctx, c); storeErr != nil { // it expires, since nobody has its order
			err = errors.Join(err, storeErr)
		}
		return nil, "", err
	}
	return c, orderString, nil
}

// preconsult asks whether the check can succeed.
func (m *Machine) preconsult(ctx context.Context, c *Check) error {
	ctx, cancel := context.WithTimeout(ctx, m.timing.Query)
	defer cancel()
	says, err := m.client.ZhimaCustomerJobworthAuthentication.Preconsult(ctx, &alipay.PreconsultParams{
		OutAgreementNo: c.ID, OnceToken: c.OnceToken,
		IdentityType: c.Params.IdentityType, QueryType: c.Params.QueryType, ZmServiceID: c.Params.ServiceID,
	})
	if err != nil || says.PreCheckSuccess {
		return err
	}
	var mask redact.Mask // of what was sent, if the reason repeats it
	mask.Add(c.ID, c.OnceToken, c.Params.ServiceID)
	return fmt.Errorf("check: preconsult says that this check cannot succeed: %s", redact.Printable(mask.Apply(says.Reason, 1000), 200))
}

// Notified takes a message of the platform, as NotificationHandler gives it. It
// believes nothing of it but that it is time to ask: the check's next step is due
// now. It returns the check's id, for a job queue to step it, or "" for a message
// about no check of this store. The same message may come any number of times.
func (m *Machine) Notified(ctx context.Context, n *alipay.Notification) (id string, err error) {
	var content struct {
		OutAgreementNo string `json:"out_agreement_no"`
	}
	if n == nil || json.Unmarshal(n.BizContent, &content) != nil || !identity.IsPlain(content.OutAgreementNo) {
		return "", nil
	}
	_, err = m.change(ctx, content.OutAgreementNo, func(c *Check) bool {
		if _, waits := table[c.State][message]; !waits {
			return false
		}
		if m.leased(c) {
			c.Woken = true // the step under way may have asked too early
			return true
		}
		c.move(message, m.timing, m.now())
		return true
	})
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return content.OutAgreementNo, nil
}

// AskAgain is a person's decision about a check that is in doubt, failed or
// sealed: Alipay is asked again, for Timing.Result. What is kept stays kept. If the
// user has not agreed yet, the agreement is asked for. A check in another state
// stays as it is, with an error.
func (m *Machine) AskAgain(ctx context.Context, id string) error {
	c, err := m.change(ctx, id, func(c *Check) bool {
		_, waits := table[c.State][askAgain]
		if waits {
			c.move(askAgain, m.timing, m.now())
		}
		return waits
	})
	if err == nil && c == nil {
		err = errors.New("check: this check waits for no decision: only in_doubt, failed and sealed do")
	}
	return err
}

// change applies f to the stored check until no other change comes between. It
// returns nil when f says that there is nothing to change.
func (m *Machine) change(ctx context.Context, id string, f func(*Check) bool) (*Check, error) {
	for {
		c, err := m.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if !f(c) {
			return nil, nil
		}
		err = m.update(ctx, c)
		if err == nil {
			select {
			case m.wake <- struct{}{}:
			default:
			}
			return c, nil
		}
		if !errors.Is(err, ErrConflict) || !backoff.Sleep(ctx, m.jitter(10*time.Millisecond)) {
			return nil, err
		}
	}
}

// Step takes the next step of a check, if one is due and no other process is at
// it, and returns the check with the time after which to call again; 0 means that
// there is nothing to do until a message or a person changes that. It may be called
// by any number of processes at any time.
//
// An error is one of the store, of ctx, or [ErrNotFound]. When ctx ends, a query
// that is under way is not cut off: it ends by its own timeout, within
// Timing.Query, and its answer is stored. If that fails until then, the error is a
// *[StoreError] that has the answer.
func (m *Machine) Step(ctx context.Context, id string) (c *Check, next time.Duration, err error) {
	began := m.now()
	c, err = m.get(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if m.leased(c) {
		return c, c.next(began), nil
	}
	due, asks := !c.DueAt.IsZero() && !c.DueAt.After(began), c.State == StateStarted || c.State == StateAgreed
	found, asked := m.open(c), false
	found.began = began
	switch {
	case found.event == result: // without asking
	case asks && due:
		claimed, err := m.claim(ctx, c, began)
		if errors.Is(err, ErrConflict) { // another was faster
			if c, err = m.get(ctx, id); err == nil {
				next = c.next(m.now())
			}
			return c, next, err
		}
		if err != nil {
			return nil, 0, err
		}
		c, found, asked = claimed, m.ask(ctx, claimed, found), true
	case found.event == opened && !asks, found.event == nothingNew && !asks && due:
	default:
		return c, c.next(began), nil
	}
	from := c.State
	c, err = m.settle(ctx, c, found, asked)
	if err != nil {
		return nil, 0, err
	}
	level := slog.LevelDebug
	if c.State != from {
		level = slog.LevelInfo
	}
	m.logged(ctx, level, "check: step", slog.String("check", shownID(c.ID)), slog.String("from", string(from)), slog.String("to", string(c.State)),
		slog.Int("attempts", c.Attempts), slog.Bool("lost", c.Lost), slog.Int("kept", len(c.Sealed)), slog.String("note", c.Note))
	return c, c.next(m.now()), nil
}

// next is the time from now until the next step, 0 when there is none.
func (c *Check) next(now time.Time) time.Duration {
	if c.DueAt.IsZero() {
		return 0
	}
	return max(c.DueAt.Sub(now), time.Millisecond)
}

// leased reports whether a step is under way, whose process may be alive.
func (m *Machine) leased(c *Check) bool { return c.Lease != "" && m.now().Before(c.LeaseUntil) }

// claim takes the check for one step. Before a query leaves it stores that there
// is one, and whether an earlier one never ended.
func (m *Machine) claim(ctx context.Context, c *Check, began time.Time) (*Check, error) {
	c = c.copied()
	c.Lease, c.LeaseUntil = m.randomID(), began.Add(2*m.timing.Query)
	c.DueAt = c.LeaseUntil // when another may take over
	c.Woken = false
	c.Lost = c.Lost || c.InFlight
	c.InFlight = c.State == StateAgreed
	if c.InFlight {
		c.Attempts++
	}
	return c, m.update(ctx, c)
}

// ask asks Alipay what the state of the check waits for.
func (m *Machine) ask(ctx context.Context, c *Check, found finding) finding {
	found.event = nothingNew
	// Counted from before the claim: a process that was frozen in between has no time
	// left, and asks nothing while another has the lease.
	left := m.timing.Query - m.now().Sub(found.began)
	if left <= 0 || ctx.Err() != nil {
		found.note = "the process was stopped before it asked"
		return found
	}
	// A query may be the only one that gets the result, so nothing but its own
	// timeout may cut it off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	if c.State == StateStarted {
		return m.askAgreement(ctx, c, found)
	}
	return m.askResult(ctx, c, found)
}

// askAgreement asks whether the user has agreed. It spends nothing, whatever comes.
func (m *Machine) askAgreement(ctx context.Context, c *Check, found finding) finding {
	agreement, err := m.client.ZhimaCreditPayafteruseCreditagreement.Query(ctx, &alipay.CreditAgreementQueryParams{OutAgreementNo: c.ID})
	age := found.began.Sub(c.CreatedAt)
	found.pause = max(m.timing.Agreement, min(age/8, 15*m.timing.Agreement))
	switch {
	case errors.Is(err, alipay.CodeCreditAgreementNotExist): // as long as the user has not answered
	case err != nil:
		found.note, found.pause = err.Error(), min(m.jitter(10*m.timing.Poll), found.pause)
	case agreement.AgreementStatus == alipay.AgreementStatusValid:
		found.event, found.openID, found.userID = userAgreed, agreement.OpenID, agreement.AlipayUserID
		if !identity.IsPlain(found.openID) && !identity.IsPlain(found.userID) {
			found.note = "the agreement names no user, so the result cannot be compared with it"
		}
	case agreement.AgreementStatus == alipay.AgreementStatusInvalid:
		found.event = userDeclined
	default:
		found.note = "the agreement has a status that is unknown to this version of the library"
	}
	return found
}

// askResult asks for the result, once.
func (m *Machine) askResult(ctx context.Context, c *Check, found finding) finding {
	params := &alipay.QueryParams{
		ConnKey: c.ID, OnceToken: c.OnceToken, ServiceID: c.Params.ServiceID, IdentityType: c.Params.IdentityType, QueryType: c.Params.QueryType,
	}
	// So that another user's answer is refused. An id that was masked is none.
	if identity.IsPlain(c.UserID) {
		params.UserID = c.UserID
	}
	if identity.IsPlain(c.OpenID) {
		params.OpenID = c.OpenID
	}
	found.pause = m.jitter(min(time.Duration(c.Attempts)*m.timing.Poll, 15*m.timing.Poll))
	response, err := m.client.ZhimaCustomerJobworthAuthentication.Query(ctx, params)
	if err != nil {
		found.note = err.Error()
	}
	if found.answer = answerIn(err); found.answer != nil {
		found.event = kept
		if isSealed(err) {
			found.event = sealed
		} else if !errors.Is(err, alipay.ErrResponseAltered) {
			found.lost = true // this one may be the answer to another query
		}
		return found
	}
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		if isFinal(response) {
			found.event, found.result = result, response
		}
	case alipay.OutcomeRejected:
		found.event = refused
	case alipay.OutcomeUnknown:
		found.event, found.lost = lost, true
	case alipay.OutcomeNotDelivered:
		if !alipay.Retryable(err) { // for an operator to put right
			found.pause = m.jitter(15 * m.timing.Poll)
		}
	case alipay.OutcomePending: // never of a single query
	}
	return found
}

// open opens what is kept, under the present keys, and asks nothing.
func (m *Machine) open(c *Check) (found finding) {
	if len(c.Sealed) == 0 || c.State != StateAgreed && c.State != StateSealed && c.State != StateInDoubt {
		return found
	}
	found.event, found.note = nothingNew, c.Note
	stillSealed := false
	for _, answer := range c.Sealed {
		response, err := m.client.ZhimaCustomerJobworthAuthentication.Open(answer)
		var says *alipay.APIError
		switch {
		case err == nil && !sameUser(c, response):
			// Stored with the wrong check, or mixed up by the other side: it stays.
		case err == nil && isFinal(response):
			return finding{event: result, result: response, note: "opened from a kept answer", opened: []*alipay.SealedAnswer{answer}}
		case err == nil, errors.As(err, &says): // a refusal is repeated when Alipay is asked again
			found.opened = append(found.opened, answer)
			found.lost = found.lost || alipay.OutcomeOf(err) == alipay.OutcomeUnknown
		}
		stillSealed = isSealed(err) // of the last one, which is why nothing is asked: an earlier one may be under an earlier key
	}
	if len(found.opened) > 0 || c.State == StateSealed && !stillSealed && !c.tooMuchKept() {
		found.event = opened
	}
	return found
}

// settle stores what a step found, again and again until it is stored or ctx ends.
func (m *Machine) settle(ctx context.Context, c *Check, found finding, asked bool) (*Check, error) {
	fresh := c
	for pause := 50 * time.Millisecond; ; {
		last := ctx.Err() != nil
		changed := fresh.copied()
		if fresh.Lease == c.Lease && fresh.State == c.State {
			changed.apply(found, m.timing, m.now())
		} else if !changed.late(found, m.timing, m.now()) {
			return fresh, nil // another has taken over, or the store had more success than it said
		}
		// Not under ctx: its end must not leave open whether this was stored.
		err := m.update(context.WithoutCancel(ctx), changed)
		if err == nil {
			return changed, nil
		}
		if errors.Is(err, ErrConflict) {
			var now *Check
			if now, err = m.get(context.WithoutCancel(ctx), c.ID); err == nil {
				fresh = now
				continue
			}
		}
		if last || errors.Is(err, ErrNotFound) {
			if asked {
				err = &StoreError{Check: changed, Err: errors.Unwrap(err)}
			}
			return nil, err
		}
		m.logged(ctx, slog.LevelWarn, "check: cannot store a step; trying again", slog.String("check", shownID(c.ID)), slog.String("error", err.Error()))
		backoff.Sleep(ctx, pause)
		pause = min(2*pause, time.Second)
	}
}

func (m *Machine) get(ctx context.Context, id string) (c *Check, err error) {
	err = m.stored(ctx, "Get", func(ctx context.Context) (err error) {
		c, err = m.store.Get(ctx, id)
		return err
	})
	return c, err
}

func (m *Machine) update(ctx context.Context, c *Check) error {
	return m.stored(ctx, "Update", func(ctx context.Context) error { return m.store.Update(ctx, c) })
}

// stored calls the store, for no longer than a query may take. A panic of the
// store is an error, since it must not take an answer away.
func (m *Machine) stored(ctx context.Context, what string, call func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, m.timing.Query)
	defer cancel()
	defer func() {
		if reason := recover(); reason != nil {
			err = &storeFailure{what, fmt.Errorf("it panicked with a %T", reason)}
		}
	}()
	if err := call(ctx); err != nil {
		return &storeFailure{what, err}
	}
	return nil
}

// logged logs; a panic of the handler must not take an answer away.
func (m *Machine) logged(ctx context.Context, level slog.Level, text string, attrs ...slog.Attr) {
	defer func() { _ = recover() }()
	m.log.LogAttrs(ctx, level, text, attrs...)
}

func (m *Machine) now() time.Time { return m.clock().Round(0).UTC().Truncate(time.Millisecond) }

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
