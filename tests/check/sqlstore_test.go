package check

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
	"github.com/seed-39a49030/alipay/check/checktest"
	"github.com/seed-39a49030/alipay/check/sqlstore"
)

func forEach(t *testing.T, test func(t *testing.T, d database, db *sql.DB)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) { test(t, d, d.open(t)) })
	}
}

func TestEveryDatabaseKeepsWhatAStorePromises(t *testing.T) {
	forEach(t, func(t *testing.T, d database, db *sql.DB) {
		checktest.Store(t, func() check.Store {
			store := sqlstore.New(db, d.dialect)
			require.NoError(t, store.Migrate(t.Context()))
			return store
		})
	})
}

func TestManyProcessesMayMigrateAtOnce(t *testing.T) {
	forEach(t, func(t *testing.T, d database, db *sql.DB) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { assert.NoError(t, sqlstore.New(db, d.dialect).Migrate(context.Background())) })
		}
		all.Wait()
		_, err := db.ExecContext(t.Context(), "DELETE FROM alipay_checks_schema") // one died before it could say so
		require.NoError(t, err)
		assert.NoError(t, sqlstore.New(db, d.dialect).Migrate(t.Context()))
	})
	assert.ErrorContains(t, sqlstore.New(nil, 0).Migrate(t.Context()), "dialect")
}

// Due is asked every second by every process.
func TestDueReadsAnIndexAndNotTheChecks(t *testing.T) {
	forEach(t, func(t *testing.T, d database, db *sql.DB) {
		store := sqlstore.New(db, d.dialect)
		require.NoError(t, store.Migrate(t.Context()))
		fill(t, store, 2000)
		explain, statement := "EXPLAIN ", "SELECT id FROM alipay_checks WHERE due_at > 0 AND due_at <= 1 ORDER BY due_at, id LIMIT 10"
		switch d.dialect {
		case sqlstore.SQLite:
			explain = "EXPLAIN QUERY PLAN "
		case sqlstore.PostgreSQL:
			_, err := db.ExecContext(t.Context(), "ANALYZE alipay_checks")
			require.NoError(t, err)
		}
		rows, err := db.QueryContext(t.Context(), explain+statement)
		require.NoError(t, err)
		defer rows.Close()
		plan := ""
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values := make([]sql.NullString, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(t, rows.Scan(into...))
			plan += fmt.Sprintln(values)
		}
		assert.Contains(t, plan, "alipay_checks_due", plan)
		assert.NotContains(t, strings.ToLower(plan), "filesort", plan)
	})
}

// fill stores n checks that are not due.
func fill(tb testing.TB, store check.Store, n int) {
	now := time.Now()
	var all sync.WaitGroup
	for worker := range 20 {
		all.Go(func() {
			for i := worker; i < n; i += 20 {
				assert.NoError(tb, store.Insert(tb.Context(), &check.Check{
					ID: fmt.Sprint("open-", i), State: check.StateStarted, CreatedAt: now, ChangedAt: now, Deadline: now.Add(time.Hour), DueAt: now.Add(time.Hour),
				}))
			}
		})
	}
	all.Wait()
}

func TestTheWholeCheckOverEveryDatabase(t *testing.T) {
	forEach(t, func(t *testing.T, d database, db *sql.DB) {
		gateway := alipaytest.NewGateway(t)
		client, err := alipay.NewClient(gateway.Config())
		require.NoError(t, err)
		store := sqlstore.New(db, d.dialect)
		require.NoError(t, store.Migrate(t.Context()))
		machine, err := check.New(client, store, check.WithTiming(check.Timing{Agreement: 50 * time.Millisecond, Poll: 20 * time.Millisecond}))
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 2 { // as two processes would
			running.Go(func() { assert.NoError(t, machine.Run(ctx)) })
		}
		ids := map[string]string{}
		for i := range 20 {
			c, orderString, err := machine.Start(t.Context(), check.Params{
				IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ServiceID: "2019120400000000000004450100",
			})
			require.NoError(t, err)
			order, err := gateway.OpenOrder(orderString)
			require.NoError(t, err)
			person := fmt.Sprint("person-", i)
			gateway.SetResult(order.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, MerchantIdentityID: person, WaitingPolls: i % 3})
			ids[c.ID] = person
			order.Agree()
		}
		for id, person := range ids {
			var c *check.Check
			require.Eventually(t, func() bool {
				c, err = store.Get(t.Context(), id)
				return err == nil && c.State == check.StateDone
			}, time.Minute, 10*time.Millisecond)
			assert.Equal(t, person, c.Result.MerchantIdentityID)
			var state string
			var data []byte
			placeholder := map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "$1"}[d.dialect]
			if placeholder == "" {
				placeholder = "?"
			}
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT state, data FROM alipay_checks WHERE id = "+placeholder, id).Scan(&state, &data))
			assert.Equal(t, "done", state)
			read := new(check.Check)
			require.NoError(t, json.Unmarshal(data, read), "programs may read the table")
			assert.Equal(t, person, read.Result.MerchantIdentityID)
		}
		stop()
		running.Wait()
	})
}
