package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Schema is what the files of a peer may say: its options, and what only files need to know of them. An option of which
// nothing is said here is a setting of the same name with underscores.
type Schema struct {
	options *pflag.FlagSet
	paths   map[string]string // by option, where they do not follow from it
	pairs   map[string]bool
	absent  map[string]bool
	reloads map[string]bool
	tells   map[string]bool
	checks  map[string]func(string) error

	mistakes []error
}

// Of makes the schema of options, which may still be added to.
func Of(options *pflag.FlagSet) *Schema {
	return &Schema{
		options: options, paths: map[string]string{}, pairs: map[string]bool{}, absent: map[string]bool{"help": true},
		reloads: map[string]bool{}, tells: map[string]bool{}, checks: map[string]func(string) error{},
	}
}

// In puts settings in a block of the files, under what follows the block's name in their options' names, or the whole name.
func (s *Schema) In(block string, names ...string) {
	for _, name := range s.there(names) {
		s.paths[name] = block + "." + key(strings.TrimPrefix(name, block+"-"))
	}
}

// Call gives a setting a path in the files that does not follow from its option.
func (s *Schema) Call(name, path string) {
	for _, name := range s.there([]string{name}) {
		s.paths[name] = path
	}
}

// Pairs marks lists of KEY=VALUE that are objects in files.
func (s *Schema) Pairs(names ...string) { s.mark(s.pairs, names) }

// Absent marks options that are no settings, such as those that name files.
func (s *Schema) Absent(names ...string) { s.mark(s.absent, names) }

// Reloads marks settings that take effect when a running peer reads its files again.
func (s *Schema) Reloads(names ...string) { s.mark(s.reloads, names) }

// Tells marks settings whose text may be told to who looks at a running peer, since it can hold no secret. Numbers, times, and what
// is true or false need no mark.
func (s *Schema) Tells(names ...string) { s.mark(s.tells, names) }

// Check has what files say of a setting, or each item of it, judged: the error says what would be right.
func (s *Schema) Check(check func(string) error, names ...string) {
	for _, name := range s.there(names) {
		s.checks[name] = check
	}
}

func (s *Schema) mark(in map[string]bool, names []string) {
	for _, name := range s.there(names) {
		in[name] = true
	}
}

// there are options by name. One that there is not is a mistake of the program, which every Load tells.
func (s *Schema) there(names []string) []string {
	for _, name := range names {
		if s.options.Lookup(name) == nil {
			s.mistakes = append(s.mistakes, fmt.Errorf("conf: there is no option -%s", name))
		}
	}
	return names
}

// setting is an option as files have it.
type setting struct {
	*pflag.Flag
	path  string                  // such as backup.dir
	list  pflag.SliceValue        // nil for one value
	pairs bool                    // an object
	check func(text string) error // of a value, or of an item of it; may be nil
}

// settings are all settings, by path.
func (s *Schema) settings() map[string]setting {
	out := map[string]setting{}
	s.options.VisitAll(func(f *pflag.Flag) {
		if s.absent[f.Name] {
			return
		}
		path := s.paths[f.Name]
		if path == "" {
			path = key(f.Name)
		}
		list, _ := f.Value.(pflag.SliceValue)
		out[path] = setting{Flag: f, path: path, list: list, pairs: s.pairs[f.Name], check: s.checks[f.Name]}
	})
	return out
}

func key(option string) string { return strings.ReplaceAll(option, "-", "_") }

// blocks are the blocks that settings stand in.
func blocks(all map[string]setting) map[string]bool {
	out := map[string]bool{}
	for path := range all {
		if block, _, inside := strings.Cut(path, "."); inside {
			out[block] = true
		}
	}
	return out
}

// Setting is what a setting is now, to show it.
type Setting struct {
	Path    string // in files
	Value   string
	Reloads bool
	Tells   bool
}

// Settings are all settings as they are now, by path.
func (s *Schema) Settings() []Setting {
	all := s.settings()
	out := make([]Setting, 0, len(all))
	for _, path := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Setting{Path: path, Value: all[path].text(), Reloads: s.reloads[all[path].Name], Tells: s.told(all[path])})
	}
	return out
}

// told says whether the value of a setting may be told.
func (s *Schema) told(set setting) bool {
	switch set.Value.Type() {
	case "bool", "int", "float64", "duration":
		return true
	}
	return s.tells[set.Name]
}

func (s setting) text() string {
	if s.list != nil {
		return strings.Join(s.list.GetSlice(), ", ")
	}
	return s.Value.String()
}

// Given is what a command line says, to say it again.
type Given struct {
	values map[string]string
	lists  map[string][]string
}

// Given is what the command line said, when nothing was loaded yet.
func (s *Schema) Given() Given {
	g := Given{values: map[string]string{}, lists: map[string][]string{}}
	s.options.Visit(func(f *pflag.Flag) {
		if s.absent[f.Name] {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			g.lists[f.Name] = list.GetSlice()
			return
		}
		g.values[f.Name] = f.Value.String()
	})
	return g
}

// Again says to these options what a command line said to others.
func (s *Schema) Again(g Given) error {
	for name, value := range g.values {
		if err := s.options.Set(name, value); err != nil {
			return err
		}
	}
	for name, items := range g.lists {
		for _, item := range items {
			if err := s.options.Set(name, item); err != nil {
				return err
			}
		}
	}
	return nil
}
