package consul_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// FuzzAnswers: whatever Consul answers, a read ends, takes little room, and brings records that may enter the state, or an
// error and none.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"orders":["primary"]}`, `[{"Node":"host-1","Address":"10.0.0.1","Datacenter":"dc1","ServiceID":"orders-1",`+
		`"ServiceName":"orders","ServiceAddress":"","ServicePort":5432,"ServiceTags":["primary"],"ServiceMeta":{"a":"b"}}]`, "20")
	f.Add(200, `{"orders":null}`, `[null]`, "")
	f.Add(200, `{"orders":[],"":[],"a/b":[],"consul":[]}`, `[]`, "18446744073709551616")
	f.Add(500, "No cluster leader", "rpc error", "0")
	f.Add(200, "null", "{}", "-1")
	shape, err := discovery.Shape(fsm.DefaultSpec())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, list, service, index string) {
		if status < 200 || status > 599 || strings.ContainsAny(index, "\r\n") {
			return // no server of Go's says so
		}
		synctest.Test(t, func(t *testing.T) {
			consul := startFake(t)
			consul.breakWith(on("catalog/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Consul-Index", index)
				w.WriteHeader(status)
				body := service
				if strings.HasSuffix(r.URL.Path, "/services") {
					body = list
				}
				_, _ = w.Write([]byte(body))
			}))
			b := consul.open(t, `{"stale": false}`)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			records, err := b.Read(t.Context(), discovery.Want{})
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%d and %d bytes take %d MiB", len(list), len(service), took>>20)
			}
			if err != nil && records != nil {
				t.Errorf("an error came with records: %v", err)
			}
			if records, err = shape(records); err != nil {
				return
			}
			for _, r := range records {
				if err := r.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	})
}
