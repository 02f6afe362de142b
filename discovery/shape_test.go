package discovery_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

func sample() fsm.Record {
	return fsm.Record{
		Node: "orders-1", Address: "10.0.0.7", Port: 8655, Service: "team/orders", Datacenter: "dc1",
		Tags: []string{"muster", "blue"}, Meta: map[string]string{"env": "prod"}, Labels: map[string]string{"zone": "a"},
		Source: "file:3",
	}
}

func shape(t *testing.T, cluster, filter string, records ...fsm.Record) ([]fsm.Record, error) {
	t.Helper()
	spec := fsm.DefaultSpec()
	spec.Cluster, spec.Filter = cluster, filter
	apply, err := discovery.Shape(spec)
	if err != nil {
		t.Fatalf("template %q, filter %q: %v", cluster, filter, err)
	}
	return apply(records)
}

func TestTemplateNamesClusters(t *testing.T) {
	for template, want := range map[string]string{
		"{{.service}}":                                "team.orders",
		"{{.datacenter}}-{{.meta.env}}":               "dc1-prod",
		"{{.labels.zone | upper}}:{{.port}}":          "A:8655",
		`{{index .meta "none" | default "x"}}`:        "x",
		`{{trimPrefix "team/" .service}}`:             "orders",
		`{{trimSuffix "-1" .node}}`:                   "orders",
		`{{replace "orders" "o" .service}}`:           "team.o",
		`{{join "+" .tags}}`:                          "muster+blue",
		`{{if eq .meta.env "prod"}}p{{else}}q{{end}}`: "p",
		"s-{{.cluster}}":                              "s-team.orders",
		"all":                                         "all",
	} {
		got, err := shape(t, template, "", sample())
		if err != nil || got[0].Cluster != want {
			t.Errorf("%s: %v, error %v; wanted %s", template, got, err, want)
		}
	}
}

func TestRecordKeepsItsCluster(t *testing.T) {
	r := sample()
	r.Cluster = "own"
	for template, want := range map[string]string{"{{.service}}": "own", "staging-{{.cluster}}": "staging-own"} {
		if got, err := shape(t, template, "", r); err != nil || got[0].Cluster != want {
			t.Errorf("%s: %v, error %v; wanted %s", template, got, err, want)
		}
	}
}

func TestBadTemplatesAreRefused(t *testing.T) {
	for template, message := range map[string]string{
		"":                             "empty",
		"{{.service":                   "does not parse",
		"{{.servise}}":                 `did you mean "service"`,
		"{{if false}}{{.x}}{{end}}":    "no field",
		"{{.service.name}}":            "deeper",
		"{{.meta.a.b}}":                "deeper",
		"{{range .tags}}x{{end}}":      "not allowed",
		"{{range 1000000000}}x{{end}}": "not allowed",
		`{{printf "%99999999d" 1}}`:    "printf",
		`{{html .service}}`:            "html",
		"{{$x := .service}}{{$x}}":     "variables",
		"{{$.service}}":                "not allowed",
		"{{with .service}}x{{end}}":    "not allowed",
		"{{.}}":                        "not allowed",
		`{{define "a"}}x{{end}}`:       "within",
		`{{template "a"}}`:             "not allowed",
		`{{nothing .service}}`:         "nothing",
		strings.Repeat("x", 5000):      "bytes long",
	} {
		wantInvalid(t, "cluster", message, func(s *fsm.Spec) { s.Cluster = template })
	}
}

func TestBadFiltersAreRefused(t *testing.T) {
	for filter, message := range map[string]string{
		`service ==`:                               "does not parse",
		`servise == "x"`:                           `did you mean "service"`,
		`service == "x" and sevice == "y"`:         `did you mean "service"`,
		`service != "" or nothing == "y"`:          "no field",
		`not (Service == "x")`:                     "no field",
		`meta.a.b == "x"`:                          "deeper",
		`tags == "x"`:                              "does not go with tags",
		`meta == "x"`:                              "does not go with meta",
		`service == "" and port matches "8"`:       "does not go with port",
		`port == "http"`:                           "is a number",
		`service matches "["`:                      "service",
		`any tags as t { t == "x" }`:               "",
		strings.Repeat("(", 2000):                  "does not parse",
		`service == "` + strings.Repeat("x", 5000): "bytes long",
	} {
		wantInvalid(t, "filter", message, func(s *fsm.Spec) { s.Filter = filter })
	}
}

func wantInvalid(t *testing.T, field, message string, change func(*fsm.Spec)) {
	t.Helper()
	spec := fsm.DefaultSpec()
	change(&spec)
	_, err := discovery.Shape(spec)
	var invalid *fsm.Error
	if !errors.As(err, &invalid) || invalid.Code != fsm.CodeInvalid || !strings.Contains(invalid.Fields[field], message) {
		t.Errorf("template %.60q, filter %.60q: %v; wanted is an error of %s about %q", spec.Cluster, spec.Filter, err, field, message)
	}
}

func TestFilters(t *testing.T) {
	for filter, want := range map[string]bool{
		``:                                true,
		`meta.env == "prod"`:              true,
		`meta.none == "prod"`:             false,
		`meta.none != "prod"`:             true,
		`"prod" in meta.none`:             false,
		`labels.zone == "b"`:              false,
		`"blue" in tags and port == 8655`: true,
		`"green" in tags`:                 false,
		`service matches "^team/" and not (datacenter == "dc2")`: true,
		`cluster == "team.orders"`:                               true,
		`cluster == "team/orders"`:                               false,
		`meta is empty or "env" in meta`:                         true,
		`address == "10.0.0.7" and node contains "-"`:            true,
	} {
		got, err := shape(t, "{{.service}}", filter, sample())
		if err != nil || (len(got) == 1) != want {
			t.Errorf("%s: %d records, error %v; wanted match: %t", filter, len(got), err, want)
		}
	}
	bare := fsm.Record{Node: "n", Address: "a", Port: 1, Service: "s"}
	if got, err := shape(t, "{{.service}}", `meta.env == "prod"`, bare); err != nil || len(got) != 0 {
		t.Errorf("a record without meta: %v, error %v; no match is wanted", got, err)
	}
}

