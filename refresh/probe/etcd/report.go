package etcd

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/client/v3"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// report is what a status says of the node that was asked under this id.
func report(node string, s *clientv3.StatusResponse) (fsm.Report, error) {
	if s.Version == "" || s.Header == nil || s.Header.MemberId == 0 {
		return fsm.Report{}, refresh.NewFault(fsm.ReasonProtocol, "is no etcd server: its status names no version or no member")
	}
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		Kind: "etcd", Version: s.Version,
		NodeID: hex(s.Header.MemberId), ClusterID: hex(s.Header.ClusterId),
		Shards: []fsm.Shard{{ID: "0", Role: role(s), Offset: offset(s)}},
	}
	kinds, alarms := alarmsOf(s.Errors)
	switch {
	case kinds["CORRUPT"]:
		r.State, r.StateReason = fsm.StateDown, "corrupt"
	case s.Leader == 0:
		r.State, r.StateReason, r.StateDetail = fsm.StateDown, "no_leader", "the member knows no leader"
	case kinds["NOSPACE"]:
		r.StateReason = "nospace"
	}
	if alarms != "" {
		r.Attributes = map[string]string{"alarms": alarms}
	}
	r.Bound()
	return r, nil
}

func role(s *clientv3.StatusResponse) string {
	switch {
	case s.IsLearner:
		return "learner"
	case s.Leader == s.Header.MemberId:
		return fsm.RolePrimary
	}
	return fsm.RoleReplica
}

// offset is how far the member has applied the log, or before 3.4 how far it knows it committed.
func offset(s *clientv3.StatusResponse) *fsm.Offset {
	index := s.RaftAppliedIndex
	if index == 0 {
		index = s.RaftIndex
	}
	if index > math.MaxInt64 {
		return nil
	}
	return &fsm.Offset{Value: int64(index), Unit: "index"}
}

var (
	alarmKind   = regexp.MustCompile(`\balarm:\s*(\w+)`)
	alarmMember = regexp.MustCompile(`\bmemberID:\s*(\d+)`)
)

// alarmsOf reads the alarms among a status's errors, each the text form of a message: "memberID:2 alarm:NOSPACE", spaced
// as releases please. They come back by kind, and as one text.
func alarmsOf(errs []string) (kinds map[string]bool, all string) {
	kinds = map[string]bool{}
	var list []string
	for _, text := range errs {
		kind := alarmKind.FindStringSubmatch(text)
		if kind == nil {
			continue
		}
		kinds[kind[1]] = true
		alarm := kind[1]
		if member := alarmMember.FindStringSubmatch(text); member != nil {
			id, _ := strconv.ParseUint(member[1], 10, 64) // more than a number holds is no id, and shows as its largest
			alarm += " " + hex(id)
		}
		list = append(list, alarm)
	}
	slices.Sort(list)
	return kinds, strings.Join(slices.Compact(list), ", ")
}

// hex is an id as etcd's own tools print it; empty for none.
func hex(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 16)
}
