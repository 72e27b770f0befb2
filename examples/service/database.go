package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/seed-39a49030/alipay/check"
	"github.com/seed-39a49030/alipay/check/sqlstore"
)

// database is where the checks are.
type database struct {
	store *sqlstore.Store
	sql   *sql.DB
	pool  *pgxpool.Pool // of PostgreSQL; nil with SQLite
}

// openDatabase opens the database at url, a file's path or postgres://…, and
// brings its tables up to date.
func openDatabase(ctx context.Context, url string) (d database, err error) {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		if d.pool, err = pgxpool.New(ctx, url); err != nil {
			return d, err
		}
		d.sql = stdlib.OpenDBFromPool(d.pool)
		d.store = sqlstore.New(d.sql, sqlstore.PostgreSQL)
	} else {
		// The file holds personal data: make it before SQLite does, for this user alone.
		file, err := os.OpenFile(url, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return d, err
		}
		file.Close()
		d.sql, err = sql.Open("sqlite", "file:"+url+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		if err != nil {
			return d, err
		}
		d.store = sqlstore.New(d.sql, sqlstore.SQLite)
	}
	return d, d.store.Migrate(ctx)
}

func (d database) close() {
	d.sql.Close()
	if d.pool != nil {
		d.pool.Close()
	}
}

// rescue writes answers that could not be stored into files, since the process
// ends and has the only copies. It returns the errors that are left.
func (s *service) rescue(err error) error {
	errs := []error{err}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		errs = several.Unwrap()
	}
	for i, err := range errs {
		var lost *check.StoreError
		if errors.As(err, &lost) {
			path := filepath.Join(s.rescueDir, lost.Check.ID+".check.json")
			data, err := json.Marshal(lost.Check)
			errs[i] = errors.Join(err, os.WriteFile(path, data, 0o600))
			s.log.Error("an answer could not be stored; the next start stores it from this file", "check", lost.Check.ID, "file", path, "error", errs[i])
		}
	}
	return errors.Join(errs...)
}

// restore stores what rescue wrote. A check that another process has gone on with
// since is left to a person.
func (s *service) restore(ctx context.Context) {
	paths, _ := filepath.Glob(filepath.Join(s.rescueDir, "*.check.json"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		c := new(check.Check)
		if err = errors.Join(err, json.Unmarshal(data, c)); err == nil {
			err = s.store.Update(ctx, c)
		}
		if err == nil {
			err = os.Remove(path)
		}
		s.log.Warn("a rescued answer; with an error, compare the file with the check", "file", path, "error", err)
	}
}
