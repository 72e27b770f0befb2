package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// state is the state of a check.
type state string

const (
	stateStarted  state = "started"  // the user has the order string and has not answered
	stateAgreed   state = "agreed"   // the user has agreed: the result is asked for
	stateSealed   state = "sealed"   // an answer came that the present keys do not open; it is kept
	stateDone     state = "done"     // the result is here
	stateDeclined state = "declined" // the user has not agreed, or no longer agrees
	stateExpired  state = "expired"  // the user never answered
	stateInDoubt  state = "in_doubt" // the result was probably given, and lost on the way
	stateFailed   state = "failed"   // Alipay refused, or had no result in time; nothing was lost
)

// Label is the state for people.
func (s state) Label() string { return strings.ReplaceAll(string(s), "_", " ") }

// WaitsFor says what must happen next, for people; "" when the check has ended.
func (s state) WaitsFor() string {
	switch s {
	case stateStarted:
		return "the user, in Alipay's app"
	case stateAgreed:
		return "the result, which is asked for"
	case stateSealed:
		return "keys that open the answer"
	case stateInDoubt:
		return "a decision: a new check, most likely"
	case stateFailed:
		return "a decision: ask again, or a new check"
	}
	return ""
}

// schema is understood by both databases. Times are Unix milliseconds.
var schema = []string{`
CREATE TABLE IF NOT EXISTS checks (
	id            TEXT PRIMARY KEY,                -- out_agreement_no, and conn_key of the query
	once_token    TEXT NOT NULL,
	order_string  TEXT NOT NULL,
	state         TEXT NOT NULL,
	note          TEXT NOT NULL DEFAULT '',        -- what the last step met; nothing personal
	open_id       TEXT NOT NULL DEFAULT '',        -- of the user who agreed
	user_id       TEXT NOT NULL DEFAULT '',
	created_at    BIGINT NOT NULL,
	changed_at    BIGINT NOT NULL,
	deadline      BIGINT NOT NULL,                 -- of the present state
	-- Written before a query leaves:
	attempts      BIGINT NOT NULL DEFAULT 0,
	asked_at      BIGINT NOT NULL DEFAULT 0,
	in_flight     BOOLEAN NOT NULL DEFAULT FALSE,  -- this attempt has no outcome yet
	lost          BOOLEAN NOT NULL DEFAULT FALSE,  -- an earlier one never had: it may spend the token yet
	-- Who takes the next step:
	job           BIGINT NOT NULL DEFAULT 0,       -- the one job in charge
	lease         TEXT NOT NULL DEFAULT '',        -- of the step under way; '' when there is none
	due_at        BIGINT NOT NULL DEFAULT 0,       -- when its process is dead, if the job is not just late; 0: nothing to do
	-- What came:
	identity_result TEXT NOT NULL DEFAULT '',
	result        BYTEA,                           -- personal: the whole verified answer, JSON
	sealed        BYTEA                            -- personal: alipay.SealedAnswer
)`,
	`CREATE INDEX IF NOT EXISTS checks_due ON checks (due_at) WHERE due_at > 0`,
	`CREATE INDEX IF NOT EXISTS checks_created ON checks (created_at)`, `
CREATE TABLE IF NOT EXISTS notifications (
	id          TEXT PRIMARY KEY,                  -- notify_id: the same one comes several times
	check_id    TEXT NOT NULL,                     -- '' when it names none of ours
	method      TEXT NOT NULL,
	received_at BIGINT NOT NULL,
	copies      BIGINT NOT NULL DEFAULT 1
)`}

// check is a row of checks.
type check struct {
	ID                string
	OnceToken         string
	OrderString       string
	State             state
	Note              string
	OpenID, UserID    string
	CreatedAt         int64
	ChangedAt         int64
	Deadline          int64
	Attempts, AskedAt int64
	Lost              bool
	Lease             string
	DueAt             int64
	IdentityResult    string
	Result, Sealed    []byte
	Now               int64 // by the database, when it was read
}

