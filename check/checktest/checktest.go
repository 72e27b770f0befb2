// Package checktest has the test that every check.Store should pass.
package checktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/check"
)

// Store puts a store through everything that a check.Machine relies on. open
// returns the store under test; each call may return a new empty one, or another
// handle on the same. The ids that it uses begin with "checktest-", and are new in
// each run.
func Store(t *testing.T, open func() check.Store) {
	for _, test := range []struct {
		promise string
		run     func(*suite)
	}{
		{"what is stored comes back whole", (*suite).whole},
		{"what is stored is not changed by its caller", (*suite).copies},
		{"unknown ids and taken ones are told", (*suite).known},
		{"an update with an old version changes nothing", (*suite).versions},
		{"of many updates at once one succeeds", (*suite).race},
		{"due are those whose time has come, the earliest first", (*suite).due},
		{"a context that has ended ends the call", (*suite).cancelled},
	} {
		t.Run(test.promise, func(t *testing.T) {
			test.run(&suite{T: t, store: open(), prefix: fmt.Sprintf("checktest-%d-", time.Now().UnixNano())})
		})
	}
}

type suite struct {
	*testing.T
	store  check.Store
	prefix string
}

// at is a time of the first century after 1970, to the millisecond; no real check
// is due before it.
func at(seconds int) time.Time { return time.Date(1999, 1, 1, 0, 0, seconds, 123e6, time.UTC) }

func (s *suite) sample(name string) *check.Check {
	return &check.Check{
		ID: s.prefix + name, OnceToken: "token-1", State: check.StateAgreed, Note: "an answer: 已收到 ' \" \\ \x00 %",
		Params: check.Params{
			IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ServiceID: "2019120400000000000004450100",
			ExtraParam: map[string]any{"name": "值", "number": json.Number("12345678901234567890")},
		},
		OpenID: "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", UserID: "2088402562742105", AgreedAt: at(1),
		Attempts: 3, InFlight: true, Lost: true, CreatedAt: at(2), ChangedAt: at(3), Deadline: at(4),
		Lease: "lease-1", LeaseUntil: at(5), Woken: true,
		Result: &alipay.QueryResponse{
			IdentityResult: alipay.IdentityResultSuccess, OpenID: "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
			Extra: map[string]json.RawMessage{"new_member": json.RawMessage(`{"a":[1,"二"]}`)},
			Meta:  alipay.Response{StatusCode: 200, Body: []byte(`{"identity_result":"SUCCESS"}`), Attempts: 1},
		},
		Version: 7,
	}
}

func (s *suite) insert(c *check.Check) *check.Check {
	s.Helper()
	if err := s.store.Insert(s.Context(), c); err != nil {
		s.Fatalf("Insert: %v", err)
	}
	return c
}

func (s *suite) get(id string) *check.Check {
	s.Helper()
	c, err := s.store.Get(s.Context(), id)
	if err != nil {
		s.Fatalf("Get: %v", err)
	}
	return c
}

func (s *suite) update(c *check.Check) {
	s.Helper()
	before := c.Version
	if err := s.store.Update(s.Context(), c); err != nil {
		s.Fatalf("Update: %v", err)
	}
	if c.Version <= before {
		s.Fatalf("Update did not raise Version in place: %d, and %d before", c.Version, before)
	}
}

func (s *suite) same(got, want *check.Check) {
	s.Helper()
	if a, b := encoded(s.T, got), encoded(s.T, want); a != b {
		s.Fatalf("what came back is not what was stored:\n%s\n%s", a, b)
	}
}

func encoded(t *testing.T, c *check.Check) string {
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *suite) whole() {
	c := s.insert(s.sample("whole"))
	s.same(s.get(c.ID), c)
	s.same(s.get(c.ID), s.sample("whole")) // with its Version as it was given
	c.State, c.Result, c.DueAt, c.Note = check.StateInDoubt, nil, at(6), strings.Repeat("long ", 1000)
	c.Result = &alipay.QueryResponse{Meta: alipay.Response{Body: []byte(strings.Repeat("x", 2<<20))}} // answers may have a megabyte
	s.update(c)
	s.same(s.get(c.ID), c)
	s.insert(&check.Check{ID: s.prefix + "empty", State: check.StateStarted})
	s.same(s.get(s.prefix+"empty"), &check.Check{ID: s.prefix + "empty", State: check.StateStarted})
	for _, id := range []string{s.prefix + "WHOLE", s.prefix + "whole "} {
		if _, err := s.store.Get(s.Context(), id); !errors.Is(err, check.ErrNotFound) {
			s.Errorf("ids are compared byte for byte, but Get of %q gave %v", id, err)
		}
	}
}

func (s *suite) copies() {
	c := s.insert(s.sample("copies"))
	c.Note, c.Result.OpenID, c.Params.ExtraParam["name"] = "changed", "changed", "changed"
	s.same(s.get(c.ID), s.sample("copies"))
	read := s.get(c.ID)
	read.Result.OpenID = "changed"
	s.same(s.get(c.ID), s.sample("copies"))
}

