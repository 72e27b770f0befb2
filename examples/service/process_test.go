package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/check"
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	stopPostgres()
	if program.path != "" {
		os.RemoveAll(filepath.Dir(program.path))
	}
	os.Exit(code)
}

// program is the service as it is deployed: without the race detector, under
// which a process would take longer to start than it has to live here.
var program struct {
	once sync.Once
	path string
	err  error
}

func buildProgram(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		var dir string
		if dir, program.err = os.MkdirTemp("", "service"); program.err != nil {
			return
		}
		program.path = filepath.Join(dir, "service")
		if output, err := exec.Command("go", "build", "-o", program.path, ".").CombinedOutput(); err != nil {
			program.err = fmt.Errorf("go build: %w\n%s", err, output)
		}
	})
	require.NoError(t, program.err)
	return program.path
}

// process is the service in a separate process, which is started again after each
// kill.
type process struct {
	addr, notifyAddr string

	args []string
	env  []string

	mu  sync.Mutex
	cmd *exec.Cmd
	log bytes.Buffer // of this life
}

func newProcess(t *testing.T, config alipay.AlipayConfig, args ...string) *process {
	t.Helper()
	p := &process{addr: freeAddr(t), notifyAddr: freeAddr(t), env: append(os.Environ(), environment(config)...)}
	p.args = append([]string{"-addr", p.addr, "-notify-addr", p.notifyAddr, "-gateway", config.BaseURL, "-rescue", t.TempDir()}, args...)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", p.addr, tail(p.log.String(), 4000))
		}
	})
	return p
}

