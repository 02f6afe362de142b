package httpd_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	httpd "github.com/musterhq/muster/http"
)

// TestDescriptionIsValid reads the document as OpenAPI 3.1, with its examples.
func TestDescriptionIsValid(t *testing.T) {
	doc := described(t)
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	if !doc.IsOpenAPI31OrLater() {
		t.Errorf("it says that it is %s", doc.OpenAPI)
	}
}

func TestDescriptionIsServedOnce(t *testing.T) {
	f := newFace(t)
	first := f.get("/v1/openapi.json")
	if into[map[string]any](first, http.StatusOK)["openapi"] != "3.1.0" {
		t.Errorf("it begins %.80s", first.Body)
	}
	etag := first.Header().Get("ETag")
	for _, have := range []string{etag, `"other", W/` + etag, "*"} {
		if again := f.get("/v1/openapi.json", "If-None-Match", have); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("with %s it is sent again, with %d", have, again.Code)
		}
	}
	if again := f.get("/v1/openapi.json", "If-None-Match", `"other"`); again.Code != http.StatusOK {
		t.Errorf("another one is answered with %d", again.Code)
	}
}

// TestRoutesAreDescribed compares the routes with the document, both ways: paths, methods, parameters in the query, and roles.
func TestRoutesAreDescribed(t *testing.T) {
	f := newFace(t, func(c *httpd.Config) { c.Debug = true })
	got := map[string]httpd.Route{}
	for path, item := range described(t).Paths.Map() {
		for method, o := range item.Operations() {
			route := httpd.Route{Params: []string{}, Need: needOf(t, o)}
			for _, p := range slices.Concat(item.Parameters, o.Parameters) {
				if p.Value.In == openapi3.ParameterInQuery {
					route.Params = append(route.Params, p.Value.Name)
				}
			}
			slices.Sort(route.Params)
			got[method+" "+path] = route
		}
	}
	if diff := cmp.Diff(f.server.Routes(), got); diff != "" {
		t.Errorf("the files in openapi differ from routes.go (-routes +description):\n%s", diff)
	}
}

// TestPathsAreDescribed looks for the names in paths, and for names that say what an operation is.
func TestPathsAreDescribed(t *testing.T) {
	ids := map[string]string{}
	for path, item := range described(t).Paths.Map() {
		for method, o := range item.Operations() {
			at := method + " " + path
			if before, ok := ids[o.OperationID]; ok || o.OperationID == "" || o.Summary == "" || len(o.Tags) != 1 {
				t.Errorf("%s has the name %q (of %q, too), the tags %q and the summary %q", at, o.OperationID, before, o.Tags, o.Summary)
			}
			ids[o.OperationID] = at
		}
		for _, p := range item.Parameters {
			if !strings.Contains(path, "{"+p.Value.Name+"}") || p.Value.In != openapi3.ParameterInPath {
				t.Errorf("%s has the parameter %q in its path", path, p.Value.Name)
			}
		}
	}
}

// needOf is the role that an operation says it needs.
func needOf(t *testing.T, o *openapi3.Operation) string {
	t.Helper()
	if o.Security == nil {
		t.Fatalf("%s does not say who may", o.OperationID)
	}
	needs := map[string]bool{}
	for _, way := range *o.Security {
		for _, roles := range way {
			needs[strings.Join(roles, " ")] = true
		}
	}
	switch all := slices.Collect(maps.Keys(needs)); {
	case len(all) == 0:
		return "public"
	case len(all) > 1:
		t.Fatalf("%s needs different roles: %q", o.OperationID, all)
	case all[0] == "":
		return "anybody"
	default:
		return all[0]
	}
	return ""
}

// TestDescribedSchemasAreUsed finds what nothing refers to any more.
func TestDescribedSchemasAreUsed(t *testing.T) {
	raw := newFace(t).get("/v1/openapi.json").Body.String()
	var doc struct {
		Components map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(raw), &doc); err != nil {
		t.Fatal(err)
	}
	for kind, all := range doc.Components {
		if kind == "securitySchemes" {
			continue
		}
		for name := range all {
			if !strings.Contains(raw, `"#/components/`+kind+`/`+name+`"`) {
				t.Errorf("nothing refers to %s %s", kind, name)
			}
		}
	}
}

// TestFollowedLinesAreDescribed holds a stream's lines against the description: events with their cursors, a heartbeat, an end.
func TestFollowedLinesAreDescribed(t *testing.T) {
	f := newFace(t)
	f.fleet()
	ctx, cancel := context.WithCancel(t.Context())
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(untilLine{w, cancel}, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events/follow", nil))
	o := described(t).Paths.Value("/v1/events/follow").Get
	line := o.Responses.Status(http.StatusOK).Value.Content["application/x-ndjson"].Schema.Value
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) < 10 {
		t.Fatalf("only %d lines came", len(lines))
	}
	for _, raw := range append(lines, `{"type":"end","cursor":"e1:2","error":{"code":"gone","message":"gone","fields":{"oldest":"e1:9"}}}`) {
		if err := fits(line, []byte(raw)); err != nil {
			t.Error(err)
		}
	}
}

// untilLine ends a stream once events were written.
type untilLine struct {
	*httptest.ResponseRecorder
	end func()
}

func (w untilLine) Write(b []byte) (int, error) {
	if strings.Contains(string(b), `"seq"`) {
		defer w.end()
	}
	return w.ResponseRecorder.Write(b)
}
