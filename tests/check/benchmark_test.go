package check

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
	"github.com/seed-39a49030/alipay/check/sqlstore"
)

// BenchmarkSteps takes steps of 10,000 open checks, 100 at a time: read, claim,
// ask (a test gateway in this process, which signs too), store.
func BenchmarkSteps(b *testing.B) {
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			gateway := alipaytest.NewGateway(b, alipaytest.WithHistory(0))
			client, err := alipay.NewClient(gateway.Config())
			require.NoError(b, err)
			store := sqlstore.New(d.open(b), d.dialect)
			require.NoError(b, store.Migrate(b.Context()))
			// Every check is due again when its turn comes.
			machine, err := check.New(client, store, check.WithTiming(check.Timing{Poll: time.Nanosecond}))
			require.NoError(b, err)
			now := time.Now()
			const open = 10_000
			for i := range open {
				id := fmt.Sprint("open-", i)
				gateway.SetResult(id, alipaytest.Result{IdentityResult: alipay.IdentityResultWaitingVerify})
				require.NoError(b, store.Insert(b.Context(), &check.Check{
					ID: id, OnceToken: id, State: check.StateAgreed, CreatedAt: now, ChangedAt: now, AgreedAt: now, Deadline: now.Add(24 * time.Hour), DueAt: now,
					Params: check.Params{IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ServiceID: "2019120400000000000004450100"},
				}))
			}
			var next, asked atomic.Int64
			b.SetParallelism(50)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c, _, err := machine.Step(b.Context(), fmt.Sprint("open-", next.Add(1)%open))
					if err != nil {
						b.Error(err)
						return
					}
					asked.Add(int64(min(c.Attempts, 1)))
				}
			})
			b.StopTimer()
			require.EqualValues(b, b.N, asked.Load())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}

// BenchmarkDue looks for due steps among 10,000 open checks, of which none is due.
func BenchmarkDue(b *testing.B) {
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			store := sqlstore.New(d.open(b), d.dialect)
			require.NoError(b, store.Migrate(b.Context()))
			fill(b, store, 10_000)
			for b.Loop() {
				_, err := store.Due(b.Context(), time.Now(), 200)
				require.NoError(b, err)
			}
		})
	}
}
