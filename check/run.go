package check

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// workers is how many steps Run takes at once. Most of a step is waiting.
const workers = 100

// Run takes due steps until ctx ends. Any number of processes may run it over the
// same store. An error of the store does not end it: it is logged, and the step
// is taken again.
//
// When ctx ends, steps that are under way may end within Timing.Query. Then Run
// returns nil, or the *[StoreError] of each answer that could not be stored.
func (m *Machine) Run(ctx context.Context) error {
	steps, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	r := &runner{Machine: m, busy: make(map[string]time.Time), slots: make(chan struct{}, workers)}
	for ctx.Err() == nil {
		pause := min(time.Second, m.timing.Poll)
		ids, err := r.due(ctx)
		if err != nil && ctx.Err() == nil {
			m.logged(ctx, slog.LevelWarn, "check: cannot look for due steps", slog.String("error", err.Error()))
		}
		for _, id := range ids {
			select {
			case r.slots <- struct{}{}:
				r.begin(steps, id)
				pause = min(10*time.Millisecond, pause) // there may be more than were asked for
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				break
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-m.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	timer := time.AfterFunc(m.timing.Query, cutOff)
	defer timer.Stop()
	r.done.Wait()
	return errors.Join(r.notStored...)
}

// runner is one Run.
type runner struct {
	*Machine
	slots chan struct{}
	done  sync.WaitGroup

	mu        sync.Mutex
	busy      map[string]time.Time // steps under way, and until when failed ones are left alone
	notStored []error
}

// due returns the ids of due checks that this Run is not at already.
func (r *runner) due(ctx context.Context) (free []string, err error) {
	now := r.now()
	r.mu.Lock()
	maps.DeleteFunc(r.busy, func(_ string, until time.Time) bool { return !until.IsZero() && !until.After(now) })
	limit := 2*workers + len(r.busy) // so that those which fail do not stand in the way of others
	r.mu.Unlock()
	var ids []string
	err = r.stored(ctx, "Due", func(ctx context.Context) (err error) {
		ids, err = r.store.Due(ctx, now, limit)
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if _, busy := r.busy[id]; !busy {
			free = append(free, id)
		}
	}
	return free, err
}

func (r *runner) begin(ctx context.Context, id string) {
	r.mu.Lock()
	r.busy[id] = time.Time{}
	r.mu.Unlock()
	r.done.Add(1)
	go r.step(ctx, id)
}

func (r *runner) step(ctx context.Context, id string) {
	defer r.done.Done()
	defer func() { <-r.slots }()
	_, _, err := r.Step(ctx, id)
	var lost *StoreError
	if err != nil && !errors.Is(err, ErrNotFound) { // which was deleted meanwhile
		r.logged(ctx, slog.LevelError, "check: a step failed", slog.String("check", shownID(id)), slog.String("error", err.Error()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.As(err, &lost):
		r.notStored = append(r.notStored, err)
	case err != nil:
		r.busy[id] = r.now().Add(r.timing.openEvery())
		return
	}
	delete(r.busy, id)
}
