package main

import (
	"strings"
	"testing"
)

func TestOffence(t *testing.T) {
	tests := []struct {
		name string
		edge edge
		want string // part of the rule that is named; empty for none
	}{
		{"fsm imports no sibling", edge{from: "fsm", to: module + "/discovery"}, "fsm imports no other folder"},
		{"nor do its tests", edge{from: "fsm", to: module + "/agent", test: true}, "fsm imports no other folder"},
		{"discovery imports fsm", edge{from: "discovery", to: module + "/fsm"}, ""},
		{"discovery does not import refresh", edge{from: "discovery/consul", to: module + "/refresh"}, "may import only fsm"},
		{"http does not import agent", edge{from: "http", to: module + "/agent"}, "may import only fsm"},
		{"nor in tests", edge{from: "http", to: module + "/agent", test: true}, "may import only fsm"},
		{"agent imports a part of refresh", edge{from: "agent", to: module + "/refresh/probe/redis"}, ""},
		{"agent does not import cmd", edge{from: "agent/gossip", to: module + "/cmd/muster"}, "may import only"},
		{"cmd imports agent", edge{from: "cmd/muster", to: module + "/agent"}, ""},
		{"scripts import all", edge{from: "scripts/demo", to: module + "/cmd/muster/config"}, ""},

		{"a sub-folder imports its parent", edge{from: "refresh/probe/tcp", to: module + "/refresh"}, ""},
		{"a folder imports its sub-folder", edge{from: "refresh", to: module + "/refresh/probe/tcp"}, ""},
		{"but none beside it", edge{from: "refresh/probe/tcp", to: module + "/refresh/probe/http"}, "not beside it"},
		{"a name's beginning is no parent", edge{from: "refresh/probe", to: module + "/refresh/pro"}, "not beside it"},
		{"save its parent's shared code", edge{from: "refresh/probe/tcp", to: module + "/refresh/internal/wire"}, ""},
		{"internal is a whole name", edge{from: "refresh/probe/tcp", to: module + "/refresh/internals"}, "not beside it"},
		{"and save in tests", edge{from: "refresh/probe/tcp", to: module + "/refresh/probe/http", test: true}, ""},
		{"agent's parts are free", edge{from: "agent/peerport", to: module + "/agent/gossip"}, ""},
		{"tests import contract suites", edge{from: "discovery/file", to: module + "/discovery/discoverytest", test: true}, ""},
		{"code does not", edge{from: "discovery", to: module + "/discovery/discoverytest"}, "only tests"},
		{"contract suites import each other", edge{from: "discovery/discoverytest", to: module + "/fsm/fsmtest"}, ""},

		{"an unknown folder", edge{from: "util", to: "fmt"}, "top-level folders"},
		{"the root as a package", edge{from: "", to: "fmt"}, "top-level folders"},
		{"an import of the root", edge{from: "agent", to: module}, "holds no package"},

		{"raft is the agent's", edge{from: "agent/boltstore", to: "github.com/hashicorp/raft"}, ""},
		{"not the command's", edge{from: "cmd/muster", to: "github.com/hashicorp/raft"}, "at home in agent alone"},
		{"scripts are free", edge{from: "scripts/bench", to: "github.com/hashicorp/raft"}, ""},
		{"a module's name is whole", edge{from: "cmd/muster", to: "github.com/hashicorp/raft-boltdb/v2"}, ""},
		{"a library's sub-packages", edge{from: "http", to: "github.com/hashicorp/hcl/v2/hclparse"}, "at home in cmd alone"},
		{"homes may be many", edge{from: "refresh/probe/consul", to: "github.com/hashicorp/consul/api"}, ""},
		{"and only they", edge{from: "discovery/file", to: "github.com/hashicorp/consul/api"}, "at home in discovery/consul, "},
		{"tests use any library", edge{from: "cmd/muster", to: "github.com/hashicorp/consul/api", test: true}, ""},
		{"test libraries stay in tests", edge{from: "agent", to: "github.com/google/go-cmp/cmp"}, "for tests alone"},
		{"testing too", edge{from: "agent", to: "testing/synctest"}, "for tests alone"},
		{"but for contract suites", edge{from: "discovery/discoverytest", to: "testing"}, ""},

		{"fsm computes on values", edge{from: "fsm", to: "net/netip"}, ""},
		{"with encodings", edge{from: "fsm", to: "encoding/binary"}, ""},
		{"and its two libraries", edge{from: "fsm", to: "github.com/hashicorp/go-memdb"}, ""},
		{"without the system", edge{from: "fsm", to: "os"}, "few packages"},
		{"without the network", edge{from: "fsm", to: "net"}, "few packages"},
		{"without chance", edge{from: "fsm", to: "math/rand/v2"}, "few packages"},
		{"without seeded hashes", edge{from: "fsm", to: "hash/maphash"}, "few packages"},
		{"without raft", edge{from: "fsm", to: "github.com/hashicorp/raft"}, "few packages"},
		{"its tests may", edge{from: "fsm", to: "os", test: true}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.edge.offence()
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("%+v: offence = %q, want one that says %q", tt.edge, got, tt.want)
			}
		})
	}
}
