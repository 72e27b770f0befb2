package check

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

var (
	simulatedChecks = flag.Int("checks", 120, "how many checks the simulation makes; 10000 is its long form")
	simulatedSeed   = flag.Uint64("seed", 0, "the one world to simulate, as a failure names it; 0 for -checks of them")
)

const checksPerWorld = 40

// simulatedTiming is shorter than the defaults, where that is only waiting.
var simulatedTiming = Timing{Agreement: 2 * time.Minute, User: time.Hour, Result: 30 * time.Minute}

// process is one of the merchant's.
type process struct {
	*Machine
	name      string
	world     *world
	transport *http.Transport
	stop      context.CancelFunc
	ended     chan struct{}

	mu     sync.Mutex
	killed bool
}

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// exitIfKilled ends the goroutine when its process has been killed: from outside
// that is what a kill looks like.
func (p *process) exitIfKilled() {
	if p.dead() {
		runtime.Goexit()
	}
}

func (p *process) kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.stop()
	runtime.Goexit()
}

// hostileStore is the store as a process sees it: it fails and recovers, and
// before and after each call the process may be frozen or killed.
type hostileStore struct {
	Store
	process *process
	chaos   *chaos
}

// chaos is what goes wrong with stores and processes, in thousandths; nil when
// nothing does.
type chaos struct {
	mu           sync.Mutex
	over         bool
	kill, freeze int
	fails        int
	away         time.Time // until when the store is away
}

func (c *chaos) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

var errAway = errors.New("the database is away")

func (s hostileStore) call(what string, call func() error) error {
	p, w := s.process, s.process.world
	p.exitIfKilled()
	time.Sleep(time.Microsecond + w.pause(5*time.Millisecond, p.name, what))
	hit := func(chance int, of string) bool {
		return !s.chaos.isOver() && w.n(1000, of, p.name, what) < chance
	}
	strike := func() {
		if hit(s.chaos.kill, "kill") {
			p.kill()
		}
		if hit(s.chaos.freeze, "freeze") {
			time.Sleep(w.pause(90*time.Second, p.name, what))
		}
		p.exitIfKilled()
	}
	strike()
	s.chaos.mu.Lock()
	if hitAway := s.chaos.fails; !s.chaos.over && w.n(100_000, "away", what) < hitAway {
		s.chaos.away = time.Now().Add(w.pause(time.Minute, "back"))
	}
	away := !s.chaos.over && time.Now().Before(s.chaos.away)
	s.chaos.mu.Unlock()
	if away && w.n(2, p.name, what) == 0 {
		return errAway
	}
	err := call()
	w.happened(p.name, what)
	strike()
	if away { // it has done what it was asked to, and could not say so
		return errAway
	}
	return err
}

func (s hostileStore) Insert(ctx context.Context, c *Check) error {
	return s.call("insert "+c.ID, func() error { return s.Store.Insert(ctx, c) })
}

func (s hostileStore) Get(ctx context.Context, id string) (c *Check, err error) {
	err = s.call("get "+id, func() (err error) { c, err = s.Store.Get(ctx, id); return err })
	return c, err
}

func (s hostileStore) Update(ctx context.Context, c *Check) error {
	return s.call(fmt.Sprint("update ", c.ID, c.State, c.Version, c.Lost), func() error { return s.Store.Update(ctx, c) })
}

func (s hostileStore) Due(ctx context.Context, now time.Time, limit int) (ids []string, err error) {
	err = s.call("due", func() (err error) { ids, err = s.Store.Due(ctx, now, limit); return err })
	return ids, err
}

// simulation is one world with the merchant in it.
type simulation struct {
	*world
	store      *MemoryStore
	chaos      *chaos
	everything sync.WaitGroup
	generation int // of the keys that new processes are given

	mu        sync.Mutex
	processes []*process
	inHand    int // answers in a StoreError
	kills     int
}

// start starts a process, and another one whenever it ends, until ctx ends.
func (s *simulation) start(ctx context.Context, slot int) {
	defer s.everything.Done()
	for born := 0; ctx.Err() == nil; born++ {
		p := &process{name: fmt.Sprint("process ", slot, " ", born), world: s.world, ended: make(chan struct{})}
		var life context.Context
		life, p.stop = context.WithCancel(ctx)
		client := s.client(p)
		s.mu.Lock()
		generation := s.generation
		s.mu.Unlock()
		if err := client.Reload(s.config(generation)); err != nil {
			panic(err)
		}
		machine, err := New(client, hostileStore{s.store, p, s.chaos}, WithTiming(simulatedTiming))
		if err != nil {
			panic(err)
		}
		machine.randomID, machine.jitter = s.hex, func(d time.Duration) time.Duration { return d/2 + s.pause(d/2+1, p.name) }
		p.Machine = machine
		s.mu.Lock()
		s.processes[slot] = p
		s.mu.Unlock()
		go func() {
			defer close(p.ended)
			if slot%2 == 0 {
				s.note(machine.Run(life), true)
			} else {
				s.queue(life, p)
			}
		}()
		if life := s.pause(20*time.Minute, p.name); slot > 0 && s.n(2, p.name) == 0 { // a deployment
			time.AfterFunc(life, p.stop)
		}
		<-p.ended
		p.stop()
		if p.dead() {
			s.mu.Lock()
			s.kills++
			s.mu.Unlock()
		}
		time.Sleep(s.pause(30*time.Second, p.name))
		p.transport.CloseIdleConnections()
	}
}

