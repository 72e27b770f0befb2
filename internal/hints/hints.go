// Package hints knows the error codes of the platform: what each one means and
// what to do about it, in English and in Chinese. Codes are plain strings here.
// The constants in codes.go and the tables in docs/ are generated from it.
package hints

//go:generate go test -run ^TestGeneratedPartsAreCurrent$ . -update

import (
	"net/http"
	"sync"
)

// Text is one text in both languages.
type Text struct{ EN, ZH string }

// Entry is what is known about one code.
type Entry struct {
	Code    string
	Meaning Text // a phrase: no capital at the start, no full stop
	Advice  Text // whole sentences, empty when nothing useful is known
}

// Group is a list of codes that belong together.
type Group struct {
	API     API // whose codes they are
	Title   Text
	Entries []Entry
}

// API is what was called. The gateway's codes belong to every API.
type API int

// The APIs whose business codes are known.
const (
	Other API = iota
	Jobworth
	Agreement
)

type known struct {
	api    API
	advice Text
}

// byCode also serves Known, so it has every code, with advice or without.
var byCode = sync.OnceValue(func() map[string]known {
	entries := make(map[string]known)
	for _, group := range Groups {
		for _, entry := range group.Entries {
			entries[entry.Code] = known{group.API, entry.Advice}
		}
	}
	return entries
})

// Known reports whether the code is in the list.
func Known(code string) bool { _, ok := byCode()[code]; return ok }

// For returns what an answer of an API with this code and HTTP status means for the
// caller and what to do about it, or empty texts when nothing useful is known. A
// code without advice of its own is explained by the status, and so is a business
// code of another API.
func For(api API, code string, status int) Text {
	entry := byCode()[code]
	advice := entry.advice
	switch {
	case advice == parameters && api != Jobworth:
		return otherParameters
	case advice == (Text{}), entry.api != Other && entry.api != api && advice != outcomeUnknown:
		return forStatus(status)
	}
	// A throttle code proves that nothing happened only together with a status that refuses.
	refused := status < 100 || status >= 400 && status < 500 && status != http.StatusRequestTimeout
	if advice == throttled && !refused {
		return outcomeUnknown
	}
	return advice
}

// forStatus is the advice if only the status of an answer is understood.
func forStatus(status int) Text {
	switch {
	case status == http.StatusUnauthorized:
		return statusUnauthorized
	case status == http.StatusForbidden:
		return statusForbidden
	case status == http.StatusNotFound:
		return statusNotFound
	case status == http.StatusRequestEntityTooLarge, status == http.StatusRequestURITooLong,
		status == http.StatusRequestHeaderFieldsTooLarge:
		return statusTooLarge
	case status == http.StatusTooManyRequests:
		return throttled
	case status == http.StatusRequestTimeout:
		return outcomeUnknown
	case status >= 500:
		return statusFailed
	}
	return Text{}
}
