package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/internal/bilingual"
)

type text = bilingual.Text

func both(en, zh string, args ...any) text { return bilingual.Of(en, zh, args...) }

// lines is a text of several lines.
func lines(list ...text) (all text) {
	for i, line := range list {
		if i > 0 {
			all.EN, all.ZH = all.EN+"\n", all.ZH+"\n"
		}
		all.EN, all.ZH = all.EN+line.EN, all.ZH+line.ZH
	}
	return all
}

// level is how much a finding matters.
type level string

const (
	levelNote level = "note" // a fact
	levelOK   level = "ok"   // a check that passed
	levelWarn level = "warn" // may be a mistake
	levelFail level = "fail" // a mistake
)

// finding is one entry of the report.
type finding struct {
	section string
	level   level
	field   string // as in alipay.AlipayConfig
	text    text
	took    time.Duration // of a step that was timed
}

// report is what was found.
type report struct {
	section  string
	titles   map[string]text // of sections
	findings []finding
}

// begin opens a section: its name for scripts, and its title for people.
func (r *report) begin(name, en, zh string) {
	r.section = name
	if r.titles == nil {
		r.titles = make(map[string]text)
	}
	r.titles[name] = both(en, zh)
}

func (r *report) add(l level, field string, t text) {
	r.findings = append(r.findings, finding{section: r.section, level: l, field: field, text: t})
}

func (r *report) note(t text)               { r.add(levelNote, "", t) }
func (r *report) ok(t text)                 { r.add(levelOK, "", t) }
func (r *report) warn(field string, t text) { r.add(levelWarn, field, t) }
func (r *report) fail(field string, t text) { r.add(levelFail, field, t) }

// step adds what a step of the way to the gateway found, and how long it took.
func (r *report) step(l level, field string, took time.Duration, t text) {
	r.findings = append(r.findings, finding{r.section, l, field, t, took})
}

// count returns how many findings there are of a level.
func (r *report) count(l level) (n int) {
	for _, f := range r.findings {
		if f.level == l {
			n++
		}
	}
	return n
}

// conclusion is the last sentence.
func (r *report) conclusion(live bool) text {
	failed, warned := r.count(levelFail), r.count(levelWarn)
	t := both("No mistake found offline; run -live to check against the gateway.", "离线检查没有发现错误；加 -live 可联网检查。")
	switch {
	case failed == 1:
		return both("One of the checks failed.", "有 1 项检查未通过。")
	case failed > 0:
		return both("%d of the checks failed.", "有 %d 项检查未通过。", failed)
	case live:
		t = both("The gateway takes this configuration, and its answer was verified.", "网关接受这份配置，响应也通过了验签。")
	}
	if warned > 0 {
		t = both("%s Look at the warnings (%d).", "%s请留意上面的警告（%d 条）。", t, warned)
	}
	return t
}

func in(lang cli.Lang, t text) string { return lang.T(t.EN, t.ZH) }

// print writes the report for people.
func (r *report) print(w io.Writer, lang cli.Lang, live bool) {
	marks := map[level]string{levelNote: "      ", levelOK: "ok    ", levelWarn: "WARN  ", levelFail: "FAIL  "}
	section := ""
	for _, f := range r.findings {
		if f.section != section {
			if section != "" {
				fmt.Fprintln(w)
			}
			section = f.section
			fmt.Fprintln(w, in(lang, r.titles[section]))
		}
		shown := in(lang, f.text)
		if f.field != "" {
			shown = f.field + lang.T(": ", "：") + shown
		}
		first, rest, more := strings.Cut(shown, "\n")
		if f.took > 0 {
			first += fmt.Sprintf(lang.T(" (%d ms)", "（%d 毫秒）"), max(1, f.took.Milliseconds()))
		}
		fmt.Fprintln(w, "  "+marks[f.level]+first)
		if more {
			fmt.Fprintln(w, "            "+strings.ReplaceAll(rest, "\n", "\n            "))
		}
	}
	fmt.Fprintf(w, "\n%s\n", in(lang, r.conclusion(live)))
}

// printJSON writes the report for scripts.
func (r *report) printJSON(w io.Writer, lang cli.Lang, live bool) error {
	type entry struct {
		Section string `json:"section"`
		Level   level  `json:"level"`
		Field   string `json:"field,omitempty"`
		Text    string `json:"text"`
		MS      int64  `json:"ms,omitempty"`
	}
	var entries []entry
	for _, f := range r.findings {
		e := entry{f.section, f.level, f.field, in(lang, f.text), 0}
		if f.took > 0 {
			e.MS = cmp.Or(f.took.Milliseconds(), 1)
		}
		entries = append(entries, e)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		OK         bool    `json:"ok"`
		Live       bool    `json:"live"`
		Failures   int     `json:"failures"`
		Warnings   int     `json:"warnings"`
		Conclusion string  `json:"conclusion"`
		Findings   []entry `json:"findings"`
	}{r.count(levelFail) == 0, live, r.count(levelFail), r.count(levelWarn), in(lang, r.conclusion(live)), entries})
}