func TestLeftOutRecordsAreNotJudged(t *testing.T) {
	bad := sample()
	bad.Port, bad.Meta = 0, nil
	got, err := shape(t, "{{.meta.env}}", "port != 0", bad, sample())
	if err != nil || len(got) != 1 {
		t.Errorf("%d records, error %v; wanted is the one the filter keeps", len(got), err)
	}
}

func TestBadRecordFailsAll(t *testing.T) {
	with := func(change func(*fsm.Record)) fsm.Record {
		r := sample()
		r.Node = "bad-1"
		change(&r)
		return r
	}
	labels := map[string]string{}
	for i := range fsm.MaxLabels + 1 {
		labels[fmt.Sprint(i)] = "x"
	}
	for field, bad := range map[string]fsm.Record{
		"cluster": with(func(r *fsm.Record) { r.Service = strings.Repeat("x", 300) }),
		"meta":    with(func(r *fsm.Record) { r.Meta = nil }),
		"address": with(func(r *fsm.Record) { r.Address = "" }),
		"port":    with(func(r *fsm.Record) { r.Port = 70_000 }),
		"labels":  with(func(r *fsm.Record) { r.Labels = labels }),
		"control": with(func(r *fsm.Record) { r.Address = "10.0.0.7\r\nx" }),
		"bidi":    with(func(r *fsm.Record) { r.Node = "bad-1\u202egro" }),
		"length":  with(func(r *fsm.Record) { r.Address = strings.Repeat("a", 1<<20) }),
		"key":     with(func(r *fsm.Record) { r.Labels = map[string]string{strings.Repeat("k", 1<<20): "v"} }),
		"value":   with(func(r *fsm.Record) { r.Labels = map[string]string{"k": "a\x1b[2J"} }),
		"prober":  with(func(r *fsm.Record) { r.Probe = strings.Repeat("p", 1<<20) }),
		"bytes":   with(func(r *fsm.Record) { r.Service = strings.Repeat("x", 1<<20) }),
	} {
		template := "{{.service}}"
		if field == "meta" {
			template = "{{.meta.env}}"
		}
		got, err := shape(t, template, "", sample(), bad)
		switch {
		case err == nil || got != nil:
			t.Errorf("%s: %d records and no error", field, len(got))
		case !strings.Contains(err.Error(), "bad-1") || !strings.Contains(err.Error(), "file:3") || len(err.Error()) > 3000:
			t.Errorf("%s: the error does not name the record: %.200s", field, err)
		case field == "bytes" && !strings.Contains(err.Error(), "more than a name may hold"):
			t.Errorf("a template's output is not cut off: %v", err)
		}
	}
}

func TestSetIsChecked(t *testing.T) {
	again := sample()
	again.Source = "file:9"
	got, err := shape(t, "x", "", sample(), again)
	if got != nil || !errors.Is(err, discovery.ErrDuplicate) || !strings.Contains(err.Error(), "file:3") || !strings.Contains(err.Error(), "file:9") {
		t.Errorf("a node twice: %v; wanted is an error that names both places", err)
	}
	crowd := make([]fsm.Record, fsm.MaxNodes+1)
	for i := range crowd {
		crowd[i] = sample()
		crowd[i].Node = fmt.Sprint(i)
	}
	if _, err := shape(t, "x", "", crowd...); err == nil || !strings.Contains(err.Error(), `cluster "x"`) {
		t.Errorf("a cluster too large: %v", err)
	}
	if got, err := shape(t, "x", "", crowd[1:]...); err != nil || len(got) != fsm.MaxNodes {
		t.Errorf("a cluster as large as may be: %d records, error %v", len(got), err)
	}
	if _, err := shape(t, "{{.node}}", "", make([]fsm.Record, discovery.MaxRecords+1)...); err == nil {
		t.Error("a source too large gave no error")
	}
}

func TestShapeSortsACopy(t *testing.T) {
	read := []fsm.Record{sample(), sample(), sample()}
	read[0].Service, read[1].Service, read[2].Service = "b", "a", "a"
	read[1].Node = "orders-2"
	got, err := shape(t, "{{.service}}", "", read...)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range got {
		order = append(order, r.Cluster+"/"+r.Node)
	}
	if diff := cmp.Diff([]string{"a/orders-1", "a/orders-2", "b/orders-1"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if read[0].Service != "b" || read[0].Cluster != "" {
		t.Errorf("what was read was changed: %v", read[0])
	}
}

// A template and a filter may be anything a user types: judging them takes little time, whatever it is.
func FuzzShape(f *testing.F) {
	f.Add("{{.service}}", `meta.env == "prod"`)
	f.Add(`{{if eq .meta.env "x"}}{{replace "a" "bb" .node | upper}}{{end}}`, `"a" in tags or not (port != 1)`)
	f.Fuzz(func(t *testing.T, template, filter string) {
		spec := fsm.DefaultSpec()
		spec.Cluster, spec.Filter = template, filter
		began := time.Now()
		if apply, err := discovery.Shape(spec); err == nil {
			_, _ = apply([]fsm.Record{sample(), sample()})
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