// queue is a job queue that delivers each step at least once.
func (s *simulation) queue(ctx context.Context, p *process) {
	var jobs sync.WaitGroup
	for job := range 4 {
		jobs.Go(func() {
			name := fmt.Sprint(p.name, job)
			for ctx.Err() == nil {
				pause := 10 * time.Second
				if s.chaos.isOver() {
					pause = 2 * time.Minute
				}
				time.Sleep(time.Microsecond + s.pause(pause, name))
				if id := s.anyCheck(name); id != "" {
					_, _, err := p.Step(ctx, id)
					s.note(err, ctx.Err() != nil)
				}
			}
		})
	}
	jobs.Wait()
}

func (s *simulation) anyCheck(name string) string {
	s.store.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.store.rows))
	s.store.mu.Unlock()
	if len(ids) == 0 {
		return ""
	}
	return ids[s.n(len(ids), name)]
}

// note keeps in mind which answers could not be stored, as may be once a process
// has been told to end.
func (s *simulation) note(err error, ending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		var lost *StoreError
		if errors.As(err, &lost) {
			s.inHand++
			if !ending {
				s.breaks("an answer was given up although nobody ended the process")
			}
		}
	}
}

// anyProcess is where a customer's request or a message arrives.
func (s *simulation) anyProcess(label string) *process {
	for {
		s.mu.Lock()
		p := s.processes[s.n(len(s.processes), label)]
		s.mu.Unlock()
		if p != nil && !p.dead() {
			return p
		}
		time.Sleep(time.Second + s.pause(time.Second, label))
	}
}

// customer starts a check, and answers in Alipay's app.
func (s *simulation) customer(name string) {
	defer s.everything.Done()
	time.Sleep(s.pause(10*time.Minute, name))
	var user *person
	s.in(s.anyProcess(name), func(p *process) {
		c, _, err := p.Start(context.Background(), Params{
			IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ServiceID: "2019120400000000000004450100",
		})
		if err == nil {
			user = s.meet(c)
		}
	})
	if user == nil || user.never || s.n(5, name) == 0 {
		return
	}
	time.Sleep(time.Until(user.answersAt))
	content, _ := json.Marshal(map[string]string{"out_agreement_no": user.id})
	for range 8 { // as often as the platform sends a message
		time.Sleep(s.pause(time.Minute, name))
		succeeded := false
		s.in(s.anyProcess(name), func(p *process) {
			id, err := p.Notified(context.Background(), &alipay.Notification{ID: "1", BizContent: content})
			succeeded = err == nil
			if succeeded && id != user.id {
				s.breaks("a message about a check did not find it")
			}
		})
		if succeeded && s.n(4, name) > 0 {
			return
		}
	}
}

// in runs f in a process, where it may be killed.
func (s *simulation) in(p *process, f func(*process)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(p)
	}()
	<-done
}

// simulate lives through one world, and returns what it did wrong.
func simulate(t *testing.T, seed uint64) (ends map[State]int, kills, inHand int, trace uint64) {
	ends = map[State]int{}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed)
		s := &simulation{world: w, store: NewMemoryStore(), chaos: &chaos{kill: w.n(8, "kill"), freeze: w.n(120, "freeze"), fails: w.n(200, "fails")}}
		w.faults = &faults{
			refused: w.n(40, "refused"), limited: w.n(40, "limited"), lostRequest: w.n(40, "lostRequest"), lateRequest: w.n(40, "lateRequest"), lostAnswer: w.n(60, "lostAnswer"), lateAnswer: w.n(60, "lateAnswer"),
			failed: w.n(40, "failed"), altered: w.n(60, "altered"), stale: w.n(60, "stale"), another: w.n(60, "another"),
		}
		ctx, stop := context.WithCancel(t.Context())
		s.processes = make([]*process, 2+w.n(4, "processes"))
		for slot := range s.processes {
			s.everything.Add(1)
			go s.start(ctx, slot)
			time.Sleep(time.Second)
		}
		for i := range checksPerWorld {
			s.everything.Add(1)
			go s.customer(fmt.Sprint("customer ", i))
		}
		if w.n(2, "rotation") == 0 { // Alipay changes its key, and the merchant learns of it later
			time.Sleep(w.pause(15*time.Minute, "rotation"))
			w.mu.Lock()
			w.signing = simulationKeys()[2]
			w.mu.Unlock()
			time.Sleep(w.pause(10*time.Minute, "reload"))
			s.reload(1)
		}
		time.Sleep(30 * time.Minute)
		// From here on nothing goes wrong any more.
		w.mu.Lock()
		w.faults = nil
		w.mu.Unlock()
		s.chaos.mu.Lock()
		s.chaos.over = true
		s.chaos.mu.Unlock()
		time.Sleep(90 * time.Minute)
		s.judge(t, nil)
		// A person decides, wherever one can.
		for _, c := range s.all(t) {
			if _, waits := table[c.State][askAgain]; waits {
				require.NoError(t, s.anyProcess("person").AskAgain(t.Context(), c.ID))
			} else {
				require.Error(t, s.anyProcess("person").AskAgain(t.Context(), c.ID))
			}
		}
		time.Sleep(65 * time.Minute)
		s.judge(t, ends)
		stop()
		s.everything.Wait()
		for _, p := range s.processes {
			p.transport.CloseIdleConnections()
		}
		w.end(t)
		synctest.Wait()
		for _, what := range w.broken {
			t.Error(what)
		}
		kills, inHand, trace = s.kills, s.inHand, w.trace
	})
	return ends, kills, inHand, trace
}

