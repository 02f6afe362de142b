package httpd

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
)

// prometheusTargets streams all nodes as Prometheus' http_sd reads them, one entry each.
func (s *Server) prometheusTargets(w http.ResponseWriter, r *http.Request) error {
	rd, err := parseReading(r.URL.Query())
	if err != nil {
		return err
	}
	g, err := s.settle(w, r, rd, []fsm.Set{fsm.SetClusters})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	deadlines := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 32<<10)
	separator := "["
	for c := range g.Clusters("") {
		// Not every writer has deadlines to set; the server's own do.
		_ = deadlines.SetWriteDeadline(time.Now().Add(writeTimeout))
		for n := range g.Nodes(c.ID) {
			raw, err := json.Marshal(entryOf(c, n))
			if err != nil {
				return err
			}
			out.WriteString(separator) //nolint:errcheck // a broken writer says so at Flush
			if _, err := out.Write(raw); err != nil {
				return nil // the client is gone
			}
			separator = ","
		}
	}
	if separator == "[" {
		separator = "[]"
	} else {
		separator = "]"
	}
	out.WriteString(separator) //nolint:errcheck // a broken writer says so at Flush
	if err := out.Flush(); err != nil {
		s.log.Debug("answer not delivered", "path", r.URL.Path, "error", err)
	}
	return nil
}

// entry is a Targets as it is written: one node, its labels in the order of their names, without a map for each.
type entry struct {
	Targets [1]string `json:"targets"`
	Labels  struct {
		Cluster string `json:"cluster"`
		Health  string `json:"health"`
		Node    string `json:"node"`
		Role    string `json:"role"`
	} `json:"labels"`
}

func entryOf(c *fsm.Cluster, n *fsm.Node) (e entry) {
	e.Targets[0] = net.JoinHostPort(n.Endpoint.Address, strconv.Itoa(n.Endpoint.Port))
	e.Labels.Cluster, e.Labels.Health, e.Labels.Node, e.Labels.Role = c.Name, c.Health, n.ID, roleOf(n)
	return e
}

// roleOf is one word for a node over all its shards: primary when it is that of any, else what it is for the first.
func roleOf(n *fsm.Node) string {
	role := ""
	for i := range n.Said.Shards {
		switch s := &n.Said.Shards[i]; {
		case s.Role == fsm.RolePrimary:
			return fsm.RolePrimary
		case role == "":
			role = s.Role
		}
	}
	return role
}
