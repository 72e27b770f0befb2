package check

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// merchant is one process of a merchant's, over a store that a test can hold.
type merchant struct {
	*process
	w     *world
	store *heldStore
}

// heldStore calls before ahead of each call, and fails with its error.
type heldStore struct {
	*MemoryStore
	mu     sync.Mutex
	before func(what string) error
}

func (s *heldStore) hold(before func(what string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *heldStore) ahead(what string) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(what)
}

func (s *heldStore) Insert(ctx context.Context, c *Check) error {
	return errors.Join(s.ahead("insert"), s.MemoryStore.Insert(ctx, c))
}

func (s *heldStore) Get(ctx context.Context, id string) (*Check, error) {
	if err := s.ahead("get"); err != nil {
		return nil, err
	}
	return s.MemoryStore.Get(ctx, id)
}

func (s *heldStore) Update(ctx context.Context, c *Check) error {
	if err := s.ahead("update"); err != nil {
		return err
	}
	err := s.MemoryStore.Update(ctx, c)
	return errors.Join(err, s.ahead("updated"))
}

// promise runs a test in fake time, with a world in order.
func promise(t *testing.T, test func(t *testing.T, m *merchant)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1)
		m := &merchant{w: w, store: &heldStore{MemoryStore: NewMemoryStore()}}
		m.process = m.another(t)
		t.Cleanup(func() {
			w.end(t)
			synctest.Wait()
			assert.Empty(t, w.broken)
		})
		test(t, m)
	})
}

// another is a further process over the same store.
func (m *merchant) another(t *testing.T, opts ...Option) *process {
	p := &process{world: m.w, stop: func() {}}
	machine, err := New(m.w.client(p), m.store, opts...)
	require.NoError(t, err)
	p.Machine = machine
	t.Cleanup(p.transport.CloseIdleConnections)
	return p
}

var teacher = Params{IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ServiceID: "2019120400000000000004450100"}

// agreed starts a check whose user has agreed, and whose result is there after
// wait. Its next step asks for it.
func (m *merchant) agreed(t *testing.T, wait time.Duration) (id string, user *person) {
	c, _, err := m.Start(t.Context(), teacher)
	require.NoError(t, err)
	user = m.w.meet(c)
	m.w.set(func() {
		user.agrees, user.never, user.answersAt, user.resultAt, user.result = true, false, time.Now(), time.Now().Add(wait+2*time.Minute), "SUCCESS"
	})
	m.asks(t, c.ID)
	if wait == 0 {
		m.w.set(func() { user.resultAt = time.Now() })
	}
	assert.Equal(t, StateAgreed, m.stored(t, c.ID).State)
	return c.ID, user
}

// asks waits until a step is due, and takes it.
func (m *merchant) asks(t *testing.T, id string) *Check {
	time.Sleep(time.Until(m.stored(t, id).DueAt))
	c, _, err := m.Step(t.Context(), id)
	require.NoError(t, err)
	return c
}

func (m *merchant) stored(t *testing.T, id string) *Check {
	c, err := m.store.MemoryStore.Get(t.Context(), id)
	require.NoError(t, err)
	return c
}

// meanwhile calls seen with each query for a result, when the gateway has it.
func (m *merchant) meanwhile(seen func(url.Values)) { m.w.set(func() { m.w.seen = seen }) }

