package consul_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/consul"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// FuzzAnswer: whatever Consul answers, the refresh fails, or brings one sound report for each node.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "true", "", "0", []byte("["+healthy+"]"))
	f.Add(200, "true", "", "0", []byte("["+instance("a", "", "c", "critical", "w", "warning")+"]"))
	f.Add(200, "true", "true", "10001", []byte("[null]"))
	f.Add(500, "false", "", "", []byte("No cluster leader"))
	f.Fuzz(func(t *testing.T, status int, leader, filtered, contact string, body []byte) {
		answer := fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\nX-Consul-KnownLeader: %s\r\n"+
			"X-Consul-Results-Filtered-By-ACLs: %s\r\nX-Consul-LastContact: %s\r\n\r\n%s",
			status, len(body), leader, filtered, contact, body)
		synctest.Test(t, func(t *testing.T) {
			asker, err := consul.New("", probetest.Piped(t, saying(answer)))
			if err != nil {
				t.Fatal(err)
			}
			defer asker.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			targets := nodes("orders", "a", "b")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			reports, err := asker.(refresh.ClusterProber).ProbeCluster(ctx, targets)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%d bytes take %d MiB", len(body), took>>20)
			}
			if err != nil {
				if refresh.FaultOf(err).Reason == "" || reports != nil {
					t.Errorf("no reason for %v, or reports beside it: %v", err, reports)
				}
				return
			}
			if len(reports) != len(targets) {
				t.Fatalf("%d reports of %d nodes", len(reports), len(targets))
			}
			for i, r := range reports {
				if r.Node != targets[i].Node || r.Reachable == (r.Reason != "") || max(len(r.Detail), len(r.StateDetail)) > fsm.MaxText {
					t.Errorf("the report of %s is %+v", targets[i].Node, r)
				}
			}
		})
	})
}

// saying answers each request with a text.
func saying(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for in := bufio.NewReader(conn); ; {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if _, err := conn.Write([]byte(text)); err != nil {
				return
			}
		}
	}
}
