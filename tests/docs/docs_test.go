// Package docs tests the documents: both languages say the same, links lead
// somewhere, code compiles, and what is quoted is what the library says.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// dir is where the pages are, and what their names are relative to.
const dir = "../../docs"

// page is what the tests look at of a Markdown file.
type page struct {
	file, text string
	prose      string // the text without its blocks
	blocks     []block
}

// block is a fenced code block.
type block struct {
	line           int
	language, text string
}

var (
	fenced  = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
	heading = regexp.MustCompile(`(?m)^(#+) (.*)$`)
	row     = regexp.MustCompile(`(?m)^\|.*$`)
)

func parse(t *testing.T, file string) page {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	require.NoError(t, err)
	p := page{file: file, text: string(data), prose: fenced.ReplaceAllString(string(data), "")}
	require.NotContains(t, p.prose, "```", "%s: a block without a language, or one that does not end", file)
	for _, at := range fenced.FindAllStringSubmatchIndex(p.text, -1) {
		p.blocks = append(p.blocks, block{strings.Count(p.text[:at[0]], "\n") + 1, p.text[at[2]:at[3]], p.text[at[4]:at[5]]})
	}
	return p
}

// pages returns every page in English beside the same page in Chinese.
func pages(t *testing.T) [][2]page {
	t.Helper()
	var all [][2]page
	for _, file := range []string{"README", "SECURITY", "alipayotel/README", "opensslsigner/README", "examples/service/README"} {
		all = append(all, [2]page{parse(t, "../"+file+".md"), parse(t, "../"+file+".zh-CN.md")})
	}
	english, err := os.ReadDir(filepath.Join(dir, "en"))
	require.NoError(t, err)
	chinese, err := os.ReadDir(filepath.Join(dir, "zh-CN"))
	require.NoError(t, err)
	require.Len(t, chinese, len(english))
	for _, file := range english {
		all = append(all, [2]page{parse(t, "en/"+file.Name()), parse(t, "zh-CN/"+file.Name())})
	}
	return all
}

// Headings, the cells of tables, and blocks but for their comments and captions.
func TestBothLanguagesHaveTheSameShape(t *testing.T) {
	captions := regexp.MustCompile(`(?m)\s*//.*$|\s*# .*$|(participant \w+ as|: |loop).*$`)
	shape := func(p page) (shape []string) {
		for _, h := range heading.FindAllStringSubmatch(p.prose, -1) {
			shape = append(shape, h[1])
		}
		for _, r := range row.FindAllString(p.prose, -1) {
			shape = append(shape, strings.Repeat("|", strings.Count(r, "|")-2*strings.Count(r, `\|`)))
		}
		for _, b := range p.blocks {
			if b.language == "text" || b.language == "http" {
				shape = append(shape, b.text)
			} else {
				shape = append(shape, b.language+"\n"+captions.ReplaceAllString(b.text, "$1"))
			}
		}
		return shape
	}
	for _, pair := range pages(t) {
		english, chinese := shape(pair[0]), shape(pair[1])
		for i := range min(len(english), len(chinese)) {
			chinese[i] = untranslated(english[i], chinese[i])
		}
		assert.Equal(t, english, chinese, pair[0].file)
	}
}

var (
	literal = regexp.MustCompile(`"[^"\n]*"`)
	han     = regexp.MustCompile(`\p{Han}`)
)

// untranslated puts the literals of the English code in the place of Chinese
// ones, and Hint in that of HintZH.
func untranslated(english, chinese string) string {
	literals, i := literal.FindAllString(english, -1), -1
	chinese = literal.ReplaceAllStringFunc(chinese, func(text string) string {
		if i++; i < len(literals) && han.MatchString(text) {
			return literals[i]
		}
		return text
	})
	if !strings.Contains(english, "HintZH") {
		chinese = strings.ReplaceAll(chinese, ".HintZH()", ".Hint()")
	}
	return chinese
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	all := []page{parse(t, "../CHANGELOG.md"), parse(t, "../CONTRIBUTING.md")}
	for _, pair := range pages(t) {
		all = append(all, pair[:]...)
	}
	for _, p := range all {
		for _, match := range link.FindAllStringSubmatch(p.prose, -1) {
			if strings.HasPrefix(match[1], "https://") {
				continue
			}
			file, anchor, hasAnchor := strings.Cut(match[1], "#")
			path := filepath.Join(filepath.Dir(p.file), file)
			if file == "" {
				path = p.file
			}
			if _, err := os.Stat(filepath.Join(dir, path)); !assert.NoError(t, err, p.file) || !hasAnchor {
				continue
			}
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(parse(t, path).prose, -1) {
				anchors = append(anchors, anchorOf(h[2]))
			}
			assert.Contains(t, anchors, anchor, "%s: %s", p.file, match[1])
		}
	}
}

