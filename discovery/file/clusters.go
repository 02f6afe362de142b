package file

import (
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// group takes one member of a file's list, in whichever of the two forms its keys say.
func (c *collection) group(path string, v *value) error {
	if v.kind != object {
		return at(path, v.line, "the list holds %s; clusters are objects", v.describe())
	}
	ours, prometheus := v.field("nodes") != nil, v.field("targets") != nil
	switch {
	case ours && prometheus:
		return at(path, v.line, "holds both nodes and targets; one of them is wanted")
	case prometheus:
		return c.targets(path, v)
	case ours:
		return c.nodes(path, v)
	}
	if err := known(path, v, "cluster", "nodes", "targets", "labels"); err != nil {
		return err
	}
	return at(path, v.line, "has neither nodes nor targets")
}

// nodes takes {"cluster": ..., "nodes": [...]}.
func (c *collection) nodes(path string, v *value) error {
	if err := known(path, v, "cluster", "nodes"); err != nil {
		return err
	}
	cluster, err := required(path, v, "cluster")
	if err != nil {
		return err
	}
	if err := fsm.CheckClusterName("cluster", cluster); err != nil {
		return at(path, v.line, "%w", err)
	}
	nodes := v.field("nodes")
	if nodes.kind != list {
		return at(path, nodes.line, "nodes is %s; a list is wanted", nodes.describe())
	}
	for _, n := range nodes.items {
		r, err := node(path, n)
		if err != nil {
			return err
		}
		r.Cluster = cluster
		if err := c.add(r); err != nil {
			return err
		}
	}
	return nil
}

// node takes {"id": ..., "address": ..., "port": ..., "labels": {...}, "probe": ...}.
func node(path string, v *value) (fsm.Record, error) {
	r := fsm.Record{Source: fmt.Sprintf("%s:%d", path, v.line)}
	if v.kind != object {
		return r, at(path, v.line, "a node is %s; an object is wanted", v.describe())
	}
	err := known(path, v, "id", "address", "port", "labels", "probe")
	if err != nil {
		return r, err
	}
	if r.Node, err = required(path, v, "id"); err != nil {
		return r, err
	}
	if r.Address, err = required(path, v, "address"); err != nil {
		return r, err
	}
	port := v.field("port")
	if port == nil {
		return r, at(path, v.line, "node %q has no port", r.Node)
	}
	if r.Port, err = port.integer(); err != nil {
		return r, at(path, port.line, "port %w", err)
	}
	if probe := v.field("probe"); probe != nil {
		if r.Probe, err = probe.str(); err != nil {
			return r, at(path, probe.line, "probe %w", err)
		}
	}
	r.Labels, err = labels(path, v)
	return r, err
}

// targets takes a file_sd group.
func (c *collection) targets(path string, v *value) error {
	if err := known(path, v, "targets", "labels"); err != nil {
		return err
	}
	shared, err := labels(path, v)
	if err != nil {
		return err
	}
	cluster, named := shared["cluster"], shared["node"]
	if cluster == "" {
		return at(path, v.line, "the targets have no label cluster, which names their cluster")
	}
	maps.DeleteFunc(shared, func(k, _ string) bool { return k == "cluster" || k == "node" || strings.HasPrefix(k, "__") })
	if len(shared) == 0 {
		shared = nil
	}
	targets := v.field("targets")
	if targets.kind != list {
		return at(path, targets.line, "targets is %s; a list is wanted", targets.describe())
	}
	if named != "" && len(targets.items) > 1 {
		return at(path, v.line, "the label node names one node, and there are %d targets", len(targets.items))
	}
	for _, t := range targets.items {
		r := fsm.Record{Cluster: cluster, Node: named, Labels: maps.Clone(shared), Source: fmt.Sprintf("%s:%d", path, t.line)}
		target, err := t.str()
		if err != nil {
			return at(path, t.line, "a target %w", err)
		}
		if r.Address, r.Port, err = split(target); err != nil {
			return at(path, t.line, "%w", err)
		}
		if r.Node == "" {
			r.Node = target
		}
		if err := c.add(r); err != nil {
			return err
		}
	}
	return nil
}

func split(target string) (string, int, error) {
	host, port, err := net.SplitHostPort(target)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil {
		return "", 0, fmt.Errorf("target %q is not host:port", target)
	}
	return host, n, nil
}

// labels is the value of the key labels; nil when it is not there or empty.
func labels(path string, v *value) (map[string]string, error) {
	l := v.field("labels")
	if l == nil || l.kind == null || l.kind == object && len(l.fields) == 0 {
		return nil, nil
	}
	if l.kind != object {
		return nil, at(path, l.line, "labels is %s; an object is wanted", l.describe())
	}
	out := make(map[string]string, len(l.fields))
	for _, f := range l.fields {
		s, err := f.value.str()
		if err != nil {
			return nil, at(path, f.line, "label %q %w", f.key, err)
		}
		out[f.key] = s
	}
	return out, nil
}

func required(path string, v *value, key string) (string, error) {
	got := v.field(key)
	if got == nil {
		return "", at(path, v.line, "%s is missing", key)
	}
	s, err := got.str()
	if err != nil {
		return "", at(path, got.line, "%s %w", key, err)
	}
	return s, nil
}

func known(path string, v *value, keys ...string) error {
	for _, f := range v.fields {
		found := false
		for _, k := range keys {
			found = found || f.key == k
		}
		if !found {
			return at(path, f.line, "key %q is not known%s", f.key, discovery.DidYouMean(f.key, keys))
		}
	}
	return nil
}
