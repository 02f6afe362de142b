package cli_test

import (
	"fmt"
	"strings"
	"testing"

	httpd "github.com/musterhq/muster/http"
)

// TestNoClustersSaysWhy: an empty list tells what each discovery says, since one of them should have led to clusters.
func TestNoClustersSaysWhy(t *testing.T) {
	rows := discoveries()
	holding, off, fresh, good, failing := rows[0], rows[1], rows[2], rows[3], rows[4]
	good.LastRun.Records = 0
	gone := good
	gone.Deleting = true
	for want, rows := range map[string][]httpd.DiscoveryRow{
		"There are no clusters yet.\nSay where they are listed: muster discovery apply FILE\n": {},
		"There are no clusters yet.\nDiscovery staging fails: dial consul.staging: no such host\nDiscovery lab is off: \"enabled\" is false.\n": {
			failing, off,
		},
		"There are no clusters yet.\nDiscovery new has not been read yet.\n": {fresh},
		"There are no clusters yet.\nDiscovery prod lists 0 nodes; see muster discovery show prod\nDiscovery prod is being deleted.\n": {
			good, gone,
		},
		"There are no clusters yet.\nDiscovery edge lists 42 nodes; see muster discovery show edge\nDiscovery new has not been read yet.\n" +
			"Discovery new has not been read yet.\nThere are 2 more: muster discovery list\n": {holding, fresh, fresh, fresh, fresh},
	} {
		a := newAPI(t).on("GET", "/v1/clusters", []any{}).on("GET", "/v1/discoveries", rows)
		if r := (run{}).do(t, a, "cluster", "list"); r.out != want || r.err != "" || r.code != 0 {
			t.Errorf("it says %q, %q, exit %d; want %q", r.out, r.err, r.code, want)
		}
		if r := (run{}).do(t, a, "cluster", "list", "-format=json"); r.out != "[]\n" || r.err != "" {
			t.Errorf("programs are told %q, %q", r.out, r.err)
		}
	}
}

// TestClustersWithSourcesThatFail: beside a list it is told which discoveries do not tell what should be there, and not of the others.
func TestClustersWithSourcesThatFail(t *testing.T) {
	r := run{}.do(t, fleet(t), "cluster", "list")
	for _, want := range []string{"discovery edge is holding: 9 of 12 nodes absent at once", "discovery staging is failing: dial consul.staging"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("it says %q, want %q", r.err, want)
		}
	}
	if strings.Contains(r.err, "prod") || strings.Contains(r.err, "lab") || strings.Contains(r.err, "new") {
		t.Errorf("it says %q", r.err)
	}
	var many []httpd.DiscoveryRow
	for i := range 5 {
		d := discoveries()[4]
		d.Name = fmt.Sprintf("d%d", i)
		many = append(many, d)
	}
	r = run{}.do(t, fleet(t).on("GET", "/v1/discoveries", many), "cluster", "list")
	if strings.Contains(r.err, "d3") || !strings.Contains(r.err, "and 2 more: muster discovery list") {
		t.Errorf("of many it says %q", r.err)
	}
	r = run{}.do(t, fleet(t).on("GET", "/v1/discoveries", many), "cluster", "list", "-format=json")
	if r.err != "" {
		t.Errorf("programs are told %q", r.err)
	}
}
