package httpd

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/musterhq/muster/fsm"
)

// maxDepth is how deep what users send may nest.
const maxDepth = 32

// decodeStrict reads one JSON text into a value, over what it holds. It refuses, with the path of the field, what
// encoding/json lets pass: unknown keys, keys in another case, keys given twice, text after the value, nesting without
// end, bytes that are no UTF-8. A null leaves its field as it is.
func decodeStrict(raw []byte, into any) error {
	if err := checkStrict(raw, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fsm.Invalid("body", "%s", err)
	}
	return nil
}

// checkStrict judges a JSON text by the type it is to be read into, without reading it.
func checkStrict(raw []byte, t reflect.Type) error {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return fsm.Invalid("body", "is empty; JSON is wanted")
	case !utf8.Valid(raw):
		return fsm.Invalid("body", "is not UTF-8")
	}
	var only json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&only); err != nil {
		return fsm.Invalid("body", "is not JSON: %s", err)
	}
	if rest := bytes.TrimSpace(raw[dec.InputOffset():]); len(rest) > 0 {
		return fsm.Invalid("body", "goes on after its JSON value")
	}
	return checkValue("", only, t, 0)
}

// checkValue judges one value. A nil type takes anything that is well formed.
func checkValue(path string, raw json.RawMessage, t reflect.Type, depth int) error {
	raw = bytes.TrimSpace(raw)
	if depth > maxDepth {
		return fsm.Invalid(named(path), "nests more than %d deep", maxDepth)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if string(raw) == "null" {
		return nil
	}
	shape := t
	if readsItself(t) {
		shape = nil
	}
	descended, err := false, error(nil)
	switch {
	case raw[0] == '{' && takes(shape, reflect.Struct, reflect.Map):
		descended, err = true, checkObject(path, raw, shape, depth)
	case raw[0] == '[' && takes(shape, reflect.Slice):
		descended, err = true, checkList(path, raw, shape, depth)
	}
	if err != nil || t == nil || descended && shape != nil {
		return err
	}
	if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
		return fsm.Invalid(named(path), "%s", whyNot(err, raw, t))
	}
	return nil
}

// checkObject judges the keys of an object and what they hold.
func checkObject(path string, raw json.RawMessage, t reflect.Type, depth int) error {
	fields, seen := keysOf(t), map[string]bool{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return fsm.Invalid(named(path), "is not JSON: %s", err)
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return fsm.Invalid(named(path), "is not JSON: %s", err)
		}
		key, _ := token.(string) // a key cannot be anything else
		at := below(path, key)
		if seen[key] {
			return fsm.Invalid(at, "is given twice")
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fsm.Invalid(at, "is not JSON: %s", err)
		}
		var held reflect.Type
		switch {
		case fields != nil:
			if held = fields[key]; held == nil {
				return fsm.Invalid(at, "is no key of this%s", didYouMean(key, namesOf(fields)))
			}
		case t != nil:
			held = t.Elem()
		}
		if err := checkValue(at, value, held, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func checkList(path string, raw json.RawMessage, t reflect.Type, depth int) error {
	var values []json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return fsm.Invalid(named(path), "is not JSON: %s", err)
	}
	var held reflect.Type
	if t != nil {
		held = t.Elem()
	}
	for i, v := range values {
		if err := checkValue(fmt.Sprintf("%s[%d]", named(path), i), v, held, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// takes says whether a type is of one of the kinds; no type is of all.
func takes(t reflect.Type, kinds ...reflect.Kind) bool {
	if t == nil {
		return true
	}
	for _, k := range kinds {
		if t.Kind() == k {
			return true
		}
	}
	return false
}

var (
	readsJSON = reflect.TypeFor[json.Unmarshaler]()
	readsText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func readsItself(t reflect.Type) bool {
	if t == nil {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(readsJSON) || p.Implements(readsText)
}

// keysOf is the keys of a struct with their types, nil for what is none. Embedded structs count as their fields do.
func keysOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	keys := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			for k, held := range keysOf(f.Type) {
				if _, outer := keys[k]; !outer {
					keys[k] = held
				}
			}
		case name == "":
			keys[f.Name] = f.Type
		default:
			keys[name] = f.Type
		}
	}
	return keys
}

func namesOf(fields map[string]reflect.Type) []string {
	names := make([]string, 0, len(fields))
	for k := range fields {
		names = append(names, k)
	}
	return names
}

// whyNot says why a value does not go into its type.
func whyNot(err error, raw json.RawMessage, t reflect.Type) string {
	if readsItself(t) && (raw[0] == '"' || reflect.PointerTo(t).Implements(readsJSON)) {
		return err.Error()
	}
	wanted := "a string is wanted"
	switch t.Kind() {
	case reflect.Bool:
		wanted = "true or false is wanted"
	case reflect.Struct, reflect.Map:
		wanted = "an object is wanted"
	case reflect.Slice:
		wanted = "a list is wanted"
	case reflect.String:
	default:
		if !readsItself(t) {
			wanted = "a whole number is wanted"
		}
	}
	return fmt.Sprintf("%s is %.64s", wanted, "not "+string(raw))
}

func named(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
