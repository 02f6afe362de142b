package consul

import (
	"slices"
	"strings"
)

// selection says which services and instances a discovery takes.
type selection struct {
	names []string
	tags  []string
	meta  map[string]string
}

// hidden are Consul's own service and ours: taken only when named in full.
var hidden = []string{"consul", "muster"}

// service says whether a service of that name may be taken.
func (s *selection) service(name string) bool {
	if slices.Contains(s.names, name) {
		return true
	}
	if slices.Contains(hidden, name) {
		return false
	}
	return slices.ContainsFunc(s.names, func(pattern string) bool { return glob(pattern, name) })
}

// listed says whether a service of the list, with the tags of all its instances, may have instances to take.
func (s *selection) listed(name string, tags []string) bool { return s.service(name) && s.tagged(tags) }

// instance says whether an instance is taken.
func (s *selection) instance(tags []string, meta map[string]string) bool {
	for k, v := range s.meta {
		if got, ok := meta[k]; !ok || got != v {
			return false
		}
	}
	return s.tagged(tags)
}

func (s *selection) tagged(tags []string) bool {
	for _, t := range s.tags {
		if !slices.Contains(tags, t) {
			return false
		}
	}
	return true
}

// glob matches a whole name; unlike a file name's, a service name's "/" is a character like others.
func glob(pattern, name string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == name
	}
	p, n := 0, 0
	star, mark := -1, 0 // the last star, and how much of the name it has taken
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