const columns = `id, once_token, order_string, state, note, open_id, user_id, created_at, changed_at, deadline,
	attempts, asked_at, lost, lease, due_at, identity_result, result, sealed, NOW`

func (c *check) read(r row) error {
	return r.Scan(&c.ID, &c.OnceToken, &c.OrderString, &c.State, &c.Note, &c.OpenID, &c.UserID, &c.CreatedAt, &c.ChangedAt, &c.Deadline,
		&c.Attempts, &c.AskedAt, &c.Lost, &c.Lease, &c.DueAt, &c.IdentityResult, &c.Result, &c.Sealed, &c.Now)
}

var errNoCheck = errors.New("no such check")

// find returns the check, or errNoCheck.
func (s *service) find(ctx context.Context, id string) (c check, err error) {
	err = s.db.tx(ctx, func(tx transaction) error {
		return tx.query(ctx, c.read, `SELECT `+columns+` FROM checks WHERE id = $1`, id)
	})
	if err == nil && c.ID == "" {
		err = errNoCheck
	}
	return c, err
}

// list returns the newest checks.
func (s *service) list(ctx context.Context, limit int) (all []check, err error) {
	err = s.db.tx(ctx, func(tx transaction) error {
		return tx.query(ctx, func(r row) error {
			var c check
			defer func() { all = append(all, c) }()
			return c.read(r)
		}, `SELECT `+columns+` FROM checks ORDER BY created_at DESC, id LIMIT $1`, limit)
	})
	return all, err
}

// counts returns how many checks there are in each state.
func (s *service) counts(ctx context.Context) (map[state]int, error) {
	counts := make(map[state]int)
	err := s.db.tx(ctx, func(tx transaction) error {
		return tx.query(ctx, func(r row) error {
			var st state
			var n int
			err := r.Scan(&st, &n)
			counts[st] = n
			return err
		}, `SELECT state, count(*) FROM checks GROUP BY state`)
	})
	return counts, err
}

