package fleet

import (
	"fmt"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
)

// metricsPath is where a node says about the same as in the node protocol in the text format of Prometheus, so that what one
// costs can be measured beside the other.
const metricsPath = "/metrics"

func (p poll) appendMetrics(b []byte, now time.Time) []byte {
	d := p.document(p.node, p.answer, now)
	up := 0
	if d.State == fsm.StateUp {
		up = 1
	}
	body := fmt.Appendf(make([]byte, 0, 256), "node_up %d\n", up)
	series := func(name, shard string, value float64) {
		body = fmt.Appendf(body, "%s{shard=%q} ", name, shard)
		body = append(strconv.AppendFloat(body, value, 'f', -1, 64), '\n')
	}
	for _, s := range d.Shards {
		primary := 0.0
		if s.Role == fsm.RolePrimary {
			primary = 1
		}
		series("node_shard_primary", s.ID, primary)
		series("node_shard_offset_bytes", s.ID, float64(s.Offset.Value))
		if s.LagMS != nil {
			series("node_shard_lag_seconds", s.ID, float64(*s.LagMS)/1000)
		}
	}
	b = fmt.Appendf(b, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n", len(body))
	return append(b, body...)
}
