package replicante_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/replicante"
)

const (
	nodePath      = "/api/unstable/info/node"
	storePath     = "/api/unstable/info/store"
	secondShards  = "/api/unstable/info/shards"
	agentPath     = "/api/unstable/info/agent"
	datastorePath = "/api/unstable/info/datastore"
	firstShards   = "/api/unstable/shards"
)

// second is an agent of the second generation.
var second = map[string]page{
	nodePath: {body: `{"address":{"client":"10.1.0.7:27017","member":"10.1.0.7:27017"},
 "agent_version":{"checkout":"ab12cd3","number":"0.1.0","taint":"clean"},
 "attributes":{"mongodb.com/mode":"replica-set","replicante.io/zone":"eu-1a","spare":null,"hidden":false,"votes":1},
 "node_id":"i-0a1","node_status":"HEALTHY","store_id":"mongo.replica",
 "store_version":{"number":"4.4.13","checkout":"df25c71b","extra":null}}`},
	storePath: {body: `{"cluster_id":"orders-rs",
 "attributes":{"mongodb.com/oplog.size":1048576,"replicante.io/zone":"other"}}`},
	secondShards: {body: `{"shards":[
 {"id":"orders-rs","role":"Secondary","commit_offset":{"unit":"milliseconds","value":1700000100123},
  "lag":{"unit":"milliseconds","value":850}},
 {"id":"aux","role":{"Other":"ARBITER"},"commit_offset":{"unit":{"unit":"zxid"},"value":77},"lag":null}]}`},
}

var secondReport = fsm.Report{
	Node: "n1", Reachable: true, State: fsm.StateUp, NodeID: "i-0a1", ClusterID: "orders-rs",
	Kind: "mongo.replica", Version: "4.4.13", SidecarVersion: "0.1.0",
	Shards: []fsm.Shard{
		{ID: "aux", Role: "arbiter", Offset: &fsm.Offset{Value: 77, Unit: "zxid"}},
		{
			ID: "orders-rs", Role: fsm.RoleReplica, LagMS: new(int64(850)),
			Offset: &fsm.Offset{Value: 1700000100123, Unit: "milliseconds"},
		},
	},
	Attributes: map[string]string{
		"mongodb.com/mode": "replica-set", "replicante.io/zone": "eu-1a", "hidden": "false", "votes": "1",
		"mongodb.com/oplog.size": "1048576",
	},
}

// first is an agent of the first generation.
var first = map[string]page{
	agentPath: {body: `{"version":{"number":"0.5.0","checkout":"9f2c1e7","taint":"not tainted"}}`},
	datastorePath: {body: `{"cluster_display_name":"Orders (prod)","cluster_id":"orders-rs","kind":"MongoDB",
 "node_id":"db1.example:27017","version":"4.2.3"}`},
	firstShards: {body: `{"shards":[
 {"id":"orders-rs","role":"secondary","commit_offset":{"unit":"seconds","value":1700000100},
  "lag":{"unit":"seconds","value":3}},
 {"id":"t1/0","role":{"unknown":"RECOVERING"},"commit_offset":{"unit":{"unit":"offset"},"value":918},"lag":null}]}`},
}

var firstReport = fsm.Report{
	Node: "n1", Reachable: true, State: fsm.StateUp, NodeID: "db1.example:27017", ClusterID: "orders-rs",
	Kind: "MongoDB", Version: "4.2.3", SidecarVersion: "0.5.0",
	Shards: []fsm.Shard{
		{ID: "orders-rs", Role: fsm.RoleReplica, LagMS: new(int64(3000)), Offset: &fsm.Offset{Value: 1700000100, Unit: "seconds"}},
		{ID: "t1/0", Role: fsm.RoleRecovering, Offset: &fsm.Offset{Value: 918, Unit: "offset"}},
	},
	Attributes: map[string]string{"cluster_display_name": "Orders (prod)"},
}

func TestSuite(t *testing.T) {
	for name, c := range map[string]struct {
		pages map[string]page
		want  fsm.Report
	}{"second generation": {second, secondReport}, "first generation": {first, firstReport}} {
		t.Run(name, func(t *testing.T) {
			probetest.Run(t, probetest.Subject{
				Make:  func(env refresh.Env) (refresh.Asker, error) { return replicante.New("", env) },
				Serve: serve(c.pages),
				Want:  c.want,
				Head:  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"node_id\": \"",
				HTTP:  true,
			})
		})
	}
}

