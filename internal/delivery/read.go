package delivery

import (
	"io"
	"slices"
	"time"
)

// ReadAtMost reads r to its end. If that is more than limit bytes, it stops one
// byte after the limit and reports tooLarge. size is the announced size, -1 if
// there is none; it is a hint only.
func ReadAtMost(r io.Reader, limit, size int64) (data []byte, tooLarge bool, err error) {
	room := int64(1024)
	if size >= 0 && size <= min(limit, 1<<20) { // do not trust a larger announcement
		room = size + 1 // with one byte more, EOF is seen without growing
	}
	data = make([]byte, 0, min(room, limit+1))
	for err == nil && int64(len(data)) <= limit {
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
		var n int
		n, err = r.Read(data[len(data):min(int64(cap(data)), limit+1)])
		data = data[:len(data)+n]
	}
	if tooLarge = int64(len(data)) > limit; tooLarge || err == io.EOF {
		err = nil
	}
	return data, tooLarge, err
}

// Drain reads the rest of an unwanted body, so that the connection can be reused. If
// it is long, or does not come within a little of the call's time, it ends the attempt.
func (r *Report) Drain(body io.Reader) {
	limit := time.Second
	if deadline, ok := r.call.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/10)
	}
	timer := time.AfterFunc(limit, r.cancel)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, 256<<10)
}
