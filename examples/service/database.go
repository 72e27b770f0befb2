package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite"
)

// database contains the checks and River's jobs. It is SQLite, in a file that one
// process uses, or PostgreSQL, which several processes share.
type database interface {
	// tx runs f in one transaction, so that checks and jobs change together or
	// not at all.
	tx(ctx context.Context, f func(transaction) error) error
	// start begins to work jobs.
	start(ctx context.Context) error
	// stop starts no more jobs and waits for those in progress.
	stop(ctx context.Context) error
	close()
}

// transaction is what f is given. Queries are written for both databases: $1 is
// the first argument and NOW the database's own time in Unix milliseconds, the
// one clock that all processes share.
type transaction interface {
	// exec returns how many rows it changed.
	exec(ctx context.Context, query string, args ...any) (int64, error)
	// query calls each for every row.
	query(ctx context.Context, each func(row) error, query string, args ...any) error
	// insertJob adds the job that takes the check's next step after a while, and
	// returns its id.
	insertJob(ctx context.Context, checkID string, after time.Duration) (int64, error)
	// completeJob ends the job in progress.
	completeJob(ctx context.Context, job *river.Job[stepArgs]) error
}

// row is what *sql.Rows and pgx.Rows have in common.
type row interface{ Scan(dest ...any) error }

// openDatabase opens the database at url, a file's path or postgres://…, and
// brings its tables up to date.
func openDatabase(ctx context.Context, url string, config *river.Config) (database, error) {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(ctx, url, config)
	}
	return openSQLite(ctx, url, config)
}

func openSQLite(ctx context.Context, path string, config *river.Config) (database, error) {
	// The file holds personal data: make it before SQLite does, for this user alone.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	file.Close()
	pool, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1) // SQLite has one writer; River's driver asks for this
	driver := riversqlite.New(pool)
	s := &store[*sql.Tx]{
		complete: river.JobCompleteTx[*riversqlite.Driver, *sql.Tx, stepArgs],
		shut:     func() { pool.Close() },
		begin: func(ctx context.Context) (*sql.Tx, statements, error) {
			tx, err := pool.BeginTx(ctx, nil)
			return tx, sqliteStatements{tx}, err
		},
	}
	return s.open(ctx, driver, config)
}

func openPostgres(ctx context.Context, url string, config *river.Config) (database, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	// Processes that start together bring the tables up to date one by one.
	lock, err := pool.Acquire(ctx)
	if err != nil {
		pool.Close()
		return nil, err
	}
	defer lock.Release()
	const key = 0x616c6970 // any number that nothing else locks
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", key); err != nil {
		pool.Close()
		return nil, err
	}
	defer lock.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", key)

	s := &store[pgx.Tx]{
		complete: river.JobCompleteTx[*riverpgxv5.Driver, pgx.Tx, stepArgs],
		shut:     pool.Close,
		begin: func(ctx context.Context) (pgx.Tx, statements, error) {
			tx, err := pool.Begin(ctx)
			return tx, postgresStatements{tx}, err
		},
	}
	return s.open(ctx, riverpgxv5.New(pool), config)
}

// store is a database whose transactions are of type T.
type store[T any] struct {
	river    *river.Client[T]
	complete func(context.Context, T, *river.Job[stepArgs]) (*river.Job[stepArgs], error)
	begin    func(context.Context) (T, statements, error)
	shut     func()
}

// statements is what differs between the two databases within a transaction.
type statements interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	query(ctx context.Context, each func(row) error, query string, args ...any) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

func (s *store[T]) open(ctx context.Context, driver riverdriver.Driver[T], config *river.Config) (_ database, err error) {
	defer func() {
		if err != nil {
			s.shut()
		}
	}()
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: config.Logger})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("the tables of River: %w", err)
	}
	err = s.tx(ctx, func(tx transaction) error {
		for _, statement := range schema {
			if _, err := tx.exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	s.river, err = river.NewClient(driver, config)
	return s, err
}

func (s *store[T]) tx(ctx context.Context, f func(transaction) error) error {
	// Steps run without River's timeout, and a database may hang.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	raw, statements, err := s.begin(ctx)
	if err != nil {
		return err
	}
	// After a commit this does nothing.
	defer statements.rollback(context.WithoutCancel(ctx))
	if err := f(storeTx[T]{statements, raw, s}); err != nil {
		return err
	}
	return statements.commit(ctx)
}

func (s *store[T]) start(ctx context.Context) error { return s.river.Start(ctx) }
func (s *store[T]) stop(ctx context.Context) error  { return s.river.Stop(ctx) }
func (s *store[T]) close()                          { s.shut() }

type storeTx[T any] struct {
	statements
	raw   T
	store *store[T]
}

func (t storeTx[T]) insertJob(ctx context.Context, checkID string, after time.Duration) (int64, error) {
	var opts river.InsertOpts
	if after > 0 {
		opts.ScheduledAt = time.Now().Add(after)
	}
	inserted, err := t.store.river.InsertTx(ctx, t.raw, stepArgs{checkID}, &opts)
	if err != nil {
		return 0, err
	}
	return inserted.Job.ID, nil
}

func (t storeTx[T]) completeJob(ctx context.Context, job *river.Job[stepArgs]) error {
	_, err := t.store.complete(ctx, t.raw, job)
	return err
}

type sqliteStatements struct{ *sql.Tx }

var forSQLite = strings.NewReplacer("$", "?", "NOW", "CAST(unixepoch('subsec') * 1000 AS INTEGER)")

func (s sqliteStatements) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := s.ExecContext(ctx, forSQLite.Replace(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s sqliteStatements) query(ctx context.Context, each func(row) error, query string, args ...any) error {
	rows, err := s.QueryContext(ctx, forSQLite.Replace(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s sqliteStatements) commit(context.Context) error   { return s.Commit() }
func (s sqliteStatements) rollback(context.Context) error { return s.Rollback() }

type postgresStatements struct{ pgx.Tx }

var forPostgres = strings.NewReplacer("NOW", "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")

func (s postgresStatements) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := s.Exec(ctx, forPostgres.Replace(query), args...)
	return tag.RowsAffected(), err
}

func (s postgresStatements) query(ctx context.Context, each func(row) error, query string, args ...any) error {
	rows, err := s.Query(ctx, forPostgres.Replace(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s postgresStatements) commit(ctx context.Context) error   { return s.Commit(ctx) }
func (s postgresStatements) rollback(ctx context.Context) error { return s.Rollback(ctx) }
