package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what is looked at of Grafana's JSON.
type dashboard struct {
	Title, UID string
	Templating struct {
		List []struct {
			Name, Type string
			Datasource source
			Definition string
		}
	}
	Annotations struct {
		List []struct {
			Name, Expr string
			Datasource source
		}
	}
	Panels []panel
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct {
		Expr, LegendFormat, RefID string
		Datasource                source
	}
}

// filled is an expression as Grafana would send it.
func filled(expr string) string {
	return strings.NewReplacer("$job", "muster", "$__rate_interval", "1m").Replace(expr)
}

// TestDashboard: the dashboard can be loaded as it is, into any Grafana with any Prometheus; its panels stand beside each other and say
// what they show; and each expression is one that Prometheus takes, over metrics and labels that there are.
func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, home+"/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) < 20 {
		t.Errorf("%q (%s) has %d panels", d.Title, d.UID, len(d.Panels))
	}
	if v := d.Templating.List; len(v) != 2 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[1].Name != "job" ||
		v[1].Definition != "label_values(muster_agent_leader, job)" {
		t.Errorf("its variables are %+v", v)
	}
	known, places, ids := knownMetrics(t), map[[2]int]string{}, map[int]bool{}
	var exprs []string
	for _, a := range d.Annotations.List {
		known.judge(t, a.Name, filled(a.Expr))
		if exprs = append(exprs, filled(a.Expr)); a.Datasource != (source{"prometheus", "${datasource}"}) {
			t.Errorf("%s is of %v", a.Name, a.Datasource)
		}
	}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q is not the only one with its id, or has no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		p.stand(t, places)
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Description == "" || p.Datasource != (source{"prometheus", "${datasource}"}) {
			t.Errorf("%s has %d queries of %v, and says %q", p.Title, len(p.Targets), p.Datasource, p.Description)
		}
		for i, q := range p.Targets {
			if q.Datasource != p.Datasource || q.RefID != string(rune('A'+i)) {
				t.Errorf("%s: query %s is of %v", p.Title, q.RefID, q.Datasource)
			}
			labels := known.judge(t, p.Title, filled(q.Expr))
			for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: %s has no label %s for its legend", p.Title, q.Expr, m[1])
				}
			}
			exprs = append(exprs, filled(q.Expr))
		}
	}
	parsed(t, exprs)
}

// stand puts a panel on the grid, 24 wide, where no other one may be.
func (p *panel) stand(t *testing.T, places map[[2]int]string) {
	t.Helper()
	if g := p.GridPos; g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
		t.Errorf("%s stands at %+v", p.Title, g)
	}
	for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
		for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
			if other := places[[2]int{x, y}]; other != "" {
				t.Errorf("%s lies over %s", p.Title, other)
				return
			}
			places[[2]int{x, y}] = p.Title
		}
	}
}

// parsed has the real promtool parse expressions, as those of recording rules.
func parsed(t *testing.T, exprs []string) {
	t.Helper()
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for i, e := range exprs {
		rules = append(rules, rule{fmt.Sprintf("panel:%d", i), e})
	}
	raw, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, raw)
	promtool(t, home, "check", "rules", path)
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
