package fleet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// layout is where every node is and what it is called. It is computed, so that any process knows all of it.
type layout struct {
	Clusters int        `json:"clusters"`
	Nodes    int        `json:"nodes"`
	Prefix   string     `json:"prefix"`
	Base     netip.Addr `json:"base"`
}

func (l layout) clusterName(cluster int) string { return fmt.Sprintf("%s-%05d", l.Prefix, cluster) }

func (l layout) nodeID(cluster, node int) string {
	return l.clusterName(cluster) + "-" + strconv.Itoa(node)
}

// zone spreads the nodes of a cluster over three.
func (l layout) zone(node int) string { return string(rune('a' + node%3)) }

func (l layout) address(cluster, node int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], number(l.Base)+uint32(cluster*l.Nodes+node))
	return netip.AddrFrom4(b)
}

// at is the inverse of address.
func (l layout) at(address netip.Addr) (cluster, node int, ok bool) {
	if !address.Is4() {
		return 0, 0, false
	}
	i := int64(number(address)) - int64(number(l.Base))
	if i < 0 || i >= int64(l.Clusters)*int64(l.Nodes) {
		return 0, 0, false
	}
	return int(i) / l.Nodes, int(i) % l.Nodes, true
}

// cluster is the inverse of clusterName.
func (l layout) cluster(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, l.Prefix+"-")
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(digits)
	if err != nil || i < 0 || i >= l.Clusters || l.clusterName(i) != name {
		return 0, false
	}
	return i, true
}

// node is the inverse of nodeID within a cluster.
func (l layout) node(cluster int, id string) (int, bool) {
	digits, ok := strings.CutPrefix(id, l.clusterName(cluster)+"-")
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(digits)
	if err != nil || i < 0 || i >= l.Nodes || l.nodeID(cluster, i) != id {
		return 0, false
	}
	return i, true
}

func number(address netip.Addr) uint32 {
	b := address.As4()
	return binary.BigEndian.Uint32(b[:])
}
