package consul_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/consul"
)

func TestWhatChecksMean(t *testing.T) {
	for want, checks := range map[string][]string{
		"up":                   nil,
		"up ":                  {"serfHealth", "passing", "alive", "passing"},
		"up warning":           {"alive", "warning", "serfHealth", "passing"},
		"down critical":        {"alive", "passing", "serfHealth", "critical", "disk", "warning"},
		"unknown resting":      {"alive", "passing", "disk", "warning", "rest", "resting"},
		"down critical ":       {"rest", "resting", "alive", "critical"},
		"leaving maintenance":  {"alive", "critical", "_service_maintenance:a", "critical"},
		"leaving maintenance ": {"_node_maintenance", "critical", "alive", "resting"},
	} {
		f := startFake(t, listing(instance("a", "10.0.0.7", checks...)))
		expect(t, says(t, open(t, f.address, "", nil), nodes("orders", "a")), "a "+strings.TrimSpace(want))
	}
	f := startFake(t, listing(instance("a", "10.0.0.7",
		"z", "warning", "x", "passing", "y", "critical", "v", "warning", "w", "critical")))
	reports, err := open(t, f.address, "", nil).ProbeCluster(t.Context(), nodes("orders", "a"))
	if err != nil || reports[0].StateDetail != "the y, the w" {
		t.Errorf("detail is %q, error %v", reports[0].StateDetail, err)
	}
}

func TestWhichInstanceIsWhichNode(t *testing.T) {
	meta := func(instance, meta string) string {
		return strings.Replace(instance, `"Port":5432`, `"Port":5432,"Meta":{`+meta+`}`, 1)
	}
	f := startFake(t, listing(
		instance("a", "10.0.0.7"),
		meta(instance("b", "10.0.0.8"), `"muster-node":"two"`),
		instance("c", "", "alive", "critical"), // at its node's address
		meta(instance("d", "10.0.0.10"), `"muster-address":"db-4","muster-port":"8655"`),
		strings.Replace(instance("a", "10.0.0.7", "alive", "critical"), "orders", "Orders", 1),
	))
	expect(t, says(t, open(t, f.address, "", nil), nodes("orders", "c", "two", "b", "a", "10.0.0.7:5432")),
		"c down critical", "two up", "b unreachable not_in_consul", "a up", "10.0.0.7:5432 unreachable not_in_consul")

	at := func(node, address string, port int) refresh.Target {
		return refresh.Target{Cluster: "orders", Node: node, Address: address, Port: port}
	}
	expect(t, says(t, open(t, f.address, "", map[string]any{"match": "address"}), []refresh.Target{
		at("1", "10.0.0.9", 5432), at("2", "db-4", 8655), at("3", "10.0.0.10", 5432), at("a", "10.0.0.1", 5432),
		at("5", "10.0.0.9", 5432),
	}), "1 down critical", "2 up", "3 unreachable not_in_consul", "a unreachable not_in_consul", "5 down critical")
}

func TestServicesOfACluster(t *testing.T) {
	var asked []string
	f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		name := strings.TrimPrefix(r.URL.Path, "/v1/health/service/")
		listing(strings.Replace(instance("a", ""), `"orders"`, strconv.Quote(name), 1))(w, r)
	})
	targets := nodes("orders", "a", "a", "a", "a")
	targets[1].Labels = map[string]string{"service": "team/db x?"}
	targets[2].Labels = map[string]string{"service": ""}
	targets[3].Labels = targets[1].Labels
	p := open(t, f.address, "", map[string]any{
		"service_label": "service", "datacenter": "eu 1", "namespace": "n", "partition": "p", "stale": true,
	})
	expect(t, says(t, p, targets), "a up", "a up", "a up", "a up")
	const query = "?dc=eu+1&ns=n&partition=p&stale="
	expect(t, asked, "/v1/health/service/orders"+query, "/v1/health/service/team/db%20x%3F"+query)

	asked = nil
	expect(t, says(t, open(t, f.address, "", map[string]any{"service": "bills"}), targets[:1]), "a up")
	expect(t, asked, "/v1/health/service/bills")
	asked = nil
	if reports, err := p.ProbeCluster(t.Context(), nil); err != nil || len(reports) != 0 || asked != nil {
		t.Errorf("of no nodes: reports are %v, error %v, asked for %q", reports, err, asked)
	}
}

