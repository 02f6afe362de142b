package httpd_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	httpd "github.com/musterhq/muster/http"
)

// paper is the description as these tests hold requests and answers against it: closed, so that a field that it leaves out is
// an error here, though readers are told to ignore such fields.
type paper struct {
	doc    *openapi3.T
	router routers.Router
}

var papers = sync.OnceValues(func() (*paper, error) {
	raw, err := httpd.Description()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	for _, s := range doc.Components.Schemas {
		if len(s.Value.Properties) > 0 && s.Value.AdditionalProperties.Has == nil { // it does not say that it is open
			no := false
			s.Value.AdditionalProperties.Has = &no
		}
	}
	router, err := gorillamux.NewRouter(doc)
	return &paper{doc: doc, router: router}, err
})

func described(t testing.TB) *openapi3.T {
	t.Helper()
	p, err := papers()
	if err != nil {
		t.Fatal(err)
	}
	return p.doc
}

// holds checks an answer against the description, and the request if it was answered with success.
func (p *paper) holds(r *http.Request, body []byte, w *httptest.ResponseRecorder) error {
	ask := r.Clone(r.Context())
	if ask.Method == http.MethodHead {
		ask.Method = http.MethodGet
	}
	route, vars, err := p.router.FindRoute(ask)
	if err != nil {
		if w.Code < http.StatusBadRequest {
			return fmt.Errorf("is not described, and answered with %d", w.Code)
		}
		return p.fits("Error", w.Body.Bytes())
	}
	if err := p.answer(route.Operation, w); err != nil || w.Code >= http.StatusBadRequest {
		return err
	}
	return p.request(ask, body, route, vars)
}

// answer checks status, headers and body.
func (p *paper) answer(o *openapi3.Operation, w *httptest.ResponseRecorder) error {
	res := o.Responses.Status(w.Code)
	if res == nil {
		if res = o.Responses.Default(); w.Code < http.StatusBadRequest {
			return fmt.Errorf("does not describe the status %d", w.Code)
		}
	}
	for name, h := range res.Value.Headers {
		if h.Value.Required && w.Header().Get(name) == "" {
			return fmt.Errorf("the answer lacks the header %s", name)
		}
	}
	known := http.Header{}
	for name := range res.Value.Headers {
		known.Set(name, "")
	}
	for name := range w.Header() {
		if known[name] == nil && strings.HasPrefix(name, "X-Muster-") && w.Code < http.StatusBadRequest {
			return fmt.Errorf("does not describe the header %s", name)
		}
	}
	kind, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
	content := res.Value.Content.Get(kind)
	switch {
	case content == nil && w.Body.Len() > 0:
		return fmt.Errorf("does not describe an answer of %d in %q", w.Code, kind)
	case content == nil || kind != "application/json":
		return nil
	}
	return fits(content.Schema.Value, w.Body.Bytes())
}

// request checks parameters and body.
func (p *paper) request(r *http.Request, body []byte, route *routers.Route, vars map[string]string) error {
	for name := range r.URL.Query() {
		known := func(ps openapi3.Parameters) bool { return ps.GetByInAndName(openapi3.ParameterInQuery, name) != nil }
		if !known(route.Operation.Parameters) {
			return fmt.Errorf("does not describe the parameter %s", name)
		}
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: vars, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: true},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		return err
	}
	if route.Operation.RequestBody == nil {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	content := route.Operation.RequestBody.Value.Content.Get(kind)
	if content == nil {
		return fmt.Errorf("does not describe a body in %q", kind)
	}
	if kind != "application/json" && kind != "application/merge-patch+json" {
		return nil
	}
	return fits(content.Schema.Value, body)
}

// fits checks JSON against a schema of the description by its name.
func (p *paper) fits(name string, raw []byte) error {
	return fits(p.doc.Components.Schemas[name].Value, raw)
}

func fits(schema *openapi3.Schema, raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("%w: %.200s", err, raw)
	}
	if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("%w: %.2000s", err, raw)
	}
	return nil
}

// checks holds a request and its answer against the description.
func checks(t testing.TB, r *http.Request, body []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	p, err := papers()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.holds(r, body, w); err != nil {
		t.Errorf("%s %s: the description %s", r.Method, r.URL, err)
	}
}
