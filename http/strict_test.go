package httpd_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestBodiesAreReadStrictly(t *testing.T) {
	f := newFace(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for body, want := range map[string]struct{ field, said string }{
		``:                                       {"body", "is empty"},
		`  `:                                     {"body", "is empty"},
		`{`:                                      {"body", "is not JSON"},
		`{"backend": NaN}`:                       {"body", "is not JSON"},
		`{"backend": "file"} {}`:                 {"body", "goes on"},
		`{"backend": "file"}]`:                   {"body", "goes on"},
		"{\"backend\": \"\xff\"}":                {"body", "UTF-8"},
		`[]`:                                     {"body", "an object is wanted"},
		`7`:                                      {"body", "an object is wanted"},
		`{"backend": "file", "intervall": "1m"}`: {"intervall", `did you mean "interval"`},
		`{"Backend": "file"}`:                    {"Backend", `did you mean "backend"`},
		`{"backend": "file", "backend": "x"}`:    {"backend", "twice"},
		`{"backend": 7}`:                         {"backend", "a string is wanted"},
		`{"backend": "file", "enabled": "yes"}`:  {"enabled", "true or false is wanted"},
		`{"backend": "file", "interval": "soon"}`:             {"interval", "not a duration"},
		`{"backend": "file", "interval": 30}`:                 {"interval", "a string is wanted"},
		`{"backend": "file", "interval": {}}`:                 {"interval", "a string is wanted"},
		`{"backend": "file", "max_shrink": "half"}`:           {"max_shrink", "not a percentage"},
		`{"backend": "file", "refresh": []}`:                  {"refresh", "an object is wanted"},
		`{"backend": "file", "refresh": {"tmeout": "1s"}}`:    {"refresh.tmeout", `did you mean "timeout"`},
		`{"backend": "file", "refresh": {"down_after": 1.5}}`: {"refresh.down_after", "a whole number is wanted"},
		`{"backend": "file", "refresh": {"timeout": "9s"}}`:   {"refresh.timeout", "longer than 5s"},
		`{"backend": "file", "config": {"a": 1, "a": 2}}`:     {"config.a", "twice"},
		`{"backend": "file", "config": ` + deep + `}`:         {"config" + strings.Repeat(".a", 32), "deep"},
		`{"backend": "file", "name": "other"}`:                {"name", "in the path"},
		`{}`:                                                  {"backend", "is empty"},
	} {
		said := f.do(http.MethodPut, "/v1/discovery/prod", body).blames(want.field)
		if !strings.Contains(said, want.said) {
			t.Errorf("%.60s: %s is told as %q, want %q in it", body, want.field, said, want.said)
		}
	}
	f.do(http.MethodPut, "/v1/discovery/prod", strings.Repeat("[", 100_000)).refuses(http.StatusBadRequest, fsm.CodeInvalid)
	if f.state.Read().Discovery("prod") != nil {
		t.Fatal("a refused body was stored")
	}
}

func TestListsAreReadStrictly(t *testing.T) {
	f := newFace(t)
	for body, field := range map[string]string{
		`{"to": "maintenance", "nodes": "orders/orders-1"}`:      "nodes",
		`{"to": "maintenance", "nodes": ["orders/orders-1", 7]}`: "nodes[1]",
		`{"to": "maintenance", "nodes": {"a": 1}}`:               "nodes",
		`{"to": 7, "nodes": []}`:                                 "to",
	} {
		f.do(http.MethodPost, "/v1/nodes/transition", body).blames(field)
	}
}

func TestBodyLimits(t *testing.T) {
	f := newFace(t)
	big := `{"backend": "` + strings.Repeat("x", 1<<20) + `"}`
	f.do(http.MethodPut, "/v1/discovery/prod", big).refuses(http.StatusRequestEntityTooLarge, fsm.CodeTooLarge)
	fits := `{"backend": "file"` + strings.Repeat(" ", 1<<20-20) + `}`
	if a := f.do(http.MethodPut, "/v1/discovery/prod", fits); a.Code != http.StatusOK {
		t.Fatalf("a body of a megabyte is answered %d: %s", a.Code, a.Body)
	}
}

func TestContentTypes(t *testing.T) {
	f := newFace(t)
	f.fleet()
	body := `{"group": "x"}`
	for content, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "application/merge-patch+json": true,
		"application/json; charset=latin1": false, "text/plain": false, "application/x-www-form-urlencoded": false,
		"": false, "nonsense/": false,
	} {
		a := f.do(http.MethodPatch, "/v1/cluster/orders", body, "Content-Type", content)
		if ok && a.Code != http.StatusOK {
			t.Errorf("%q is answered %d: %s", content, a.Code, a.Body)
		} else if !ok {
			a.refuses(http.StatusUnsupportedMediaType, httpd.CodeMediaType)
		}
	}
	f.do(http.MethodPut, "/v1/discovery/x", `{"backend": "file"}`, "Content-Type", "application/merge-patch+json").
		refuses(http.StatusUnsupportedMediaType, httpd.CodeMediaType)
	f.do(http.MethodPost, "/v1/cluster/orders/refresh", nil, "Content-Type", "text/plain").
		refuses(http.StatusUnsupportedMediaType, httpd.CodeMediaType)
	f.do(http.MethodPatch, "/v1/cluster/orders", body, "Content-Encoding", "gzip").
		refuses(http.StatusUnsupportedMediaType, httpd.CodeMediaType)
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"backend": "file", "interval": "5m", "refresh": {"timeout": "1s"}}`, `{"config": {"a": [1, null, {"b": 2}]}}`,
		`{"a": {}}`, `null`, `{"refresh": null, "name": "x"}`, `{"max_shrink": "30%"}`, `[[[[`, `{"\u0000": 1}`,
	} {
		f.Add(seed)
	}
	face := newFace(f)
	f.Fuzz(func(t *testing.T, body string) {
		face.t = t
		a := face.do(http.MethodPut, "/v1/discovery/prod", body)
		if a.Code != http.StatusOK && a.Code != http.StatusBadRequest && a.Code != http.StatusRequestEntityTooLarge {
			t.Fatalf("status %d: %s", a.Code, a.Body)
		}
		if !json.Valid(a.Body.Bytes()) {
			t.Fatalf("answer is no JSON: %s", a.Body)
		}
	})
}

func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`{"group": null}`, `{"labels": {"a": null, "b": "x"}, "vars": {"x": {"y": null}}}`, `{"vars": []}`, `null`, `[]`,
		`{"refresh": {"timeout": "1s", "config": {"a": 1}}}`,
	} {
		f.Add(seed)
	}
	face := newFace(f)
	face.fleet()
	f.Fuzz(func(t *testing.T, body string) {
		face.t = t
		a := face.do(http.MethodPatch, "/v1/cluster/orders", body)
		if a.Code != http.StatusOK && a.Code != http.StatusBadRequest {
			t.Fatalf("status %d: %s", a.Code, a.Body)
		}
		again := face.do(http.MethodPatch, "/v1/cluster/orders", body)
		if a.Code == http.StatusOK && into[httpd.Ack](again, http.StatusOK).Changed {
			t.Fatalf("the same patch changed something again: %s", body)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`reach.value == "up"`, `any shards as s { s.lag_ms == 3 }`, `vars.a.b matches "x"`, `"x" in vars.list`, `vars is empty`,
		`not (labels["a b"] == "x")`, `"/vars/nil" == 1`, `shards is not empty`, `vars.0 == 1`,
	} {
		f.Add(seed)
	}
	face := newFace(f)
	face.fleet()
	face.do("PATCH", "/v1/cluster/orders/node/orders-1",
		`{"vars": {"a": {"b": "x"}, "list": ["x", null, 1, {"y": null}, [null]], "n": 1.5, "t": true, "o": {}}}`)
	f.Fuzz(func(t *testing.T, filter string) {
		face.t = t
		a := face.get("/v1/nodes?filter=" + escape(filter))
		if a.Code != http.StatusOK && a.Code != http.StatusBadRequest {
			t.Fatalf("status %d: %s", a.Code, a.Body)
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"e1:1", "e1:99999999999999999999", "e1:18446744073709551615", "x:1", ":", "e1:", "now", "e1:0"} {
		f.Add(seed)
	}
	face := newFace(f)
	face.fleet()
	f.Fuzz(func(t *testing.T, cursor string) {
		face.t = t
		a := face.get("/v1/events?limit=2&after=" + escape(cursor))
		switch a.Code {
		case http.StatusOK:
			next := a.Header().Get("X-Muster-Next")
			if b := face.get("/v1/events?after=" + escape(next)); b.Code != http.StatusOK {
				t.Fatalf("next %q of %q is answered %d", next, cursor, b.Code)
			}
		case http.StatusBadRequest:
		case http.StatusGone:
			if face.get("/v1/events?after="+escape(into[refusal](a, a.Code).Error.Fields["oldest"])).Code != http.StatusOK {
				t.Fatalf("the oldest cursor told for %q is none", cursor)
			}
		default:
			t.Fatalf("status %d: %s", a.Code, a.Body)
		}
	})
}
