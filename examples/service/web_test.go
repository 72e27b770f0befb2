package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

const testKey = "AAECAwQFBgcICQoLDA0ODw=="

// serve runs the service in this process until the test ends, and returns its
// address.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	addr, _ := serveUntil(t, io.Discard, args...)
	return addr
}

// serveUntil runs the service until end is called, which is no later than the
// end of the test.
func serveUntil(t *testing.T, logs io.Writer, args ...string) (addr string, end func()) {
	t.Helper()
	addr = freeAddr(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-addr", addr, "-db", filepath.Join(t.TempDir(), "checks.db"), "-poll", "20ms"}, args...), logs)
	}()
	end = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended, "a graceful end")
	})
	t.Cleanup(end)
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Fatal(err)
		default:
		}
		if response, err := http.Get("http://" + addr + "/healthz"); err == nil {
			response.Body.Close()
			return addr, end
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reaches waits until the check is in the state.
func reaches(t *testing.T, addr, id string, want state) (s seen) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		s, err = getCheck(addr, id)
		return err == nil && s.State == want
	}, 30*time.Second, 10*time.Millisecond, "it never is %s", want)
	return s
}

func TestTheWholeCheckFromTheOrderStringToTheStoredResult(t *testing.T) {
	for _, certificates := range []bool{false, true} {
		for _, encrypted := range []bool{false, true} {
			t.Run(fmt.Sprintf("certificates=%v,encrypted=%v", certificates, encrypted), func(t *testing.T) {
				var options []alipaytest.Option
				if encrypted {
					options = append(options, alipaytest.WithEncryptKey(testKey))
				}
				gateway := alipaytest.NewGateway(t, options...)
				config := gateway.Config()
				if certificates {
					config = gateway.CertConfig()
				}
				setEnvironment(t, config)
				db := filepath.Join(t.TempDir(), "checks.db")
				// Without the message nothing would happen for an hour.
				addr := serve(t, "-gateway", gateway.BaseURL(), "-db", db, "-agreement-poll", "1h")
				gateway.SetMessagesTo("http://" + addr + "/notifications")

				p := process{addr: addr}
				id, orderString, err := p.startCheck()
				require.NoError(t, err)
				order, err := gateway.OpenOrder(orderString)
				require.NoError(t, err)
				assert.Equal(t, id, order.OutAgreementNo)
				assert.Equal(t, certificates, order.Params.Has("app_cert_sn"))
				assert.Equal(t, encrypted, order.Params.Has("encrypt_type"))
				gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, MerchantIdentityID: "V1_the_person", WaitingPolls: 2})
				order.Agree()

				seen := reaches(t, addr, id, stateDone)
				assert.Equal(t, "SUCCESS", seen.IdentityResult)
				assert.Equal(t, 3, seen.Attempts)
				assert.Equal(t, 3, gateway.Deliveries(order.OnceToken))
				for _, request := range gateway.Requests() {
					assert.True(t, request.Verified)
					if request.Params.Has("once_token") {
						assert.Equal(t, id, request.Params.Get("conn_key"))
						assert.NotEmpty(t, request.Params.Get("open_id"), "so that another user's answer is refused")
					}
				}

				page := body(t, get(t, addr, "/checks/"+id))
				assert.Contains(t, page, "SUCCESS")
				assert.NotContains(t, page, "V1_the_person", "the page shows nothing personal")
				metrics := body(t, get(t, addr, "/metrics"))
				assert.Contains(t, metrics, `checks{state="done"} 1`)
				assert.Contains(t, metrics, `alipay_attempts_total{outcome="success",path="/v3/zhima/customer/jobworth/authentication"} 3`)
			})
		}
	}
}

// logs is what a service writes, read when it has ended.
type logs struct {
	mu sync.Mutex
	strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(p)
}

func TestLogsAndTracesShowTheStepsAndNothingPersonal(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	config := gateway.Config()
	setEnvironment(t, config)
	var written logs
	addr, end := serveUntil(t, &written, "-gateway", gateway.BaseURL(), "-traces")
	gateway.SetMessagesTo("http://" + addr + "/notifications")
	id, orderString, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	order, err := gateway.OpenOrder(orderString)
	require.NoError(t, err)
	gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, MerchantIdentityID: "V1_the_person"})
	gateway.Inject(alipaytest.BadGateway, 1)
	order.Agree()
	reaches(t, addr, id, stateDone)
	end()

	type span struct {
		Name                string
		SpanContext, Parent struct{ SpanID string }
	}
	spans := make(map[string]string) // name by id
	parents := make(map[string]string)
	for line := range strings.Lines(written.String()) {
		var s span
		require.NoError(t, json.Unmarshal([]byte(line), &s), "every line is JSON: %s", line)
		if s.Name != "" {
			spans[s.SpanContext.SpanID] = s.Name
			parents[s.Name] = s.Parent.SpanID
		}
	}
	assert.Equal(t, "step", spans[parents["GET /v3/zhima/customer/jobworth/authentication"]])
	assert.Equal(t, "step", spans[parents["GET /v3/zhima/credit/payafteruse/creditagreement/query"]])
	assert.Contains(t, written.String(), id)
	for _, request := range gateway.Requests() {
		if openID := request.Params.Get("open_id"); openID != "" {
			assert.NotContains(t, written.String(), openID)
		}
	}
	for _, secret := range []string{order.OnceToken, "V1_the_person", config.PrivateKey[100:150], order.Params.Get("sign")} {
		assert.NotContains(t, written.String(), secret)
	}
}