func (s *simulation) reload(generation int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation = generation
	for _, p := range s.processes {
		if err := p.client.Reload(s.config(generation)); err != nil {
			s.breaks("reload: %v", err)
		}
	}
}

func (s *simulation) all(t *testing.T) (all []*Check) {
	s.store.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.store.rows))
	s.store.mu.Unlock()
	for _, id := range ids {
		c, err := s.store.Get(t.Context(), id)
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}

// judge compares what the merchant has with the truth.
func (s *simulation) judge(t *testing.T, ends map[State]int) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	for _, c := range s.all(t) {
		if ends != nil {
			ends[c.State]++
		}
		p := s.checks[c.ID]
		if p == nil { // its order never reached a user
			assert.Contains(t, []State{StateExpired, StateFailed}, c.State, "%v", c)
			continue
		}
		assert.NotContains(t, []State{StateStarted, StateAgreed}, c.State, "the check goes on without an end: %v", c)
		switch c.State {
		case StateDone:
			assert.Equal(t, p.openID, c.Result.OpenID, "another user's result: %v", c)
			assert.Equal(t, p.result, string(c.Result.IdentityResult), "%v", c)
			assert.True(t, p.spent)
		case StateDeclined:
			assert.False(t, p.agrees, "%v", c)
		case StateExpired, StateFailed:
			assert.False(t, p.spent, "a result was lost silently: %v", c)
		case StateInDoubt:
			assert.True(t, c.Lost || len(c.Sealed) > 0, "%v", c)
		}
		if c.State == StateExpired {
			assert.True(t, p.never || !p.agrees, "%v", c)
		}
		assert.Empty(t, c.Lease, "%v", c)
		assert.Equal(t, c.State == StateSealed || c.State == StateInDoubt && len(c.Sealed) > 0, !c.DueAt.IsZero(), "%v", c)
		if ends != nil { // after a person's decision, in a world in order
			assert.NotEqual(t, StateSealed, c.State, "%v", c)
			assert.True(t, c.State == StateDone || p.spent || p.never || !p.agrees, "a result that can be had: %v", c)
		}
	}
}

// TestNothingIsLostWhateverFails simulates the merchant's processes, their stores,
// Alipay and its users, and all that may go wrong with each: no result is lost
// silently, none is another user's, no token is asked for by two workers at once,
// and no check is left without an end.
func TestNothingIsLostWhateverFails(t *testing.T) {
	seeds := []uint64{*simulatedSeed}
	if *simulatedSeed == 0 {
		seeds = seeds[:0]
		for i := range (*simulatedChecks + checksPerWorld - 1) / checksPerWorld {
			seeds = append(seeds, uint64(i+1))
		}
	}
	var mu sync.Mutex
	ends, kills, inHand := map[State]int{}, 0, 0
	t.Run("worlds", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				e, k, h, _ := simulate(t, seed)
				mu.Lock()
				defer mu.Unlock()
				kills, inHand = kills+k, inHand+h
				for state, n := range e {
					ends[state] += n
				}
			})
		}
	})
	var counts []string
	for _, state := range States() {
		counts = append(counts, fmt.Sprintf("%s %d", state, ends[state]))
	}
	t.Logf("%d worlds, %d processes killed, %d answers in the hands of a process that was ended; the checks ended as: %s", len(seeds), kills, inHand, strings.Join(counts, ", "))
}

func TestASeedReproducesItsWorld(t *testing.T) {
	_, _, _, first := simulate(t, 7)
	_, _, _, second := simulate(t, 7)
	assert.Equal(t, first, second)
	assert.NotZero(t, first)
}