func (s *suite) known() {
	if _, err := s.store.Get(s.Context(), s.prefix+"unknown"); !errors.Is(err, check.ErrNotFound) {
		s.Errorf("Get of an unknown id: %v, not ErrNotFound", err)
	}
	if err := s.store.Update(s.Context(), s.sample("unknown")); !errors.Is(err, check.ErrConflict) && !errors.Is(err, check.ErrNotFound) {
		s.Errorf("Update of an unknown id: %v, neither ErrConflict nor ErrNotFound", err)
	}
	c := s.insert(s.sample("taken"))
	second := s.sample("taken")
	second.OnceToken = "token-2"
	if err := s.store.Insert(s.Context(), second); !errors.Is(err, check.ErrConflict) {
		s.Errorf("Insert of an id that is there: %v, not ErrConflict", err)
	}
	s.same(s.get(c.ID), c)
}

func (s *suite) versions() {
	c := s.insert(s.sample("versions"))
	old := *c
	c.Note = "second"
	s.update(c)
	for _, version := range []int64{old.Version, c.Version + 1, 0, -1} {
		other := old
		other.Version, other.Note = version, "other"
		if err := s.store.Update(s.Context(), &other); !errors.Is(err, check.ErrConflict) {
			s.Errorf("Update with version %d, when %d is stored: %v, not ErrConflict", version, c.Version, err)
		}
		if other.Version != version {
			s.Errorf("an Update that failed changed Version")
		}
	}
	s.same(s.get(c.ID), c)
	c.Note = "third"
	s.update(c)
	s.same(s.get(c.ID), c)
}

func (s *suite) race() {
	c := s.insert(s.sample("race"))
	for range 5 {
		before := s.get(c.ID)
		var mu sync.Mutex
		var winners []*check.Check
		var all sync.WaitGroup
		for i := range 8 {
			mine := *before
			mine.Note = fmt.Sprint("worker ", i)
			all.Go(func() {
				err := s.store.Update(s.Context(), &mine)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					winners = append(winners, &mine)
				case !errors.Is(err, check.ErrConflict):
					s.Errorf("Update: %v, not ErrConflict", err)
				}
			})
		}
		all.Wait()
		if len(winners) != 1 {
			s.Fatalf("%d of 8 updates at once succeeded, not one", len(winners))
		}
		s.same(s.get(c.ID), winners[0])
	}
}

func (s *suite) due() {
	for i, name := range []string{"c", "a", "d", "b"} {
		c := s.sample(name)
		c.DueAt = at(100 + 10*[]int{2, 0, 3, 1}[i])
		s.insert(c)
	}
	never := s.insert(s.sample("never"))
	if !never.DueAt.IsZero() {
		s.Fatal("the sample is due")
	}
	look := func(now time.Time, limit int) (names string) {
		ids, err := s.store.Due(s.Context(), now, limit)
		if err != nil {
			s.Fatalf("Due: %v", err)
		}
		for _, id := range ids {
			if name, mine := strings.CutPrefix(id, s.prefix); mine {
				names += name
			}
		}
		return names
	}
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{at(99), ""}, {at(100).Add(-time.Millisecond), ""}, {at(100), "a"}, {at(110), "ab"}, {at(125), "abc"}, {at(1000), "abcd"},
	} {
		if got := look(test.now, 1000); got != test.want {
			s.Errorf("due at %v are %q, not %q", test.now, got, test.want)
		}
	}
	if ids, err := s.store.Due(s.Context(), at(1000), 2); err != nil || len(ids) != 2 {
		s.Errorf("Due with a limit of 2 gave %d, %v", len(ids), err)
	}
	for _, name := range []string{"a", "b", "c", "d"} { // nothing to do any more, or later
		c := s.get(s.prefix + name)
		c.DueAt = time.Time{}
		if name == "d" {
			c.DueAt = at(2000)
		}
		s.update(c)
	}
	if got := look(at(1000), 1000); got != "" {
		s.Errorf("due are %q, of which none is any more", got)
	}
	if got := look(at(2000), 1000); got != "d" {
		s.Errorf("due is %q, not d", got)
	}
	c := s.get(s.prefix + "d")
	c.DueAt = time.Time{}
	s.update(c)
}

func (s *suite) cancelled() {
	c := s.insert(s.sample("cancelled"))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	fails := []error{
		s.store.Insert(ctx, s.sample("cancelled-2")), s.store.Update(ctx, c),
	}
	_, err := s.store.Get(ctx, c.ID)
	fails = append(fails, err)
	_, err = s.store.Due(ctx, at(1), 1)
	fails = append(fails, err)
	if i := slices.IndexFunc(fails, func(err error) bool { return !errors.Is(err, context.Canceled) }); i >= 0 {
		s.Errorf("under a context that has ended %s gave: %v", []string{"Insert", "Update", "Get", "Due"}[i], fails[i])
	}
	s.same(s.get(c.ID), s.sample("cancelled"))
}
