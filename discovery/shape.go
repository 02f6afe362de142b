package discovery

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// Validate judges a whole spec, as applying, previewing and validating do: its own words, its backend's config, its
// template and filter, and, through probers, its prober with the prober's config. Errors name the field.
func Validate(spec fsm.Spec, backends Backends, probers func(prober string, config fsm.JSON) error) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	backend, err := backends.Make(spec, Env{})
	if err != nil {
		return err
	}
	if c, ok := backend.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return fmt.Errorf("close %s backend: %w", spec.Backend, err)
		}
	}
	if _, err := Shape(spec); err != nil {
		return err
	}
	if probers == nil {
		return nil
	}
	return probers(spec.Refresh.Prober, spec.Refresh.Config)
}

// Shape compiles a spec's filter and template into the step that makes the records of a discovery from what its backend
// read: filtered, named, checked, sorted by cluster and node, or an error that names the record and the field. The step
// leaves its argument as it is and is safe for concurrent use.
func Shape(spec fsm.Spec) (func([]fsm.Record) ([]fsm.Record, error), error) {
	name, err := compileTemplate(spec.Cluster)
	if err != nil {
		return nil, err
	}
	keep, err := compileFilter(spec.Filter)
	if err != nil {
		return nil, err
	}
	s := shape{name: name, keep: keep}
	return s.apply, nil
}

type shape struct {
	name *namer
	keep *filter
}

func (s shape) apply(read []fsm.Record) ([]fsm.Record, error) {
	if len(read) > MaxRecords {
		return nil, fmt.Errorf("the source lists %d nodes; at most %d are allowed", len(read), MaxRecords)
	}
	out := make([]fsm.Record, 0, len(read))
	for _, r := range read {
		kept, err := s.one(&r)
		if err != nil {
			return nil, err
		}
		if kept {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, byNode)
	if err := checkSet(out); err != nil {
		return nil, err
	}
	return out, nil
}

// one names r and says whether it stays.
func (s shape) one(r *fsm.Record) (bool, error) {
	if s.keep != nil && !s.keep.late {
		if ok, err := s.keep.match(r); !ok || err != nil {
			return false, err
		}
	}
	name, err := s.name.name(r)
	if err != nil {
		return false, err
	}
	r.Cluster = name
	if s.keep != nil && s.keep.late {
		if ok, err := s.keep.match(r); !ok || err != nil {
			return false, err
		}
	}
	if err := r.Check(); err != nil {
		return false, fmt.Errorf("%s: %w", place(r), err)
	}
	return true, nil
}

// checkSet judges sorted records together: no node twice, no cluster too large.
func checkSet(sorted []fsm.Record) error {
	size := 0
	for i := range sorted {
		r := &sorted[i]
		if i == 0 || r.Cluster != sorted[i-1].Cluster {
			size = 0
		} else if r.Node == sorted[i-1].Node {
			return Duplicate(&sorted[i-1], r)
		}
		if size++; size > fsm.MaxNodes {
			return fmt.Errorf("cluster %q has more than %d nodes", r.Cluster, fsm.MaxNodes)
		}
	}
	return nil
}

// ErrDuplicate is what a source did that listed one node of a cluster twice.
var ErrDuplicate = errors.New("listed twice")

// Duplicate is the error for two records of one node; it says where each was read.
func Duplicate(a, b *fsm.Record) error {
	return fmt.Errorf("node %q of cluster %q is %w: by %s and by %s", a.Node, a.Cluster, ErrDuplicate, origin(a), origin(b))
}

func byNode(a, b fsm.Record) int {
	if c := strings.Compare(a.Cluster, b.Cluster); c != 0 {
		return c
	}
	return strings.Compare(a.Node, b.Node)
}

func origin(r *fsm.Record) string {
	if r.Source == "" {
		return fmt.Sprintf("%s:%d", r.Address, r.Port)
	}
	return r.Source
}

// place names a record in an error.
func place(r *fsm.Record) string { return fmt.Sprintf("%s: node %q", origin(r), r.Node) }
