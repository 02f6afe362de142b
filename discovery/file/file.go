package file

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

type settings struct {
	Files []string `json:"files"`
}

type backend struct {
	patterns []string
	env      discovery.Env
}

const maxPatterns = 64

// Make is the discovery.Maker of this backend; what it makes is a discovery.Watcher too.
func Make(config fsm.JSON, env discovery.Env) (discovery.Backend, error) {
	var s settings
	if err := discovery.DecodeConfig(config, &s); err != nil {
		return nil, err
	}
	if len(s.Files) == 0 {
		return nil, fsm.Invalid("config.files", "is empty; name the files, like [\"/etc/muster/clusters/*.json\"]")
	}
	if len(s.Files) > maxPatterns {
		return nil, fsm.Invalid("config.files", "holds %d patterns; at most %d are allowed", len(s.Files), maxPatterns)
	}
	b := &backend{env: env}
	for i, p := range s.Files {
		field := "config.files." + strconv.Itoa(i)
		if !filepath.IsAbs(p) {
			return nil, fsm.Invalid(field, "%q is not absolute, and peers have working directories of their own", p)
		}
		if _, err := filepath.Match(p, ""); err != nil {
			return nil, fsm.Invalid(field, "%q is not a pattern: %s", p, err)
		}
		if p = filepath.Clean(p); format(p) == nil {
			return nil, fsm.Invalid(field, "%q does not end in .json, .yaml or .yml", p)
		}
		b.patterns = append(b.patterns, p)
	}
	return b, nil
}

// Read reads every file the patterns match, or those of want.Names that they match and that exist.
func (b *backend) Read(ctx context.Context, want discovery.Want) ([]fsm.Record, error) {
	paths, err := expand(b.patterns)
	if err != nil {
		return nil, err
	}
	if !want.Full() {
		paths = slices.DeleteFunc(paths, func(p string) bool { return !slices.Contains(want.Names, p) })
	}
	set := collection{seen: map[fsm.NodeRef]string{}}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := set.readFile(path); err != nil {
			return nil, err
		}
	}
	return set.records, nil
}

// collection gathers the records of several files.
type collection struct {
	records []fsm.Record
	seen    map[fsm.NodeRef]string
	bytes   int64
}

const maxTotal = 64 << 20 // bytes of all files of one discovery together

func (c *collection) readFile(path string) error {
	raw, err := load(path)
	if err != nil {
		return err
	}
	if c.bytes += int64(len(raw)); c.bytes > maxTotal {
		return fmt.Errorf("%s: with it the files are over %d MiB together", path, maxTotal>>20)
	}
	return format(path)(raw, path, func(group *value) error { return c.group(path, group) })
}

// add takes a record and refuses one that was there.
func (c *collection) add(r fsm.Record) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("%s: %w", r.Source, err)
	}
	ref := fsm.NodeRef{Cluster: r.Cluster, Node: r.Node}
	if at, ok := c.seen[ref]; ok {
		return discovery.Duplicate(&fsm.Record{Cluster: r.Cluster, Node: r.Node, Source: at}, &r)
	}
	if len(c.records) == discovery.MaxRecords {
		return fmt.Errorf("%s: more than %d nodes are listed", r.Source, discovery.MaxRecords)
	}
	c.seen[ref] = r.Source
	c.records = append(c.records, r)
	return nil
}
