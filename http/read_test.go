package httpd_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// reads is every GET that tells an index.
var reads = []string{
	"/v1/clusters", "/v1/cluster/orders", "/v1/cluster/orders/nodes", "/v1/cluster/orders/shards",
	"/v1/cluster/orders/events", "/v1/cluster/orders/effective", "/v1/cluster/orders/node/orders-1", "/v1/nodes",
	"/v1/events", "/v1/discoveries", "/v1/discovery/prod", "/v1/claims", "/v1/settings",
}

func TestReadsTellWhatWasRead(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/v1/clusters", "/v1/claims", "/v1/settings"} {
		if got := f.get(path).Header().Get("X-Muster-Index"); got != "1" {
			t.Errorf("%s of an empty state: index %q, want 1", path, got)
		}
	}
	f.fleet()
	for _, path := range reads {
		for _, level := range []string{"", "?consistent", "?stale", "?stale=true&pretty"} {
			a := f.get(path + level)
			h := a.Header()
			if a.Code != http.StatusOK || h.Get("Content-Type") != "application/json" {
				t.Fatalf("%s%s: status %d, %s: %s", path, level, a.Code, h.Get("Content-Type"), a.Body)
			}
			if n, _ := strconv.Atoi(h.Get("X-Muster-Index")); n < 1 {
				t.Errorf("%s: index is %q", path, h.Get("X-Muster-Index"))
			}
			if h.Get("X-Muster-KnownLeader") != "true" || h.Get("X-Muster-LastContact") != "7" || h.Get("X-Muster-Epoch") != "e1" {
				t.Errorf("%s: headers are %v", path, h)
			}
			if pretty := strings.Contains(a.Body.String(), "\n  "); pretty != strings.Contains(level, "pretty") && path != "/v1/claims" {
				t.Errorf("%s%s: indented is %t", path, level, pretty)
			}
		}
	}
}

func TestIndexIsOfTheSetRead(t *testing.T) {
	f := newFace(t)
	f.fleet()
	index := func(path string) string { return f.get(path).Header().Get("X-Muster-Index") }
	before := map[string]string{}
	for _, path := range reads {
		before[path] = index(path)
	}
	f.unchanged("orders")
	for _, path := range reads {
		if got := index(path); got != before[path] && path != "/v1/claims" {
			t.Errorf("an unchanged refresh moved %s from %s to %s", path, before[path], got)
		}
	}
	f.do("PATCH", "/v1/cluster/carts", `{"group": "x"}`)
	if got := index("/v1/cluster/orders"); got != before["/v1/cluster/orders"] {
		t.Errorf("a change of carts moved orders")
	}
	if got := index("/v1/clusters"); got == before["/v1/clusters"] {
		t.Errorf("a change of carts did not move the clusters")
	}
}

func TestReadWithoutLeader(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.noLeader = true
	for _, path := range reads {
		if strings.HasSuffix(path, "/events") {
			continue // served by the peer asked
		}
		a := f.get(path)
		a.refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
		if a.Header().Get("X-Muster-KnownLeader") != "false" {
			t.Errorf("%s is refused with known leader %q", path, a.Header().Get("X-Muster-KnownLeader"))
		}
		f.get(path+"?consistent").refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
	}
	for _, path := range reads {
		if a := f.get(path + "?stale"); a.Code != http.StatusOK || a.Header().Get("X-Muster-KnownLeader") != "false" {
			t.Errorf("%s?stale: status %d, known leader %s", path, a.Code, a.Header().Get("X-Muster-KnownLeader"))
		}
	}
	if a := f.get("/v1/events"); a.Code != http.StatusOK {
		t.Errorf("events: status %d", a.Code)
	}
	f.get("/v1/operator/raft/configuration").refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
	if conf := into[httpd.RaftConfiguration](f.get("/v1/operator/raft/configuration?stale"), http.StatusOK); conf.Servers[0].State != "candidate" {
		t.Errorf("the raft group is known as %+v", conf)
	}
	c, _ := f.client(t)
	for noLeader := range map[bool]bool{true: true, false: true} {
		f.noLeader, f.unknown = noLeader, !noLeader
		_, err := c.PatchCluster(t.Context(), "orders", map[string]any{"group": "g"}, nil)
		if refused, ok := errors.AsType[*httpd.StatusError](err); !ok || refused.NoLeader != noLeader {
			t.Errorf("no leader is known: %t; the client has %+v", noLeader, err)
		}
	}
}

