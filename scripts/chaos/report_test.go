package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	r := &report{options: options{peers: 3, seed: 7}, faults: map[string]*tally{}, calm: time.Second, calmWrites: leastWrites}
	r.tally("loss").add(2 * time.Second)
	r.tally("loss").add(time.Second)
	if r.failed() {
		t.Error("a good run failed")
	}
	r.calmWrites--
	if !r.void() || !r.failed() {
		t.Error("a run that did too little counts")
	}
	r.calmWrites++
	r.violation("%s went back", "peer-a")
	if !r.failed() {
		t.Error("a run with a violation did not fail")
	}
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"loss   2      2s", "1 violations", "- peer-a went back", "20 writes/s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestParse(t *testing.T) {
	for name, args := range map[string][]string{
		"two peers": {"-peers", "2"}, "no such fault": {"leader tickled"}, "no such flag": {"-forever"},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, name := range smoke {
		if _, err := parse([]string{name}); err != nil {
			t.Error(err)
		}
	}
	o, err := parse([]string{"-smoke"})
	if err != nil || len(o.only) != len(smoke) {
		t.Errorf("the short run has %q, %v", o.only, err)
	}
}
