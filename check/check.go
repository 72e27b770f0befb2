// Package check carries a person's check with Zhima from the order string to the
// result, through crashes, deployments, lost answers and changed keys.
//
// A [Machine] works over an [alipay.Client] and a [Store]. Start makes a check and
// its order string, Notified takes the platform's message, and Run asks Alipay
// until the result is stored:
//
//	machine, err := check.New(client, store)
//	go machine.Run(ctx)
//	c, orderString, err := machine.Start(ctx, check.Params{…})
//
// Before a query leaves, the store says so; after an answer has come, it is stored
// before anything else is done. Any number of processes may work on the same
// checks. A job queue can take the place of Run: call Step in its worker, and again
// after the time that Step returns. A queue that delivers at least once is enough.
//
// The file states.go has the states, and what leads from one to the next.
package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// Params say what is checked. ServiceID, IdentityType and QueryType are required.
// Printing and logging it shows which are set.
type Params struct {
	IdentityType alipay.IdentityType `json:"identity_type,omitempty"` // the occupation, as [alipay.IdentityTypeTeacher] (identity_type)
	QueryType    alipay.QueryType    `json:"query_type,omitempty"`    // exact or fuzzy (query_type)
	ServiceID    string              `json:"service_id,omitempty"`    // credit service id, assigned by Zhima (zm_service_id, service_id)
	CategoryID   string              `json:"category_id,omitempty"`   // category of the service (category_id)
	ExtraParam   map[string]any      `json:"extra_param,omitempty"`   // further members of extra_param, beside onceToken
}

// Check is one person's check, as a [Store] keeps it.
//
// OnceToken, the ids of the user, Result and Sealed are personal or secret.
// Printing and logging a Check, with any verb of fmt and with log/slog, shows none
// of them. Its JSON contains everything, for a Store: do not log that, nor a
// struct, slice or map that holds a Check with [slog.JSONHandler].
type Check struct {
	ID        string `json:"id"`         // out_agreement_no, and conn_key of the query
	OnceToken string `json:"once_token"` // once_token
	Params    Params `json:"params"`
	State     State  `json:"state"`
	Note      string `json:"note,omitempty"` // what the last step met, for operators; nothing personal

	OpenID   string    `json:"open_id,omitempty"` // of the user who agreed, as far as Alipay named them
	UserID   string    `json:"user_id,omitempty"` // likewise
	AgreedAt time.Time `json:"agreed_at,omitzero"`

	Attempts int  `json:"attempts,omitempty"`  // queries for the result so far
	InFlight bool `json:"in_flight,omitempty"` // the last of them has no outcome yet
	Lost     bool `json:"lost,omitempty"`      // one of them never had an outcome: it may have got the result

	CreatedAt time.Time `json:"created_at,omitzero"`
	ChangedAt time.Time `json:"changed_at,omitzero"` // when State last changed
	Deadline  time.Time `json:"deadline,omitzero"`   // of the present state; zero for one that has none
	DueAt     time.Time `json:"due_at,omitzero"`     // when the next step is due; zero when there is nothing to do

	Lease      string    `json:"lease,omitempty"`      // of the step under way; "" without one
	LeaseUntil time.Time `json:"lease_until,omitzero"` // after that its process counts as dead
	Woken      bool      `json:"woken,omitempty"`      // a message came while a step was under way

	Result *alipay.QueryResponse  `json:"result,omitempty"` // the verified result
	Sealed []*alipay.SealedAnswer `json:"-"`                // answers that came and could not be accepted; one of them may be the result

	Version int64 `json:"version"` // of the stored row: Store.Update compares and raises it
}

// storedCheck is the stored form. Members may be added to it, and never change.
type storedCheck struct {
	members
	ResultMeta *alipay.Response `json:"result_meta,omitempty"`
	Sealed     [][]byte         `json:"sealed,omitempty"`
}

type members Check // without its methods

// MarshalJSON writes the whole check, with everything that is personal in it.
// UnmarshalJSON of this and of every later version reads it.
func (c Check) MarshalJSON() ([]byte, error) {
	for _, t := range []*time.Time{&c.AgreedAt, &c.CreatedAt, &c.ChangedAt, &c.Deadline, &c.DueAt, &c.LeaseUntil} {
		*t = t.UTC()
	}
	out := storedCheck{members: members(c)}
	if c.Result != nil {
		out.ResultMeta = &c.Result.Meta
	}
	for _, answer := range c.Sealed {
		data, err := answer.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out.Sealed = append(out.Sealed, data)
	}
	return json.Marshal(out)
}

var errNotACheck = errors.New("check: these bytes are not the JSON of a Check, or were changed")

