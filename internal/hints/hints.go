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
	Path    string // of the API whose codes they are, "" for the gateway's own
	Title   Text
	Entries []Entry
}

// JobworthPath is the path of the API that this library is about.
const JobworthPath = "/v3/zhima/customer/jobworth/authentication"

type known struct {
	path   string
	advice Text
}

// byCode also serves Known, so it has every code, with advice or without.
var byCode = sync.OnceValue(func() map[string]known {
	entries := make(map[string]known)
	for _, group := range Groups {
		for _, entry := range group.Entries {
			entries[entry.Code] = known{group.Path, entry.Advice}
		}
	}
	return entries
})

// Known reports whether the code is in the list.
func Known(code string) bool { _, ok := byCode()[code]; return ok }

// For returns what an answer with this code and HTTP status of the API at this path
// means for the caller and what to do about it, or empty texts when nothing useful is
// known. A code without advice of its own is explained by the status, and so is a
// business code of another API.
func For(path, code string, status int) Text {
	entry := byCode()[code]
	switch advice := entry.advice; {
	case advice == parameters && path != JobworthPath:
		return otherParameters
	case advice == (Text{}), entry.path != "" && entry.path != path && advice != outcomeUnknown:
		return byStatus[min(status, http.StatusInternalServerError)]
	case advice == throttled && status >= 100 && (status < 400 || status >= 500 || status == http.StatusRequestTimeout):
		return outcomeUnknown // the code proves that nothing happened only where the status refuses
	default:
		return advice
	}
}