func expect(t *testing.T, got, want fsm.Report) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestGenerationIsRemembered(t *testing.T) {
	p, a, target := start(t, first)
	asks := func(want fsm.Report, paths ...string) {
		t.Helper()
		expect(t, p.Probe(t.Context(), target), want)
		if diff := cmp.Diff(paths, a.questions()); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	}
	asks(firstReport, nodePath, agentPath, datastorePath, firstShards)
	asks(firstReport, agentPath, datastorePath, firstShards)
	a.become(second)
	asks(secondReport, agentPath, nodePath, storePath, secondShards)
	asks(secondReport, nodePath, storePath, secondShards)
	a.become(first)
	asks(firstReport, nodePath, agentPath, datastorePath, firstShards)

	a.become(nil)
	for range 2 {
		r := p.Probe(t.Context(), target)
		if r.Reason != fsm.ReasonProtocol || !strings.Contains(r.Detail, "is no Replicante agent") {
			t.Errorf("neither: report is %+v", r)
		}
	}
}

// onlyFirst is a great many agents of the first generation, and counts who is asked for what.
type onlyFirst map[string]int

func (o onlyFirst) Fetch(_ context.Context, r refresh.Request) (refresh.Response, error) {
	o[r.Address+r.Path]++
	if answer, ok := first[r.Path]; ok {
		return refresh.Response{Status: http.StatusOK, Body: []byte(answer.body)}, nil
	}
	return refresh.Response{Status: http.StatusNotFound}, nil
}

func TestMemoryOfGenerationsIsBounded(t *testing.T) {
	asked := onlyFirst{}
	asker, err := replicante.New("", refresh.Env{HTTP: asked})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	ask := func(port int) int {
		asker.(refresh.Prober).Probe(t.Context(), refresh.Target{Node: "n", Address: "n", Port: port})
		return asked["n:"+strconv.Itoa(port)+nodePath]
	}
	for port := 1; port <= 4096; port++ {
		ask(port)
	}
	if n := ask(1); n != 1 {
		t.Errorf("with 4,096 it was asked %d times for the other generation", n)
	}
	ask(4097)
	if n := ask(1); n != 2 {
		t.Errorf("with more than 4,096 it was asked %d times for the other generation", n)
	}
}

// with is an agent that differs in some pages; one without a status and a body is absent.
func with(pages map[string]page, other map[string]page) map[string]page {
	all := maps.Clone(pages)
	for path, p := range other {
		if all[path] = p; p == (page{}) {
			delete(all, path)
		}
	}
	return all
}

func TestStoreIsDown(t *testing.T) {
	const said = `{"error":true,"error_msg":"unable to get status","error_cause":"connection refused"}`
	const detail = "500 Internal Server Error: unable to get status: connection refused"
	unavailable := page{body: strings.NewReplacer("HEALTHY", "UNAVAILABLE").Replace(second[nodePath].body)}
	joining := page{body: strings.NewReplacer("HEALTHY", "JOINING_CLUSTER").Replace(second[nodePath].body)}
	unhealthy := page{body: strings.NewReplacer("HEALTHY", "UNHEALTHY").Replace(second[nodePath].body)}
	outside := page{body: strings.NewReplacer("HEALTHY", "NOT_IN_CLUSTER").Replace(second[nodePath].body)}
	bare := secondReport
	bare.ClusterID, bare.Shards, bare.Attributes = "", nil, maps.Clone(bare.Attributes)
	delete(bare.Attributes, "mongodb.com/oplog.size")
	absent := bare
	bare.Version = ""
	alone := secondReport
	alone.Shards = nil
	shardless := alone
	shardless.Version = ""
	dumb := fsm.Report{Node: "n1", Reachable: true, SidecarVersion: "0.5.0"}
	pageless := firstReport
	pageless.Shards = nil
	headless := pageless
	headless.Version = ""
	for name, c := range map[string]struct {
		pages                 map[string]page
		report                fsm.Report
		state, reason, detail string
	}{
		"the node says so": {with(second, map[string]page{nodePath: unavailable}), bare, fsm.StateDown, fsm.ReasonStore, ""},
		"the store page fails": {
			with(second, map[string]page{storePath: {500, said}}), bare, fsm.StateDown, fsm.ReasonStore, detail,
		},
		"its shards fail": {
			with(second, map[string]page{secondShards: {500, said}}), shardless, fsm.StateDown, fsm.ReasonStore, detail,
		},
		"while it joins": {
			with(second, map[string]page{nodePath: joining, secondShards: {500, said}}), shardless, fsm.StateJoining, fsm.ReasonStore, detail,
		},
		"while it is unwell": {
			with(second, map[string]page{nodePath: unhealthy, secondShards: {500, said}}), shardless, fsm.StateDown, fsm.ReasonStore,
			"unhealthy; " + detail,
		},
		"outside of a cluster": {
			with(second, map[string]page{nodePath: outside, secondShards: {500, said}}), alone, fsm.StateUnknown, "not_in_cluster", detail,
		},
		"first generation": {with(first, map[string]page{datastorePath: {
			500, `{"error":"store operation failed","layers":["connection refused"],"variant":"StoreOpFailed"}`,
		}}), dumb, fsm.StateDown, fsm.ReasonStore, "500 Internal Server Error: store operation failed"},
		"first generation, its shards fail": {
			with(first, map[string]page{firstShards: {503, "x"}}), headless, fsm.StateDown, fsm.ReasonStore,
			"503 Service Unavailable",
		},
		"no pages for it":                  {with(second, map[string]page{storePath: {}, secondShards: {}}), absent, fsm.StateUp, "", ""},
		"first generation, no shards page": {with(first, map[string]page{firstShards: {}}), pageless, fsm.StateUp, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, target := start(t, c.pages)
			want := c.report
			want.State, want.StateReason, want.StateDetail = c.state, c.reason, c.detail
			expect(t, p.Probe(t.Context(), target), want)
		})
	}
}