func TestADeclinedCheckIsNotAskedFor(t *testing.T) {
	addr := serve(t) // with a gateway of its own, at which the user is played
	id, _, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, post(t, addr, "/checks/"+id+"/decline", "").StatusCode)
	assert.Zero(t, reaches(t, addr, id, stateDeclined).Attempts)
}

func get(t *testing.T, addr, path string) *http.Response {
	t.Helper()
	response, err := http.Get("http://" + addr + path)
	require.NoError(t, err)
	return response
}

func post(t *testing.T, addr, path, form string) *http.Response {
	t.Helper()
	response, err := http.Post("http://"+addr+path, "application/x-www-form-urlencoded", strings.NewReader(form))
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// message is a signed message about a check.
func message(gateway *alipaytest.Gateway, id string) url.Values {
	return gateway.SignNotification(url.Values{
		"notify_id": {"2026112400222"}, "utc_timestamp": {fmt.Sprint(time.Now().UnixMilli())}, "app_id": {alipaytest.AppID}, "version": {"1.1"},
		"msg_method":  {"zhima.credit.payafteruse.creditagreement.changed"},
		"biz_content": {`{"agreement_status":"VALID","out_agreement_no":"` + id + `"}`}, "charset": {"UTF-8"},
	})
}

// withGateway runs the service against a gateway and returns both, and a check
// whose order its user has opened.
func withGateway(t *testing.T) (gateway *alipaytest.Gateway, addr, db, id string, order *alipaytest.Order) {
	gateway = alipaytest.NewGateway(t)
	setEnvironment(t, gateway.Config())
	db = filepath.Join(t.TempDir(), "checks.db")
	addr = serve(t, "-gateway", gateway.BaseURL(), "-db", db, "-agreement-poll", "1h")
	id, orderString, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	order, err = gateway.OpenOrder(orderString)
	require.NoError(t, err)
	return gateway, addr, db, id, order
}

func TestAMessageThatComesAgainIsToldApartByItsID(t *testing.T) {
	gateway, addr, db, id, order := withGateway(t)
	order.Agree()
	form := message(gateway, id).Encode()
	for range 3 {
		assert.Equal(t, "success", body(t, post(t, addr, "/notifications", form)))
	}
	reaches(t, addr, id, stateDone)
	assert.Equal(t, "success", body(t, post(t, addr, "/notifications", form)), "late")
	reaches(t, addr, id, stateDone)
	assert.Equal(t, 1, gateway.Deliveries(order.OnceToken))

	s := openForTest(t, db)
	require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error {
		return tx.query(t.Context(), func(r row) error {
			var notification, about string
			var copies int
			err := r.Scan(&notification, &about, &copies)
			assert.Equal(t, "2026112400222", notification)
			assert.Equal(t, id, about)
			assert.Equal(t, 4, copies)
			return err
		}, `SELECT id, check_id, copies FROM notifications`)
	}))
}

func TestAMessageProvesNothing(t *testing.T) {
	gateway, addr, _, id, order := withGateway(t)
	assert.Equal(t, "success", body(t, post(t, addr, "/notifications", message(gateway, id).Encode())))
	require.Eventually(t, func() bool { return len(gateway.Requests()) > 0 }, 10*time.Second, time.Millisecond, "Alipay is asked")
	seen, err := getCheck(addr, id)
	require.NoError(t, err)
	assert.Equal(t, stateStarted, seen.State, "though it says VALID, the user has not agreed")
	assert.Zero(t, gateway.Deliveries(order.OnceToken))
}

func TestAMessageAboutAnUnknownCheckIsTakenAndHasNoEffect(t *testing.T) {
	gateway, addr, _, id, _ := withGateway(t)
	assert.Equal(t, "success", body(t, post(t, addr, "/notifications", message(gateway, "somebody's").Encode())))
	seen, err := getCheck(addr, id)
	require.NoError(t, err)
	assert.Equal(t, stateStarted, seen.State)
	assert.Empty(t, gateway.Requests())
}

