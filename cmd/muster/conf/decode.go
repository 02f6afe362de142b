package conf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/musterhq/muster/cmd/muster/document"
	"github.com/musterhq/muster/discovery"
)

// said is what files say of one setting.
type said struct {
	text  string            // of what is one value
	list  []string          // of a list
	pairs map[string]string // of an object
}

// members reads the members of a file, or of a block of it.
func (r *reading) members(block string, v *document.Value) {
	for i := range v.Members {
		m := &v.Members[i]
		path := m.Key
		if block != "" {
			path = block + "." + m.Key
		}
		s, known := r.all[path]
		switch {
		case known:
			r.setting(s, m)
		case block == "" && blocks(r.all)[m.Key]:
			if m.Kind != document.Object {
				r.fail(m.At.Fault("%s is %s; wanted is a block: %s { … }", path, &m.Value, path))
				continue
			}
			r.members(m.Key, &m.Value)
		default:
			r.fail(m.At.Fault("%s is not known%s", path, r.instead(block, m.Key)))
		}
	}
}

// instead is what somebody who wrote an unknown key may have meant.
func (r *reading) instead(block, name string) string {
	option := strings.ReplaceAll(name, "_", "-")
	near := []string{}
	for _, path := range slices.Sorted(maps.Keys(r.all)) {
		at, last, inside := strings.Cut(path, ".")
		if !inside {
			at, last = "", path
		}
		meant := r.all[path].Name == option || last == key(name)
		switch {
		case meant && at == block:
			return "; write " + last
		case meant && at == "":
			return fmt.Sprintf("; %s stands outside of blocks", last)
		case meant && block == "":
			return fmt.Sprintf("; write %s { %s = … }", at, last)
		case at == block:
			near = append(near, last)
		}
	}
	if block == "" {
		near = append(near, "discovery")
		near = slices.AppendSeq(near, maps.Keys(blocks(r.all)))
	}
	slices.Sort(near)
	return discovery.DidYouMean(name, near)
}

// setting reads what a file says of a setting.
func (r *reading) setting(s setting, m *document.Member) {
	if m.Null() {
		return
	}
	v := r.values[s.path]
	if v == nil {
		v = &said{pairs: map[string]string{}}
		r.values[s.path] = v
	}
	r.found.places[s.Name] = m.At
	switch {
	case s.pairs:
		r.readPairs(s, m, v)
	case s.list != nil:
		r.readList(s, m, v)
	default:
		if text, ok := r.one(s, &m.Value, s.path); ok {
			v.text = text
		}
	}
}

func (r *reading) readPairs(s setting, m *document.Member, v *said) {
	if m.Kind != document.Object {
		r.fail(m.Value.At.Fault(`%s is %s; wanted is an object like { key = "value" }`, s.path, &m.Value))
		return
	}
	for i := range m.Members {
		pair := &m.Members[i]
		if pair.Key == "" || strings.Contains(pair.Key, "=") {
			r.fail(pair.At.Fault(`%s has the key %q; wanted is one that is not empty and without "="`, s.path, pair.Key))
			continue
		}
		if text, ok := r.one(s, &pair.Value, s.path+"."+pair.Key); ok {
			v.pairs[pair.Key] = text
		}
	}
}

func (r *reading) readList(s setting, m *document.Member, v *said) {
	if m.Kind != document.List {
		r.fail(m.Value.At.Fault("%s is %s; wanted is a list like [%q]", s.path, &m.Value, "…"))
		return
	}
	for i := range m.Items {
		if text, ok := r.one(s, &m.Items[i], fmt.Sprintf("%s[%d]", s.path, i)); ok {
			v.list = append(v.list, text)
		}
	}
}

// one reads one value as an option would take it.
func (r *reading) one(s setting, v *document.Value, path string) (string, bool) {
	text, err := as(s.Value.Type(), v)
	if err != nil {
		r.fail(v.At.Fault("%s %s", path, err))
		return "", false
	}
	if s.check != nil {
		if err := s.check(text); err != nil {
			r.fail(v.At.Fault("%s: %s", path, err))
			return "", false
		}
	}
	return text, true
}

// as is a value as the text of an option of that type.
func as(kind string, v *document.Value) (string, error) {
	switch kind {
	case "bool":
		if text := string(v.Leaf); v.Kind == document.Leaf && (text == "true" || text == "false") {
			return text, nil
		}
		return "", fmt.Errorf("is %s; wanted is true or false", v)
	case "int", "int64", "uint", "uint64":
		n, err := strconv.ParseInt(string(v.Leaf), 10, 64)
		if v.Kind != document.Leaf || err != nil {
			return "", fmt.Errorf("is %s; wanted is a whole number", v)
		}
		if n < 0 && strings.HasPrefix(kind, "u") {
			return "", fmt.Errorf("is %s; wanted is a number that is not below 0", v)
		}
		return string(v.Leaf), nil
	case "float64":
		if _, err := strconv.ParseFloat(string(v.Leaf), 64); v.Kind != document.Leaf || err != nil {
			return "", fmt.Errorf("is %s; wanted is a number", v)
		}
		return string(v.Leaf), nil
	}
	var text string
	isText := v.Kind == document.Leaf && json.Unmarshal(v.Leaf, &text) == nil && !v.Null()
	if kind != "duration" {
		if !isText {
			return "", fmt.Errorf("is %s; wanted is a string", v)
		}
		return text, nil
	}
	if !isText {
		return "", fmt.Errorf(`is %s; wanted is a string like "30s"`, v)
	}
	if _, err := time.ParseDuration(text); err != nil {
		return "", fmt.Errorf(`is %s; wanted is a span of time like "30s" or "1h30m"`, v)
	}
	return text, nil
}

// take gives an option what files say; of one value the command line has said nothing.
func (v *said) take(options *pflag.FlagSet, s setting) error {
	switch {
	case s.pairs:
		v.list = v.merge(s.list.GetSlice())
	case s.list != nil && s.Changed:
		v.list = append(v.list, s.list.GetSlice()...)
	}
	if s.list == nil {
		return options.Set(s.Name, v.text)
	}
	s.Changed = true
	return s.list.Replace(v.list)
}

// merge is files' pairs with those of the command line, which win, as options.
func (v *said) merge(given []string) []string {
	out := slices.Clone(given)
	for _, name := range slices.Sorted(maps.Keys(v.pairs)) {
		if !slices.ContainsFunc(given, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
			out = append(out, name+"="+v.pairs[name])
		}
	}
	return out
}