// UnmarshalJSON reads what MarshalJSON wrote. With an error the receiver stays as
// it was; the error's text quotes nothing of the bytes.
func (c *Check) UnmarshalJSON(data []byte) error {
	var in storedCheck
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // ExtraParam keeps its digits
	if err := decoder.Decode(&in); err != nil || in.ID == "" || decoder.InputOffset() < int64(len(bytes.TrimRight(data, " \t\r\n"))) {
		return errNotACheck
	}
	if _, known := table[in.State]; !known {
		return fmt.Errorf("check: the State of check %s is unknown to this version of the library; update it", shownID(in.ID))
	}
	read := Check(in.members)
	if in.Result != nil && in.ResultMeta != nil {
		read.Result.Meta = *in.ResultMeta
	}
	for _, data := range in.Sealed {
		answer := new(alipay.SealedAnswer)
		if err := answer.UnmarshalBinary(data); err != nil {
			return fmt.Errorf("check: a kept answer of check %s: %w", shownID(in.ID), err)
		}
		read.Sealed = append(read.Sealed, answer)
	}
	*c = read
	return nil
}

// copied returns a check that can be changed without changing c.
func (c *Check) copied() *Check {
	n := *c
	n.Sealed = slices.Clone(c.Sealed)
	return &n
}

// keep adds an answer, unless it is there already, and reports whether it was new.
func (c *Check) keep(answer *alipay.SealedAnswer) bool {
	if answer == nil || slices.ContainsFunc(c.Sealed, func(kept *alipay.SealedAnswer) bool { return sameAnswer(kept, answer) }) {
		return false
	}
	c.Sealed = append(c.Sealed, answer)
	return true
}

// drop removes an answer that has been opened.
func (c *Check) drop(answer *alipay.SealedAnswer) {
	c.Sealed = slices.DeleteFunc(c.Sealed, func(kept *alipay.SealedAnswer) bool { return sameAnswer(kept, answer) })
}

func sameAnswer(a, b *alipay.SealedAnswer) bool { return bytes.Equal(stored(a), stored(b)) }

func stored(answer *alipay.SealedAnswer) []byte {
	data, _ := answer.MarshalBinary() // fails only for an empty one, which is never kept
	return data
}

// tooMuchKept bounds what one check gathers while its asking goes on.
func (c *Check) tooMuchKept() bool {
	size := 0
	for _, answer := range c.Sealed {
		size += len(stored(answer))
	}
	return len(c.Sealed) > 100 || size > 4<<20
}

// String shows the id, the state and what else is not personal. Format and LogValue
// show the same, whatever the verb.
func (c Check) String() string                { return c.shown().String() }
func (c Check) Format(f fmt.State, verb rune) { c.shown().Format(f, verb) }
func (c Check) LogValue() slog.Value          { return c.shown().LogValue() }

func (c Check) shown() redact.Value {
	result := ""
	if c.Result != nil {
		result = string(c.Result.IdentityResult)
	}
	return redact.Value{TypeName: "check.Check", Fields: []redact.Field{
		{Name: "ID", Text: shownID(c.ID)}, redact.Hidden("OnceToken", c.OnceToken),
		word("State", c.State, States()...), {Name: "Note", Text: redact.Printable(c.Note, 1000)},
		redact.Hidden("OpenID", c.OpenID), redact.Hidden("UserID", c.UserID),
		redact.Count("Attempts", c.Attempts), yes("InFlight", c.InFlight), yes("Lost", c.Lost),
		moment("CreatedAt", c.CreatedAt), moment("ChangedAt", c.ChangedAt), moment("Deadline", c.Deadline), moment("DueAt", c.DueAt),
		word("Result", alipay.IdentityResult(result), alipay.IdentityResultSuccess, alipay.IdentityResultFailed),
		redact.Count("Sealed", len(c.Sealed)), {Name: "Version", Text: strconv.FormatInt(c.Version, 10)},
	}}
}

// String, Format and LogValue show which parameters are set.
func (p Params) String() string                { return p.shown().String() }
func (p Params) Format(f fmt.State, verb rune) { p.shown().Format(f, verb) }
func (p Params) LogValue() slog.Value          { return p.shown().LogValue() }

func (p Params) shown() redact.Value {
	return redact.Value{TypeName: "check.Params", Fields: []redact.Field{
		word("IdentityType", p.IdentityType, alipay.IdentityTypeTeacher),
		word("QueryType", p.QueryType, alipay.QueryTypeExact, alipay.QueryTypeDim),
		redact.Hidden("ServiceID", p.ServiceID), redact.Hidden("CategoryID", p.CategoryID), redact.Count("ExtraParam", len(p.ExtraParam)),
	}}
}

// shownID is an id as it is shown. A Machine makes ids that fit; another one may
// be anything.
func shownID(id string) string { return redact.Printable(id, 64) }

// word shows one of the known words. Anything else in such a field may be a misplaced
// personal value.
func word[T ~string](name string, value T, words ...T) redact.Field {
	if slices.Contains(words, value) {
		return redact.Field{Name: name, Text: string(value)}
	}
	return redact.Hidden(name, string(value))
}

func yes(name string, set bool) redact.Field {
	return redact.Field{Name: name, Text: map[bool]string{true: "true"}[set]}
}

func moment(name string, t time.Time) redact.Field {
	if t.IsZero() {
		return redact.Field{}
	}
	return redact.Field{Name: name, Text: t.UTC().Format(time.RFC3339)}
}
