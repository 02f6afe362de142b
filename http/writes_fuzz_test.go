package httpd_test

import (
	"encoding/json"
	"net/http"
	"runtime"
	"testing"
)

// writes are the routes that take a body, but those of FuzzBody and FuzzPatch.
var writes = []struct{ method, path string }{
	{http.MethodPost, "/v1/nodes/transition"},
	{http.MethodPost, "/v1/discoveries/preview"},
	{http.MethodPost, "/v1/discovery/prod/release"},
	{http.MethodPost, "/v1/discovery/prod/run"},
	{http.MethodPost, "/v1/cluster/orders/refresh"},
	{http.MethodPatch, "/v1/cluster/orders/node/orders-1"},
	{http.MethodPut, "/v1/settings"},
}

// FuzzWrites: no body is answered as if it were this peer's fault, or takes much room, and every answer is JSON.
func FuzzWrites(f *testing.F) {
	for i, body := range []string{
		`{"to": "maintenance", "nodes": ["orders/orders-1", "orders/*"]}`,
		`{"name": "x", "backend": "file", "config": {"files": ["a"]}, "refresh": {"timeout": "1s"}}`,
		`{"absent": ["orders/orders-1"]}`, `{}`, `null`,
		`{"group": null, "labels": {"a": null}, "vars": {"x": {"y": [null]}}, "refresh": {"interval": "1m"}}`,
		`{"refresh": {"retry_after": "1ms"}, "vars": {"a": 1e999}, "labels": []}`,
	} {
		f.Add(uint8(i), body)
	}
	face := newFace(f)
	face.fleet()
	f.Fuzz(func(t *testing.T, route uint8, body string) {
		face.t = t
		to := writes[int(route)%len(writes)]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := face.do(to.method, to.path, body)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%d bytes take %d MiB", len(body), took>>20)
		}
		if a.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s is answered %d: %s", to.method, to.path, a.Code, a.Body)
		}
		if !json.Valid(a.Body.Bytes()) {
			t.Errorf("answer is no JSON: %s", a.Body)
		}
	})
}
