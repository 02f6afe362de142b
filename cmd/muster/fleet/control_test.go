package fleet_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/fsm"
)

func TestControl(t *testing.T) {
	p := play(t, fleet.Config{ControlAddr: "127.0.0.1:0"})
	var view fleet.Cluster
	status := p.control("POST", "/v1/fleet/slow", map[string]any{
		"cluster": "fleet-00000", "node": "fleet-00000-1", "delay": "800ms",
	}, &view)
	if status != http.StatusOK || view.Nodes[1].Delay != fleet.Span(800*time.Millisecond) {
		t.Errorf("slow: %d, %+v", status, view)
	}
	view = fleet.Cluster{}
	status = p.control("GET", "/v1/fleet/cluster/fleet-00000", nil, &view)
	if status != http.StatusOK || view.Name != "fleet-00000" || len(view.Nodes) != 3 || view.Nodes[1].Delay == 0 {
		t.Errorf("cluster: %d, %+v", status, view)
	}
	tests := map[string]struct {
		method, path string
		body         any
		status       int
		code         fsm.Code
	}{
		"unknown cluster": {"GET", "/v1/fleet/cluster/x", nil, 404, fsm.CodeNotFound},
		"unknown verb":    {"POST", "/v1/fleet/dance", fleet.Action{Cluster: "fleet-00000"}, 404, fsm.CodeNotFound},
		"conflict":        {"POST", "/v1/fleet/failover", fleet.Action{Cluster: "fleet-00000", Node: "fleet-00000-1"}, 409, fsm.CodeConflict},
		"wrong field":     {"POST", "/v1/fleet/stop", map[string]any{"claster": "fleet-00000"}, 400, fsm.CodeInvalid},
		"wrong value":     {"POST", "/v1/fleet/slow", map[string]any{"cluster": "fleet-00000", "delay": "soon"}, 400, fsm.CodeInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var f failure
			status := p.control(test.method, test.path, test.body, &f)
			if status != test.status || f.Error.Code != test.code || f.Error.Message == "" {
				t.Errorf("%d %+v, want %d %s with a message", status, f.Error, test.status, test.code)
			}
		})
	}
}

// TestControlFromAPage posts as a page in a browser can without being asked whether it may.
func TestControlFromAPage(t *testing.T) {
	p := play(t, fleet.Config{ControlAddr: "127.0.0.1:0"})
	response, err := p.http.Post("http://"+p.ControlAddr()+"/v1/fleet/stop", "text/plain", strings.NewReader(`{"cluster": "fleet-00000"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest || p.node(0).Manner != "answering" {
		t.Errorf("status %d, node %+v; want 400 and no change", response.StatusCode, p.node(0))
	}
}

func TestConfigThatIsRefused(t *testing.T) {
	tests := map[string]fleet.Config{
		"negative clusters":  {Clusters: -1},
		"base off loopback":  {Base: addr("10.0.0.1")},
		"too many":           {Clusters: 2_000_000, Nodes: 10},
		"overflow":           {Clusters: 1 << 40, Nodes: 1 << 40},
		"broadcast address":  {Base: addr("127.255.255.250"), Nodes: 6},
		"control off":        {ControlAddr: "0.0.0.0:8656"},
		"control everywhere": {ControlAddr: ":8656"},
		"port":               {Port: 65536},
		"listen":             {Listen: "sometimes"},
		"churn":              {Churn: -1},
		"prefix":             {Prefix: "a/b"},
		"consul over TLS":    {ConsulAddr: "https://127.0.0.1:8501"},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := fleet.New(config); err == nil {
				t.Error("it was taken")
			}
		})
	}
	if _, err := fleet.New(fleet.Config{Base: addr("127.255.255.250"), Nodes: 5, ControlAddr: "[::1]:0"}); err != nil {
		t.Error(err)
	}
}