func TestFromTheOrderToTheResult(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		var log bytes.Buffer
		m.process = m.another(t, WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- m.Run(ctx) }()
		params := teacher
		params.CategoryID, params.ExtraParam = "category-1", map[string]any{"further": 1}
		c, order, err := m.Start(t.Context(), params)
		require.NoError(t, err)
		signed, err := url.ParseQuery(order)
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"out_agreement_no":%q,"zm_service_id":%q,"category_id":"category-1","product_code":"ZHIMA_AUTH","extra_param":%q}`,
			c.ID, params.ServiceID, fmt.Sprintf(`{"further":1,"onceToken":%q}`, c.OnceToken)), signed.Get("biz_content"))
		user := m.w.meet(c)
		m.w.set(func() { user.agrees, user.never = true, false })
		time.Sleep(30 * time.Minute)
		done := m.stored(t, c.ID)
		assert.Equal(t, StateDone, done.State)
		assert.Equal(t, user.openID, done.Result.OpenID)
		assert.Equal(t, user.openID, done.OpenID)
		assert.Equal(t, user.userID, done.UserID)
		assert.NotEmpty(t, done.Result.Meta.Body)
		assert.Zero(t, done.DueAt)
		stop()
		assert.NoError(t, <-ran)
		assert.Contains(t, log.String(), `"check":"`+c.ID+`","from":"agreed","to":"done"`)
		for _, private := range []string{c.OnceToken, user.openID, user.userID, params.ServiceID} {
			assert.NotContains(t, log.String(), private)
		}
	})
}

func TestBothIdsOfTheUserWhoAgreedAreSentAndAMaskedOneIsNot(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, user := m.agreed(t, 0)
		m.meanwhile(func(query url.Values) {
			assert.Equal(t, url.Values{
				"conn_key": {id}, "once_token": {user.token}, "service_id": {teacher.ServiceID}, "identity_type": {"04"}, "query_type": {"exact"},
				"user_id": {user.userID}, "open_id": {user.openID},
			}, query)
		})
		assert.Equal(t, StateDone, m.asks(t, id).State)

		id, _ = m.agreed(t, 0)
		c := m.stored(t, id)
		c.UserID, c.OpenID = "2088****2105", "null"
		require.NoError(t, m.store.Update(t.Context(), c))
		m.meanwhile(func(query url.Values) {
			assert.False(t, query.Has("user_id"))
			assert.False(t, query.Has("open_id"))
		})
		assert.Equal(t, StateDone, m.asks(t, id).State)
	})
}

func TestBeforeAQueryLeavesTheStoreSaysSo(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 0)
		asked := false
		m.meanwhile(func(url.Values) {
			asked = true
			c := m.stored(t, id)
			assert.True(t, c.InFlight)
			assert.Equal(t, 1, c.Attempts)
			assert.NotEmpty(t, c.Lease)
			assert.Equal(t, 2*15*time.Second, c.LeaseUntil.Sub(c.DueAt)+2*15*time.Second)
		})
		c := m.asks(t, id)
		assert.True(t, asked)
		assert.False(t, c.InFlight)
		assert.Empty(t, c.Lease)
	})
}

func TestOfManyProcessesOneAsks(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 0)
		queries := 0
		m.meanwhile(func(url.Values) { queries++ })
		time.Sleep(time.Minute)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				c, next, err := m.another(t).Step(t.Context(), id)
				if assert.NoError(t, err) {
					assert.True(t, next > 0 || c.State == StateDone)
				}
			})
		}
		all.Wait()
		assert.Equal(t, 1, queries)
		assert.Equal(t, StateDone, m.stored(t, id).State)
	})
}

func TestAnAnswerIsStoredHoweverLongTheDatabaseIsAway(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, user := m.agreed(t, 0)
		m.meanwhile(func(url.Values) {
			back := time.Now().Add(time.Hour)
			m.store.hold(func(string) error {
				if time.Now().Before(back) {
					return errAway
				}
				return nil
			})
		})
		c := m.asks(t, id)
		assert.Equal(t, StateDone, c.State)
		assert.Equal(t, user.openID, m.stored(t, id).Result.OpenID)
	})
}

func TestWhatCannotBeStoredIsInTheStoreError(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		for name, failing := range map[string]func(string) error{
			"away":  func(string) error { return errAway },
			"panic": func(string) error { panic("secret") },
		} {
			id, user := m.agreed(t, 0)
			ctx, cancel := context.WithCancel(t.Context())
			m.meanwhile(func(url.Values) { m.store.hold(failing); cancel() }) // the query is not cut off by it
			time.Sleep(time.Minute)
			_, _, err := m.Step(ctx, id)
			var lost *StoreError
			require.ErrorAs(t, err, &lost, name)
			assert.Equal(t, StateDone, lost.Check.State)
			assert.Equal(t, user.openID, lost.Check.Result.OpenID)
			if name == "away" {
				assert.ErrorIs(t, err, errAway)
			}
			encoded, jsonErr := json.Marshal(lost)
			require.NoError(t, jsonErr)
			_, gobErr := lost.GobEncode()
			assert.Error(t, gobErr)
			for _, shown := range []string{err.Error(), fmt.Sprintf("%+v %#v %d", lost, *lost, lost), lost.LogValue().String(), string(encoded), gobErr.Error()} {
				for _, private := range []string{user.openID, user.userID, user.token, "secret", "database"} {
					assert.NotContains(t, shown, private)
				}
			}
			assert.Contains(t, err.Error(), id)

			m.store.hold(nil)
			require.NoError(t, m.store.Update(t.Context(), lost.Check))
			assert.Equal(t, StateDone, m.stored(t, id).State)
		}
	})
}

func TestAProcessThatWasFrozenAsksNothing(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 0)
		time.Sleep(time.Minute)
		m.store.hold(func(what string) error {
			if what == "updated" { // the claim
				m.store.hold(nil)
				time.Sleep(20 * time.Second)
			}
			return nil
		})
		m.meanwhile(func(url.Values) { t.Error("it asked") })
		c, next, err := m.Step(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, StateAgreed, c.State)
		assert.NotZero(t, next)
		assert.False(t, c.Lost)
	})
}

func TestAProcessThatWasFrozenDeliversWhatItGot(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, user := m.agreed(t, 0)
		time.Sleep(time.Minute)
		frozen := make(chan struct{})
		m.meanwhile(func(url.Values) {
			m.meanwhile(nil)
			m.store.hold(func(what string) error {
				if what == "update" { // the answer is in its memory
					m.store.hold(nil)
					close(frozen)
					time.Sleep(10 * time.Minute)
				}
				return nil
			})
		})
		done := make(chan *Check)
		go func() {
			c, _, err := m.Step(t.Context(), id)
			assert.NoError(t, err)
			done <- c
		}()
		<-frozen
		held, next, err := m.another(t).Step(t.Context(), id)
		require.NoError(t, err)
		assert.True(t, next > 0, "another process holds it")
		assert.NotEmpty(t, held.Lease)
		time.Sleep(next)
		taken, _, err := m.another(t).Step(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, StateInDoubt, taken.State, "the token is spent, and its answer never came")
		assert.True(t, taken.Lost)
		assert.Equal(t, StateDone, (<-done).State)
		assert.Equal(t, user.openID, m.stored(t, id).Result.OpenID)
	})
}

func TestAnAlteredOrStaleWaitingIsKeptAndTheAskingGoesOn(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		for name, f := range map[string]*faults{"altered": {altered: 1000}, "stale": {stale: 1000}} {
			id, user := m.agreed(t, 5*time.Minute)
			m.w.set(func() { m.w.faults = f })
			c := m.asks(t, id)
			assert.Equal(t, StateAgreed, c.State, name)
			assert.Len(t, c.Sealed, 1)
			assert.Equal(t, name == "stale", c.Lost, "an old answer may be that of another query")
			m.w.set(func() { m.w.faults = nil })
			time.Sleep(time.Until(user.resultAt))
			c = m.asks(t, id)
			assert.Equal(t, StateDone, c.State, name)
			assert.Len(t, c.Sealed, 1)
		}
	})
}

func TestWhatKeysCannotOpenIsKeptAndOpenedOnceTheyCan(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		for name, wait := range map[string]time.Duration{"a result": 0, "WAITING_VERIFY": time.Hour} {
			require.NoError(t, m.client.Reload(m.w.config(0)))
			id, user := m.agreed(t, wait)
			m.w.set(func() { m.w.signing = simulationKeys()[2] })
			c := m.asks(t, id)
			assert.Equal(t, StateSealed, c.State, name)
			assert.Contains(t, c.Note, "支付宝公钥")
			m.meanwhile(func(url.Values) { t.Error("it asked") })
			for range 3 {
				assert.Equal(t, 15*time.Second, c.DueAt.Sub(m.now()))
				c = m.asks(t, id)
				assert.Equal(t, StateSealed, c.State)
			}
			require.NoError(t, m.client.Reload(m.w.config(1)))
			c, _, err := m.Step(t.Context(), id) // need not wait until it is due
			require.NoError(t, err)
			assert.Empty(t, c.Lost)
			if wait == 0 {
				assert.Equal(t, StateDone, c.State)
				assert.Equal(t, user.openID, c.Result.OpenID)
			} else {
				assert.Equal(t, StateAgreed, c.State)
				assert.Empty(t, c.Sealed)
			}
			m.meanwhile(nil)
			m.w.set(func() { m.w.signing = simulationKeys()[1] })
		}
	})
}

func TestAnAnswerThatNeverOpensDoesNotKeepACheckSealed(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, user := m.agreed(t, 5*time.Minute)
		m.w.set(func() { m.w.faults = &faults{altered: 1000} })
		assert.Len(t, m.asks(t, id).Sealed, 1)
		m.w.set(func() { m.w.faults, m.w.signing = nil, simulationKeys()[2] }) // now it is under an earlier key, too
		assert.Equal(t, StateSealed, m.asks(t, id).State)
		require.NoError(t, m.client.Reload(m.w.config(1)))
		c := m.asks(t, id)
		assert.Equal(t, StateAgreed, c.State)
		assert.Len(t, c.Sealed, 1)
		time.Sleep(time.Until(user.resultAt))
		assert.Equal(t, StateDone, m.asks(t, id).State)

		// What came last turns out to be altered, once the keys are right.
		id, _ = m.agreed(t, 0)
		m.w.set(func() { m.w.faults, m.w.signing = &faults{altered: 1000}, simulationKeys()[1] })
		assert.Equal(t, StateSealed, m.asks(t, id).State)
		require.NoError(t, m.client.Reload(m.w.config(0)))
		c = m.asks(t, id)
		assert.Equal(t, StateAgreed, c.State)
		m.w.set(func() { m.w.faults = nil })
		assert.Equal(t, StateInDoubt, m.asks(t, id).State, "it was the result")
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 48*time.Hour)
		m.w.set(func() { m.w.faults = &faults{altered: 1000} })
		c := m.stored(t, id)
		for c.State == StateAgreed {
			c = m.asks(t, id)
		}
		assert.Equal(t, StateSealed, c.State, "another 100 would not help")
		assert.Len(t, c.Sealed, 101)
		m.w.set(func() { m.w.faults = nil })
		assert.Equal(t, StateSealed, m.asks(t, id).State)
		require.NoError(t, m.AskAgain(t.Context(), id))
		assert.Equal(t, StateAgreed, m.asks(t, id).State, "a person has decided")
	})
}

func TestAKeptAnswerOfAnotherUserIsNotTaken(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		bob, _ := m.agreed(t, 0)
		alice, user := m.agreed(t, time.Minute)
		m.w.set(func() { m.w.signing = simulationKeys()[2] })
		sealed := m.asks(t, bob)
		assert.Equal(t, StateSealed, sealed.State)
		assert.Equal(t, StateSealed, m.asks(t, alice).State)
		require.NoError(t, m.client.Reload(m.w.config(1)))

		c := m.stored(t, alice)
		c.Sealed = append(c.Sealed, sealed.Sealed...)
		require.NoError(t, m.store.Update(t.Context(), c))
		c, _, err := m.Step(t.Context(), alice)
		require.NoError(t, err)
		assert.Equal(t, StateAgreed, c.State, "her own said WAITING_VERIFY; his is kept, for a person to decide")
		assert.Len(t, c.Sealed, 1)
		time.Sleep(time.Until(user.resultAt))
		c = m.asks(t, alice)
		assert.Equal(t, StateDone, c.State)
		assert.Equal(t, user.openID, c.Result.OpenID)
	})
}

func TestARefusalAfterALostAnswerIsInDoubtAndOtherwiseFailed(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, user := m.agreed(t, 0)
		m.w.set(func() { m.w.faults = &faults{lostAnswer: 1000} })
		c := m.asks(t, id)
		assert.Equal(t, StateAgreed, c.State)
		assert.True(t, c.Lost)
		m.w.set(func() { m.w.faults = nil })
		c = m.asks(t, id)
		assert.Equal(t, StateInDoubt, c.State)
		assert.Contains(t, c.Note, "TOKEN_INVALID")
		assert.Zero(t, c.DueAt)
		require.NoError(t, m.AskAgain(t.Context(), id))
		assert.Equal(t, StateInDoubt, m.asks(t, id).State)

		id, user = m.agreed(t, 0)
		m.w.set(func() { user.agrees = false }) // withdrawn
		c = m.asks(t, id)
		assert.Equal(t, StateFailed, c.State)
		assert.Contains(t, c.Note, "USER_NOT_AUTHORIZE")
		m.w.set(func() { user.agrees = true })
		require.NoError(t, m.AskAgain(t.Context(), id))
		assert.Equal(t, StateDone, m.asks(t, id).State)
		assert.ErrorContains(t, m.AskAgain(t.Context(), id), "waits for no decision")
	})
}

func TestTimesThatAreOverEndACheckWithALastStep(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		waiting, _ := m.agreed(t, 48*time.Hour)
		silent, _, err := m.Start(t.Context(), teacher)
		require.NoError(t, err)
		silentUser := m.w.meet(silent)
		m.w.set(func() { silentUser.never = true })
		late, _, err := m.Start(t.Context(), teacher)
		require.NoError(t, err)
		user := m.w.meet(late)
		m.w.set(func() { user.agrees, user.never = true, false })
		time.Sleep(25 * time.Hour) // all processes were stopped
		assert.Equal(t, StateFailed, m.asks(t, waiting).State)
		assert.Equal(t, StateExpired, m.asks(t, silent.ID).State)
		assert.Equal(t, StateAgreed, m.asks(t, late.ID).State)
		assert.Equal(t, StateDone, m.asks(t, late.ID).State)
	})
}

func TestAMessageIsBelievedOnlyThatItIsTimeToAsk(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		says := func(content string) (string, error) {
			return m.Notified(t.Context(), &alipay.Notification{BizContent: json.RawMessage(content)})
		}
		for _, content := range []string{`{"out_agreement_no":"unknown"}`, `{}`, `[]`, `{"out_agreement_no":"'; drop table"}`, ``} {
			id, err := says(content)
			assert.NoError(t, err, content)
			assert.Empty(t, id, content)
		}
		c, _, err := m.Start(t.Context(), teacher)
		require.NoError(t, err)
		user := m.w.meet(c)
		m.w.set(func() { user.agrees, user.never, user.answersAt = false, false, time.Now().Add(time.Hour) })
		about := `{"out_agreement_no":"` + c.ID + `","agreement_status":"VALID"}`
		for range 2 { // it comes again
			id, err := says(about)
			require.NoError(t, err)
			assert.Equal(t, c.ID, id)
			assert.Equal(t, StateStarted, m.asks(t, c.ID).State, "the message was wrong")
		}
		time.Sleep(time.Hour)
		assert.Equal(t, StateDeclined, m.asks(t, c.ID).State)
		m.w.set(func() { user.agrees = true }) // on second thoughts
		_, err = says(about)
		require.NoError(t, err)
		assert.Equal(t, 24*time.Hour, m.stored(t, c.ID).Deadline.Sub(m.now()))
		assert.Equal(t, StateAgreed, m.asks(t, c.ID).State)
		version := m.stored(t, c.ID).Version
		id, err := says(about)
		require.NoError(t, err)
		assert.Equal(t, c.ID, id)
		assert.Equal(t, version, m.stored(t, c.ID).Version, "it changes nothing")

		m.store.hold(func(string) error { return errAway })
		_, err = says(about)
		assert.ErrorIs(t, err, errAway, "then the platform sends it again")
		assert.NotContains(t, err.Error(), "database")
	})
}

func TestAMessageDuringAStepLeadsToAnother(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		c, _, err := m.Start(t.Context(), teacher)
		require.NoError(t, err)
		user := m.w.meet(c)
		m.w.set(func() { user.agrees, user.never, user.answersAt = true, false, time.Now().Add(time.Hour) })
		asked := func() {
			_, err := m.Notified(t.Context(), &alipay.Notification{BizContent: json.RawMessage(`{"out_agreement_no":"` + c.ID + `"}`)})
			assert.NoError(t, err)
		}
		m.w.set(func() { m.w.seenAsked = asked })
		time.Sleep(time.Minute)
		c, next, err := m.Step(t.Context(), c.ID)
		require.NoError(t, err)
		assert.Equal(t, StateStarted, c.State)
		assert.Equal(t, time.Millisecond, next)
		m.w.set(func() { m.w.seenAsked = nil })
		c = m.asks(t, c.ID)
		assert.GreaterOrEqual(t, c.DueAt.Sub(m.now()), time.Minute, "once is enough")
		assert.False(t, c.Woken)
	})
}

func TestStartRefusesWhatCannotSucceedAndNoOrderIsWithoutACheck(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		for name, change := range map[string]func(*Params){
			"Params.ServiceID":  func(p *Params) { p.ServiceID = "" },
			"Params":            func(p *Params) { p.QueryType = "" },
			"Params.ExtraParam": func(p *Params) { p.ExtraParam = map[string]any{"onceToken": "1"} },
		} {
			params := teacher
			change(&params)
			_, _, err := m.Start(t.Context(), params)
			var mistake *alipay.ArgumentError
			require.ErrorAs(t, err, &mistake)
			assert.Equal(t, name, mistake.Argument)
		}
		assert.Empty(t, m.store.rows)

		m.store.hold(func(string) error { return errAway })
		_, order, err := m.Start(t.Context(), teacher)
		assert.ErrorIs(t, err, errAway)
		assert.Empty(t, order)
		m.store.hold(nil)
		m.store.rows = map[string]row{}

		params := teacher
		params.ExtraParam = map[string]any{"long": make([]byte, 2000)}
		_, order, err = m.Start(t.Context(), params)
		assert.ErrorContains(t, err, "ExtraParam")
		assert.Empty(t, order)
		for id := range m.store.rows {
			c := m.stored(t, id)
			assert.Equal(t, StateFailed, c.State)
			assert.Zero(t, c.DueAt)
			require.NoError(t, m.AskAgain(t.Context(), id))
			assert.Equal(t, StateStarted, m.stored(t, id).State, "nobody has agreed, so no result may be asked for")
		}
	})
}

func TestPreconsultIsAskedBeforeThereIsAnOrder(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	store := NewMemoryStore()
	machine, err := New(client, store, WithPreconsult())
	require.NoError(t, err)
	c, order, err := machine.Start(t.Context(), teacher)
	require.NoError(t, err)
	assert.NotEmpty(t, order)
	requests := gateway.Requests()
	require.Len(t, requests, 1)
	assert.JSONEq(t, fmt.Sprintf(`{"out_agreement_no":%q,"once_token":%q,"identity_type":"04","query_type":"exact","zm_service_id":%q}`,
		c.ID, c.OnceToken, teacher.ServiceID), requests[0].Params.Get("biz_content"))

	for name, answer := range map[string]func(json.RawMessage) (any, error){
		"the service [redacted] is unknown": func(sent json.RawMessage) (any, error) {
			return map[string]any{"pre_check_success": false, "reason": "the service " + teacher.ServiceID + " is unknown"}, nil
		},
		"INVALID_PARAMETER": func(json.RawMessage) (any, error) { return nil, alipay.CodeInvalidParameter },
	} {
		gateway.HandleMethod("zhima.customer.jobworth.authentication.preconsult", answer)
		store.rows = map[string]row{}
		_, order, err = machine.Start(t.Context(), teacher)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), teacher.ServiceID)
		assert.Contains(t, err.Error(), strings.TrimPrefix(name, "the service [redacted] "))
		assert.Empty(t, order)
		for id := range store.rows {
			c, err := store.Get(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, StateFailed, c.State)
			assert.NotEmpty(t, c.Note)
		}
	}
}

func TestRunIsNotHeldUpByWhatCannotBeRead(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		for i := range 3 * workers {
			m.store.rows[fmt.Sprint("broken-", i)] = row{1, time.Now().Add(-time.Hour), []byte("{}")}
		}
		id, _ := m.agreed(t, 0)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- m.Run(ctx) }()
		time.Sleep(time.Minute)
		assert.Equal(t, StateDone, m.stored(t, id).State)
		stop()
		assert.NoError(t, <-ran)
	})
}

func TestRunEndsWithTheStepsThatAreUnderWay(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 0)
		other, _ := m.agreed(t, 0)
		ctx, stop := context.WithCancel(t.Context())
		m.meanwhile(func(query url.Values) {
			stop()
			if query.Get("conn_key") == other {
				m.store.hold(func(string) error { return errAway })
			}
		})
		began := time.Now()
		err := m.Run(ctx)
		assert.LessOrEqual(t, time.Since(began), 16*time.Second)
		m.store.hold(nil)
		var lost *StoreError
		for _, id := range []string{id, other} {
			if c := m.stored(t, id); c.InFlight {
				require.ErrorAs(t, err, &lost)
			}
		}
	})
}

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	var wrong *alipay.ConfigError
	_, err := New(nil, NewMemoryStore())
	assert.ErrorAs(t, err, &wrong)
	_, err = New(new(alipay.Client), nil)
	assert.ErrorAs(t, err, &wrong)
	_, err = New(new(alipay.Client), NewMemoryStore(), WithTiming(Timing{Poll: -1}))
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "WithTiming", wrong.Field)
	_, err = New(new(alipay.Client), NewMemoryStore(), nil, WithLogger(nil), WithClock(nil))
	assert.NoError(t, err)
}

func TestPausesGrowAndEndWithTheDeadline(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 48*time.Hour)
		for asked := 1; asked <= 20; asked++ {
			c := m.asks(t, id)
			step := time.Duration(min(asked, 15)) * time.Second
			pause := c.DueAt.Sub(m.now())
			assert.LessOrEqual(t, pause, step)
			assert.GreaterOrEqual(t, pause, step/2-time.Millisecond)
		}
		c := m.stored(t, id)
		c.Deadline = m.now().Add(20 * time.Second)
		require.NoError(t, m.store.Update(t.Context(), c))
		for c.State == StateAgreed {
			assert.False(t, c.DueAt.After(c.Deadline))
			c = m.asks(t, id)
		}
		assert.Equal(t, StateFailed, c.State)
		assert.Equal(t, c.ChangedAt.Truncate(10*time.Second), m.now().Truncate(10*time.Second))

		started, _, err := m.Start(t.Context(), teacher)
		require.NoError(t, err)
		assert.Equal(t, time.Minute, started.DueAt.Sub(started.CreatedAt))
		user := m.w.meet(started)
		m.w.set(func() { user.never = true })
		last := time.Duration(0)
		for age := time.Duration(0); age < 20*time.Hour; age = time.Since(started.CreatedAt) {
			c = m.asks(t, started.ID)
			pause := c.DueAt.Sub(m.now())
			assert.GreaterOrEqual(t, pause+10*time.Second, last)
			assert.GreaterOrEqual(t, pause, time.Minute)
			assert.LessOrEqual(t, pause, 15*time.Minute)
			last = pause
		}
		assert.Equal(t, 15*time.Minute, last)
		assert.Equal(t, 24*time.Hour, m.stored(t, started.ID).Deadline.Sub(started.CreatedAt))
	})
}

func TestWhatAnOperatorHasToPutRightIsTriedLessOften(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		id, _ := m.agreed(t, 0)
		config := m.w.config(0)
		config.Signer = awaySigner{config.Signer}
		require.NoError(t, m.client.Reload(config))
		c := m.asks(t, id)
		assert.Equal(t, StateAgreed, c.State)
		assert.False(t, c.Lost)
		assert.NotEmpty(t, c.Note)
		assert.GreaterOrEqual(t, c.DueAt.Sub(m.now()), 7*time.Second)
		require.NoError(t, m.client.Reload(m.w.config(0)))
		assert.Equal(t, StateDone, m.asks(t, id).State)
	})
}

// awaySigner is a key service that cannot be reached.
type awaySigner struct{ crypto.Signer }

func (awaySigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key service is away")
}

func TestATimeThatIsOverAfterALostAnswerIsInDoubt(t *testing.T) {
	promise(t, func(t *testing.T, m *merchant) {
		for name, f := range map[string]*faults{"lost": {lostAnswer: 1000}, "kept": {altered: 1000}} {
			id, _ := m.agreed(t, 48*time.Hour)
			m.w.set(func() { m.w.faults = f })
			m.asks(t, id)
			m.w.set(func() { m.w.faults = nil })
			time.Sleep(2 * time.Hour)
			c := m.asks(t, id)
			assert.Equal(t, StateInDoubt, c.State, name)
			assert.Equal(t, name == "kept", !c.DueAt.IsZero())
			if name == "kept" {
				assert.Equal(t, 15*time.Second, c.DueAt.Sub(m.now()), "it is opened again")
				assert.Equal(t, StateInDoubt, m.asks(t, id).State)
			}
		}
	})
	assert.Equal(t, 15*time.Second, Timing{Poll: time.Minute}.openEvery())
	assert.Equal(t, 150*time.Millisecond, Timing{Poll: 10 * time.Millisecond}.openEvery())
}

func TestWhatComesLateIsAFactAndDecidesNothingElse(t *testing.T) {
	now, timing := time.Now(), Timing{User: time.Hour, Result: time.Hour, Poll: time.Second}
	answer, came := sealedAnswer(t), &alipay.QueryResponse{IdentityResult: alipay.IdentityResultSuccess}
	for state := range table {
		stored := Check{ID: "1", State: state, Lease: "another's", LeaseUntil: now, DueAt: now, InFlight: true, Woken: true}

		c := stored
		assert.False(t, c.late(finding{event: lost, lost: true, note: "late"}, timing, now), state)
		assert.False(t, c.late(finding{event: userAgreed, openID: "open-1"}, timing, now), state)
		assert.Equal(t, stored, c)

		c = stored
		assert.Equal(t, state != StateDone, c.late(finding{event: result, result: came, note: "late"}, timing, now), state)
		assert.Equal(t, StateDone, c.State)
		if state != StateDone {
			assert.Equal(t, Check{ID: "1", State: StateDone, Note: "late", Result: came, ChangedAt: now}, c)
		}

		c = stored
		assert.True(t, c.late(finding{event: kept, answer: answer, note: "late"}, timing, now), state)
		assert.Len(t, c.Sealed, 1, state)
		assert.False(t, c.late(finding{event: kept, answer: answer}, timing, now), "it is there already")
		switch state {
		case StateFailed, StateInDoubt:
			assert.Equal(t, StateInDoubt, c.State)
			assert.Equal(t, "late", c.Note)
			assert.Equal(t, now, c.DueAt, "it is opened at once")
		default:
			c.Sealed = nil
			assert.Equal(t, stored, c)
		}
	}
}

func TestAnAnswerIsSealedWhenOnlyOtherKeysCouldOpenIt(t *testing.T) {
	for _, err := range []error{alipay.ErrUnknownCertificate, alipay.ErrDecrypt, alipay.ErrResponseSignature} {
		assert.True(t, isSealed(fmt.Errorf("wrapped: %w", err)), err)
	}
	for _, err := range []error{nil, alipay.ErrResponseAltered, alipay.ErrResponseStale, alipay.ErrResponseReplayed, alipay.ErrResponseMismatch} {
		assert.False(t, isSealed(err), err)
	}
}

func TestEveryStateHasAnExitOrIsAnEnd(t *testing.T) {
	for state, row := range table {
		leaves := false
		for _, to := range row {
			assert.Contains(t, table, to)
			leaves = leaves || to != state
		}
		assert.Equal(t, state != StateDone, leaves, state)
	}
	assert.Len(t, States(), 8)
}

func TestTheDocumentsSayWhatLeadsToWhat(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|[^|]*\\|[^|]*\\|([^|]*)\\|[^|]*\\|$")
	for _, file := range []string{"../docs/en/check.md", "../docs/zh-CN/check.md"} {
		page, err := os.ReadFile(file)
		require.NoError(t, err)
		told := map[State][]string{}
		for _, match := range row.FindAllStringSubmatch(string(page), -1) {
			states := strings.FieldsFunc(match[2], func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz_", r) })
			slices.Sort(states)
			told[State(match[1])] = states
		}
		for state, row := range table {
			leads := []string{}
			for on, to := range row {
				if to != state {
					leads = append(leads, string(to))
				}
				if on == askAgain && state == StateFailed {
					leads = append(leads, string(StateStarted))
				}
			}
			slices.Sort(leads)
			assert.Equal(t, slices.Compact(leads), told[state], "%s: %s", file, state)
		}
	}
}
