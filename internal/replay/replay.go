// Package replay remembers which answers a client has received, so that none is
// accepted as the answer to a second request. Its memory is bounded.
package replay

import "sync"

// ID names an answer.
type ID [16]byte

const (
	shards        = 64 // so that concurrent callers rarely contend
	maxRemembered = 1 << 16
	perGeneration = maxRemembered / shards / 2
)

// Memory remembers the last answers, between 32,768 and 65,536 of them. The zero
// value is ready to use. It allocates nothing once it is full.
type Memory struct{ shards [shards]shard }

// shard remembers in two generations: when the young one is full it becomes the
// old one, and the old one is dropped.
type shard struct {
	mu         sync.Mutex
	young, old map[ID]struct{}
	_          [64 - 24]byte // a cache line each
}

// Add remembers an answer and reports whether it is new. If several callers add
// the same one at the same time, it returns true for one of them.
func (m *Memory) Add(id ID) bool {
	s := &m.shards[id[len(id)-1]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has(id) {
		return false
	}
	if len(s.young) == perGeneration {
		s.young, s.old = s.old, s.young
		clear(s.young)
	}
	if s.young == nil {
		s.young = make(map[ID]struct{})
	}
	s.young[id] = struct{}{}
	return true
}

// Has reports whether Add has remembered an answer.
func (m *Memory) Has(id ID) bool {
	s := &m.shards[id[len(id)-1]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has(id)
}

func (s *shard) has(id ID) bool {
	_, young := s.young[id]
	_, old := s.old[id]
	return young || old
}
