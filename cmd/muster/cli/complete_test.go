package cli_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	httpd "github.com/musterhq/muster/http"
)

// TestShellsCompleteNames asks as the shells' scripts do: the last word is what is begun, ":4" is "no files", ":6" is "no files
// and no space after it".
func TestShellsCompleteNames(t *testing.T) {
	a := newAPI(t).
		on("GET", "/v1/clusters", []httpd.ClusterRow{{Name: "orders"}, {Name: "orders.eu"}, {Name: "payments"}}).
		on("GET", "/v1/discoveries", []httpd.DiscoveryRow{{Name: "edge"}, {Name: "prod"}}).
		on("GET", "/v1/cluster/orders/nodes", []httpd.NodeRow{{ID: "orders-1"}, {ID: "orders/2"}, {ID: "x"}}).
		on("GET", "/v1/agent/members", []httpd.Member{{Name: "peer-a"}, {Name: "peer-b"}})
	for line, want := range map[string]string{
		"cluster show ":                                  "orders orders.eu payments :4",
		"cluster show or":                                "orders orders.eu :4",
		"cluster show orders ":                           ":4", // it takes one
		"cluster watch pay":                              "payments :4",
		"discovery run ":                                 "edge prod :4",
		"discovery delete edge ":                         "prod :4", // it takes many, and has this one
		"node show ord":                                  "orders/ orders.eu/ :6",
		"node maintenance orders/o":                      "orders/orders-1 orders/orders/2 :4",
		"force-leave ":                                   "peer-a peer-b :4",
		"operator raft transfer-leader peer-b":           "peer-b :4",
		"node list -cluster pa":                          "payments :4",
		"cluster list -format ":                          "table json :4",
		"-http-addr " + a.server.URL + " cluster show p": "payments :4",
	} {
		r := run{}.do(t, a, append([]string{"__completeNoDesc"}, strings.Split(line, " ")...)...)
		if diff := cmp.Diff(want, strings.Join(strings.Fields(r.out), " ")); diff != "" || r.code != 0 {
			t.Errorf("%q (-want +got), exit %d:\n%s\n%s", line, r.code, diff, r.err)
		}
	}
	stale := false
	for _, asked := range a.requests() {
		stale = stale || asked.line == "GET /v1/clusters?filter=name+matches+%22%5Eor%22&limit=1000&stale="
	}
	if !stale {
		t.Errorf("asked was %v", a.requests())
	}
}

func TestShellsCompleteNothingWithoutAPeer(t *testing.T) {
	a := newAPI(t)
	a.fail("GET", "/v1/clusters", http.StatusForbidden, map[string]any{"code": "forbidden", "message": "no"})
	for _, peer := range []*api{nil, a} {
		if r := (run{}).do(t, peer, "__completeNoDesc", "cluster", "show", ""); r.code != 0 || r.out != ":4\n" {
			t.Errorf("exit %d, %q", r.code, r.out)
		}
	}
}
