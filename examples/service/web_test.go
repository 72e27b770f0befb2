package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
)

const testKey = "AAECAwQFBgcICQoLDA0ODw=="

// served runs the service in this process until the test ends, and returns its
// addresses.
func served(t *testing.T, args ...string) (addr, notifyAddr string) {
	t.Helper()
	addr, notifyAddr, _ = servedUntil(t, io.Discard, args...)
	return addr, notifyAddr
}

// servedUntil runs the service until end is called, which is no later than the
// end of the test.
func servedUntil(t *testing.T, logs io.Writer, args ...string) (addr, notifyAddr string, end func()) {
	t.Helper()
	addr, notifyAddr = freeAddr(t), freeAddr(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-addr", addr, "-notify-addr", notifyAddr, "-rescue", t.TempDir(), "-db", filepath.Join(t.TempDir(), "checks.db"), "-poll", "20ms"}, args...), logs)
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
			return addr, notifyAddr, end
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reaches waits until the check is in the state.
func reaches(t *testing.T, addr, id string, want check.State) (s seen) {
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
				addr, notifyAddr := served(t, "-gateway", gateway.BaseURL(), "-db", db, "-agreement-poll", "1h")
				gateway.SetMessagesTo("http://" + notifyAddr + "/")

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

				seen := reaches(t, addr, id, check.StateDone)
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
				assert.Contains(t, metrics, `checks{state="failed"} 0`)
				assert.Contains(t, metrics, `alipay_call_duration_seconds_count{code="",outcome="success",path="/v3/zhima/customer/jobworth/authentication"} 3`)
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

func TestLogsShowTheStepsAndNothingPersonal(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	config := gateway.Config()
	setEnvironment(t, config)
	var written logs
	addr, notifyAddr, end := servedUntil(t, &written, "-gateway", gateway.BaseURL())
	gateway.SetMessagesTo("http://" + notifyAddr + "/")
	id, orderString, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	order, err := gateway.OpenOrder(orderString)
	require.NoError(t, err)
	gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, MerchantIdentityID: "V1_the_person"})
	gateway.Inject(alipaytest.BadGateway, 1)
	order.Agree()
	reaches(t, addr, id, check.StateDone)
	end()
	for line := range strings.Lines(written.String()) {
		assert.True(t, json.Valid([]byte(line)), "every line is JSON: %s", line)
	}
	assert.Contains(t, written.String(), `"check":"`+id+`","from":"agreed","to":"done"`)
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
	addr, _ := served(t) // with a gateway of its own, at which the user is played
	id, _, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, post(t, addr, "/checks/"+id+"/decline", "").StatusCode)
	assert.Zero(t, reaches(t, addr, id, check.StateDeclined).Attempts)
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
func withGateway(t *testing.T) (gateway *alipaytest.Gateway, addr, notifyAddr, id string, order *alipaytest.Order) {
	gateway = alipaytest.NewGateway(t)
	setEnvironment(t, gateway.Config())
	addr, notifyAddr = served(t, "-gateway", gateway.BaseURL(), "-agreement-poll", "1h")
	id, orderString, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	order, err = gateway.OpenOrder(orderString)
	require.NoError(t, err)
	return gateway, addr, notifyAddr, id, order
}

func TestAMessageMayComeAgainAndLate(t *testing.T) {
	gateway, addr, notifyAddr, id, order := withGateway(t)
	order.Agree()
	form := message(gateway, id).Encode()
	for range 3 {
		assert.Equal(t, "success", body(t, post(t, notifyAddr, "/", form)))
	}
	reaches(t, addr, id, check.StateDone)
	assert.Equal(t, "success", body(t, post(t, notifyAddr, "/", form)), "late")
	reaches(t, addr, id, check.StateDone)
	assert.Equal(t, 1, gateway.Deliveries(order.OnceToken))
}

func TestAMessageProvesNothing(t *testing.T) {
	gateway, addr, notifyAddr, id, order := withGateway(t)
	assert.Equal(t, "success", body(t, post(t, notifyAddr, "/", message(gateway, id).Encode())))
	require.Eventually(t, func() bool { return len(gateway.Requests()) > 0 }, 10*time.Second, time.Millisecond, "Alipay is asked")
	seen, err := getCheck(addr, id)
	require.NoError(t, err)
	assert.Equal(t, check.StateStarted, seen.State, "though it says VALID, the user has not agreed")
	assert.Zero(t, gateway.Deliveries(order.OnceToken))
}

func TestAMessageAboutAnUnknownCheckIsTakenAndOneThatWasChangedIsNot(t *testing.T) {
	gateway, addr, notifyAddr, id, _ := withGateway(t)
	assert.Equal(t, "success", body(t, post(t, notifyAddr, "/", message(gateway, "somebody-elses").Encode())))
	changed := message(gateway, "somebody-elses")
	changed.Set("biz_content", strings.Replace(changed.Get("biz_content"), "somebody-elses", id, 1))
	assert.Equal(t, "fail", body(t, post(t, notifyAddr, "/", changed.Encode())))
	seen, err := getCheck(addr, id)
	require.NoError(t, err)
	assert.Equal(t, check.StateStarted, seen.State)
	assert.Empty(t, gateway.Requests())
}

func TestTheAddressForMessagesHasNoPagesAndThePagesTakeNoMessages(t *testing.T) {
	gateway, addr, notifyAddr, id, _ := withGateway(t)
	for _, path := range []string{"/", "/api/checks/" + id, "/checks/" + id, "/metrics"} {
		assert.Equal(t, http.StatusMethodNotAllowed, get(t, notifyAddr, path).StatusCode, path)
	}
	assert.NotEqual(t, "success", body(t, post(t, addr, "/notifications", message(gateway, id).Encode())))
	assert.NotEqual(t, "success", body(t, post(t, addr, "/", message(gateway, id).Encode())))
}

func TestThePagesAreInBothLanguagesAndTimesHaveAZone(t *testing.T) {
	addr, _ := served(t)
	id, _, err := (&process{addr: addr}).startCheck()
	require.NoError(t, err)
	english := body(t, get(t, addr, "/checks/"+id))
	assert.Contains(t, english, `<html lang="en">`)
	assert.Contains(t, english, "What to do")
	assert.Regexp(t, `\d\d:\d\d:\d\d (-|&#43;)\d\d:\d\d<`, english)
	chinesePage := body(t, get(t, addr, "/checks/"+id+"?lang=zh"))
	assert.Contains(t, chinesePage, `<html lang="zh-CN">`)
	assert.Contains(t, chinesePage, chinese["What to do"])
	request, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
	require.NoError(t, err)
	request.Header.Set("Accept-Language", "zh-CN,zh;q=0.9")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	assert.Contains(t, body(t, response), chinese["started"])
}

func TestEveryTextOfThePagesIsInChineseToo(t *testing.T) {
	page, err := files.ReadFile("page.html")
	require.NoError(t, err)
	var texts []string
	for _, match := range regexp.MustCompile(`{{t "([^"]+)"}}`).FindAllStringSubmatch(string(page), -1) {
		texts = append(texts, match[1])
	}
	require.NotEmpty(t, texts)
	for _, state := range check.States() {
		texts = append(texts, string(state), help[state].Means, help[state].Do)
	}
	for _, text := range texts {
		assert.NotEmpty(t, chinese[text], "%q", text)
	}
}

func TestEveryStateIsShownWithWhatAPersonCanDo(t *testing.T) {
	now := time.Now()
	for _, state := range check.States() {
		c := &check.Check{ID: "1", OnceToken: "secret-token", State: state, Note: "a note", CreatedAt: now, ChangedAt: now, OpenID: "secret-id"}
		for language, page := range pageIn {
			var b strings.Builder
			require.NoError(t, page.Execute(&b, map[string]any{"Check": c}))
			want := help[state].Do
			if language == "zh" {
				want = chinese[want]
			}
			assert.Contains(t, b.String(), template.HTMLEscapeString(want))
			assert.NotContains(t, b.String(), "secret")
			waits := state == check.StateFailed || state == check.StateInDoubt || state == check.StateSealed
			assert.Equal(t, waits, strings.Contains(b.String(), `action="/checks/1/ask"`), state)
		}
	}
}

func TestAnAnswerThatCannotBeStoredIsStoredByTheNextStart(t *testing.T) {
	dir := t.TempDir()
	db, err := openDatabase(t.Context(), filepath.Join(dir, "checks.db"))
	require.NoError(t, err)
	c := &check.Check{ID: "1", State: check.StateAgreed, Version: 1}
	require.NoError(t, db.store.Insert(t.Context(), c))
	settled := *c
	settled.State, settled.Result = check.StateDone, &alipay.QueryResponse{IdentityResult: alipay.IdentityResultSuccess}
	s := &service{options: options{rescueDir: dir}, database: db, log: slog.New(slog.DiscardHandler)}
	away := errors.New("away")
	assert.NoError(t, s.rescue(nil))
	assert.Equal(t, away, errors.Unwrap(fmt.Errorf("%w", away)))
	assert.ErrorIs(t, s.rescue(away), away)
	assert.NoError(t, s.rescue(errors.Join(&check.StoreError{Check: &settled, Err: away})))
	info, err := os.Stat(filepath.Join(dir, "1.check.json"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode())
	s.restore(t.Context())
	stored, err := db.store.Get(t.Context(), "1")
	require.NoError(t, err)
	assert.Equal(t, check.StateDone, stored.State)
	assert.NoFileExists(t, filepath.Join(dir, "1.check.json"))
	db.close()
}

func TestPagesOfOtherSitesCannotAct(t *testing.T) {
	addr, _ := served(t)
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
	gateway.SetMessagesTo("http://" + p.notifyAddr + "/")
	id, orderString, err := p.startCheck()
	require.NoError(t, err)
	order, err := gateway.OpenOrder(orderString)
	require.NoError(t, err)
	gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	order.Agree()
	reaches(t, p.addr, id, check.StateAgreed)

	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(strangersPublicKey(t)), 0o600))
	p.signal(syscall.SIGHUP)
	reaches(t, p.addr, id, check.StateSealed)
	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(right), 0o600))
	p.signal(syscall.SIGHUP)
	reaches(t, p.addr, id, check.StateAgreed) // that answer said WAITING_VERIFY

	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(strangersPublicKey(t)), 0o600))
	p.signal(syscall.SIGHUP)
	gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
	reaches(t, p.addr, id, check.StateSealed)
	p.kill()
	require.NoError(t, os.WriteFile(config.AlipayPublicKeyPath, []byte(right), 0o600))
	p.start(t) // a new process opens it as well
	assert.Equal(t, "SUCCESS", reaches(t, p.addr, id, check.StateDone).IdentityResult)
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
	gateway.SetMessagesTo("http://" + p.notifyAddr + "/")
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
			assert.Equal(t, check.StateDone, c.State)
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
