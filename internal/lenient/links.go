package lenient

import "encoding/json"

// Link is a page that explains an error.
type Link struct{ Link, Desc string }

// Links reads links in either form: documented as a string, it also arrives as a
// list of objects. Anything else is left out, and so are links beyond limit.
func Links(value []byte, limit int) []Link {
	if s, err := String(value); err == nil {
		if s == "" || limit <= 0 {
			return nil
		}
		return []Link{{Link: s}}
	}
	var items []json.RawMessage
	if StartsObject(value) {
		items = []json.RawMessage{value}
	} else if json.Unmarshal(value, &items) != nil {
		return nil
	}
	var links []Link
	for _, item := range items {
		if len(links) >= limit {
			break
		}
		var link Link
		if s, err := String(item); err == nil {
			link.Link = s
		} else {
			_ = EachMember(item, func(name, value []byte) error {
				switch string(name) {
				case "link":
					link.Link, _ = String(value)
				case "desc":
					link.Desc, _ = String(value)
				}
				return nil
			})
		}
		if link != (Link{}) {
			links = append(links, link)
		}
	}
	return links
}
