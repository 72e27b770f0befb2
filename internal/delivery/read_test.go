package delivery

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABodyIsReadUpToItsLimit(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "end with data": iotest.DataErrReader,
	}
	for name, reader := range readers {
		for _, n := range []int{0, 1, 9, 10, 11, 1023, 1024, 1025, 3000} {
			for _, limit := range []int64{0, 10, 1024, 2999, 1 << 20} {
				for _, size := range []int64{-1, 0, int64(n), int64(n) + 1, 1 << 40} {
					body := bytes.Repeat([]byte{'x'}, n)
					data, tooLarge, err := ReadAtMost(reader(bytes.NewReader(body)), limit, size)
					require.NoError(t, err)
					require.Equal(t, int64(n) > limit, tooLarge, "%s: %d of %d", name, n, limit)
					require.Equal(t, body[:min(int64(n), limit+1)], data)
				}
			}
		}
	}
}

func TestWhatWasReadBeforeAnErrorIsKept(t *testing.T) {
	broken := errors.New("broken")
	read := func(limit int64) ([]byte, bool, error) {
		return ReadAtMost(io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(broken)), limit, 7)
	}
	data, tooLarge, err := read(3)
	assert.Equal(t, "abc", string(data))
	assert.False(t, tooLarge)
	assert.ErrorIs(t, err, broken)
	data, tooLarge, err = read(2)
	assert.Equal(t, "abc", string(data))
	assert.True(t, tooLarge)
	assert.NoError(t, err)
}

func TestRoomIsMadeOnTheOtherSidesWordUpToAMegabyte(t *testing.T) {
	for _, tt := range []struct {
		n           int
		limit, size int64
		want        int // room
	}{
		{0, 4 << 20, 1 << 20, 1<<20 + 1},
		{0, 4 << 20, 1<<20 + 1, 1024},
		{0, 2000, 2000, 2001},
		{0, 2000, 2001, 1024},
		{0, 100, -1, 101},
		{0, 100, 0, 1},
		{1024, 4 << 20, 1024, 1025},
	} {
		data, _, err := ReadAtMost(bytes.NewReader(make([]byte, tt.n)), tt.limit, tt.size)
		require.NoError(t, err)
		assert.Len(t, data, tt.n)
		assert.Equal(t, tt.want, cap(data), "%+v", tt)
	}
	data, _, err := ReadAtMost(bytes.NewReader(make([]byte, 5000)), 5000, -1)
	require.NoError(t, err)
	assert.Less(t, cap(data), 2*5000, "it doubles")
}

// endless is a body without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) { e.read += len(p); return len(p), nil }

// silent is a body of which nothing comes while the attempt lasts.
type silent struct{ attempt context.Context }

func (s silent) Read([]byte) (int, error) { <-s.attempt.Done(); return 0, s.attempt.Err() }

func TestWhatIsNotWantedIsReadWhenItIsLittleAndComesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report := Report{via: &Transport{}}
		defer report.Close()
		attempt, body := report.watch(t.Context()), &endless{}
		report.Drain(body)
		assert.Equal(t, 256<<10, body.read)
		time.Sleep(2 * time.Second)
		assert.NoError(t, attempt.Err(), "which ends nothing")
	})
	for timeout, want := range map[time.Duration]time.Duration{time.Hour: time.Second, 5 * time.Second: 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			report := Report{via: &Transport{}}
			defer report.Close()
			attempt, began := report.watch(ctx), time.Now()
			report.Drain(silent{attempt})
			assert.Equal(t, want, time.Since(began))
		})
	}
}
