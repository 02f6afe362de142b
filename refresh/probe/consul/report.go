package consul

import (
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/fsm"
)

// report is what Consul says of the instance of a node.
func (s *settings) report(node string, i *instance) fsm.Report {
	r := fsm.Report{
		Node: node, Reachable: true, Kind: s.kind, Version: i.Service.Meta["version"],
		Attributes: map[string]string{"consul_node": i.Node.Node},
	}
	r.State, r.StateReason, r.StateDetail = judge(i.Checks)
	r.Bound()
	return r
}

// verdicts are what checks can say, the worst first.
var verdicts = []struct{ status, state, reason string }{
	{api.HealthMaint, fsm.StateLeaving, "maintenance"},
	{api.HealthCritical, fsm.StateDown, "critical"},
	{"", fsm.StateUnknown, ""},
	{api.HealthWarning, fsm.StateUp, "warning"},
}

// judge is what the worst checks say; the detail names them.
func judge(checks []check) (state, reason, detail string) {
	worst := len(verdicts)
	var names []string
	for _, c := range checks {
		status := statusOf(c)
		rank := rankOf(status)
		switch {
		case rank == len(verdicts) || rank > worst:
			continue
		case rank < worst:
			worst, names, reason = rank, nil, status
		}
		names = append(names, first(c.Name, c.CheckID))
	}
	if worst == len(verdicts) {
		return fsm.StateUp, "", ""
	}
	if v := verdicts[worst]; v.state != fsm.StateUnknown {
		reason = v.reason
	}
	return verdicts[worst].state, reason, strings.Join(names, ", ")
}

// statusOf is a check's status, or maintenance for the checks that stand for it.
func statusOf(c check) string {
	if c.CheckID == api.NodeMaint || strings.HasPrefix(c.CheckID, api.ServiceMaintPrefix) {
		return api.HealthMaint
	}
	return c.Status
}

// rankOf is a status's place among the verdicts; one past the end for passing.
func rankOf(status string) int {
	if status == api.HealthPassing {
		return len(verdicts)
	}
	unknown := 0
	for i, v := range verdicts {
		switch v.status {
		case "":
			unknown = i
		case status:
			return i
		}
	}
	return unknown
}
