package protocol

import (
	"bytes"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// OldGatewayPath is where the old gateway answers, behind the base URL.
const OldGatewayPath = "/gateway.do"

// OldContent returns what a signature of the old gateway, and that of a
// notification, covers: the parameters that have a value as name=value, not
// escaped, sorted by name and joined by &, without those named in leaveOut. A
// request leaves out sign; a notification also sign_type and alipay_cert_sn.
//
// Nothing is escaped, so a name or a value that contains & or = can be read as
// other parameters under the same signature. Names are checked by
// [OldParameters]; values cannot be.
func OldContent(params map[string]string, leaveOut ...string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" && !slices.Contains(leaveOut, name) {
			b = append(append(append(append(b, name...), '='), params[name]...), '&')
		}
	}
	return bytes.TrimSuffix(b, []byte("&"))
}

// OrderString returns the parameters that have a value, sorted and escaped as a
// form, followed by sign: what an app hands to Alipay's app, and what follows the
// question mark of a page's URL.
func OrderString(params map[string]string, sign string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" && name != "sign" {
			b.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(params[name]) + "&")
		}
	}
	return b.String() + "sign=" + url.QueryEscape(sign)
}

// Why the signature over a form cannot be checked. The texts name no parameter,
// since anyone may have chosen it.
var (
	ErrParameterTwice = errors.New("a parameter comes twice")
	ErrParameterName  = errors.New("the name of a parameter holds = or &")
)

// OldParameters returns a decoded form with one value for each name. It refuses
// a name that comes twice, since the signature covers one value and a reader may
// take the other, and a name that contains = or &, which OldContent would write as
// two parameters.
func OldParameters(form url.Values) (map[string]string, error) {
	params := make(map[string]string, len(form))
	for name, values := range form {
		switch {
		case len(values) > 1:
			return nil, ErrParameterTwice
		case strings.ContainsAny(name, "=&"):
			return nil, ErrParameterName
		case len(values) == 1:
			params[name] = values[0]
		}
	}
	return params, nil
}

// chinaTime is the zone in which the old gateway reads and writes times.
var chinaTime = time.FixedZone("GMT+8", 8*60*60)

// FormatOldTime writes a time as the old gateway does: to the second, in GMT+8.
func FormatOldTime(t time.Time) string { return t.In(chinaTime).Format(time.DateTime) }

// ParseOldTime reads what FormatOldTime wrote. Its error is safe to show.
func ParseOldTime(text string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateTime, text, chinaTime)
	if err != nil || FormatOldTime(t) != text { // ParseInLocation takes fractions and blanks, too
		return time.Time{}, errors.New("the time is not of the form yyyy-MM-dd HH:mm:ss")
	}
	return t, nil
}
