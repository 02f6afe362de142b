package consul_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// healthy is an instance as Consul lists it.
const healthy = `{"Node":{"ID":"1f","Node":"host-1","Address":"10.0.0.1","Datacenter":"dc1","Meta":null},
 "Service":{"ID":"a","Service":"orders","Tags":[],"Address":"10.0.0.7","Port":5432,"Meta":{"version":"15.4"}},
 "Checks":[{"Node":"host-1","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Output":"Agent alive"},
  {"Node":"host-1","CheckID":"alive","Name":"alive","Status":"passing","ServiceID":"a"}]}`

// fake answers every request in one way.
type fake struct {
	address string
	last    *http.Request
}

func startFake(t *testing.T, answer http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.last = r
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	f.address = srv.Listener.Addr().String()
	return f
}

// listing answers as a Consul with a leader.
func listing(instances ...string) http.HandlerFunc {
	return with(nil, "["+strings.Join(instances, ",")+"]")
}

// with answers 200 with a body, and with headers that are laid over a good Consul's; an empty one is left out.
func with(headers map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Consul-KnownLeader", "true")
		w.Header().Set("X-Consul-LastContact", "0")
		for name, value := range headers {
			w.Header().Set(name, value)
			if value == "" {
				w.Header().Del(name)
			}
		}
		fmt.Fprint(w, body)
	}
}

// status answers with a status and a text.
func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// instance is one of orders, with the checks given as pairs of id and status.
func instance(id, address string, checks ...string) string {
	var all []string
	for i := 0; i < len(checks); i += 2 {
		all = append(all, fmt.Sprintf(`{"CheckID":%q,"Name":"the %s","Status":%q}`, checks[i], checks[i], checks[i+1]))
	}
	return fmt.Sprintf(`{"Node":{"Node":"host-%s","Address":"10.0.0.9"},
		"Service":{"ID":%q,"Service":"orders","Address":%q,"Port":5432},"Checks":[%s]}`, id, id, address, strings.Join(all, ","))
}
