package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// level is how much a finding matters.
type level string

const (
	levelNote level = "note" // a fact
	levelOK   level = "ok"   // a check that passed
	levelWarn level = "warn" // may be a mistake
	levelFail level = "fail" // a mistake
)

// finding is one line of the report.
type finding struct {
	Section string `json:"section"`
	Level   level  `json:"level"`
	Field   string `json:"field,omitempty"` // as in alipay.AlipayConfig
	Text    string `json:"text"`
}

// report is what was found, in one language.
type report struct {
	zh       bool
	section  string
	titles   map[string]string // of sections, as shown
	findings []finding
}

// t chooses a text.
func (r *report) t(en, zh string) string {
	if r.zh {
		return zh
	}
	return en
}

// begin opens a section: its name for scripts, and its title for people.
func (r *report) begin(name, en, zh string) {
	r.section = name
	if r.titles == nil {
		r.titles = make(map[string]string)
	}
	r.titles[name] = r.t(en, zh)
}

func (r *report) add(l level, field, text string) {
	r.findings = append(r.findings, finding{r.section, l, field, text})
}

func (r *report) note(text string)        { r.add(levelNote, "", text) }
func (r *report) ok(text string)          { r.add(levelOK, "", text) }
func (r *report) fail(field, text string) { r.add(levelFail, field, text) }

// check adds one or the other.
func (r *report) check(good bool, field, ifGood, ifBad string) {
	if good {
		r.add(levelOK, field, ifGood)
	} else {
		r.add(levelFail, field, ifBad)
	}
}

// count returns how many findings there are of a level.
func (r *report) count(l level) (n int) {
	for _, f := range r.findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// conclusion is the last sentence.
func (r *report) conclusion(live bool) string {
	failed, warned := r.count(levelFail), r.count(levelWarn)
	text := ""
	switch {
	case failed > 0:
		return fmt.Sprintf(r.t("%d of the checks failed.", "有 %d 项检查未通过。"), failed)
	case live:
		text = r.t("The gateway takes this configuration, and its answer was verified.", "网关接受这份配置，响应也通过了验签。")
	default:
		text = r.t("No mistake found offline; run -live to check against the gateway.", "离线没有发现错误；加 -live 可连接网关检查。")
	}
	if warned > 0 {
		text += fmt.Sprintf(r.t(" Look at the warnings (%d).", "请留意上面的警告（%d 条）。"), warned)
	}
	return text
}

// print writes the report for people.
func (r *report) print(w io.Writer, live bool) {
	section := ""
	for _, f := range r.findings {
		if f.Section != section {
			if section != "" {
				fmt.Fprintln(w)
			}
			section = f.Section
			fmt.Fprintln(w, r.titles[section])
		}
		mark := map[level]string{levelNote: "      ", levelOK: "ok    ", levelWarn: "WARN  ", levelFail: "FAIL  "}[f.Level]
		text := f.Text
		if f.Field != "" {
			text = f.Field + r.t(": ", "：") + text
		}
		for n, line := range strings.Split(text, "\n") {
			if n > 0 {
				mark = "          "
			}
			fmt.Fprintln(w, "  "+mark+line)
		}
	}
	fmt.Fprintf(w, "\n%s\n", r.conclusion(live))
}

// printJSON writes the report for scripts.
func (r *report) printJSON(w io.Writer, live bool) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		OK         bool      `json:"ok"`
		Live       bool      `json:"live"`
		Failures   int       `json:"failures"`
		Warnings   int       `json:"warnings"`
		Conclusion string    `json:"conclusion"`
		Findings   []finding `json:"findings"`
	}{r.count(levelFail) == 0, live, r.count(levelFail), r.count(levelWarn), r.conclusion(live), r.findings})
}
