package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	httpd "github.com/musterhq/muster/http"
)

func TestInfoHasTheMachineInJSON(t *testing.T) {
	r := run{}.do(t, fleet(t), "info", "-format=json")
	var got struct {
		Group string
		Host  httpd.Host
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Group != "muster" || got.Host.Name != "db-17" {
		t.Errorf("%v: %+v", err, got)
	}
}

// TestInfoOfAnOlderPeer asks one that does not know of machines, and one at which that fails.
func TestInfoOfAnOlderPeer(t *testing.T) {
	a := fleet(t)
	a.fail("GET", "/v1/agent/host", http.StatusNotFound, map[string]any{"code": "not_found", "message": "there is nothing at /v1/agent/host"})
	for _, args := range [][]string{{"info"}, {"info", "-format=json"}} {
		if r := (run{}).do(t, a, args...); r.code != 0 || !strings.Contains(r.out, "01GROUP") || strings.Contains(r.out, "Machine") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	a.fail("GET", "/v1/agent/host", http.StatusForbidden, map[string]any{"code": "forbidden", "message": "no"})
	if r := (run{}).do(t, a, "info"); r.code != 1 {
		t.Errorf("what fails is not told: %+v", r)
	}
}

func TestInfoWarns(t *testing.T) {
	a := fleet(t).on("GET", "/readyz", httpd.Readiness{Status: "ok", Warnings: []string{"ACLs are off on peer-b"}})
	if r := (run{}).do(t, a, "info"); !strings.Contains(r.out, "Warning    ACLs are off on peer-b\n") {
		t.Errorf("%+v", r)
	}
}

func TestInfoTellsOfConsul(t *testing.T) {
	for says, r := range map[string]httpd.Registration{
		"not registered yet\n":                    {Service: "muster"},
		"3 tries failed, told 60m ago: refused\n": {Registered: true, Failures: 3, Error: "refused", At: ago(time.Hour)},
		"1 try failed, never told: refused\n":     {Failures: 1, Error: "refused"},
		"registered at c:1 as roll, told 2s ago\n": {
			Registered: true, Address: "c:1", Service: "roll", At: ago(2 * time.Second),
		},
	} {
		a := fleet(t).on("GET", "/v1/agent/self", httpd.Self{Consul: &r})
		if r := (run{}).do(t, a, "info"); r.code != 0 || !strings.Contains(r.out, "Consul  ") || !strings.Contains(r.out, says) {
			t.Errorf("%q is not told: %+v", says, r)
		}
	}
}
