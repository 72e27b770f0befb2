package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openForTest opens a database, on which no jobs are worked.
func openForTest(t *testing.T, url string) *service {
	t.Helper()
	s := &service{log: slog.New(slog.DiscardHandler), options: options{timing: timing{
		query: time.Minute, poll: time.Second, agreement: time.Minute, user: time.Hour, result: time.Hour,
	}}}
	workers := river.NewWorkers()
	river.AddWorker(workers, &stepWorker{service: s})
	var err error
	s.db, err = openDatabase(context.Background(), url, &river.Config{Logger: s.log, Workers: workers})
	require.NoError(t, err)
	t.Cleanup(s.db.close)
	return s
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, s *service)) {
	t.Run("SQLite", func(t *testing.T) { test(t, openForTest(t, filepath.Join(t.TempDir(), "checks.db"))) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, openForTest(t, newPostgres(t))) })
}

// given inserts a check in a state and returns the job in charge of it.
func (s *service) given(t *testing.T, in state) (id string, job int64) {
	t.Helper()
	id = randomHex()
	require.NoError(t, s.insert(t.Context(), check{ID: id, OnceToken: randomHex(), OrderString: "order"}))
	s.must(t, `UPDATE checks SET state = $2 WHERE id = $1`, id, in)
	return id, s.inCharge(t, id)
}

func (s *service) inCharge(t *testing.T, id string) (job int64) {
	t.Helper()
	require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error {
		return tx.query(t.Context(), func(r row) error { return r.Scan(&job) }, `SELECT job FROM checks WHERE id = $1`, id)
	}))
	return job
}

func (s *service) must(t *testing.T, statement string, args ...any) {
	t.Helper()
	require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error {
		_, err := tx.exec(t.Context(), statement, args...)
		return err
	}))
}

// claims claims, and fails the test unless the outcome is the one expected.
func (s *service) claims(t *testing.T, id string, job int64, want bool) check {
	t.Helper()
	c, err := s.claim(t.Context(), id, job)
	require.NoError(t, err)
	require.Equal(t, want, c.ID == id)
	return c
}

func (s *service) settles(t *testing.T, c check, n next, want bool) {
	t.Helper()
	require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error {
		settled, err := s.settle(t.Context(), tx, c, n)
		assert.Equal(t, want, settled)
		return err
	}))
}

// dies has the process of the step under way be dead for longer than a lease,
// and returns the job that takes over.
func (s *service) dies(t *testing.T, id string) (job int64) {
	t.Helper()
	s.must(t, `UPDATE checks SET due_at = 1 WHERE id = $1`, id)
	require.NoError(t, s.takeOver(t.Context()))
	return s.inCharge(t, id)
}

func TestOnlyTheJobInChargeTakesAStepAndOneAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, first := s.given(t, stateAgreed)
		c := s.claims(t, id, first, true)
		s.claims(t, id, first, false) // River may begin a job twice

		require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error { return s.wake(t.Context(), tx, id) }))
		second := s.inCharge(t, id)
		require.NotEqual(t, first, second)
		s.claims(t, id, second, false)
		busy, err := s.busy(t.Context(), id, second)
		require.NoError(t, err)
		assert.True(t, busy, "it waits for the step under way")
		busy, err = s.busy(t.Context(), id, first)
		require.NoError(t, err)
		assert.False(t, busy, "it is not in charge any more, and ends")

		s.settles(t, c, next{state: stateAgreed}, true)
		s.claims(t, id, first, false)
		s.claims(t, id, second, true)
	})
}

func TestOfManyWhoClaimAtOnceOneDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, job := s.given(t, stateAgreed)
		var won atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				c, err := s.claim(context.Background(), id, job)
				if assert.NoError(t, err) && c.ID == id {
					won.Add(1)
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, won.Load())
	})
}

// A lost question may be held up, and spend the token after a later one was
// answered WAITING_VERIFY.
func TestAQuestionWithoutAnOutcomeIsRememberedToTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, job := s.given(t, stateAgreed)
		c := s.claims(t, id, job, true)
		assert.False(t, c.Lost)
		assert.EqualValues(t, 1, c.Attempts)
		s.settles(t, c, next{state: stateAgreed}, true)
		c = s.claims(t, id, job, true)
		assert.False(t, c.Lost, "it was answered")

		job = s.dies(t, id)
		c = s.claims(t, id, job, true)
		assert.True(t, c.Lost)
		assert.EqualValues(t, 3, c.Attempts)
		s.settles(t, c, next{state: stateAgreed}, true)
		c = s.claims(t, id, job, true)
		assert.True(t, c.Lost)
	})
}

func TestTheAgreementIsNoQuestionThatSpendsSomething(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, job := s.given(t, stateStarted)
		s.claims(t, id, job, true)
		c := s.claims(t, id, s.dies(t, id), true)
		assert.False(t, c.Lost)
		assert.Zero(t, c.Attempts)
	})
}

// A frozen process comes back when another has taken over.
func TestOneThatLostItsLeaseDecidesNothingButItsAnswerIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, job := s.given(t, stateAgreed)
		frozen := s.claims(t, id, job, true)
		other := s.claims(t, id, s.dies(t, id), true)
		s.settles(t, frozen, next{state: stateFailed}, false)
		s.settles(t, other, next{state: stateInDoubt, lost: true}, true)
		s.settles(t, frozen, next{state: stateAgreed}, false)

		s.settles(t, frozen, next{state: stateSealed, sealed: []byte("sealed"), arrived: true}, true)
		s.settles(t, frozen, next{state: stateDone, identityResult: "SUCCESS", result: []byte("{}"), arrived: true}, true)
		s.settles(t, frozen, next{state: stateSealed, sealed: []byte("sealed"), arrived: true}, false)
		c, err := s.find(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, stateDone, c.State)
		assert.Equal(t, "{}", string(c.Result))
		assert.Nil(t, c.Sealed, "what has been opened is not kept twice")
		assert.Zero(t, c.DueAt)
	})
}

func TestAJobThatNeverComesIsReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, job := s.given(t, stateStarted)
		require.NoError(t, s.takeOver(t.Context()))
		assert.Equal(t, job, s.inCharge(t, id), "it is not due yet")
		assert.Equal(t, job, s.dies(t, id), "it is late, but still in the queue")

		s.must(t, `UPDATE river_job SET state = 'running' WHERE id = $1`, job)
		second := s.dies(t, id)
		assert.NotEqual(t, job, second, "its process died before the step")
		s.must(t, `DELETE FROM river_job WHERE id = $1`, second)
		assert.NotEqual(t, second, s.dies(t, id), "it is gone")
	})
}

func TestAStepAndItsJobChangeTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *service) {
		id, job := s.given(t, stateStarted)
		away := errors.New("the connection broke")
		err := s.db.tx(t.Context(), func(tx transaction) error {
			if err := s.wake(t.Context(), tx, id); err != nil {
				return err
			}
			return away
		})
		require.ErrorIs(t, err, away)
		assert.Equal(t, job, s.inCharge(t, id))
		jobs := 0
		require.NoError(t, s.db.tx(t.Context(), func(tx transaction) error {
			return tx.query(t.Context(), func(r row) error { return r.Scan(&jobs) }, `SELECT count(*) FROM river_job`)
		}))
		assert.Equal(t, 1, jobs)
	})
}
