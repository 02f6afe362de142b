package zookeeper

import (
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// What servers answer instead.
const (
	notServing = "This ZooKeeper instance is not currently serving requests"
	notAllowed = "is not in the whitelist"
)

// report is what an answer says of the node that was asked under this id.
func report(node, answer string) (fsm.Report, error) {
	switch {
	case strings.HasPrefix(answer, notServing):
		r := fsm.Report{
			Node: node, Reachable: true, State: fsm.StateDown, StateReason: "not_serving",
			StateDetail: "the server takes part in no quorum: it looks for a leader, or starts",
			Kind:        "zookeeper", Shards: []fsm.Shard{{ID: "0", Role: "looking"}},
		}
		return r, nil
	case strings.HasPrefix(answer, word) && strings.Contains(answer, notAllowed):
		return fsm.Report{}, refresh.NewFault(fsm.ReasonAuth,
			"the server does not allow the word %s: add it to 4lw.commands.whitelist", word)
	}
	fields := parse(answer)
	if fields["Zookeeper version"] == "" || fields["Mode"] == "" {
		return fsm.Report{}, refresh.NewFault(fsm.ReasonProtocol,
			"is no ZooKeeper server: what it answers to %s names no version or no mode", word)
	}
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		Kind: "zookeeper", Version: version(fields["Zookeeper version"]),
		Shards: []fsm.Shard{{ID: "0", Role: role(fields["Mode"]), Offset: offset(fields["Zxid"])}},
	}
	if fields["Mode"] == "read-only" {
		r.State, r.StateReason, r.StateDetail = fsm.StateDown, "read_only", "the server lost the quorum and serves old reads alone"
	}
	r.Bound()
	return r, nil
}

// parse reads lines of "name: value". The first of a name counts. A line without an end was cut short: its value would be
// another word.
func parse(answer string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(answer) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if _, again := fields[name]; ok && !again && strings.HasSuffix(line, "\n") {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields
}

// version is "3.8.4" of "3.8.4-9316c2a7a97e1666d8f4593f34dd6fc36ecc436c, built on 2024-02-12 22:16 UTC". What comes after
// the last dash says which sources it was built from.
func version(text string) string {
	text, _, _ = strings.Cut(text, ",")
	if i := strings.LastIndexByte(text, '-'); i > 0 {
		text = text[:i]
	}
	return text
}

func role(mode string) string {
	switch mode {
	case "leader", "standalone":
		return fsm.RolePrimary
	case "follower":
		return fsm.RoleReplica
	}
	return strings.ToLower(mode)
}

// offset is the id of the last transaction: the epoch of its leader in the upper half, a counter in the lower.
func offset(zxid string) *fsm.Offset {
	digits, ok := strings.CutPrefix(zxid, "0x")
	n, err := strconv.ParseUint(digits, 16, 63)
	if !ok || err != nil {
		return nil
	}
	return &fsm.Offset{Value: int64(n), Unit: "zxid"}
}
