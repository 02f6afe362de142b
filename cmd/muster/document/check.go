package document

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

var (
	readsText = reflect.TypeFor[encoding.TextUnmarshaler]()
	opaque    = reflect.TypeFor[fsm.JSON]()
	anything  = reflect.TypeFor[json.RawMessage]()
)

// check judges a value by the type that it is to be read into: every key known, every value of its kind. A null leaves
// its field as it is.
func check(path string, v *value, t reflect.Type, wrong *faults) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == anything || v.null():
	case t == opaque:
		if v.kind != object {
			wrong.add(v.at.fault("%s is %s; wanted is an object", path, v))
		}
	case reflect.PointerTo(t).Implements(readsText):
		checkText(path, v, t, wrong)
	case t.Kind() == reflect.Struct:
		checkObject(path, v, t, wrong)
	case t.Kind() == reflect.Map:
		if v.kind != object {
			wrong.add(v.at.fault("%s is %s; wanted is an object", path, v))
		}
		for i := range v.members {
			m := &v.members[i]
			check(path+"."+m.key, &m.value, t.Elem(), wrong)
		}
	case t.Kind() == reflect.Slice:
		if v.kind != list {
			wrong.add(v.at.fault("%s is %s; wanted is a list", path, v))
		}
		for i := range v.items {
			check(fmt.Sprintf("%s[%d]", path, i), &v.items[i], t.Elem(), wrong)
		}
	default:
		if v.kind != leaf || json.Unmarshal(v.leaf, reflect.New(t).Interface()) != nil {
			wrong.add(v.at.fault("%s is %s; wanted is %s", path, v, wanted(t)))
		}
	}
}

// checkText judges a value that is written as a string with a form of its own, such as a duration.
func checkText(path string, v *value, t reflect.Type, wrong *faults) {
	var text string
	if v.kind == leaf && json.Unmarshal(v.leaf, &text) == nil {
		if reader, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t)); ok {
			if err := reader.UnmarshalText([]byte(text)); err != nil {
				wrong.add(v.at.fault("%s: %s", path, err))
			}
		}
		return
	}
	like := "a string"
	switch t {
	case reflect.TypeFor[fsm.Duration]():
		like = `a string like "30s"`
	case reflect.TypeFor[fsm.Percent]():
		like = `a string like "30%"`
	}
	wrong.add(v.at.fault("%s is %s; wanted is %s", path, v, like))
}

func checkObject(path string, v *value, t reflect.Type, wrong *faults) {
	if v.kind != object {
		wrong.add(v.at.fault("%s is %s; wanted is an object", path, v))
		return
	}
	known := fields(t)
	for i := range v.members {
		m := &v.members[i]
		held, ok := known[m.key]
		if !ok {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			wrong.add(m.at.fault("%s is not known%s", below(path, m.key), discovery.DidYouMean(m.key, names)))
			continue
		}
		check(below(path, m.key), &m.value, held, wrong)
	}
}

// fields is the types of a struct's fields by their names in JSON; those of embedded structs are its own.
func fields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			maps.Copy(out, fields(f.Type))
			continue
		}
		out[name] = f.Type
	}
	return out
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// String is a value as messages show it.
func (v *value) String() string {
	switch v.kind {
	case object:
		return "an object"
	case list:
		return "a list"
	}
	if len(v.leaf) > 64 {
		return string(v.leaf[:64]) + "…"
	}
	return string(v.leaf)
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}
