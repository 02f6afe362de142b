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
func check(path string, v *Value, t reflect.Type, wrong *faults) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == anything || v.Null():
	case t == opaque:
		if v.Kind != Object {
			wrong.add(v.At.Fault("%s is %s; wanted is an object", path, v))
		}
	case reflect.PointerTo(t).Implements(readsText):
		checkText(path, v, t, wrong)
	case t.Kind() == reflect.Struct:
		checkObject(path, v, t, wrong)
	case t.Kind() == reflect.Map:
		if v.Kind != Object {
			wrong.add(v.At.Fault("%s is %s; wanted is an object", path, v))
		}
		for i := range v.Members {
			m := &v.Members[i]
			check(path+"."+m.Key, &m.Value, t.Elem(), wrong)
		}
	case t.Kind() == reflect.Slice:
		if v.Kind != List {
			wrong.add(v.At.Fault("%s is %s; wanted is a list", path, v))
		}
		for i := range v.Items {
			check(fmt.Sprintf("%s[%d]", path, i), &v.Items[i], t.Elem(), wrong)
		}
	default:
		if v.Kind != Leaf || json.Unmarshal(v.Leaf, reflect.New(t).Interface()) != nil {
			wrong.add(v.At.Fault("%s is %s; wanted is %s", path, v, wanted(t)))
		}
	}
}

// checkText judges a value that is written as a string with a form of its own, such as a duration.
func checkText(path string, v *Value, t reflect.Type, wrong *faults) {
	var text string
	if v.Kind == Leaf && json.Unmarshal(v.Leaf, &text) == nil {
		if reader, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t)); ok {
			if err := reader.UnmarshalText([]byte(text)); err != nil {
				wrong.add(v.At.Fault("%s: %s", path, err))
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
	wrong.add(v.At.Fault("%s is %s; wanted is %s", path, v, like))
}

func checkObject(path string, v *Value, t reflect.Type, wrong *faults) {
	if v.Kind != Object {
		wrong.add(v.At.Fault("%s is %s; wanted is an object", path, v))
		return
	}
	known := fields(t)
	for i := range v.Members {
		m := &v.Members[i]
		held, ok := known[m.Key]
		if !ok {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			wrong.add(m.At.Fault("%s is not known%s", below(path, m.Key), discovery.DidYouMean(m.Key, names)))
			continue
		}
		check(below(path, m.Key), &m.Value, held, wrong)
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
func (v *Value) String() string {
	switch v.Kind {
	case Object:
		return "an object"
	case List:
		return "a list"
	}
	if len(v.Leaf) > 64 {
		return string(v.Leaf[:64]) + "…"
	}
	return string(v.Leaf)
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
