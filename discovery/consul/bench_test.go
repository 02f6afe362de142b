package consul_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/fsm"
)

// BenchmarkRead reads a service of 100 instances as Consul writes them, the list and the token included, by a nudged read;
// of a full run of 1,000 services that is nearly all of what each takes.
func BenchmarkRead(b *testing.B) {
	body := written(100)
	f := startFake(b)
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1/catalog/service/") {
			return false
		}
		w.Header().Set("X-Consul-Index", "7")
		w.Header().Set("X-Consul-KnownLeader", "true")
		w.Header().Set("X-Consul-LastContact", "0")
		_, _ = w.Write(body)
		return true
	})
	backend, err := consul.NewPool().Make(`{"services":["orders"]}`, discovery.Env{Dial: f.dial})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var records []fsm.Record
	for b.Loop() {
		if records, err = backend.Read(b.Context(), discovery.Want{Names: []string{"orders"}}); err != nil || len(records) != 100 {
			b.Fatal(len(records), err)
		}
	}
}

// written is what Consul 1.8 answers about a service.
func written(instances int) []byte {
	var all []string
	for i := range instances {
		all = append(all, fmt.Sprintf(`{"ID":"","Node":"host-%03[1]d","Address":"127.0.0.1","Datacenter":"dc1",`+
			`"TaggedAddresses":null,"NodeMeta":null,"ServiceKind":"","ServiceID":"orders-%[1]d","ServiceName":"orders",`+
			`"ServiceTags":["muster"],"ServiceAddress":"10.0.0.%[1]d","ServiceWeights":{"Passing":1,"Warning":1},`+
			`"ServiceMeta":{"zone":"z1"},"ServicePort":6379,"ServiceEnableTagOverride":false,`+
			`"ServiceProxy":{"MeshGateway":{},"Expose":{}},"ServiceConnect":{},"CreateIndex":14,"ModifyIndex":14}`, i))
	}
	return []byte("[" + strings.Join(all, ",") + "]")
}
