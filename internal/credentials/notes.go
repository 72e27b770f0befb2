package credentials

import (
	"fmt"
	"strings"
	"time"
)

// Note is something in a Config that may be a mistake, though calls can work with
// it. It contains nothing secret.
type Note struct {
	Field         string // as in Config
	Text, Chinese string
}

// oldSandboxHost is where the sandbox was before SandboxURL.
const oldSandboxHost = "openapi.alipaydev.com"

// Notes returns what is worth a second look, for people who check a config by
// hand. It accepts configs with mistakes too, and then says what it can.
func Notes(c Config, now time.Time) []Note {
	var notes []Note
	base, err := ParseBaseURL(c.BaseURL)
	host := ""
	if err == nil {
		host = base.Hostname()
	}
	if host == oldSandboxHost {
		notes = append(notes, Note{"BaseURL",
			"this is the old address of the sandbox (沙箱); use " + SandboxURL,
			"这是沙箱的旧地址，请改用 " + SandboxURL})
	}
	if i := strings.IndexFunc(c.AppID, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		at := len([]rune(c.AppID[:i])) + 1
		notes = append(notes, Note{"AppID",
			fmt.Sprintf("character %d is not a digit, and the platform's APPIDs are digits only", at),
			fmt.Sprintf("第 %d 个字符不是数字，而平台的 APPID 全部由数字组成", at)})
	}
	if strings.HasPrefix(c.AppID, "9021") && "https://"+host == ProductionURL {
		notes = append(notes, Note{"AppID",
			"an APPID that begins with 9021 belongs to the sandbox (沙箱), and the base URL is that of production; use " + SandboxURL + ", or the APPID and keys of production",
			"以 9021 开头的 APPID 属于沙箱，而 BaseURL 是正式环境；请改用 " + SandboxURL + "，或换成正式环境的 APPID 和密钥"})
	}
	return append(notes, expiryNotes(c, now)...)
}

func expiryNotes(c Config, now time.Time) (notes []Note) {
	r, err := Resolve(c, now)
	if err != nil {
		return nil
	}
	for _, e := range r.mode.expiries {
		if !e.Soon(now) {
			continue
		}
		days, day := int(e.NotAfter.Sub(now).Hours()/24), e.NotAfter.UTC().Format(time.DateOnly)
		notes = append(notes, Note{e.Field,
			fmt.Sprintf("the certificate with SN %s ends on %s (days left: %d); download the next one from the console in time", e.SN, day, days),
			fmt.Sprintf("序列号为 %s 的证书将于 %s 到期（还剩 %d 天），请及时到控制台下载新证书", e.SN, day, days)})
	}
	for _, e := range r.mode.passedOver {
		day := e.NotAfter.UTC().Format(time.DateOnly)
		notes = append(notes, Note{e.Field,
			fmt.Sprintf("the certificate with SN %s expired on %s and is passed over; remove it", e.SN, day),
			fmt.Sprintf("序列号为 %s 的证书已于 %s 过期，不再使用，请将其移除", e.SN, day)})
	}
	return notes
}