func TestBadQueries(t *testing.T) {
	f := newFace(t)
	f.fleet()
	for query, field := range map[string]string{
		"stail": "stail", "stale=maybe": "stale", "stale&consistent": "stale", "index=-1": "index", "index=x": "index",
		"wait=soon": "wait", "limit=0": "limit", "limit=1001": "limit", "limit=ten": "limit", "limit=1&limit=2": "limit",
		"token=secret": "token", "cas=1": "cas", "after=x&filter=nosuch%20==%201": "filter", "a=%zz": "query",
	} {
		f.get("/v1/clusters?" + query).blames(field)
	}
	if said := f.get("/v1/clusters?fitler=x").blames("fitler"); !strings.Contains(said, `did you mean "filter"`) {
		t.Errorf("a misspelt parameter is told as %q", said)
	}
	f.get("/v1/nodes?after=orders").blames("after")
}

func TestPages(t *testing.T) {
	f := newFace(t)
	d := f.applied("prod")
	var all []string
	for i := range 7 {
		name := fmt.Sprintf("c%d", i)
		f.listed(d, name, "n1", "n2")
		all = append(all, name)
	}
	for path, rows := range map[string]int{"/v1/clusters": 7, "/v1/nodes": 14, "/v1/cluster/c3/nodes": 2} {
		for limit := 1; limit <= rows+1; limit++ {
			after, total, pages := "", 0, 0
			for {
				a := f.get(fmt.Sprintf("%s?limit=%d&after=%s", path, limit, after))
				got := into[[]map[string]any](a, http.StatusOK)
				if len(got) > limit || len(got) == 0 {
					t.Fatalf("%s limit %d: a page of %d rows", path, limit, len(got))
				}
				total, pages = total+len(got), pages+1
				if after = a.Header().Get("X-Muster-Next"); after == "" {
					break
				}
			}
			if total != rows || pages != (rows+limit-1)/limit {
				t.Errorf("%s limit %d: %d rows on %d pages", path, limit, total, pages)
			}
		}
	}
	if got := names(f.get("/v1/clusters?after=c3"), "name"); !slices.Equal(got, all[4:]) {
		t.Errorf("after c3 come %v", got)
	}
	if got := names(f.get("/v1/clusters?after=c3x"), "name"); !slices.Equal(got, all[4:]) {
		t.Errorf("after what is not there come %v", got)
	}
	if got := names(f.get("/v1/nodes?after=c5/n1"), "id"); !slices.Equal(got, []string{"n2", "n1", "n2"}) {
		t.Errorf("after c5/n1 come %v", got)
	}
}

func TestFilters(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.do("PATCH", "/v1/cluster/orders/node/orders-1", `{"labels": {"tier": "gold"}, "vars": {"owner": {"team": "db"}, "n": 3, "nil": null}}`)
	for filter, want := range map[string]string{
		`reach.value == "unreachable"`:                                  "a/b",
		`state.value == "up" and not (id matches "1$")`:                 "orders-2",
		`labels.tier == "gold"`:                                         "orders-1",
		`labels.rack == "r1" and cluster == "carts"`:                    "carts-1",
		`vars.owner.team == "db"`:                                       "orders-1",
		`vars.n == 3`:                                                   "orders-1",
		`vars.owner.team != "db" and cluster == "orders"`:               "a/b,orders-2",
		`"orders" in cluster and port == 9001`:                          "orders-2",
		`any shards as s { s.role == "primary" }`:                       "orders-1",
		`any shards as s { s.lag_ms == 20 and s.id != "x" }`:            "orders-1,orders-2",
		`failures == 2`:                                                 "a/b",
		`identity.mismatch == true`:                                     "",
		`observed_at is empty and presence == "present"`:                "carts-1,a/b",
		`sources is not empty and kind == "redis"`:                      "orders-1,orders-2",
		`cluster == "carts" or any shards as s { s.role == "replica" }`: "carts-1,orders-2",
		`all sources as x { x.discovery == "prod" }`:                    "carts-1,a/b,orders-1,orders-2",
		`attributes contains "mode"`:                                    "orders-1,orders-2",
		`reach.since matches "^20" and state.value != "up"`:             "a/b",
		`"/labels/tier" == "gold"`:                                      "orders-1",
	} {
		a := f.get("/v1/nodes?filter=" + escape(filter))
		if got := strings.Join(names(a, "id"), ","); got != want {
			t.Errorf("%s: got %q, want %q", filter, got, want)
		}
	}
	if got := names(f.get("/v1/clusters?filter="+escape(`nodes.unwell == 1 and "redis" in kinds`)), "name"); !slices.Equal(got, []string{"orders"}) {
		t.Errorf("clusters: %v", got)
	}
	if got := names(f.get("/v1/discoveries?filter="+escape(`interval == "1m" and max_shrink == "30%" and refresh.prober == "sidecar"`)), "name"); !slices.Equal(got, []string{"prod"}) {
		t.Errorf("discoveries: %v", got)
	}
}