// A third party that fails is no word about any node.
func TestFailedAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		reason string
	}{
		"no leader known":        {with(map[string]string{"X-Consul-KnownLeader": "false"}, "["+healthy+"]"), fsm.ReasonProtocol},
		"nothing of a leader":    {with(map[string]string{"X-Consul-KnownLeader": ""}, "["+healthy+"]"), fsm.ReasonProtocol},
		"filtered by ACLs":       {with(map[string]string{"X-Consul-Results-Filtered-By-ACLs": "true"}, "["+healthy+"]"), fsm.ReasonAuth},
		"far behind":             {with(map[string]string{"X-Consul-LastContact": "10001"}, "["+healthy+"]"), fsm.ReasonProtocol},
		"behind by a word":       {with(map[string]string{"X-Consul-LastContact": "long"}, "["+healthy+"]"), fsm.ReasonProtocol},
		"no leader":              {status(500, "No cluster leader"), fsm.ReasonHTTPStatus},
		"unavailable":            {status(503, ""), fsm.ReasonHTTPStatus},
		"too many requests":      {status(429, ""), fsm.ReasonHTTPStatus},
		"forbidden":              {status(403, "ACL not found"), fsm.ReasonAuth},
		"not found":              {status(404, ""), fsm.ReasonProtocol},
		"another 200":            {status(204, ""), fsm.ReasonHTTPStatus},
		"a redirect":             {status(302, ""), fsm.ReasonRedirect},
		"a page":                 {with(nil, "<html>"), fsm.ReasonDecode},
		"null":                   {with(nil, "null"), fsm.ReasonDecode},
		"an object":              {with(nil, "{}"), fsm.ReasonDecode},
		"nothing":                {with(nil, ""), fsm.ReasonDecode},
		"an empty list":          {listing(), fsm.ReasonProtocol},
		"another service":        {listing(strings.Replace(healthy, `"orders"`, `"ORDERS"`, 1)), fsm.ReasonProtocol},
		"null among instances":   {listing(healthy, "null"), fsm.ReasonDecode},
		"text among instances":   {listing(healthy, `"a"`), fsm.ReasonDecode},
		"an id that is none":     {listing(healthy, `{"Node":{},"Service":{"ID":7}}`), fsm.ReasonDecode},
		"an instance on no node": {listing(healthy, `{"Service":{"ID":"b","Service":"orders"}}`), fsm.ReasonDecode},
		"a list cut short":       {with(nil, "["+healthy+","), fsm.ReasonDecode},
		"a list without end":     {with(nil, "["+healthy), fsm.ReasonDecode},
		"more than a list":       {with(nil, "["+healthy+"][]"), fsm.ReasonDecode},
		"one id twice":           {listing(healthy, strings.Replace(healthy, "host-1", "host-2", 1)), fsm.ReasonProtocol},
		"less than it announced": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10000")
			listing(healthy)(w, r)
		}, fsm.ReasonReset},
		"over 64 MiB": {func(w http.ResponseWriter, r *http.Request) {
			with(nil, "["+healthy)(w, r)
			block := []byte(strings.Repeat(",{}", 1<<16))
			for err := error(nil); err == nil; {
				_, err = w.Write(block)
			}
		}, fsm.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) })
			f := startFake(t, c.answer)
			p := open(t, f.address, "", nil)
			reports, err := p.ProbeCluster(t.Context(), nodes("orders", "a", "b"))
			if err == nil || reports != nil || refresh.FaultOf(err).Reason != c.reason {
				t.Errorf("reports are %+v, error %v, wanted is the reason %q", reports, err, c.reason)
			} else if text := err.Error(); len(text) > 500 || !strings.HasPrefix(text, "consul at "+f.address+`, service "orders": `) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestLargeCluster(t *testing.T) {
	const count = 5000
	all, ids := make([]string, count), make([]string, count)
	for i := range all {
		ids[i] = "orders-" + strconv.Itoa(i)
		all[i] = instance(ids[i], "10.0.0.7", "serfHealth", "passing", "alive", "passing")
	}
	f := startFake(t, listing(all...))
	reports, err := open(t, f.address, "", nil).ProbeCluster(t.Context(), nodes("orders", ids...))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range reports {
		if r.Node != ids[i] || r.State != fsm.StateUp {
			t.Fatalf("report %d is %+v", i, r)
		}
	}
}

func TestEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	f := startFake(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	p := open(t, f.address, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if reports, err := p.ProbeCluster(ctx, nodes("orders", "a")); !errors.Is(err, context.Canceled) || reports != nil {
		t.Errorf("reports are %+v, error %v", reports, err)
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"address":"http://127.0.0.1:8500"}`:                  "refresh.config.address",
		`{"address":"127.0.0.1"}`:                              "refresh.config.address",
		`{"address":":8500"}`:                                  "refresh.config.address",
		`{"address":"consul:http"}`:                            "refresh.config.address",
		`{"address":"me:hunter2@consul:8500"}`:                 "refresh.config.address",
		`{"address":"me@consul:8500"}`:                         "refresh.config.address",
		`{"service":"a","service_label":"b"}`:                  "refresh.config.service_label",
		`{"match":"name"}`:                                     "refresh.config.match",
		`{"token":"hunter2"}`:                                  "refresh.config.token",
		`{"token_file":"/a","token_env":"B"}`:                  "refresh.config.token_env",
		`{"tls_ca_file":"/a"}`:                                 "refresh.config.tls_ca_file",
		`{"stale":"yes"}`:                                      "refresh.config.stale",
		`{"kind":"` + fsm.JSON(strings.Repeat("k", 65)) + `"}`: "refresh.config.kind",
	} {
		_, err := consul.New(config, refresh.Env{Reveal: func(refresh.Secret) (string, error) { return "", nil }})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the secret: %v", config, err)
		}
	}
}
