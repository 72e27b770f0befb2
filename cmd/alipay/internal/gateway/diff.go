package gateway

import "strings"

// segment is a stretch of a string to sign, marked where it differs.
type segment struct {
	Text   string
	Marked bool
}

// maxDiff is the longest text that is compared character by character; in a
// longer one everything between the first and the last difference is marked.
const maxDiff = 2000

// differences marks what each of two texts has and the other has not.
func differences(a, b string) (left, right []segment) {
	x, y := []rune(a), []rune(b)
	start := 0
	for start < len(x) && start < len(y) && x[start] == y[start] {
		start++
	}
	end := 0
	for end < len(x)-start && end < len(y)-start && x[len(x)-1-end] == y[len(y)-1-end] {
		end++
	}
	middleX, middleY := x[start:len(x)-end], y[start:len(y)-end]
	left = add(left, x[:start], false)
	right = add(right, y[:start], false)
	if len(middleX) > maxDiff || len(middleY) > maxDiff {
		left, right = add(left, middleX, true), add(right, middleY, true)
	} else {
		left, right = compare(left, right, middleX, middleY)
	}
	return add(left, x[len(x)-end:], false), add(right, y[len(y)-end:], false)
}

// compare finds the longest common subsequence.
func compare(left, right []segment, x, y []rune) ([]segment, []segment) {
	common := make([][]int16, len(x)+1) // of what is behind x[i] and y[j]
	for i := range common {
		common[i] = make([]int16, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) && j < len(y) {
		switch {
		case x[i] == y[j]:
			left, right = add(left, x[i:i+1], false), add(right, y[j:j+1], false)
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			left = add(left, x[i:i+1], true)
			i++
		default:
			right = add(right, y[j:j+1], true)
			j++
		}
	}
	return add(left, x[i:], true), add(right, y[j:], true)
}

// add appends a stretch, to the last one if that is of the same kind.
func add(list []segment, text []rune, marked bool) []segment {
	if len(text) == 0 {
		return list
	}
	if n := len(list); n > 0 && list[n-1].Marked == marked {
		list[n-1].Text += string(text)
		return list
	}
	return append(list, segment{string(text), marked})
}

// parameter is one of a string to sign of the old gateway, as expected and as
// signed; nil where it is not.
type parameter struct {
	Name             string
	Expected, Signed []segment
	Same             bool
}

// maxParameters is more than any request to the old gateway has.
const maxParameters = 200

// compareParameters compares two strings to sign of the old gateway, parameter by
// parameter in the order in which they are expected. It returns nil for what is no
// real request's.
func compareParameters(expected, signed string) (list []parameter) {
	want, got := splitParameters(expected), splitParameters(signed)
	if len(want) > maxParameters || len(got) > maxParameters {
		return nil
	}
	taken := make(map[int]bool)
	left := 2 * maxDiff // of what is compared character by character
	for _, w := range want {
		p := parameter{Name: w.name, Expected: []segment{{w.value, true}}}
		for i, g := range got {
			if g.name == w.name && !taken[i] {
				taken[i] = true
				if left -= len(w.value) + len(g.value); left >= 0 || w.value == g.value {
					p.Expected, p.Signed = differences(w.value, g.value)
				} else {
					p.Signed = []segment{{g.value, true}}
				}
				if p.Expected == nil {
					p.Expected = []segment{{}} // it is expected, without a value
				}
				if p.Signed == nil {
					p.Signed = []segment{{}}
				}
				p.Same = w.value == g.value
				break
			}
		}
		list = append(list, p)
	}
	for i, g := range got {
		if !taken[i] {
			list = append(list, parameter{Name: g.name, Signed: []segment{{g.value, true}}})
		}
	}
	return list
}

type nameValue struct{ name, value string }

// splitParameters splits k=v&k=v. An & that no name follows belongs to the value
// before it.
func splitParameters(text string) (list []nameValue) {
	value, at := 0, 0 // where the value of the last one begins, and the next part
	for part := range strings.SplitSeq(text, "&") {
		name, _, ok := strings.Cut(part, "=")
		named := ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
		})
		if named || list == nil {
			if value = at; named {
				value += len(name) + 1
			} else {
				name = ""
			}
			list = append(list, nameValue{name: name})
		}
		list[len(list)-1].value = text[value : at+len(part)]
		at += len(part) + 1
	}
	return list
}

// invisible are the characters that a page shows as symbols.
var invisible = strings.NewReplacer("\r", "␍", "\n", "⏎\n", "\t", "⇥", "\ufeff", "[BOM]")

// Shown is the text with symbols for what cannot be seen.
func (s segment) Shown() string {
	text := invisible.Replace(s.Text)
	if s.Marked {
		text = strings.ReplaceAll(text, " ", "␣")
	}
	return text
}
