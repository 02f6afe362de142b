package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// lifecycles is a peer that takes transitions and keeps them.
func lifecycles(t *testing.T, rows []httpd.NodeRow) (*api, *[]httpd.Transition) {
	a := newAPI(t).on("GET", "/v1/nodes", rows)
	var taken []httpd.Transition
	a.do("POST", "/v1/nodes/transition", func(w http.ResponseWriter, r *http.Request) {
		asked := a.requests()
		var tr httpd.Transition
		if err := json.Unmarshal([]byte(asked[len(asked)-1].body), &tr); err != nil {
			t.Error(err)
		}
		taken = append(taken, tr)
		reply(w, http.StatusOK, httpd.Transitioned{Index: 9, Moved: tr.Nodes})
	})
	return a, &taken
}

func TestLifecycleVerbs(t *testing.T) {
	for verb, want := range map[string]fsm.Lifecycle{
		"commission": fsm.Commissioned, "maintenance": fsm.Maintenance, "resume": fsm.Commissioned,
		"decommission": fsm.Decommissioned, "forget": fsm.Forgotten,
	} {
		a, taken := lifecycles(t, nil)
		a.on("GET", "/v1/cluster/orders/node/a%2Fb", httpd.NodeRow{Lifecycle: fsm.Maintenance})
		r := run{}.do(t, a, "node", verb, "orders/a/b")
		if diff := cmp.Diff([]httpd.Transition{{To: want, Nodes: []string{"orders/a/b"}}}, *taken); diff != "" || r.code != 0 {
			t.Errorf("%s: exit %d, %s (-want +got):\n%s", verb, r.code, r.err, diff)
		}
	}
}

func TestForceIsPassedOn(t *testing.T) {
	for _, verb := range []string{"commission", "maintenance", "decommission", "forget"} {
		a, taken := lifecycles(t, nil)
		run{}.do(t, a, "node", verb, "-force", "orders/a")
		if len(*taken) != 1 || !(*taken)[0].Force {
			t.Errorf("%s: %+v", verb, *taken)
		}
	}
	a, taken := lifecycles(t, nil)
	if r := (run{}).do(t, a, "node", "resume", "-force", "orders/a"); r.code != 1 || len(*taken) > 0 {
		t.Errorf("resume takes a -force that does nothing: %+v", *taken)
	}
}

func TestResumeDoesNotLetIn(t *testing.T) {
	a, taken := lifecycles(t, nil)
	a.on("GET", "/v1/cluster/orders/node/a", httpd.NodeRow{Lifecycle: fsm.Decommissioned})
	r := run{}.do(t, a, "node", "resume", "orders/a")
	if r.code != 1 || len(*taken) > 0 || !strings.Contains(r.err, "orders/a is decommissioned, not in maintenance") {
		t.Errorf("exit %d, %s, moved %+v", r.code, r.err, *taken)
	}
	run{}.do(t, a, "node", "resume", "-filter", "group == \"x\" or group == \"y\"", "-yes")
	want := `filter=%28group+%3D%3D+%22x%22+or+group+%3D%3D+%22y%22%29+and+lifecycle+%3D%3D+%22maintenance%22`
	if asked := a.requests(); !strings.Contains(asked[1].line, want) {
		t.Errorf("asked %s, want %s", asked[1].line, want)
	}
}

func TestFilterShowsBeforeItMoves(t *testing.T) {
	args := []string{"node", "maintenance", "-filter", `labels.rack == "r7"`}
	for _, c := range []struct {
		name  string
		run   run
		more  []string
		moves bool
	}{
		{"nobody to ask", run{}, nil, false},
		{"yes given", run{}, []string{"-yes"}, true},
		{"asked, no", run{prompt: true, in: "y\n"}, nil, false},
		{"asked, silence", run{prompt: true}, nil, false},
		{"asked, yes", run{prompt: true, in: "yes\n"}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, taken := lifecycles(t, nodes())
			r := c.run.do(t, a, append(args, c.more...)...)
			if (len(*taken) == 1) != c.moves || (r.code == 0) != c.moves {
				t.Errorf("exit %d, moved %+v, want moved: %t", r.code, *taken, c.moves)
			}
			golden(t, "move_"+strings.ReplaceAll(strings.ReplaceAll(c.name, ", ", "_"), " ", "_"), shown(append(args, c.more...), r))
		})
	}
}

