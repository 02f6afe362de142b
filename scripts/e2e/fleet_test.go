package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// fleet is clusters that `muster fleet` plays.
type fleet struct {
	clusters, nodes int
	file, control   string
}

func (w *world) fleet(clusters, nodes int) *fleet {
	w.Helper()
	f := &fleet{clusters: clusters, nodes: nodes, file: filepath.Join(w.rig.Dir, "fleet.json")}
	var err error
	f.control, err = rig.Addr()
	w.must(err)
	port, err := rig.Port()
	w.must(err)
	_, err = w.rig.Start("fleet", program, "fleet", "-clusters", strconv.Itoa(clusters), "-nodes", strconv.Itoa(nodes),
		"-port", strconv.Itoa(port), "-file", f.file, "-control-addr", f.control)
	w.must(err)
	w.until("the fleet to be ready", func(ctx context.Context) error {
		return f.call(ctx, http.MethodGet, "", nil)
	})
	return f
}

func (f *fleet) cluster(i int) string       { return fmt.Sprintf("fleet-%05d", i) }
func (f *fleet) node(cluster, i int) string { return fmt.Sprintf("fleet-%05d-%d", cluster, i) }

// discovery is the setting of one that lists the fleet; all is done every two seconds.
func (f *fleet) discovery() object {
	return object{
		"backend": "file", "config": object{"files": []string{f.file}}, "interval": "2s",
		"refresh": object{"interval": "2s", "timeout": "1s"},
	}
}

// act makes something happen to a node, or to the cluster when node is empty.
func (w *world) act(f *fleet, verb, cluster, node string) {
	w.Helper()
	w.must(f.call(w.soon(), http.MethodPost, "/"+verb, object{"cluster": cluster, "node": node}))
}

func (f *fleet) call(ctx context.Context, method, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+f.control+"/v1/fleet"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(res.Body)
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, answer.String())
	}
	return nil
}

// allHealthy waits until a peer shows so many healthy clusters.
func (w *world) allHealthy(p *rig.Peer, clusters int) {
	w.Helper()
	w.until(fmt.Sprintf("%d healthy clusters", clusters), func(ctx context.Context) error {
		rows, err := httpd.All(ctx, httpd.List{Limit: 1000}, p.API.Clusters)
		if err != nil {
			return err
		}
		healthy, not := 0, ""
		for _, c := range rows {
			if c.Health == fsm.HealthHealthy {
				healthy++
			} else {
				not = fmt.Sprintf("; %s is %s %v", c.Name, c.Health, c.Reasons)
			}
		}
		if healthy != clusters || len(rows) != clusters {
			return fmt.Errorf("%d of %d are%s", healthy, len(rows), not)
		}
		return nil
	})
}
