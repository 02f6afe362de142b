package nats_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/nats"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// pages is a server by path; one that is missing is 404. A body may begin with another status than 200, as "503 {}".
type pages map[string]string

func (p pages) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		status, body := "200", p[request.URL.RequestURI()]
		if code, rest, ok := strings.Cut(body, " "); ok && len(code) == 3 {
			status, body = code, rest
		} else if body == "" {
			status = "404"
		}
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 %s X\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body); err != nil {
			return
		}
	}
}

// with is p with other pages in it.
func (p pages) with(other pages) pages {
	all := maps.Clone(p)
	maps.Copy(all, other)
	return all
}

// without is p with a text taken out of its pages.
func (p pages) without(text string) pages {
	all := pages{}
	for path, body := range p {
		all[path] = strings.Replace(body, text, "", 1)
	}
	return all
}

const (
	healthPath = "/healthz?js-enabled-only=true"
	listPath   = "/jsz?accounts=true&streams=true&limit=4096"
)

var leader = pages{
	"/varz": `{"server_id":"NCAB","server_name":"n1","version":"2.10.7","total_connections":3,"cluster":{"name":"east"},` +
		`"gateway":{},"jetstream":{"config":{"max_memory":1},"meta":{"name":"east","leader":"n1","cluster_size":3}}}`,
	healthPath: `{"status":"ok"}`,
	"/jsz":     `{"streams":2}`,
	listPath: `{"streams":2,"account_details":[{"name":"$G","stream_detail":[` +
		`{"name":"ORDERS","cluster":{"name":"east","leader":"n2"},"state":{"last_seq":42}},` +
		`{"name":"LOGS","state":{"last_seq":7}}]}]}`,
}

var leaderReport = fsm.Report{
	Reachable: true, State: fsm.StateUp, Kind: "nats", Version: "2.10.7", NodeID: "n1", ClusterID: "east",
	Shards:     []fsm.Shard{{ID: "_meta_", Role: fsm.RolePrimary}},
	Attributes: map[string]string{"jetstream": "clustered"},
}

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return nats.New("", env) },
		Serve: leader.serve,
		Want:  leaderReport,
		Head:  "HTTP/1.1 200 OK\r\n\r\n{\"server_id\":\"",
		HTTP:  true,
	})
}

// start makes a prober of what may be asked over loopback.
func start(t *testing.T, config fsm.JSON) refresh.Prober {
	t.Helper()
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return probetest.Start(t, nats.New, config, refresh.Env{HTTP: client, Dial: client.Dial})
}

// ask polls a fake once.
func ask(t *testing.T, config fsm.JSON, serve func(net.Conn)) fsm.Report {
	t.Helper()
	target := probetest.Listen(t, serve)
	target.Node = "n1"
	return start(t, config).Probe(t.Context(), target)
}

