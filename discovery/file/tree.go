package file

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const errNotDirectory = syscall.ENOTDIR

// value is a JSON or YAML value that remembers its line; both formats are read into it, so that one reader judges both
// and every error can say where.
type value struct {
	kind   kind
	line   int
	text   string // of a scalar, as written
	items  []*value
	fields []field
}

type field struct {
	key   string
	line  int
	value *value
}

type kind int

const (
	null kind = iota
	text
	number
	boolean
	list
	object
)

func (k kind) String() string {
	return [...]string{"null", "a string", "a number", "true or false", "a list", "an object"}[k]
}

// Bounds on one group of a file; depth is what the deepest known form needs and some to say so politely.
const (
	maxDepth  = 16
	maxValues = 500_000
)

// parser reads a file's text and gives each member of its top-level list to each, in order.
type parser func(raw []byte, path string, each func(*value) error) error

// format is the parser for a name, nil when its ending is not known.
func format(path string) parser {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return parseJSON
	case ".yaml", ".yml":
		return parseYAML
	}
	return nil
}

// at is an error at a line of a file.
func at(path string, line int, form string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", path, line, fmt.Errorf(form, args...))
}

// field is the value of a key, nil when it is not there.
func (v *value) field(key string) *value {
	for _, f := range v.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// str is a scalar's text; numbers and words like true count as written, as in labels they often stand unquoted.
func (v *value) str() (string, error) {
	switch v.kind {
	case text, number, boolean:
		return v.text, nil
	}
	return "", fmt.Errorf("is %s; a string is wanted", v.kind)
}

func (v *value) integer() (int, error) {
	n, err := strconv.Atoi(v.text)
	if v.kind != number || err != nil {
		return 0, fmt.Errorf("is %s; a whole number is wanted", v.describe())
	}
	return n, nil
}

func (v *value) describe() string {
	if v.kind == number {
		return v.text
	}
	return v.kind.String()
}
