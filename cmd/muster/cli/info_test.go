package cli_test

import (
	"strings"
	"testing"
	"time"

	httpd "github.com/musterhq/muster/http"
)

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
