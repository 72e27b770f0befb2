package check

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/seed-39a49030/alipay/check/sqlstore"
)

// database is a kind of database, of which each call of open makes a new one.
type database struct {
	name    string
	dialect sqlstore.Dialect
	open    func(testing.TB) *sql.DB
}

var databases = []database{
	{"SQLite", sqlstore.SQLite, openSQLite},
	{"PostgreSQL", sqlstore.PostgreSQL, postgres.open},
	{"MySQL", sqlstore.MySQL, mariadb.open},
}

func openSQLite(tb testing.TB) *sql.DB {
	return opened(tb, "sqlite", "file:"+filepath.Join(tb.TempDir(), "checks.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
}

func opened(tb testing.TB, driver, source string) *sql.DB {
	db, err := sql.Open(driver, source)
	require.NoError(tb, err)
	db.SetMaxOpenConns(50)
	db.SetMaxIdleConns(50)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

// server is a database server on a socket in a directory of its own, which all
// tests share.
type server struct {
	driver, packages string
	start            func(*server) error
	source           func(s *server, database string) string

	once      sync.Once
	dir       string
	cmd       *exec.Cmd
	err       error
	databases int
}

var postgres = &server{
	driver: "pgx", packages: "postgresql",
	source: func(s *server, database string) string { return "host=" + s.dir + " user=postgres dbname=" + database },
	start: func(s *server) error {
		program, initdb := newest("/usr/lib/postgresql/*/bin/postgres", "postgres"), newest("/usr/lib/postgresql/*/bin/initdb", "initdb")
		data := filepath.Join(s.dir, "data")
		if err := s.run(initdb, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"); err != nil {
			return err
		}
		return s.serve("postgres", program, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200")
	},
}

var mariadb = &server{
	driver: "mysql", packages: "mariadb-server-core mariadb-client-core",
	source: func(s *server, database string) string { return "root@unix(" + s.dir + "/socket)/" + database },
	start: func(s *server) error {
		program, install := newest("/usr/sbin/mariadbd", "mariadbd"), newest("/usr/bin/mariadb-install-db", "mariadb-install-db")
		data := filepath.Join(s.dir, "data")
		if err := s.run(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
			return err
		}
		return s.serve("mysql", program, "--no-defaults", "--datadir="+data, "--socket="+s.dir+"/socket", "--pid-file="+s.dir+"/pid",
			"--skip-networking", "--skip-grant-tables", "--max-connections=200")
	},
}

// newest is the program under the last path that matches, or in the PATH; "" when
// there is none.
func newest(pattern, name string) string {
	if paths, _ := filepath.Glob(pattern); len(paths) > 0 {
		return slices.MaxFunc(paths, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	}
	path, _ := exec.LookPath(name)
	return path
}

func (s *server) open(tb testing.TB) *sql.DB {
	tb.Helper()
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "db"); s.err == nil { // a short path: it holds a socket
			s.err = s.start(s)
		}
	})
	if s.err == errNone {
		tb.Skipf("NOTE: left out: the database is not on this machine (Debian: apt-get install %s)", s.packages)
	}
	require.NoError(tb, s.err)
	s.databases++
	name := fmt.Sprint("test", s.databases)
	admin := opened(tb, s.driver, s.source(s, map[string]string{"pgx": "postgres", "mysql": ""}[s.driver]))
	_, err := admin.ExecContext(tb.Context(), "CREATE DATABASE "+name)
	require.NoError(tb, err)
	return opened(tb, s.driver, s.source(s, name))
}

var errNone = fmt.Errorf("there is no such program")

// command is one that does not run as root, since servers refuse that.
func (s *server) command(program string, args ...string) (*exec.Cmd, error) {
	if program == "" {
		return nil, errNone
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	if os.Getuid() == 0 {
		const nobody = 65534
		if err := os.Chown(s.dir, nobody, nobody); err != nil {
			return nil, err
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd, nil
}

func (s *server) run(program string, args ...string) error {
	cmd, err := s.command(program, args...)
	if err != nil {
		return err
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, output)
	}
	return nil
}

// serve starts the server, and returns when it takes connections to a database
// that every server has.
func (s *server) serve(database, program string, args ...string) error {
	cmd, err := s.command(program, args...)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	db, err := sql.Open(s.driver, s.source(s, database))
	if err != nil {
		return err
	}
	defer db.Close()
	for range 3000 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not take connections: %w", program, err)
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		if s == mariadb {
			_ = s.cmd.Process.Kill()
		}
		_ = s.cmd.Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.stop()
	mariadb.stop()
	os.Exit(code)
}
