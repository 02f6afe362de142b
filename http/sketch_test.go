package httpd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// TestEachFieldOfAClusterFilters filters clusters by every field that one tells, with what it tells: it is found, whether or
// not the field takes a look at the nodes, and comes whole.
func TestEachFieldOfAClusterFilters(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.do("PATCH", "/v1/cluster/orders", `{"labels": {"tier": "gold"}, "group": "shop"}`)
	f.now += 300_000 // it is overdue
	rows := into[[]map[string]any](f.get("/v1/clusters"), http.StatusOK)
	i := slices.IndexFunc(rows, func(row map[string]any) bool { return row["name"] == "orders" })
	if want := 14; len(rows[i]) != want {
		t.Fatalf("it tells %d fields, not %d: %v", len(rows[i]), want, rows[i])
	}
	want, _ := json.Marshal(rows[i])
	for field, value := range rows[i] {
		for _, e := range filtersOf(field, value) {
			for _, filter := range []string{e, `name == "orders" and ` + e, `not (name == "carts") and ` + e} {
				var got []byte
				for _, row := range into[[]map[string]any](f.get("/v1/clusters?filter="+escape(filter)), http.StatusOK) {
					if row["name"] == "orders" {
						got, _ = json.Marshal(row)
					}
				}
				if string(got) != string(want) {
					t.Errorf("%s finds %s", filter, got)
				}
			}
		}
	}
}

// filtersOf are expressions that hold for what a field tells.
func filtersOf(field string, value any) []string {
	switch v := value.(type) {
	case []any:
		out := []string{field + " is not empty"}
		for _, element := range v {
			out = append(out, fmt.Sprintf("%q in %s", element, field))
		}
		return out
	case map[string]any:
		var out []string
		for key, held := range v {
			out = append(out, filtersOf(field+"."+key, held)...)
		}
		return out
	case float64:
		return []string{fmt.Sprintf("%s == %d", field, int(v))}
	}
	return []string{fmt.Sprintf("%s == %q", field, value)}
}