func TestAMessageChangedByOneCharacterAnywhereIsRefused(t *testing.T) {
	gateway, addr, db, id, order := withGateway(t)
	order.Agree()
	values := message(gateway, id)
	changed := 0
	for name := range values {
		if name == "sign_type" {
			continue // signed in one of the two kinds, and in the other not
		}
		for i := range values.Get(name) {
			altered := url.Values{}
			for n, v := range values {
				altered[n] = v
			}
			value := []byte(values.Get(name))
			value[i] ^= 1
			altered.Set(name, string(value))
			answer := body(t, post(t, addr, "/notifications", altered.Encode()))
			require.NotEqual(t, "success", answer, "%s, character %d", name, i)
			changed++
		}
	}
	require.Greater(t, changed, 500)
	seen, err := getCheck(addr, id)
	require.NoError(t, err)
	assert.Equal(t, stateStarted, seen.State)
	assert.Empty(t, gateway.Requests())
	kept := 0
	s := openForTest(t, db)
	require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error {
		return tx.query(t.Context(), func(r row) error { return r.Scan(&kept) }, `SELECT count(*) FROM notifications`)
	}))
	assert.Zero(t, kept)
}

func TestPagesOfOtherSitesCannotAct(t *testing.T) {
	addr := serve(t)
	for _, test := range []struct {
		name, host, site, origin string
		want                     int
	}{
		{"a program", "", "", "", http.StatusCreated},
		{"our own page", "", "same-origin", "http://" + addr, http.StatusCreated},
		{"another site's page", "", "cross-site", "https://elsewhere.example", http.StatusForbidden},
		{"an old browser on another site's page", "", "", "https://elsewhere.example", http.StatusForbidden},
		{"a name that was made to lead here", "elsewhere.example", "same-origin", "http://elsewhere.example", http.StatusMisdirectedRequest},
	} {
		request, err := http.NewRequest(http.MethodPost, "http://"+addr+"/api/checks", nil)
		require.NoError(t, err)
		request.Host = test.host
		if test.site != "" {
			request.Header.Set("Sec-Fetch-Site", test.site)
		}
		if test.origin != "" {
			request.Header.Set("Origin", test.origin)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, test.want, response.StatusCode, test.name)
	}
}

func TestReloadedKeysOpenWhatTheOldOnesDidNot(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	config := gateway.Config()
	right := config.AlipayPublicKey
	config.AlipayPublicKey, config.AlipayPublicKeyPath = "", filepath.Join(t.TempDir(), "alipay.pem")
	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(right), 0o600))
	p := newProcess(t, config, "-db", filepath.Join(t.TempDir(), "checks.db"), "-poll", "20ms")
	p.start(t)
	gateway.SetMessagesTo("http://" + p.addr + "/notifications")
	id, orderString, err := p.startCheck()
	require.NoError(t, err)
	order, err := gateway.OpenOrder(orderString)
	require.NoError(t, err)
	gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	order.Agree()
	reaches(t, p.addr, id, stateAgreed)

	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(strangersPublicKey(t)), 0o600))
	p.signal(syscall.SIGHUP)
	reaches(t, p.addr, id, stateSealed)
	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(right), 0o600))
	p.signal(syscall.SIGHUP)
	reaches(t, p.addr, id, stateAgreed) // that answer said WAITING_VERIFY

	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(strangersPublicKey(t)), 0o600))
	p.signal(syscall.SIGHUP)
	gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
	reaches(t, p.addr, id, stateSealed)
	p.kill()
	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(right), 0o600))
	p.start(t) // a new process opens it as well
	assert.Equal(t, "SUCCESS", reaches(t, p.addr, id, stateDone).IdentityResult)
	assert.NoError(t, p.stop())
}

func TestAShutdownWaitsForTheAnswerOfAQuestion(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	asked, release := make(chan struct{}), make(chan struct{})
	gateway.Inject(alipaytest.FaultFunc("held", func(w http.ResponseWriter, r *http.Request, answer *alipaytest.Answer) {
		if r.URL.Query().Has("once_token") {
			close(asked)
			<-release
		}
		answer.Send(w)
	}), 2)
	db := filepath.Join(t.TempDir(), "checks.db")
	p := newProcess(t, gateway.Config(), "-db", db)
	p.start(t)
	gateway.SetMessagesTo("http://" + p.addr + "/notifications")
	id, orderString, err := p.startCheck()
	require.NoError(t, err)
	order, err := gateway.OpenOrder(orderString)
	require.NoError(t, err)
	order.Agree()

	<-asked
	p.signal(syscall.SIGTERM)
	require.Eventually(t, func() bool { // it takes nothing new
		_, _, err := p.startCheck()
		return err != nil
	}, 30*time.Second, time.Millisecond)
	close(release)
	require.NoError(t, p.stop())
	for _, c := range readAll(t, db) {
		if c.ID == id {
			assert.Equal(t, stateDone, c.State)
		}
	}
	assert.Equal(t, 1, gateway.Deliveries(order.OnceToken))
}

// strangersPublicKey is a key that has nothing to do with Alipay.
func strangersPublicKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
