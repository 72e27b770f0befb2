// Package sqlstore is a check.Store over database/sql, for SQLite, PostgreSQL and
// MySQL (or MariaDB), whose drivers the caller imports.
//
// The table alipay_checks has a row for each check: id, version, state, created_at,
// changed_at and due_at (Unix milliseconds, 0 for none), and data, the JSON of the
// check.Check. A program may read it with statements of its own, and write only
// through the Store. The data is personal: limit who may read it, and delete rows
// that are no longer needed.
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/check"
)

// Dialect is the kind of a database.
type Dialect int

// The databases.
const (
	SQLite     Dialect = iota + 1 // 3.24 or newer
	PostgreSQL                    // 12 or newer
	MySQL                         // 8.0 or newer, or MariaDB 10.5 or newer
)

// Store is a check.Store in a database.
//
// Open a SQLite file with a busy timeout, in WAL mode, and with full
// synchronisation; for modernc.org/sqlite:
//
//	sql.Open("sqlite", "file:checks.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
type Store struct {
	db      *sql.DB
	dialect Dialect
	writer  chan struct{} // SQLite's one writer: its own waiting is not fair; nil otherwise
}

var _ check.Store = (*Store)(nil)

// New returns a Store over a database. Call Migrate once, before it is used.
func New(db *sql.DB, dialect Dialect) *Store {
	s := &Store{db: db, dialect: dialect}
	if dialect == SQLite {
		s.writer = make(chan struct{}, 1)
	}
	return s
}

// migrations bring the tables up to date, one after the other. One that was
// released is never changed, and running it twice does no harm.
var migrations = map[Dialect][][]string{
	SQLite: {{
		`CREATE TABLE IF NOT EXISTS alipay_checks (
			id TEXT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL,
			created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, due_at INTEGER NOT NULL, data BLOB NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS alipay_checks_due ON alipay_checks (due_at, id) WHERE due_at > 0`,
		`CREATE INDEX IF NOT EXISTS alipay_checks_created ON alipay_checks (created_at, id)`,
	}},
	PostgreSQL: {{
		`CREATE TABLE IF NOT EXISTS alipay_checks (
			id TEXT COLLATE "C" PRIMARY KEY, version BIGINT NOT NULL, state TEXT NOT NULL,
			created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, due_at BIGINT NOT NULL, data BYTEA NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS alipay_checks_due ON alipay_checks (due_at, id) WHERE due_at > 0`,
		`CREATE INDEX IF NOT EXISTS alipay_checks_created ON alipay_checks (created_at, id)`,
	}},
	MySQL: {{
		`CREATE TABLE IF NOT EXISTS alipay_checks (
			id VARBINARY(128) PRIMARY KEY, version BIGINT NOT NULL, state VARCHAR(32) NOT NULL,
			created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, due_at BIGINT NOT NULL, data LONGBLOB NOT NULL,
			INDEX alipay_checks_due (due_at, id), INDEX alipay_checks_created (created_at, id))`,
	}},
}

// Migrate creates the tables, and brings those of an earlier version of this
// library up to date. Processes that start together may all call it.
func (s *Store) Migrate(ctx context.Context) error {
	if _, known := migrations[s.dialect]; !known {
		return fmt.Errorf("sqlstore: dialect %d is unknown", s.dialect)
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	lock, unlock := "", ""
	switch s.dialect {
	case PostgreSQL:
		lock, unlock = `SELECT pg_advisory_lock(7020115010)`, `SELECT pg_advisory_unlock(7020115010)`
	case MySQL:
		lock, unlock = `SELECT GET_LOCK('alipay_checks', 60)`, `SELECT RELEASE_LOCK('alipay_checks')`
	case SQLite: // has one writer
	}
	if lock != "" {
		if _, err := conn.ExecContext(ctx, lock); err != nil {
			return fmt.Errorf("sqlstore: waiting for another process to bring the tables up to date: %w", err)
		}
		defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), unlock) }()
	}
	if _, err := conn.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS alipay_checks_schema (version BIGINT PRIMARY KEY)`); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	done := 0
	if err := conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM alipay_checks_schema`).Scan(&done); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	for version := done + 1; version <= len(migrations[s.dialect]); version++ {
		steps := append(migrations[s.dialect][version-1], s.insertNew(fmt.Sprintf("alipay_checks_schema (version) VALUES (%d)", version)))
		for _, statement := range steps {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("sqlstore: migration %d: %w", version, err)
			}
		}
	}
	return nil
}

// Insert implements [check.Store].
func (s *Store) Insert(ctx context.Context, c *check.Check) error {
	data, err := json.Marshal(c)
	if err == nil && len(c.ID) > 128 {
		err = errors.New("sqlstore: the id of a check is longer than 128 bytes")
	}
	if err != nil {
		return err
	}
	return s.one(ctx, s.insertNew("alipay_checks (id, version, state, created_at, changed_at, due_at, data) VALUES (?, ?, ?, ?, ?, ?, ?)"),
		c.ID, c.Version, string(c.State), milliseconds(c.CreatedAt), milliseconds(c.ChangedAt), milliseconds(c.DueAt), data)
}

// Get implements [check.Store].
func (s *Store) Get(ctx context.Context, id string) (*check.Check, error) {
	var version int64
	var data []byte
	err := s.db.QueryRowContext(ctx, s.sql(`SELECT version, data FROM alipay_checks WHERE id = ?`), id).Scan(&version, &data)
	if err == sql.ErrNoRows {
		return nil, check.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	c := new(check.Check)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
	}
	c.Version = version // data has the one before
	return c, nil
}

// Update implements [check.Store].
func (s *Store) Update(ctx context.Context, c *check.Check) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	err = s.one(ctx, `UPDATE alipay_checks SET version = ?, state = ?, created_at = ?, changed_at = ?, due_at = ?, data = ? WHERE id = ? AND version = ?`,
		c.Version+1, string(c.State), milliseconds(c.CreatedAt), milliseconds(c.ChangedAt), milliseconds(c.DueAt), data, c.ID, c.Version)
	if err == nil {
		c.Version++
	}
	return err
}

// Due implements [check.Store].
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (ids []string, err error) {
	rows, err := s.db.QueryContext(ctx, s.sql(`SELECT id FROM alipay_checks WHERE due_at > 0 AND due_at <= ? ORDER BY due_at, id LIMIT ?`),
		milliseconds(now), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// one runs a statement that changes one row, or none because of a conflict.
func (s *Store) one(ctx context.Context, statement string, args ...any) error {
	if s.writer != nil {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	result, err := s.db.ExecContext(ctx, s.sql(statement), args...)
	if err != nil {
		return err
	}
	if changed, err := result.RowsAffected(); err != nil || changed == 1 {
		return err
	}
	return check.ErrConflict
}

// insertNew inserts a row unless there is one with its key.
func (s *Store) insertNew(into string) string {
	if s.dialect == MySQL {
		return "INSERT IGNORE INTO " + into
	}
	return "INSERT INTO " + into + " ON CONFLICT DO NOTHING"
}

// sql writes the placeholders of a statement as the database knows them.
func (s *Store) sql(statement string) string {
	if s.dialect != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for n, part := range strings.Split(statement, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
	}
	return b.String()
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
