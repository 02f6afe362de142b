package measures

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Keys are those under which a Sink takes anything.
func Keys() []string {
	s, err := New(prometheus.NewRegistry())
	if err != nil {
		panic(err)
	}
	return slices.Sorted(maps.Keys(s.takers))
}
