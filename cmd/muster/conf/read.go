package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/musterhq/muster/cmd/muster/document"
)

// Source is a file, or a directory whose files that end in .hcl or .json are read in the order of their names.
type Source struct {
	Path string
	Dir  bool
}

// Sources is an option that adds files, or directories, to others in the order in which they are given.
func Sources(to *[]Source, dir bool) pflag.Value { return sources{to, dir} }

type sources struct {
	to  *[]Source
	dir bool
}

func (s sources) String() string { return "" }

// Type is pflag's word for what may be given.
func (s sources) Type() string { return "string" }

// Set adds one.
func (s sources) Set(path string) error {
	*s.to = append(*s.to, Source{Path: path, Dir: s.dir})
	return nil
}

// Found is what sources held.
type Found struct {
	Files       []string // in the order in which they were read
	Discoveries []document.Discovery
	places      map[string]document.Place // of settings, by option
}

// Settings is how many settings were found.
func (f *Found) Settings() int { return len(f.places) }

// Load reads files and takes over what they say into the options that stand for it. Options that were given win. The error
// joins one for each thing that is wrong in any file; after one the options must not be used. What could be read is found in
// any case.
func (s *Schema) Load(sources []Source) (*Found, error) {
	files, err := Expand(sources)
	if err := errors.Join(append(s.mistakes, err)...); err != nil {
		return &Found{}, err
	}
	return s.LoadFiles(files, func(name string) (io.ReadCloser, error) { return os.Open(name) })
}

// LoadFiles is Load of single files, opened in the caller's way; "-" is told as stdin.
func (s *Schema) LoadFiles(files []string, open func(name string) (io.ReadCloser, error)) (*Found, error) {
	r := &reading{all: s.settings(), found: &Found{Files: files, places: map[string]document.Place{}}, values: map[string]*said{}}
	for _, name := range files {
		r.file(name, open)
	}
	if err := errors.Join(r.wrong...); err != nil {
		return r.found, err
	}
	for _, path := range slices.Sorted(maps.Keys(r.values)) {
		at := r.all[path]
		if at.Changed && at.list == nil {
			delete(r.found.places, at.Name) // the command line says it, and is not to be looked for in a file
			continue
		}
		if err := r.values[path].take(s.options, at); err != nil {
			return r.found, fmt.Errorf("%s: %s: %w", r.found.places[at.Name], path, err)
		}
	}
	return r.found, nil
}

// Expand names the files of sources, in the order in which they are read.
func Expand(sources []Source) ([]string, error) {
	var out []string
	var wrong []error
	for _, s := range sources {
		info, err := os.Stat(s.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, fmt.Errorf("%s is not there; see -config-file and -config-dir", s.Path))
		case err != nil:
			wrong = append(wrong, err)
		case s.Dir && !info.IsDir():
			wrong = append(wrong, fmt.Errorf("%s is a file: name it with -config-file", s.Path))
		case !s.Dir && info.IsDir():
			wrong = append(wrong, fmt.Errorf("%s is a directory: name it with -config-dir", s.Path))
		case s.Dir:
			entries, err := os.ReadDir(s.Path) // sorted by name
			wrong = append(wrong, err)
			for _, e := range entries {
				if ending := filepath.Ext(e.Name()); !e.IsDir() && (ending == ".hcl" || ending == ".json") && e.Name()[0] != '.' {
					out = append(out, filepath.Join(s.Path, e.Name()))
				}
			}
		default:
			out = append(out, s.Path)
		}
	}
	return out, errors.Join(wrong...)
}

// reading is files being read.
type reading struct {
	all    map[string]setting
	found  *Found
	values map[string]*said
	wrong  []error
}

func (r *reading) fail(err error) {
	if err != nil {
		r.wrong = append(r.wrong, err)
	}
}

func (r *reading) file(name string, open func(name string) (io.ReadCloser, error)) {
	f, err := open(name)
	if err != nil {
		r.fail(err)
		return
	}
	if name == "-" {
		name = "stdin"
	}
	c, err := document.ReadConfiguration(name, f)
	r.fail(errors.Join(err, f.Close()))
	r.members("", &c.Settings)
	for _, d := range c.Discoveries {
		if i := slices.IndexFunc(r.found.Discoveries, func(o document.Discovery) bool { return o.Name == d.Name }); i >= 0 {
			r.fail(d.At.Fault("discovery %q is in %s, too", d.Name, r.found.Discoveries[i].At))
			continue
		}
		r.found.Discoveries = append(r.found.Discoveries, d)
	}
}

// optionName is an option in a message: what stands before it is not part of a word.
var optionName = regexp.MustCompile(`(?:^|[^\w-])-([a-z][a-z-]*[a-z])`)

// Place puts an error that begins with an option where a file says it.
func (f *Found) Place(err error) error {
	for _, match := range optionName.FindAllStringSubmatch(err.Error(), 1) {
		if at, ok := f.places[match[1]]; ok {
			return at.Fault("%s", err)
		}
	}
	return err
}

// Explain adds to an error that names options where files say them.
func (f *Found) Explain(err error) error {
	if err == nil || f == nil {
		return err
	}
	var said []string
	for _, match := range optionName.FindAllStringSubmatch(err.Error(), -1) {
		if at, ok := f.places[match[1]]; ok {
			if line := fmt.Sprintf("-%s is set in %s", match[1], at); !slices.Contains(said, line) {
				said = append(said, line)
			}
		}
	}
	if len(said) == 0 {
		return err
	}
	return fmt.Errorf("%w\n%s", err, strings.Join(said, "\n"))
}
