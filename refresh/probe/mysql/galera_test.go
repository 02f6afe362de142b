package mysql_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// One node that began a cluster of its own says in real words what TestGalera has by heart.
func TestGaleraNode(t *testing.T) {
	probetest.Real(t)
	a := run(t, 7, "--binlog-format=ROW", "--wsrep-on=ON", "--wsrep-cluster-address=gcomm://", "--wsrep-node-address=127.0.0.1",
		"--wsrep-provider="+probetest.Program(t, "MUSTER_GALERA", "/usr/lib/galera/libgalera_smm.so"),
		fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:%d", probetest.FreePort(t)))
	a.await(t, "wsrep_local_state_comment", "Synced")
	a.users(t)
	p := start(t, fsm.JSON("{"+kept(t, "password_file", secret)+"}"), loopback())
	r := p.Probe(t.Context(), a.target)
	if len(r.Shards) != 1 || r.Shards[0].Offset == nil || r.Shards[0].Offset.Value < 5 {
		t.Fatalf("after 5 writes: report is %+v", r)
	}
	want := fsm.Report{
		Node: a.target.Node, Reachable: true, State: fsm.StateUp, Kind: "mariadb", Version: r.Version, NodeID: "7",
		ClusterID:  a.do(t, "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_state_uuid'"),
		Shards:     []fsm.Shard{{ID: "0", Role: "synced", Offset: &fsm.Offset{Value: r.Shards[0].Offset.Value, Unit: "writesets"}}},
		Attributes: map[string]string{"read_only": "off"},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
