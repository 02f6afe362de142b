package httpd_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestUsage(t *testing.T) {
	f := newFace(t, func(c *httpd.Config) { c.MaxWaiting = 7 })
	f.fleet()
	f.apply(&fsm.TokenBootstrap{Token: tokenFor("first", 0, fsm.MayManage)})
	r := f.state.Read()
	m, n := r.Meta(), r.Sizes()
	got := into[httpd.Usage](f.get("/v1/operator/usage"), http.StatusOK)
	if got.Peer != "peer-a" || got.Time == 0 {
		t.Errorf("it is of %q at %s", got.Peer, got.Time)
	}
	rows := map[string]httpd.UsageRow{}
	for _, row := range got.Usage {
		rows[row.Name] = row
	}
	for _, want := range []httpd.UsageRow{
		{Name: "clusters", Of: "group", Unit: "count", Used: int64(n.Clusters)},
		{Name: "nodes", Of: "group", Unit: "count", Used: int64(n.Nodes)},
		{Name: "nodes_of_largest_cluster", Of: "group", Unit: "count", Used: int64(n.Largest), Limit: 10_000},
		{Name: "tokens", Of: "group", Unit: "count", Used: 1, Limit: 1000},
		{
			Name: "events", Of: "group", Unit: "count", Used: int64(m.Seq), Limit: 100_000, Rolls: true, Setting: "retention.events",
		},
		{
			Name: "events_size", Of: "group", Unit: "bytes", Used: m.Bytes, Limit: 64 << 20, Rolls: true, Setting: "retention.bytes",
		},
		{
			Name: "events_age", Of: "group", Unit: "seconds", Used: ageOfFirst(f), Limit: 30 * 24 * 3600, Rolls: true,
			Setting: "retention.age",
		},
		{
			Name: "operator_events", Of: "group", Unit: "count", Used: int64(m.Audits), Limit: 10_000, Rolls: true,
			Setting: "retention.audit",
		},
		{Name: "waiting_requests", Of: "peer", Unit: "count", Limit: 7, Setting: "LimitNOFILE"},
		{Name: "disk", Of: "peer", Unit: "bytes", Used: 1 << 20, Limit: 1 << 30},
	} {
		if diff := cmp.Diff(want, rows[want.Name]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f.noLeader = true
	f.get("/v1/operator/usage").refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
	if a := f.get("/v1/operator/usage?stale"); a.Code != http.StatusOK {
		t.Errorf("?stale without a leader is answered with %d", a.Code)
	}
}

// ageOfFirst is the age of the oldest kept event in seconds.
func ageOfFirst(f *face) int64 {
	for e := range f.state.Read().Events(0) {
		return int64(f.Now().Sub(e.Time).Std().Seconds())
	}
	return -1
}

// TestUsageCountsConnections counts the connection that asks.
func TestUsageCountsConnections(t *testing.T) {
	f := newFace(t)
	c, err := httpd.NewClient(httpd.ClientConfig{
		Address: f.serving(t).String(), HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	usage := read[httpd.Usage](t)(c.Usage(t.Context(), httpd.Read{Stale: true}))
	at := slices.IndexFunc(usage.Usage, func(row httpd.UsageRow) bool { return row.Name == "api_connections" })
	if at < 0 || usage.Usage[at].Used != 1 || usage.Usage[at].Limit == 0 {
		t.Errorf("the connections are not told: %+v", usage.Usage)
	}
	if h := ok[httpd.Host](t)(c.Host(t.Context())); h.Name != "here" {
		t.Errorf("host is %+v", h)
	}
}