func TestWhatPagesMean(t *testing.T) {
	varz := func(was, is string) pages { return pages{"/varz": strings.Replace(leader["/varz"], was, is, 1)} }
	change := func(f func(*fsm.Report)) fsm.Report {
		r := leaderReport
		f(&r)
		return r
	}
	for name, c := range map[string]struct {
		pages pages
		want  fsm.Report
	}{
		"replica": {varz(`"leader":"n1"`, `"leader":"n2"`), change(func(r *fsm.Report) {
			r.Shards = []fsm.Shard{{ID: "_meta_", Role: fsm.RoleReplica}}
		})},
		"no leader": {varz(`"leader":"n1",`, ""), change(func(r *fsm.Report) {
			r.Shards = []fsm.Shard{{ID: "_meta_", Role: fsm.RoleReplica}}
			r.State, r.StateReason = fsm.StateJoining, "no_meta_leader"
		})},
		"neither leader nor name": {
			varz(`"leader":"n1",`, "").without(`"server_name":"n1",`),
			change(func(r *fsm.Report) {
				r.Shards = []fsm.Shard{{ID: "_meta_", Role: fsm.RoleReplica}}
				r.State, r.StateReason, r.NodeID = fsm.StateJoining, "no_meta_leader", ""
			}),
		},
		"leads a super-cluster": {varz(`"gateway":{}`, `"gateway":{"name":"G"}`), change(func(r *fsm.Report) {
			r.Shards = []fsm.Shard{{ID: "_meta_", Role: "leader"}}
			r.Attributes = map[string]string{"jetstream": "clustered", "gateway": "G"}
		})},
		"alone with JetStream": {varz(`,"meta":{"name":"east","leader":"n1","cluster_size":3}`, ""), change(func(r *fsm.Report) {
			r.Shards, r.Attributes = nil, map[string]string{"jetstream": "single"}
		})},
		"no JetStream": {
			varz(`"config":{"max_memory":1},"meta":{"name":"east","leader":"n1","cluster_size":3}`, ""),
			change(func(r *fsm.Report) { r.Shards, r.Attributes = nil, map[string]string{"jetstream": "off"} }),
		},
		"no name of its own": {varz(`"NCAB"`, `"n1"`), change(func(r *fsm.Report) { r.NodeID = "" })},
		"a drawn name": {
			varz(`{"name":"east"}`, `{"name":"vVxr7Y0bM4cHxOFPqgYbQ5"}`),
			change(func(r *fsm.Report) { r.ClusterID = "" }),
		},
		"before it had pages": {pages{healthPath: ""}, leaderReport},
		"starting": {
			varz(`connections":3`, `connections":0`).with(pages{healthPath: `500 {"status":"error","error":"not ready"}`}),
			change(func(r *fsm.Report) {
				r.State, r.StateReason, r.StateDetail = fsm.StateJoining, "starting", "not ready"
			}),
		},
		"lame duck": {pages{healthPath: `500 {"status":"error","error":"not ready"}`}, change(func(r *fsm.Report) {
			r.State, r.StateReason, r.StateDetail = fsm.StateLeaving, "lame_duck", "not ready"
		})},
		"disk error": {pages{healthPath: `503 {"status":"unavailable","error":"not enabled"}`}, change(func(r *fsm.Report) {
			r.State, r.StateReason, r.StateDetail = fsm.StateDown, "jetstream_unavailable", "not enabled"
		})},
		"another word": {pages{healthPath: `{"status":"napping"}`}, change(func(r *fsm.Report) {
			r.State, r.StateReason = fsm.StateUnknown, "napping"
		})},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, "", leader.with(c.pages).serve)
			c.want.Node = "n1"
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	meta := leaderReport.Shards[0]
	many := `{"streams":2,"account_details":[` + strings.Repeat("{},", 4095) + `{"name":"$G","stream_detail":[{"name":"LOGS"}]}]}`
	for name, c := range map[string]struct {
		pages pages
		want  []fsm.Shard
	}{
		"some": {nil, []fsm.Shard{
			{ID: "$G/LOGS", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 7, Unit: "messages"}},
			{ID: "$G/ORDERS", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 42, Unit: "messages"}},
			meta,
		}},
		"of which it leads one": {leader.with(pages{
			listPath: strings.Replace(leader[listPath], `"n2"`, `"n1"`, 1),
		}), []fsm.Shard{
			{ID: "$G/LOGS", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 7, Unit: "messages"}},
			{ID: "$G/ORDERS", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 42, Unit: "messages"}},
			meta,
		}},
		"alone": {leader.without(`,"meta":{"name":"east","leader":"n1","cluster_size":3}`), []fsm.Shard{
			{ID: "$G/LOGS", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 7, Unit: "messages"}},
			{ID: "$G/ORDERS", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 42, Unit: "messages"}},
		}},
		"gone since they were counted": {pages{listPath: `{"streams":0,"account_details":[]}`}, []fsm.Shard{meta}},
		"too many accounts":            {pages{listPath: many}, []fsm.Shard{meta}},
		"none":                         {pages{"/jsz": `{"streams":0}`, listPath: "500 asked"}, []fsm.Shard{meta}},
		"too many":                     {pages{"/jsz": `{"streams":257}`, listPath: "500 asked"}, []fsm.Shard{meta}},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, `{"streams":true}`, leader.with(c.pages).serve)
			if diff := cmp.Diff(c.want, r.Shards); diff != "" {
				t.Errorf("%s %s: shards (-want +got):\n%s", r.Reason, r.Detail, diff)
			}
		})
	}
}

// Pages that leave streams out must not make them seem to be gone.
func TestHalfTheStreams(t *testing.T) {
	for name, c := range map[string]pages{
		"no number":  {"/jsz": "{}"},
		"no list":    {listPath: "{}"},
		"no streams": {listPath: `{"streams":2}`},
	} {
		r := ask(t, `{"streams":true}`, leader.with(c).serve)
		if r.Reason != fsm.ReasonProtocol || !strings.Contains(r.Detail, "/jsz") {
			t.Errorf("%s: report is %+v", name, r)
		}
	}
}

func TestOtherAnswers(t *testing.T) {
	client := func(conn net.Conn) { fmt.Fprint(conn, "INFO {\"server_id\":\"NCAB\"} \r\n") }
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		reason string
	}{
		"the client port":   {client, fsm.ReasonProtocol},
		"another's page":    {pages{"/varz": "<html>"}.serve, fsm.ReasonDecode},
		"no server":         {pages{"/varz": "{}"}.serve, fsm.ReasonProtocol},
		"some version":      {pages{"/varz": `{"version":"2.10.7"}`}.serve, fsm.ReasonProtocol},
		"no such page":      {pages{}.serve, fsm.ReasonHTTPStatus},
		"health in no JSON": {leader.with(pages{healthPath: "503 <html>"}).serve, fsm.ReasonDecode},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, "", c.serve)
			if r.Reason != c.reason || !strings.Contains(r.Detail, "is no monitoring port of a NATS server") {
				t.Errorf("report is %+v, wanted is the reason %s", r, c.reason)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"monitor_port":65536}`: "refresh.config.monitor_port",
		`{"monitor_port":"x"}`:   "refresh.config.monitor_port",
		`{"streams":1}`:          "refresh.config.streams",
		`{"token":"hunter2"}`:    "refresh.config.token",
		`{"username":"muster"}`:  "refresh.config.username",
		`{"path":"/varz"}`:       "refresh.config.path",
	} {
		_, err := nats.New(config, refresh.Env{})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}
