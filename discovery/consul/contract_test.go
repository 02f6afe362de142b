package consul_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery/backendtest"
	"github.com/musterhq/muster/fsm"
)

// fill makes the fake list exactly these records.
func fill(f *fake, records []fsm.Record) {
	f.breakWith(nil)
	services := map[string][]*api.CatalogService{}
	for _, r := range records {
		services[r.Cluster] = append(services[r.Cluster], &api.CatalogService{
			Node: "host-1", Datacenter: "dc1", ServiceName: r.Cluster, ServiceID: r.Node, ServiceAddress: r.Address,
			ServicePort: r.Port, ServiceMeta: r.Labels,
		})
	}
	f.mu.Lock()
	var gone []string
	for name := range f.services {
		if services[name] == nil {
			gone = append(gone, name)
		}
	}
	f.mu.Unlock()
	for _, name := range gone {
		f.set(name)
	}
	for name, instances := range services {
		f.set(name, instances...)
	}
}

// header is a fault that leaves the answer as it is but for one header.
func header(path, key, value string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/v1/"+path) {
			w.Header().Set(key, value)
		}
		return false
	}
}

func TestContract(t *testing.T) {
	const list, service, self = "catalog/services", "catalog/service/orders", "acl/token/self"
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		f := startFake(t)
		faults := map[string]func(*testing.T){}
		for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
			"list without a leader":     header(list, "X-Consul-KnownLeader", "false"),
			"service without a leader":  header(service, "X-Consul-KnownLeader", "false"),
			"no word of a leader":       header(service, "X-Consul-KnownLeader", ""),
			"list filtered":             header(list, "X-Consul-Results-Filtered-By-ACLs", "true"),
			"service filtered":          header(service, "X-Consul-Results-Filtered-By-ACLs", "true"),
			"service too far behind":    header(service, "X-Consul-LastContact", "10001"),
			"no word of how far behind": header(service, "X-Consul-LastContact", ""),
			"list fails":                on(list, status(500, "No cluster leader")),
			"service fails":             on(service, status(500, "rpc error")),
			"service limited":           on(service, status(429, "Your IP is issuing too many concurrent connections")),
			"service unavailable":       on(service, status(503, "")),
			"service moved elsewhere":   elsewhere,
			"list cut short":            on(list, text(`{"orders": []`)),
			"service cut short":         on(service, text(`[{"ServiceName": "orders", "Se`)),
			"list not JSON":             on(list, text("<html>")),
			"list null":                 on(list, text("null")),
			"service null":              on(service, text("null")),
			"an instance null":          on(service, text("[null]")),
			"listed but kept from us":   on(service, text("[]")),
			"connection cut":            on(service, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			"body cut": on(service, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "99")
				_, _ = w.Write([]byte("["))
			}),
			"too large":                   on(service, func(w http.ResponseWriter, _ *http.Request) { flood(w) }),
			"token unknown":               on(self, status(403, "ACL not found")),
			"token unauthorized":          on(self, status(401, "who are you")),
			"token fails":                 on(self, status(500, "No cluster leader")),
			"token is none":               on(self, text("{}")),
			"token anonymous under deny":  on(self, text(`{"AccessorID": "00000000-0000-0000-0000-000000000002"}`)),
			"token without a leader":      leaderless,
			"list refused for that token": on(list, status(403, "Permission denied")),
		} {
			faults[name] = func(*testing.T) { f.breakWith(fault) }
		}
		return backendtest.Subject{
			Backend: f.open(t, `{"address": "consul.test:8500"}`),
			Put:     func(_ *testing.T, records []fsm.Record) { fill(f, records) },
			Name:    func(cluster string) string { return cluster },
			Faults:  faults,
			Twice: func(*testing.T) {
				again := instance("orders", "orders-1", 1)
				again.Node = "host-2"
				f.set("orders", instance("orders", "orders-1", 1), again)
			},
			Hang: func(*testing.T) {
				f.breakWith(on(service, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			},
		}
	})
}

// leaderless answers the token's question without a leader.
func leaderless(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("X-Consul-KnownLeader", "false")
	return on("acl/token/self", text(`{"AccessorID": "f50f3f9d-8037-911e-4b5a-1cd24d376768"}`))(w, r)
}

// elsewhere sends a reader on to another place, which answers well.
func elsewhere(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/v1/elsewhere" {
		text(`[{"ServiceName": "orders", "ServiceID": "orders-1", "Address": "10.0.0.1", "ServicePort": 1}]`)(w, r)
		return true
	}
	return on("catalog/service/orders", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/v1/elsewhere", http.StatusFound)
	})(w, r)
}

// flood sends more than a backend may take.
func flood(w http.ResponseWriter) {
	_, _ = w.Write([]byte("["))
	chunk := []byte(strings.Repeat(" ", 1<<20))
	for range 65 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	_, _ = w.Write([]byte(`{"ServiceName": "orders", "ServiceID": "orders-1"}]`))
}