func TestFilterThatMatchesNothingMovesNothing(t *testing.T) {
	a, taken := lifecycles(t, []httpd.NodeRow{})
	if r := (run{}).do(t, a, "node", "forget", "-filter", "x == 1", "-yes"); r.code != 2 || len(*taken) > 0 {
		t.Errorf("exit %d, moved %+v", r.code, *taken)
	}
	if r := (run{}).do(t, a, "node", "forget", "-filter", "x == 1", "orders/a"); r.code != 1 {
		t.Errorf("names and a filter at once: exit %d", r.code)
	}
	if r := (run{}).do(t, a, "node", "forget"); r.code != 1 {
		t.Errorf("neither names nor a filter: exit %d", r.code)
	}
	if r := (run{}).do(t, a, "node", "forget", "orders"); r.code != 1 || len(*taken) > 0 {
		t.Errorf("a cluster's name: exit %d", r.code)
	}
}

func TestManyNodesMoveInSteps(t *testing.T) {
	rows := make([]httpd.NodeRow, 1201)
	for i := range rows {
		rows[i] = httpd.NodeRow{Cluster: "c", ID: fmt.Sprintf("n%04d", i), Address: "10.0.0.1", Port: 1}
	}
	a, taken := lifecycles(t, rows)
	r := run{}.do(t, a, "node", "maintenance", "-filter", "port == 1", "-yes")
	var sizes []int
	for _, tr := range *taken {
		sizes = append(sizes, len(tr.Nodes))
	}
	if diff := cmp.Diff([]int{500, 500, 201}, sizes); diff != "" {
		t.Errorf("sizes of the steps (-want +got):\n%s", diff)
	}
	if (*taken)[2].Nodes[200] != "c/n1200" || r.out != "1201 nodes are in maintenance now.\n" {
		t.Errorf("last is %s; out %q", (*taken)[2].Nodes[200], r.out)
	}
	for _, want := range []string{"1201 nodes match", "and 1191 more", "in 3 steps of at most 500", "1000 of 1201"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.err)
		}
	}
}

func TestAStepThatFailsSaysHowFarItCame(t *testing.T) {
	names := make([]string, 600)
	for i := range names {
		names[i] = fmt.Sprintf("c/n%d", i)
	}
	a, taken := lifecycles(t, nil)
	first := a.answers["POST /v1/nodes/transition"]
	a.do("POST", "/v1/nodes/transition", func(w http.ResponseWriter, r *http.Request) {
		if len(*taken) == 1 {
			reply(w, 409, map[string]any{"error": map[string]string{"code": "conflict", "message": "no node was moved: c/n500 is missing"}})
			return
		}
		first(w, r)
	})
	r := run{}.do(t, a, append([]string{"node", "commission"}, names...)...)
	if want := "500 nodes were moved, then: no node was moved: c/n500 is missing"; r.code != 1 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, stderr %q", r.code, r.err)
	}
}

func TestSettingIsAPatch(t *testing.T) {
	a := newAPI(t).on("PATCH", "/v1/cluster/orders", httpd.Ack{Index: 9, Changed: true}).
		on("PATCH", "/v1/cluster/orders/node/n%2F1", httpd.Ack{Index: 9})
	for _, c := range []struct{ args, line, body, out string }{
		{
			"cluster set orders -group pay -label tier=1 -label old= -refresh interval=10s -refresh enabled=false -refresh timeout= -var x=3 -var y=z",
			"PATCH /v1/cluster/orders",
			`{"group":"pay","labels":{"old":null,"tier":"1"},"refresh":{"enabled":false,"interval":"10s","timeout":null},"vars":{"x":3,"y":"z"}}`,
			"Cluster orders is set (index 9).\n",
		},
		{
			"cluster set orders -guard group=voters,min_commissioned=2 -guard min_well=1,max_maintenance=3", "PATCH /v1/cluster/orders",
			`{"guards":[{"group":"voters","min_commissioned":2},{"min_well":1,"max_maintenance":3}]}`,
			"Cluster orders is set (index 9).\n",
		},
		{"cluster set orders -guard=", "PATCH /v1/cluster/orders", `{"guards":[]}`, "Cluster orders is set (index 9).\n"},
		{
			"node set orders/n/1 -label rack=r7 -cas 7", "PATCH /v1/cluster/orders/node/n%2F1?cas=7",
			`{"labels":{"rack":"r7"}}`, "Node orders/n/1 is as it was (index 9).\n",
		},
	} {
		before := len(a.requests())
		r := run{}.do(t, a, strings.Fields(c.args)...)
		got := a.requests()[before:]
		if r.code != 0 || r.out != c.out || len(got) != 1 || got[0] != (asked{c.line, c.body}) {
			t.Errorf("%s: exit %d, out %q, stderr %q, asked %v", c.args, r.code, r.out, r.err, got)
		}
	}
	for _, args := range []string{
		"cluster set orders", "node set orders/n", "cluster set orders -label tier", "cluster set orders -label a=1 -label a=2", "settings set",
		"cluster set orders -guard min_wel=1", "cluster set orders -guard min_well=one", "cluster set orders -guard voters",
	} {
		if r := (run{}).do(t, fleet(t), strings.Fields(args)...); r.code != 1 {
			t.Errorf("%s: exit %d, want 1", args, r.code)
		}
	}
}

