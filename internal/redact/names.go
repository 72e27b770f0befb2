package redact

import (
	"reflect"
	"strings"
)

// Names holds names from the Go source of a program: tags and fields of its
// structs. They are not secret, unlike the keys of a map.
type Names map[string]bool

// Add adds the names in the type of a value that is encoded as JSON or as a query.
// Types behind an interface are not known.
func (n Names) Add(value any) { n.add(reflect.TypeOf(value), 0) }

func (n Names) add(t reflect.Type, depth int) {
	const maxDepth = 16 // a type may contain itself
	if t == nil || depth > maxDepth {
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		n.add(t.Elem(), depth+1)
	case reflect.Struct:
		for i := range t.NumField() {
			field := t.Field(i)
			known := n[field.Name]
			n[field.Name] = true
			for _, key := range []string{"json", "url"} {
				if name, _, _ := strings.Cut(field.Tag.Get(key), ","); name != "" {
					known = known && n[name]
					n[name] = true
				}
			}
			if !known { // else this type, or a similar one, was visited before
				n.add(field.Type, depth+1)
			}
		}
	}
}

// Has reports whether a name is one of them.
func (n Names) Has(name string) bool { return n[name] }
