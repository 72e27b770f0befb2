package credentials

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

func TestNotesOfTheAPPIDAndTheBaseURL(t *testing.T) {
	const (
		digits  = "character 3 is not a digit"
		sandbox = "an APPID that begins with 9021 belongs to the sandbox"
		old     = "this is the old address of the sandbox"
	)
	for _, tc := range []struct {
		base, id    string
		field, says []string
	}{
		{"", "2021000000000001", nil, nil},
		{SandboxURL, "9021000000000001", nil, nil},
		{"https://proxy.example", "9021000000000001", nil, nil},
		{"not a URL", "9021000000000001", nil, nil},
		{"", "1902100000000000", nil, nil},
		{"", "", nil, nil},
		{"", "9021000000000001", []string{"AppID"}, []string{sandbox}},
		{ProductionURL + "/", "9021000000000001", []string{"AppID"}, []string{sandbox}},
		{"http://OPENAPI.alipay.com:80/prefix", "9021000000000001", []string{"AppID"}, []string{sandbox}},
		{"", "20A1000000000001", []string{"AppID"}, []string{digits}},
		{"", "20/1", []string{"AppID"}, []string{digits}},
		{"", "20:1", []string{"AppID"}, []string{digits}},
		{"", "应用A1", []string{"AppID"}, []string{"character 1 is not a digit"}},
		{"", "20应", []string{"AppID"}, []string{digits}},
		{"https://openapi.alipaydev.com", "9021000000000001", []string{"BaseURL"}, []string{old}},
		{"https://openapi.alipaydev.com:443/", "20x1", []string{"BaseURL", "AppID"}, []string{old, digits}},
		{"", "9021x", []string{"AppID", "AppID"}, []string{"character 5 is not a digit", sandbox}},
	} {
		c := keyConfig()
		c.BaseURL, c.AppID = tc.base, tc.id
		notes := Notes(c, now)
		require.Len(t, notes, len(tc.says), "%s %s: %v", tc.base, tc.id, notes)
		for i, note := range notes {
			assert.Equal(t, tc.field[i], note.Field)
			assert.Contains(t, note.Text, tc.says[i])
			assert.Regexp(t, `\p{Han}`, note.Chinese)
		}
	}
}

func TestNotesTellWhichCertificatesEnd(t *testing.T) {
	p := world()
	soon := issue(alipayName, p.alipayKey, p.class2, testpki.Valid(now.Add(-day), now.Add(29*day)))
	later := issue(alipayName, p.nextKey, p.class2, testpki.Valid(now.Add(-day), now.Add(31*day)))
	ended := issue(alipayName, p.nextKey, p.class2, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	c := certConfig()
	assert.Empty(t, Notes(c, now))
	c.AlipayPublicCertContent = later.PEM + soon.PEM + ended.PEM
	assert.Equal(t, []Note{
		{"AlipayPublicCertContent", "the certificate with SN " + snOf(soon.PEM) + " ends on 2030-01-30 (days left: 29); download the next one from the console in time",
			"序列号为 " + snOf(soon.PEM) + " 的证书将于 2030-01-30 到期（还剩 29 天），请及时到控制台下载新证书"},
		{"AlipayPublicCertContent", "the certificate with SN " + snOf(ended.PEM) + " expired on 2029-12-31 and is passed over; remove it",
			"序列号为 " + snOf(ended.PEM) + " 的证书已于 2029-12-31 过期，不再使用，请将其移除"},
	}, Notes(c, now))

	c = certConfig()
	notes := Notes(c, now.Add(99*day+time.Hour))
	require.Len(t, notes, 2)
	assert.Equal(t, "AppCertContent", notes[0].Field)
	assert.Contains(t, notes[0].Text, "ends on 2030-04-11 (days left: 0)")

	c.AppCertContent = ""
	assert.Empty(t, Notes(c, now), "mistakes are for Resolve to tell")
}