// start begins another life and returns when it serves.
func (p *process) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(buildProgram(t), p.args...)
	cmd.Env = p.env
	p.log.Reset()
	cmd.Stderr = &p.log
	require.NoError(t, cmd.Start())
	p.mu.Lock()
	p.cmd = cmd
	p.mu.Unlock()
	for range 3000 {
		if response, err := http.Get("http://" + p.addr + "/healthz"); err == nil {
			response.Body.Close()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.kill()
	t.Fatalf("the service does not serve:\n%s", p.log.String())
}

// kill ends this life as a power cut would.
func (p *process) kill() { p.end(syscall.SIGKILL) }

// stop asks it to end, and returns what it thinks of that.
func (p *process) stop() error { return p.end(syscall.SIGTERM) }

func (p *process) signal(signal os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd.Process.Signal(signal)
}

func (p *process) end(signal os.Signal) error {
	p.mu.Lock()
	cmd := p.cmd
	p.cmd = nil
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	cmd.Process.Signal(signal)
	return cmd.Wait()
}

// startCheck asks it for a new check.
func (p *process) startCheck() (id, orderString string, err error) {
	response, err := http.Post("http://"+p.addr+"/api/checks", "", nil)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	var started struct {
		ID          string `json:"id"`
		OrderString string `json:"order_string"`
	}
	if response.StatusCode != http.StatusCreated {
		return "", "", errors.New(response.Status)
	}
	err = json.NewDecoder(response.Body).Decode(&started)
	return started.ID, started.OrderString, err
}

// seen is what GET /api/checks/{id} tells.
type seen struct {
	State          check.State `json:"state"`
	IdentityResult string      `json:"identity_result"`
	Note           string      `json:"note"`
	Attempts       int         `json:"attempts"`
}

func (s seen) ended() bool { return s.State != check.StateStarted && s.State != check.StateAgreed }

func getCheck(addr, id string) (s seen, err error) {
	response, err := http.Get("http://" + addr + "/api/checks/" + id)
	if err != nil {
		return s, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, errors.New(response.Status)
	}
	return s, json.NewDecoder(response.Body).Decode(&s)
}

// environment is a configuration as the ALIPAY_… variables.
func environment(c alipay.AlipayConfig) (env []string) {
	for name, value := range map[string]string{
		"ALIPAY_BASE_URL": c.BaseURL, "ALIPAY_APP_ID": c.AppID, "ALIPAY_PRIVATE_KEY": c.PrivateKey,
		"ALIPAY_PUBLIC_KEY": c.AlipayPublicKey, "ALIPAY_PUBLIC_KEY_PATH": c.AlipayPublicKeyPath,
		"ALIPAY_APP_CERT": c.AppCertContent, "ALIPAY_PUBLIC_CERT": c.AlipayPublicCertContent, "ALIPAY_ROOT_CERT": c.RootCertContent,
		"ALIPAY_ENCRYPT_KEY": c.EncryptKey,
	} {
		env = append(env, name+"="+value)
	}
	return env
}

func setEnvironment(t *testing.T, c alipay.AlipayConfig) {
	t.Helper()
	for _, variable := range environment(c) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// server is the PostgreSQL that the tests share, started by the first of them.
var server struct {
	once    sync.Once
	dir     string
	program []string
	cmd     *exec.Cmd
	err     error
	made    int
}

// newPostgres makes a database for this test and returns its URL; without a
// PostgreSQL on this machine the test is skipped.
func newPostgres(t *testing.T) string {
	t.Helper()
	initdb, postgres := findPostgres()
	if postgres == "" {
		t.Skip("NOTE: no PostgreSQL on this machine (Debian: apt-get install postgresql)")
	}
	server.once.Do(func() { server.err = startPostgres(initdb, postgres) })
	require.NoError(t, server.err)
	server.made++
	name := fmt.Sprint("test", server.made)
	conn, err := pgx.Connect(t.Context(), postgresURL("postgres"))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	return postgresURL(name)
}

func postgresURL(name string) string {
	return "postgres:///" + name + "?user=postgres&host=" + url.QueryEscape(server.dir)
}

// startPostgres starts one on a socket, and returns when it takes connections.
func startPostgres(initdb, postgres string) (err error) {
	if server.dir, err = os.MkdirTemp("", "pg"); err != nil { // a short path: it holds a socket
		return err
	}
	if os.Getuid() == 0 {
		if err := os.Chown(server.dir, nobody, nobody); err != nil {
			return err
		}
	}
	data := filepath.Join(server.dir, "data")
	command := exec.Command(initdb, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
	command.Dir, command.SysProcAttr = server.dir, unprivileged()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	server.program = []string{postgres, "-D", data, "-k", server.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	return runPostgres()
}

// runPostgres returns when the server takes connections.
func runPostgres() (err error) {
	server.cmd = exec.Command(server.program[0], server.program[1:]...)
	server.cmd.Dir, server.cmd.SysProcAttr = server.dir, unprivileged()
	if err := server.cmd.Start(); err != nil {
		return err
	}
	for range 1000 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), postgresURL("postgres")); err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// unprivileged is for a server that refuses to be root.
func unprivileged() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

const nobody = 65534

// breakPostgres stops the server as a power cut would.
func breakPostgres() {
	server.cmd.Process.Signal(syscall.SIGQUIT)
	server.cmd.Wait()
}

func stopPostgres() {
	if server.cmd != nil {
		breakPostgres()
	}
	if server.dir != "" {
		os.RemoveAll(server.dir)
	}
}

func findPostgres() (initdb, postgres string) {
	newest := 0
	for _, path := range glob("/usr/lib/postgresql/*/bin/postgres") {
		version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if version > newest {
			newest, initdb, postgres = version, filepath.Join(filepath.Dir(path), "initdb"), path
		}
	}
	if postgres == "" {
		postgres, _ = exec.LookPath("postgres")
		initdb, _ = exec.LookPath("initdb")
	}
	if initdb == "" {
		return "", ""
	}
	return initdb, postgres
}

func glob(pattern string) []string { paths, _ := filepath.Glob(pattern); return paths }

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// readAll returns every check of a database that nothing works on.
func readAll(t *testing.T, url string) (all []*check.Check) {
	t.Helper()
	db, err := openDatabase(context.Background(), url)
	require.NoError(t, err)
	defer db.close()
	rows, err := db.sql.Query(`SELECT id FROM alipay_checks ORDER BY id`)
	require.NoError(t, err)
	var ids []string
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(t, rows.Err())
	for _, id := range ids {
		c, err := db.store.Get(context.Background(), id)
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(b)
}
