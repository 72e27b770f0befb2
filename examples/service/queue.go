package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/seed-39a49030/alipay/check"
)

// stepArgs are a River job: the step that is due for a version of a check. A step
// raises the version, so a job that comes twice, or is left behind by a process
// that died, does no harm.
type stepArgs struct {
	CheckID string `json:"check_id"`
	Version int64  `json:"version"`
}

// Kind implements [river.JobArgs].
func (stepArgs) Kind() string { return "step" }

type stepWorker struct {
	river.WorkerDefaults[stepArgs]
	*service
}

// Work takes one step. The next one is another job.
func (w *stepWorker) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	c, next, err := w.machine.Step(ctx, job.Args.CheckID)
	switch err = w.rescue(err); {
	case errors.Is(err, check.ErrNotFound): // deleted meanwhile
	case err != nil:
		return river.JobSnooze(15 * time.Second) // the machine has logged why
	case next > 0 && c.Version == job.Args.Version:
		return river.JobSnooze(next) // not due yet: the clock of another process is ahead
	}
	return nil
}

// openQueue brings River's tables up to date, and returns what makes a job of each
// step that is due, and works jobs, until its context ends. Any number of processes
// may do so.
func (s *service) openQueue(ctx context.Context) (work func(context.Context) error, err error) {
	driver := riverpgxv5.New(s.pool)
	workers := river.NewWorkers()
	river.AddWorker(workers, &stepWorker{service: s})
	config := &river.Config{
		Logger:                      slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Workers:                     workers,
		JobTimeout:                  -1, // a step bounds itself, and stores what came however long the database is away
		RescueStuckJobsAfter:        time.Minute,
		CompletedJobRetentionPeriod: 5 * time.Minute, // they are many, and the checks say more
		SoftStopTimeout:             s.timing.Query,
	}
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: config.Logger})
	if err == nil {
		err = s.alone(ctx, func() error { _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); return err })
	}
	if err != nil {
		return nil, fmt.Errorf("the tables of River: %w", err)
	}
	queue, err := river.NewClient(driver, config)
	if err == nil {
		err = queue.Start(context.WithoutCancel(ctx))
	}
	return func(ctx context.Context) error {
		ticker := time.NewTicker(min(s.timing.Poll, time.Second))
		defer ticker.Stop()
		for ctx.Err() == nil {
			if err := s.fillQueue(ctx, queue); err != nil && ctx.Err() == nil {
				s.log.Warn("cannot look for due steps", "error", err)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*s.timing.Query)
		defer cancel()
		return queue.Stop(ending)
	}, err
}

// fillQueue makes a job of each step that is due. One that has a job already gets
// no other for a while: the process that works it may have died before it began.
func (s *service) fillQueue(ctx context.Context, queue *river.Client[pgx.Tx]) error {
	rows, err := s.pool.Query(ctx, `SELECT id, version FROM alipay_checks WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT 1000`, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	once := river.UniqueOpts{ByArgs: true, ByPeriod: 15 * time.Second}
	var jobs []river.InsertManyParams
	var job stepArgs
	_, err = pgx.ForEachRow(rows, []any{&job.CheckID, &job.Version}, func() error {
		jobs = append(jobs, river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{UniqueOpts: once}})
		return nil
	})
	if err == nil && len(jobs) > 0 {
		_, err = queue.InsertMany(ctx, jobs)
	}
	return err
}

// alone calls f while no other process does.
func (s *service) alone(ctx context.Context, f func() error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(7020115011)`)
		return errors.Join(err, f())
	})
}