func TestGroupSettingsKeepWhatIsNotNamed(t *testing.T) {
	was := fsm.DefaultSettings()
	was.Index, was.Vars, was.Labels = 41, `{"team":"x","old":1}`, map[string]string{"site": "eu", "old": "1"}
	was.Guards = []fsm.Guard{{MinWell: 9}}
	a := newAPI(t).on("GET", "/v1/settings", was).on("PUT", "/v1/settings", httpd.Ack{Index: 42, Changed: true})
	r := run{}.do(t, a, "settings", "set", "-voters", "3", "-retention-age", "48h", "-var", "old=", "-var", "team=y",
		"-group", "core", "-label", "old=", "-label", "tier=1", "-guard", "max_maintenance=1")
	want := was
	want.Voters, want.Retention.Age, want.Vars = 3, 48*fsm.Hour, `{"team":"y"}`
	want.Group, want.Labels, want.Guards = "core", map[string]string{"site": "eu", "tier": "1"}, []fsm.Guard{{MaxMaintenance: 1}}
	var got fsm.Settings
	last := a.requests()[1]
	if err := json.Unmarshal([]byte(last.body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || last.line != "PUT /v1/settings?cas=41" || r.code != 0 {
		t.Errorf("%s, exit %d, %s (-want +got):\n%s", last.line, r.code, r.err, diff)
	}
}

func TestVerbsOfTheGroup(t *testing.T) {
	a := fleet(t)
	for _, c := range []struct{ method, path string }{
		{"PUT", "/v1/agent/join/10.0.0.9:8652"},
		{"PUT", "/v1/agent/leave"},
		{"PUT", "/v1/agent/force-leave/peer-b"},
		{"DELETE", "/v1/operator/raft/peer"},
		{"POST", "/v1/operator/raft/transfer-leader"},
	} {
		a.on(c.method, c.path, struct{}{})
	}
	for _, c := range []struct{ args, line, out string }{
		{"join 10.0.0.9:8652 10.0.0.8:8652", "PUT /v1/agent/join/10.0.0.8:8652", "Met the group through 1 of 2 addresses.\n"},
		{"leave", "PUT /v1/agent/leave", "The peer has left its group and ends.\n"},
		{"force-leave peer-b", "PUT /v1/agent/force-leave/peer-b", "peer-b is out of the group.\n"},
		{"operator raft remove-peer worker-1", "DELETE /v1/operator/raft/peer?id=01C", "worker-1 (01C) is out of the raft group.\n"},
		{"operator raft transfer-leader 01B", "POST /v1/operator/raft/transfer-leader?id=01B", "Leadership went to peer-b.\n"},
		{"operator raft transfer-leader peer-a", "GET /v1/operator/raft/configuration", "peer-a leads already.\n"},
		{"operator raft transfer-leader -format=json", "POST /v1/operator/raft/transfer-leader", "{}\n"},
	} {
		r := run{}.do(t, a, strings.Fields(c.args)...)
		asked := a.requests()
		if last := asked[len(asked)-1].line; r.code != 0 || r.out != c.out || last != c.line {
			t.Errorf("%s: exit %d, out %q, stderr %q, asked %s", c.args, r.code, r.out, r.err, last)
		}
	}
	const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for method, of := range map[string]struct{ args, out string }{
		"POST":   {"keyring install " + key, "Installed key 66687aadf862bd77 on %s. Use it with: muster keyring use 66687aadf862bd77\n"},
		"PUT":    {"keyring use " + key, "Key 66687aadf862bd77 is in use on %s. Remove the old one with muster keyring remove; muster keyring list shows it.\n"},
		"DELETE": {"keyring remove 66687aadf862bd77", "Key 66687aadf862bd77 is gone from %s.\n"},
	} {
		for peers, count := range map[string]int{"1 peer": 1, "2 peers": 2} {
			a.on(method, "/v1/operator/keyring", httpd.Keyring{Peers: make([]httpd.KeyringPeer, count)})
			if r := (run{}).do(t, a, strings.Fields(of.args)...); r.code != 0 || r.out != fmt.Sprintf(of.out, peers) {
				t.Errorf("%s on %s: exit %d, out %q, stderr %q", of.args, peers, r.code, r.out, r.err)
			}
		}
	}
	for _, args := range []string{"join 10.0.0.7:8652", "operator raft remove-peer nobody", "force-leave nobody"} {
		if r := (run{}).do(t, a, strings.Fields(args)...); r.code != 1 {
			t.Errorf("%s: exit %d", args, r.code)
		}
	}
}
