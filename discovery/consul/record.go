package consul

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/fsm"
)

// The keys of service meta that say otherwise than the service does.
const (
	metaPrefix  = "muster-"
	metaCluster = metaPrefix + "cluster"
	metaNode    = metaPrefix + "node"
	metaAddress = metaPrefix + "address"
	metaPort    = metaPrefix + "port"
	metaProbe   = metaPrefix + "probe"
)

// record is what an instance says of a node. The cluster is left to the discovery's template unless meta names it. It takes
// the instance's maps and lists over.
func record(i *api.CatalogService) (fsm.Record, error) {
	slices.Sort(i.ServiceTags)
	r := fsm.Record{
		Cluster:    strings.ReplaceAll(i.ServiceMeta[metaCluster], "/", "."),
		Node:       first(i.ServiceMeta[metaNode], i.ServiceID),
		Address:    first(i.ServiceMeta[metaAddress], i.ServiceAddress, i.Address),
		Port:       i.ServicePort,
		Service:    i.ServiceName,
		Datacenter: i.Datacenter,
		Tags:       i.ServiceTags,
		Meta:       i.ServiceMeta,
		Labels:     labels(i.ServiceMeta),
		Source:     "consul service " + i.ServiceName + " on " + i.Node,
		Probe:      i.ServiceMeta[metaProbe],
	}
	if port, ok := i.ServiceMeta[metaPort]; ok {
		n, err := strconv.Atoi(port)
		if err != nil {
			return r, fmt.Errorf("%s, instance %q: meta %s is %q, not a port", r.Source, i.ServiceID, metaPort, port)
		}
		r.Port = n
	}
	return r, nil
}

// labels are the meta without what is for us alone; where it holds nothing of that, the same map, since a large catalog's
// records are all in memory at once.
func labels(meta map[string]string) map[string]string {
	ours := func(k, _ string) bool { return strings.HasPrefix(k, metaPrefix) }
	for k := range meta {
		if ours(k, "") {
			out := maps.Clone(meta)
			maps.DeleteFunc(out, ours)
			return out
		}
	}
	return meta
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
