package diagnose

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// ExplainOld is [Explain] for a request to the old gateway, or an order string.
// tokens are values that a client may have meant as the app auth token.
func ExplainOld(params map[string]string, tokens []string, keys Keys) Finding {
	s := &search{right: protocol.OldContent(params, "sign"), cipher: keys.Cipher, hashed: maxHashed, compared: maxCompared}
	return s.explain(params["sign"], keys, func() (found, bool) { return s.findOld(params, tokens) })
}

// oldMistake is a list of parameters with a mistake in it.
type oldMistake struct {
	phrase
	params map[string]string
}

// findOld tries each mistake in the parameters with each mistake in how they are
// put together.
func (s *search) findOld(params map[string]string, tokens []string) (hit found, ok bool) {
	for _, m := range s.oldMistakes(params, tokens) {
		for _, form := range oldForms {
			if hit, ok = s.check([]byte(form.join(oldMembers(m.params))), m.phrase.and(form.phrase), true); ok {
				return hit, true
			}
		}
	}
	return found{}, false
}

// oldMembers are the parameters that are signed, sorted.
func oldMembers(params map[string]string) (members []member) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "sign" {
			members = append(members, member{name, params[name]})
		}
	}
	return members
}

// oldForms are ways to put parameters together, the right one first.
var oldForms = []struct {
	phrase
	join func([]member) string
}{
	{phrase{}, func(p []member) string { return joinOld(p, "&", plain) }},
	{
		phrase{"sign_type was left out; it is signed like the others", "签名没有包含 sign_type，而它应在签名之内"},
		func(p []member) string { return joinOld(unnamed(p, "sign_type"), "&", plain) },
	},
	{
		phrase{"the values were signed as they are escaped; they are signed as they are before that", "签名用的是 URL 编码之后的参数，应当用编码之前的"},
		func(p []member) string { return joinOld(p, "&", encoders[1].encode) },
	},
	{
		phrase{"the values were signed as they are escaped (%20 for a space); they are signed as they are before that", "签名用的是 URL 编码之后的参数（空格为 %20），应当用编码之前的"},
		func(p []member) string { return joinOld(p, "&", encoders[0].encode) },
	},
	{
		phrase{"sign_type was left out, and the values were signed as they are escaped", "签名没有包含 sign_type，用的又是 URL 编码之后的参数"},
		func(p []member) string { return joinOld(unnamed(p, "sign_type"), "&", encoders[1].encode) },
	},
	{
		phrase{"the parameters were joined by nothing; they are joined by &", "参数之间没有 &"},
		func(p []member) string { return joinOld(p, "", plain) },
	},
	{
		phrase{"a line feed stands at the end of the string that was signed", "待签名字符串末尾多了一个换行"},
		func(p []member) string { return joinOld(p, "&", plain) + "\n" },
	},
	{
		phrase{"an & stands at the end of the string that was signed", "待签名字符串末尾多了一个 &"},
		func(p []member) string { return joinOld(p, "&", plain) + "&" },
	},
	{
		phrase{"parameters without a value were signed; they are left out", "没有值的参数也参与了签名；应略去"},
		func(p []member) string {
			parts := make([]member, len(p))
			for i, m := range p {
				parts[i].text = m.name + "=" + m.text
			}
			return join(parts, "&")
		},
	},
	{
		phrase{"only biz_content was signed; all parameters are", "只对 biz_content 签了名；应对全部参数签名"},
		func(p []member) string {
			for _, m := range p {
				if m.name == "biz_content" {
					return m.text
				}
			}
			return ""
		},
	},
}

func plain(value string) string { return value }

func unnamed(members []member, name string) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.name == name })
}

// joinOld joins the parameters that have a value.
func joinOld(params []member, sep string, encode func(string) string) string {
	var parts []string
	for _, p := range params {
		if p.text != "" {
			parts = append(parts, p.name+"="+encode(p.text))
		}
	}
	return strings.Join(parts, sep)
}

// oldMistakes are the usual mistakes in the parameters, the likeliest first.
func (s *search) oldMistakes(params map[string]string, tokens []string) []oldMistake {
	all := []oldMistake{{phrase{}, params}}
	with := func(name, value, en, zh string) {
		changed := maps.Clone(params)
		changed[name] = value
		if value == "" {
			delete(changed, name)
		}
		all = append(all, oldMistake{phrase{en, zh}, changed})
	}
	for _, p := range oldMembers(params) {
		with(p.name, "", "the parameter "+p.name+" was sent, and not signed", "参数 "+p.name+" 发送了，却没有签名")
	}
	if params["app_auth_token"] == "" {
		for _, token := range tokens {
			with("app_auth_token", token, "an app auth token was signed that is not sent as app_auth_token", "签名包含 app_auth_token，却没有发送")
		}
	}
	for _, usual := range [][2]string{{"format", "json"}, {"charset", "utf-8"}, {"sign_type", "RSA"}, {"version", "1.0"}} {
		if name, value := usual[0], usual[1]; params[name] != value {
			with(name, value, name+" was signed as "+value+", and sent otherwise or not at all", name+" 签名时是 "+value+"，发送时不同或没有发送")
		}
	}
	biz := params["biz_content"]
	if s.cipher != nil && biz != "" {
		if text, err := s.cipher.Decrypt([]byte(biz)); err == nil {
			with("biz_content", string(text), "the plain text of biz_content was signed, and its ciphertext sent: encrypt first, then sign", "对 biz_content 的明文签名，发送的却是密文：应先加密再签名")
		}
	}
	for _, w := range rewrites(biz) {
		with("biz_content", w.text, "biz_content was signed "+w.signed+" and sent "+w.sent, "biz_content 签名时"+w.zh)
	}
	for _, name := range []string{"timestamp", "notify_url", "return_url", "biz_content"} {
		if value := params[name]; value != "" {
			with(name, unescaped(value), name+" was signed decoded once too often", name+" 签名时多解码了一次")
			with(name, strings.ReplaceAll(value, " ", "+"), "a + in "+name+" was sent as a space: escape it as %2B", name+" 中的 + 发送时成了空格：应编码为 %2B")
		}
	}
	return all
}