// anchorOf is what GitHub makes of a heading.
func anchorOf(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

func TestReadmesAreShort(t *testing.T) {
	for _, p := range pages(t)[0] {
		assert.Less(t, len(p.text), 9_000, p.file)
	}
}

// A line of a Chinese page that has English words has Chinese ones, too.
func TestNothingIsLeftInEnglish(t *testing.T) {
	code := regexp.MustCompile("`[^`]*`|\\]\\([^)]*\\)|<!--.*-->")
	words := regexp.MustCompile(`[A-Za-z]{2,} [a-z]{2,}`)
	for _, pair := range pages(t) {
		for line := range strings.Lines(code.ReplaceAllString(pair[1].prose, "")) {
			if words.MatchString(line) {
				assert.Regexp(t, `\p{Han}`, line, pair[1].file)
			}
		}
	}
}

// Each thing has one Chinese name: see CONTRIBUTING.md.
func TestEachThingHasOneChineseName(t *testing.T) {
	other := regexp.MustCompile(`结局|查询串|签名串|待签字符串|错误文本|序列号|授权订单|订单串|旧网关|封存`)
	for _, pair := range pages(t) {
		for line := range strings.Lines(pair[1].text) {
			assert.NotRegexp(t, other, line, pair[1].file)
		}
	}
}

// Names of the library and of the test kit in the text must exist, and every
// option must be on the page of options.
func TestNamesAreThoseOfTheLibrary(t *testing.T) {
	api, err := os.ReadFile("../../api.txt")
	require.NoError(t, err)
	name := regexp.MustCompile(`\b(alipay|alipaytest)\.([A-Z]\w+)`)
	for _, pair := range pages(t) {
		if pair[0].file == "en/from-go.md" { // the other libraries are called alipay, too
			continue
		}
		for _, match := range name.FindAllStringSubmatch(pair[0].text+pair[1].text, -1) {
			exists := regexp.MustCompile(`(?m)^pkg ` + match[1] + `, (const|func|type|var) ` + match[2] + `\b`)
			assert.True(t, exists.Match(api), "%s: there is no %s", pair[0].file, match[0])
		}
	}
	options := parse(t, "en/options.md").text
	for _, option := range regexp.MustCompile(`(?m)^pkg alipay, func (With\w+)\(`).FindAllStringSubmatch(string(api), -1) {
		assert.True(t, strings.Contains(options, "`"+option[1]+"`"), "the page of options has no %s", option[1])
	}
}

// The page on security names tests.
func TestTheTestsThatAreNamedExist(t *testing.T) {
	var tests strings.Builder
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var data []byte
			data, err = os.ReadFile(path)
			tests.Write(data)
		}
		return err
	}))
	for _, name := range regexp.MustCompile("`((Test|Fuzz)\\w+)`").FindAllStringSubmatch(parse(t, "en/security.md").text, -1) {
		assert.True(t, strings.Contains(tests.String(), "func "+name[1]+"("), "there is no %s", name[1])
	}
}

// The first run says how the doctor ends.
func TestTheFirstRunQuotesTheDoctor(t *testing.T) {
	report, err := os.ReadFile("../../cmd/alipay/internal/doctor/report.go")
	require.NoError(t, err)
	for _, file := range []string{"en/first-run.md", "zh-CN/first-run.md"} {
		ends := regexp.MustCompile("(?m)^\\|[^|]*\\|[^|]*doctor[^|]*\\|[^|`]*`([^`]+)`").FindAllStringSubmatch(parse(t, file).prose, -1)
		require.Len(t, ends, 2, file)
		for _, end := range ends {
			assert.Contains(t, string(report), `"`+end[1]+`"`, file)
		}
	}
}

func TestVersionIsTheNewestOfTheChangelog(t *testing.T) {
	newest := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\] - (?:unreleased|\d{4}-\d{2}-\d{2})$`).FindStringSubmatch(parse(t, "../CHANGELOG.md").text)
	require.NotNil(t, newest, "no heading like ## [0.1.0] - 2026-11-21")
	assert.Equal(t, alipay.Version, newest[1])
}