func TestNotAnAgent(t *testing.T) {
	for name, c := range map[string]struct {
		pages  map[string]page
		reason string
	}{
		"no JSON":                {map[string]page{nodePath: {body: "<html>"}}, fsm.ReasonDecode},
		"a list":                 {map[string]page{nodePath: {body: "[]"}}, fsm.ReasonDecode},
		"more than an object":    {map[string]page{nodePath: {body: second[nodePath].body + "{}"}}, fsm.ReasonDecode},
		"a node without status":  {map[string]page{nodePath: {body: `{"node_id":"x"}`}}, fsm.ReasonProtocol},
		"an agent without any":   {map[string]page{agentPath: {body: `{"status":"ok"}`}}, fsm.ReasonProtocol},
		"a failing agent":        {with(second, map[string]page{nodePath: {500, "oops"}}), fsm.ReasonHTTPStatus},
		"a failing first agent":  {with(first, map[string]page{agentPath: {500, "oops"}}), fsm.ReasonHTTPStatus},
		"not allowed":            {map[string]page{nodePath: {status: 403}}, fsm.ReasonAuth},
		"not allowed its shards": {with(second, map[string]page{secondShards: {status: 401}}), fsm.ReasonAuth},
		"a bad request":          {map[string]page{nodePath: {status: 400}}, fsm.ReasonHTTPStatus},
		"a store page that is another's": {
			with(second, map[string]page{storePath: {404, "no such route"}}), fsm.ReasonHTTPStatus,
		},
		"shards that are none":   {with(second, map[string]page{secondShards: {body: `{"shards":{}}`}}), fsm.ReasonDecode},
		"a datastore that is no": {with(first, map[string]page{datastorePath: {body: `"up"`}}), fsm.ReasonDecode},
		"too many shards": {
			with(second, map[string]page{secondShards: {body: `{"shards":[` + strings.Repeat(`{"id":"a"},`, 100_000) + `{}]}`}}),
			fsm.ReasonTooLarge,
		},
		"too deep": {
			with(second, map[string]page{secondShards: {body: `{"shards":` + strings.Repeat("[", 100_000) + "}"}}),
			fsm.ReasonDecode,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, target := start(t, c.pages)
			r := p.Probe(t.Context(), target)
			if r.Reason != c.reason || r.Reachable || r.Detail == "" {
				t.Errorf("report is %+v, wanted is the reason %q", r, c.reason)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	reveal := func(refresh.Secret) (string, error) { return "", nil }
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:    "refresh.config.password",
		`{"path":"/api"}`:           "refresh.config.path",
		`{"tls_cert_file":"a.pem"}`: "refresh.config.tls_cert_file",
		`{"username":"muster"}`:     "refresh.config.username",
	} {
		_, err := replicante.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
	_, a, target := start(t, second)
	p := open(t, `{"token_env":"knock"}`)
	expect(t, p.Probe(t.Context(), target), secondReport)
	a.become(map[string]page{nodePath: {status: http.StatusForbidden}})
	if r := p.Probe(t.Context(), target); r.Reason != fsm.ReasonAuth {
		t.Errorf("report is %+v", r)
	}
}
