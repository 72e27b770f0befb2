package check

import (
	"maps"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay"
)

// State is the state of a check.
type State string

// The states of a check.
const (
	StateStarted  State = "started"  // the user has the order string, and has not answered
	StateAgreed   State = "agreed"   // the user has agreed: the result is asked for
	StateSealed   State = "sealed"   // an answer came that the present keys do not open; it is kept, and nothing is asked
	StateDone     State = "done"     // the result is here
	StateDeclined State = "declined" // the user has not agreed, or no longer agrees
	StateExpired  State = "expired"  // the user has not answered in time
	StateInDoubt  State = "in_doubt" // no result can be had, and an answer was lost or is kept: it may have been the result
	StateFailed   State = "failed"   // Alipay refused, or had no result in time; nothing was lost
)

// States returns all states.
func States() []State { return slices.Sorted(maps.Keys(table)) }

// event is what a step found out, or what a person or a message brought.
type event string

const (
	userAgreed   event = "the user has agreed"
	userDeclined event = "the user has declined"
	nothingNew   event = "nothing new"              // no agreement yet, WAITING_VERIFY, no connection, refused for load
	lost         event = "an answer was lost"       // a query that may have reached Alipay, and no answer to it
	kept         event = "an answer was kept"       // one that came altered, stale, or about another user
	sealed       event = "an answer is sealed"      // one that no present key verifies or decrypts
	opened       event = "a kept answer opened"     // and is no result
	result       event = "the result came"          // or a kept answer opened, and is the result
	refused      event = "Alipay refused"           //
	doubt        event = "refused, with a doubt"    // after an answer was lost, or while one is kept
	overdue      event = "the time is over"         //
	overdueDoubt event = "the time is over, doubt"  // after an answer was lost, or while one is kept
	message      event = "a message came"           // Notified
	askAgain     event = "a person said: ask again" // AskAgain
)

// table is what leads from one state to the next. What stands in no row of a
// state changes nothing there.
var table = map[State]map[event]State{
	StateStarted: { // a step asks for the agreement
		nothingNew:   StateStarted,
		userAgreed:   StateAgreed,
		userDeclined: StateDeclined,
		overdue:      StateExpired,
		message:      StateStarted, // the next step is due now
		refused:      StateFailed,  // by preconsult, or the order string could not be signed
	},
	StateAgreed: { // a step opens what is kept, then asks for the result
		nothingNew:   StateAgreed,
		lost:         StateAgreed,
		kept:         StateAgreed,
		sealed:       StateSealed,
		result:       StateDone,
		refused:      StateFailed,
		doubt:        StateInDoubt,
		overdue:      StateFailed,
		overdueDoubt: StateInDoubt,
	},
	StateSealed: { // a step opens what is kept, and asks nothing
		nothingNew: StateSealed,
		opened:     StateAgreed,
		result:     StateDone,
		askAgain:   StateAgreed,
	},
	StateInDoubt: { // a step opens what is kept, and asks nothing
		nothingNew: StateInDoubt,
		opened:     StateAgreed,
		result:     StateDone,
		askAgain:   StateAgreed,
	},
	StateFailed: {
		kept:     StateInDoubt, // a process that was frozen brings it
		askAgain: StateAgreed,  // started, if the user has not agreed
	},
	StateExpired:  {message: StateStarted},
	StateDeclined: {message: StateStarted},
	StateDone:     {},
}

// Timing says how long things take and wait. The zero value of each member means
// its default.
type Timing struct {
	Agreement time.Duration // before a first look for the agreement, growing to 15 of it; default 1 min
	User      time.Duration // the user's time to answer; default 24 h
	Poll      time.Duration // the first pause between two queries for a result, growing to 15 of it; default 1 s
	Result    time.Duration // Alipay's time to have a result, from the agreement on; default 1 h
	Query     time.Duration // one query, at most; a step that takes twice as long counts as dead; default 15 s
}

// openEvery is the time between two tries to open what is kept.
func (t Timing) openEvery() time.Duration { return min(15*t.Poll, 15*time.Second) }

// finding is what a step found out.
type finding struct {
	event          event
	note           string
	began          time.Time             // when the step began
	pause          time.Duration         // before the next step, if the state stays
	userID, openID string                // of the user who agreed
	result         *alipay.QueryResponse // the result
	answer         *alipay.SealedAnswer  // an answer to keep
	opened         []*alipay.SealedAnswer
	lost           bool // this query has no outcome
}

// apply changes c by what its own step found out.
func (c *Check) apply(f finding, timing Timing, now time.Time) {
	c.Lease, c.LeaseUntil, c.InFlight = "", time.Time{}, false
	c.Lost = c.Lost || f.lost
	for _, answer := range f.opened {
		c.drop(answer)
	}
	c.keep(f.answer)
	c.Note = f.note
	on := f.event
	stays := table[c.State][on] == c.State
	over := stays && !c.Deadline.IsZero() && !f.began.Before(c.Deadline)
	switch inDoubt := c.Lost || len(c.Sealed) > 0; {
	case on == kept && c.tooMuchKept():
		on = sealed
	case on == refused && inDoubt && c.State == StateAgreed:
		on = doubt
	case over && c.State == StateAgreed && inDoubt:
		on = overdueDoubt
	case over:
		on = overdue
	}
	switch on {
	case userAgreed:
		c.OpenID, c.UserID, c.AgreedAt = f.openID, f.userID, now
	case result:
		c.Result = f.result
	}
	c.move(on, timing, now)
	if c.State == StateStarted || c.State == StateAgreed {
		if stays {
			c.DueAt = earlier(now.Add(f.pause.Truncate(time.Millisecond)), c.Deadline)
		}
		if c.Woken && c.State == StateStarted {
			c.DueAt = now
		}
	}
	c.Woken = false
}

// move leads to the next state, its deadline and its next step.
func (c *Check) move(on event, timing Timing, now time.Time) {
	to, ok := table[c.State][on]
	if !ok {
		return
	}
	if on == askAgain && c.AgreedAt.IsZero() {
		to = StateStarted
	}
	if to != c.State {
		c.State, c.ChangedAt, c.Deadline = to, now, time.Time{}
		switch to {
		case StateStarted:
			c.Deadline = now.Add(timing.User)
		case StateAgreed:
			c.Deadline = now.Add(timing.Result)
		}
	}
	switch {
	case to == StateStarted, to == StateAgreed:
		c.DueAt = now
	case to == StateSealed, to == StateInDoubt && len(c.Sealed) > 0:
		c.DueAt = now.Add(timing.openEvery())
	default:
		c.DueAt = time.Time{}
	}
}

// late changes c by what a step found out that has lost its lease. It may no
// longer decide what happens next, but what came is a fact. It reports whether
// there was anything to change.
func (c *Check) late(f finding, timing Timing, now time.Time) (changed bool) {
	if f.result != nil && c.State != StateDone {
		c.Result, c.Note = f.result, f.note
		c.Lease, c.LeaseUntil, c.InFlight, c.Woken = "", time.Time{}, false, false
		c.State, c.ChangedAt, c.Deadline, c.DueAt = StateDone, now, time.Time{}, time.Time{}
		changed = true
	}
	if c.keep(f.answer) {
		changed = true
		if c.State == StateFailed || c.State == StateInDoubt {
			c.Note = f.note
			c.move(kept, timing, now)
			c.DueAt = now
		}
	}
	return changed
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
