package replay

import (
	"encoding/binary"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// id is the nth of many IDs that are spread like signatures.
func id(n uint64) (id ID) {
	binary.BigEndian.PutUint64(id[:], n)
	binary.BigEndian.PutUint64(id[8:], n*0x9e3779b97f4a7c15)
	return id
}

func TestAnAnswerIsNewOnce(t *testing.T) {
	var m Memory
	for n := range uint64(1000) {
		assert.False(t, m.Has(id(n)))
		assert.True(t, m.Add(id(n)))
		assert.False(t, m.Add(id(n)))
		assert.True(t, m.Has(id(n)))
	}
}

func TestTheLast30000AreRememberedAndNoMoreThan65536(t *testing.T) {
	var m Memory
	const many = 300_000
	for n := range uint64(many) {
		assert.True(t, m.Add(id(n)))
	}
	held := 0
	for i := range m.shards {
		held += len(m.shards[i].young) + len(m.shards[i].old)
	}
	assert.LessOrEqual(t, held, 65_536)
	for n := uint64(many - 30_000); n < many; n++ {
		assert.False(t, m.Add(id(n)), n)
	}
	assert.True(t, m.Add(id(0)), "forgotten")
}

func TestShardsShareNoCacheLine(t *testing.T) {
	if strconv.IntSize == 64 {
		assert.EqualValues(t, 64, unsafe.Sizeof(shard{}))
	}
}

func TestOfManyCallersWithTheSameAnswerOneIsFirst(t *testing.T) {
	var m Memory
	var first atomic.Int64
	var all sync.WaitGroup
	const callers, answers = 16, 5000
	for range callers {
		all.Go(func() {
			for n := range uint64(answers) {
				if m.Add(id(n)) {
					first.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, answers, first.Load())
}

func TestAFullMemoryAllocatesNothing(t *testing.T) {
	var m Memory
	n := uint64(0)
	next := func() { n++; m.Add(id(n)) }
	for range 2 * maxRemembered {
		next()
	}
	assert.Zero(t, testing.AllocsPerRun(maxRemembered, next))
}

func BenchmarkAdd(b *testing.B) {
	for _, callers := range []int{1, 128} { // for each processor
		b.Run(map[int]string{1: "1 caller", 128: "256 callers"}[callers], func(b *testing.B) {
			var m Memory
			var n atomic.Uint64
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				at := n.Add(1) << 40
				for pb.Next() {
					at++
					m.Add(id(at))
				}
			})
		})
	}
}