// insert adds a check whose user has not answered yet. Its job looks for the
// agreement in case no message about it ever comes.
func (s *service) insert(ctx context.Context, c check) error {
	return s.db.tx(ctx, func(tx transaction) error {
		job, err := tx.insertJob(ctx, c.ID, s.timing.agreement)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO checks (id, once_token, order_string, state, created_at, changed_at, deadline, job, due_at)
			VALUES ($1, $2, $3, $4, NOW, NOW, NOW + $5, $6, NOW + $7)`,
			c.ID, c.OnceToken, c.OrderString, stateStarted, s.timing.user.Milliseconds(), job, s.due(s.timing.agreement))
		return err
	})
}

// wake puts a new job in charge of the check, to take its next step at once. A
// step in progress ends first.
func (s *service) wake(ctx context.Context, tx transaction, id string) error {
	job, err := tx.insertJob(ctx, id, 0)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE checks SET job = $2, due_at = CASE WHEN lease = '' THEN NOW + $3 ELSE due_at END WHERE id = $1`,
		id, job, s.due(0))
	return err
}

// wakeAll wakes the checks in a state.
func (s *service) wakeAll(ctx context.Context, in state) error {
	return s.db.tx(ctx, func(tx transaction) error {
		ids, err := ids(ctx, tx, `SELECT id FROM checks WHERE state = $1`, in)
		for _, id := range ids {
			err = errors.Join(err, s.wake(ctx, tx, id))
		}
		return err
	})
}

// takeOver puts new jobs in charge of checks whose process has died: during a
// step, so that its lease has run out, or before it, so that the job is overdue
// and not in the queue. River finds such jobs too, but only after minutes.
func (s *service) takeOver(ctx context.Context) error {
	return s.db.tx(ctx, func(tx transaction) error {
		ids, err := ids(ctx, tx, `UPDATE checks SET lease = '', due_at = NOW + $1
			WHERE due_at > 0 AND due_at < NOW AND (lease <> '' OR NOT EXISTS (
				SELECT 1 FROM river_job WHERE river_job.id = checks.job AND state IN ('available', 'scheduled', 'retryable')))
			RETURNING id`, s.due(0))
		for _, id := range ids {
			s.log.Warn("a step was not ended; taking it over", "check", id)
			err = errors.Join(err, s.wake(ctx, tx, id))
		}
		return err
	})
}

func ids(ctx context.Context, tx transaction, query string, args ...any) (ids []string, err error) {
	err = tx.query(ctx, func(r row) error {
		var id string
		defer func() { ids = append(ids, id) }()
		return r.Scan(&id)
	}, query, args...)
	return ids, err
}

// claim takes the check for one step of this job, if it is in charge and no other
// step is in progress. Before a query is sent it records that there is one, and
// whether an earlier one never ended.
func (s *service) claim(ctx context.Context, id string, job int64) (c check, err error) {
	err = s.db.tx(ctx, func(tx transaction) error {
		return tx.query(ctx, c.read, `UPDATE checks SET
				lease = $3, due_at = NOW + $4,
				lost = lost OR in_flight, in_flight = (state = 'agreed'),
				attempts = CASE WHEN state = 'agreed' THEN attempts + 1 ELSE attempts END,
				asked_at = CASE WHEN state = 'agreed' THEN NOW ELSE asked_at END
			WHERE id = $1 AND job = $2 AND lease = '' AND due_at > 0
			RETURNING `+columns, id, job, randomHex(), s.lease().Milliseconds())
	})
	return c, err
}

// busy reports whether this job has to wait for a step in progress.
func (s *service) busy(ctx context.Context, id string, job int64) (busy bool, err error) {
	err = s.db.tx(ctx, func(tx transaction) error {
		return tx.query(ctx, func(r row) error { return r.Scan(&busy) },
			`SELECT lease <> '' FROM checks WHERE id = $1 AND job = $2 AND due_at > 0`, id, job)
	})
	return busy, err
}

// next is the result of a step.
type next struct {
	state          state
	note           string
	lost           bool          // this query has no outcome
	pause          time.Duration // before the next step, unless the state is a last one
	stays          time.Duration // how long the new state may last; 0 leaves the deadline as it is
	openID, userID string
	identityResult string
	result, sealed []byte
	arrived        bool // result or sealed has just come from Alipay
}

// last says that no step follows.
func (n next) last() bool { return n.state != stateStarted && n.state != stateAgreed }

// settle stores the result of a step. A step that has lost its lease may no longer
// decide what happens next; but an answer that arrived is a fact, and is kept.
func (s *service) settle(ctx context.Context, tx transaction, c check, n next) (settled bool, err error) {
	due := int64(0)
	if !n.last() {
		due = s.due(n.pause)
	}
	changed, err := tx.exec(ctx, `UPDATE checks SET
			state = $3, note = $4, lost = lost OR $5, in_flight = FALSE, lease = '', changed_at = NOW,
			due_at   = CASE WHEN CAST($6 AS BIGINT) > 0 THEN NOW + CAST($6 AS BIGINT) ELSE 0 END,
			deadline = CASE WHEN CAST($7 AS BIGINT) > 0 THEN NOW + CAST($7 AS BIGINT) ELSE deadline END,
			open_id = CASE WHEN $8 <> '' THEN $8 ELSE open_id END,
			user_id = CASE WHEN $9 <> '' THEN $9 ELSE user_id END,
			identity_result = $10, result = $11, sealed = $12
		WHERE id = $1 AND (lease = $2 OR ($13 AND state <> 'done'))`,
		c.ID, c.Lease, n.state, n.note, n.lost, due, n.stays.Milliseconds(),
		n.openID, n.userID, n.identityResult, n.result, n.sealed, n.arrived)
	return changed == 1, err
}

// lease is how long a step may take; after that its process must be dead. A query
// ends within half of it, by its timeout.
func (s *service) lease() time.Duration { return 2 * s.timing.query }

// due is when a step that is to begin after a pause must have begun.
func (s *service) due(pause time.Duration) int64 { return (pause + s.lease()).Milliseconds() }

func randomHex() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