// TestFilterOfWhatOperatorsSet asks for discoveries by what operators set on them, which their rows hold in a struct of its own.
func TestFilterOfWhatOperatorsSet(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.do(http.MethodPut, "/v1/discovery/edge", `{"backend": "file", "config": {"files": ["/etc/*.json"]}, "group": "payments",
		"labels": {"tier": "1"}, "vars": {"team": "db"}, "guards": [{"group": "voters", "min_well": 2}]}`)
	for filter, want := range map[string]string{
		`group == "payments"`:                         "edge",
		`group != "payments"`:                         "prod",
		`labels.tier == "1" and backend == "file"`:    "edge",
		`vars.team == "db"`:                           "edge",
		`any guards as g { g.min_well == 2 }`:         "edge",
		`guards is empty and refresh.down_after == 2`: "prod",
		`any guards as g { g.group == "nobody" }`:     "",
		`group == "payments" or interval == "1m"`:     "edge,prod",
	} {
		if got := strings.Join(names(f.get("/v1/discoveries?filter="+escape(filter)), "name"), ","); got != want {
			t.Errorf("%s: got %q, want %q", filter, got, want)
		}
	}
}

func TestBadFilters(t *testing.T) {
	f := newFace(t)
	f.fleet()
	for filter, said := range map[string]string{
		`id ==`:                              `does not parse; it is to be like name == `,
		`addrss == "x"`:                      `did you mean "address"`,
		`id == "x" or nosuch == 1`:           `no field is called "nosuch"`,
		`reach.walue == "x"`:                 `did you mean "value"`,
		`id.deeper == "x"`:                   "goes deeper",
		`reach == "x"`:                       "is an object",
		`port == "http"`:                     "is a number",
		`port matches "9.*"`:                 "does not go with",
		`labels == "x"`:                      "does not go with",
		`identity.mismatch == maybe`:         "true or false",
		`id matches "("`:                     "missing closing",
		`any shards as s { s.rolle == "x" }`: `did you mean "role"`,
		`any shards as s { any sources as q { q.discovery == "x" } }`: "within each other",
		`all labels as k { k == "x" }`:                                "go over a list",
		strings.Repeat("x", 5000):                                     "bytes long",
	} {
		if got := f.get("/v1/nodes?filter=" + escape(filter)).blames("filter"); !strings.Contains(got, said) {
			t.Errorf("%s is refused with %q, want %q in it", filter, got, said)
		}
	}
}

func TestFilteredPageIsBounded(t *testing.T) {
	f := newFace(t)
	d := f.applied("prod")
	nodes := make([]string, 5000)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("n%04d", i)
	}
	for _, c := range []string{"c1", "c2", "c3"} {
		f.listed(d, c, nodes...)
	}
	a := f.get("/v1/nodes?filter=" + escape(`cluster == "c3" and id == "n0001"`))
	if got := into[[]httpd.NodeRow](a, http.StatusOK); len(got) != 0 {
		t.Fatalf("%d rows in the first 10,000", len(got))
	}
	next := a.Header().Get("X-Muster-Next")
	if next != "c2/n4999" {
		t.Fatalf("next is %q, want that after 10,000 rows", next)
	}
	a = f.get("/v1/nodes?filter=" + escape(`cluster == "c3" and id == "n0001"`) + "&after=" + escape(next))
	if got := into[[]httpd.NodeRow](a, http.StatusOK); len(got) != 1 || a.Header().Get("X-Muster-Next") != "" {
		t.Fatalf("%d rows then, next %q", len(got), a.Header().Get("X-Muster-Next"))
	}
}
