// Package bilingual holds texts in English and Chinese, side by side where they
// are written, so that neither can be changed without the other in view.
package bilingual

import "fmt"

// Text says one thing in both languages. The zero value says nothing.
type Text struct{ EN, ZH string }

// Of makes a text, formatted as by With where there are arguments.
func Of(en, zh string, args ...any) Text {
	if len(args) == 0 {
		return Text{en, zh}
	}
	return Text{en, zh}.With(args...)
}

// Same is a text that reads alike in both languages: a name, a number.
func Same(s string) Text { return Text{s, s} }

// With formats both languages with the same arguments; a Text among them is given
// in each one's own.
func (t Text) With(args ...any) Text {
	english, chinese := make([]any, len(args)), make([]any, len(args))
	for i, arg := range args {
		english[i], chinese[i] = arg, arg
		if text, ok := arg.(Text); ok {
			english[i], chinese[i] = text.EN, text.ZH
		}
	}
	return Text{fmt.Sprintf(t.EN, english...), fmt.Sprintf(t.ZH, chinese...)}
}

// Then appends a second part of the sentence.
func (t Text) Then(next Text) Text { return Text{t.EN + "; " + next.EN, t.ZH + "；" + next.ZH} }
