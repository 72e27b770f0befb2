package lenient

import "encoding/json"

// Link is a page that explains an error.
type Link struct{ Link, Desc string }

// Links reads links in either form: documented as a string, it also arrives as a
// list of objects. Anything else is left out, and so are links beyond limit.
func Links(value []byte, limit int) (links []Link) {
	var items []json.RawMessage
	if json.Unmarshal(value, &items) != nil {
		items = []json.RawMessage{value}
	}
	for _, item := range items {
		var link Link
		if StartsObject(item) {
			_ = Decode(item, &link)
		} else {
			link.Link, _ = String(item)
		}
		if link != (Link{}) && len(links) < limit {
			links = append(links, link)
		}
	}
	return links
}
