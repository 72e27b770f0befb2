package check

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Store keeps checks. Package sqlstore has one for SQLite, PostgreSQL and MySQL;
// package checktest has the test that any other should pass.
//
// All methods may be called from several goroutines and processes at once. Times
// are kept to the millisecond. A Store keeps what it is given and returns copies:
// the JSON of a Check is a stored form that every later version reads.
type Store interface {
	// Insert adds a check as it is, with its Version; ErrConflict if there is one
	// with its ID.
	Insert(ctx context.Context, c *Check) error
	// Get returns the check, or ErrNotFound.
	Get(ctx context.Context, id string) (*Check, error)
	// Update replaces the stored check if it still has c.Version, in one step, and
	// raises c.Version. Otherwise it changes nothing and returns ErrConflict.
	Update(ctx context.Context, c *Check) error
	// Due returns the ids of checks whose DueAt is not zero and not after now, at
	// most limit, the earliest first.
	Due(ctx context.Context, now time.Time, limit int) (ids []string, err error)
}

// The errors of a Store that a Machine acts on.
var (
	ErrNotFound = errors.New("check: there is no such check")
	ErrConflict = errors.New("check: the stored check has another version")
)

// StoreError is an answer of Alipay's that could not be stored before the context
// ended. Check has what came and is perhaps the only copy of a result: write its
// JSON to a safe place, and give it to Store.Update once the store works again. On
// ErrConflict another process has worked on the check since: compare the two.
//
// Printing, logging and the JSON of a StoreError show nothing of the Check but its
// id.
type StoreError struct {
	Check *Check
	Err   error // of the store
}

// Error says which check it is; of the store's error it shows the type only.
func (e *StoreError) Error() string {
	return fmt.Sprintf("check: what came for check %s could not be stored (%s); StoreError.Check is perhaps the only copy of a result", e.id(), brief(e.Err))
}

func (e *StoreError) id() string {
	if e.Check == nil {
		return ""
	}
	return shownID(e.Check.ID)
}

// Unwrap returns the store's error.
func (e *StoreError) Unwrap() error { return e.Err }

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e StoreError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue implements [slog.LogValuer] with what Error returns.
func (e StoreError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalJSON writes the error's text and the check's id.
func (e StoreError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"error": e.Error(), "check": e.id()})
}

// GobEncode implements [encoding/gob.GobEncoder] and always fails: it would carry
// Check.
func (e StoreError) GobEncode() ([]byte, error) {
	return nil, errors.New("check: a StoreError is not encoded with gob, since that would carry the check; encode the JSON of its Check")
}

// storeFailure is an error of the store, whose text is the caller's.
type storeFailure struct {
	what string
	err  error
}

func (e *storeFailure) Error() string { return "check: the store: " + e.what + ": " + brief(e.err) }
func (e *storeFailure) Unwrap() error { return e.err }

// brief shows the texts of this package and of contexts, and the type of any other
// error.
func brief(err error) string {
	for _, own := range []error{ErrNotFound, ErrConflict, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	return fmt.Sprintf("%T", err)
}

// MemoryStore is a Store in memory, for tests and trials: it ends with the
// process.
type MemoryStore struct {
	mu   sync.Mutex
	rows map[string]row
}

type row struct {
	version int64
	dueAt   time.Time
	data    []byte // JSON, so that a copy is whole
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{rows: make(map[string]row)} }

// Insert implements [Store].
func (s *MemoryStore) Insert(ctx context.Context, c *Check) error {
	return s.put(ctx, c, c.Version, func(_ row, exists bool) bool { return !exists })
}

// Get implements [Store].
func (s *MemoryStore) Get(ctx context.Context, id string) (*Check, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	r, exists := s.rows[id]
	s.mu.Unlock()
	if !exists {
		return nil, ErrNotFound
	}
	c := new(Check)
	err := json.Unmarshal(r.data, c)
	c.Version = r.version
	return c, err
}

// Update implements [Store].
func (s *MemoryStore) Update(ctx context.Context, c *Check) error {
	err := s.put(ctx, c, c.Version+1, func(r row, exists bool) bool { return exists && r.version == c.Version })
	if err == nil {
		c.Version++
	}
	return err
}

// put stores a check if the row that is there allows it.
func (s *MemoryStore) put(ctx context.Context, c *Check, version int64, allowed func(r row, exists bool) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, exists := s.rows[c.ID]; !allowed(r, exists) {
		return ErrConflict
	}
	s.rows[c.ID] = row{version, c.DueAt, data}
	return nil
}

// Due implements [Store].
func (s *MemoryStore) Due(ctx context.Context, now time.Time, limit int) (ids []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.rows {
		if !r.dueAt.IsZero() && !r.dueAt.After(now) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(s.rows[a].dueAt.Compare(s.rows[b].dueAt), cmp.Compare(a, b))
	})
	return ids[:min(limit, len(ids))], nil
}
