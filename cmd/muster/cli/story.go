package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// story tells what an event says: before -> after, and why. Types that are not known tell what differs.
func story(e *httpd.Event) string {
	tell := stories[e.Type]
	if tell == nil {
		tell = differences
	}
	words := []string{tell(e)}
	if _, word, _ := strings.Cut(string(e.Type), "."); e.Maintenance && word != "maintenance" {
		words = append(words, "(in maintenance)")
	}
	if e.Cause.Kind == fsm.CauseOperator {
		by := []string{"operator", e.Cause.Accessor, e.Cause.Address}
		by = slices.DeleteFunc(by, func(s string) bool { return s == "" })
		words = append(words, "("+strings.Join(by, " ")+")")
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

var stories = map[fsm.EventType]func(*httpd.Event) string{
	fsm.ClusterDiscovered: func(*httpd.Event) string { return "" }, fsm.ClusterRemoved: func(*httpd.Event) string { return "" },
	fsm.ClusterHealthChanged: healthStory, fsm.ClusterVersionsMixed: versionsStory, fsm.ClusterVersionsUniform: versionsStory,
	fsm.NodeDiscovered: arrivalStory, fsm.NodeRemoved: departureStory, fsm.NodeForgotten: departureStory,
	fsm.NodeMissing: presenceStory, fsm.NodeReturned: presenceStory,
	fsm.NodeCommissioned: lifecycleStory, fsm.NodeMaintenance: lifecycleStory, fsm.NodeResumed: lifecycleStory,
	fsm.NodeDecommissioned: lifecycleStory,
	fsm.NodeUnreachable:    reachStory, fsm.NodeReachable: reachStory,
	fsm.NodeUp: stateStory, fsm.NodeDown: stateStory, fsm.NodeJoining: stateStory, fsm.NodeLeaving: stateStory,
	fsm.NodeUnknown:          stateStory,
	fsm.NodeIdentityMismatch: identityStory, fsm.NodeIdentityMatched: identityStory,
	fsm.ShardAdded: roleStory, fsm.ShardChanged: roleStory, fsm.ShardRemoved: roleStory,
	fsm.ShardLagHigh: lagStory, fsm.ShardLagOK: lagStory,
	fsm.ShardPrimaryChanged: primaryStory, fsm.ShardPrimaryLost: primaryStory, fsm.ShardPrimaryRestored: primaryStory,
	fsm.ShardPrimaryDuplicate: primaryStory,
	fsm.DiscoveryApplied:      appliedStory,
	fsm.DiscoveryDeleted:      func(*httpd.Event) string { return "" },
	fsm.DiscoveryFailed:       runStory, fsm.DiscoveryRecovered: runStory,
	fsm.DiscoveryHeld: heldStory, fsm.DiscoveryReleased: heldStory,
	fsm.ClaimExpired: expiredStory,
	fsm.PeerJoined:   peerStory, fsm.PeerLeft: peerStory, fsm.PeerFailed: peerStory, fsm.PeerReturned: peerStory,
	fsm.PeerDoubted: peerStory, fsm.LeaderChanged: leaderStory, fsm.OperatorActed: actStory,
	fsm.SchedulePaused: pausedStory, fsm.ScheduleResumed: pausedStory,
	fsm.ACLBootstrapped: tokenStory, fsm.TokenCreated: tokenStory, fsm.TokenDeleted: tokenStory,
	fsm.StateRestored: restoredStory,
}

// sides is both sides of an event; one that is not there, or is of a newer release and reads otherwise, is zero.
func sides[P any](e *httpd.Event) (before, after P) {
	_ = json.Unmarshal(e.Before, &before)
	_ = json.Unmarshal(e.After, &after)
	return before, after
}

// became tells two words as a change, and one alone as itself.
func became(before, after string) string {
	switch {
	case before == after || before == "":
		return after
	case after == "":
		return before + " -> none"
	}
	return before + " -> " + after
}

// because adds a reason.
func because(what, reason, detail string) string {
	if reason != "" {
		what += ": " + reason
	}
	if detail != "" {
		what += " (" + detail + ")"
	}
	return what
}

func healthStory(e *httpd.Event) string {
	before, after := sides[fsm.HealthPart](e)
	return because(became(before.Health, after.Health), strings.Join(after.Reasons, ", "), "")
}

func versionsStory(e *httpd.Event) string {
	before, after := sides[fsm.VersionsPart](e)
	return became(strings.Join(before.Versions, ", "), strings.Join(after.Versions, ", "))
}

func arrivalStory(e *httpd.Event) string {
	_, n := sides[fsm.NodePart](e)
	return fmt.Sprintf("%s, %s, from %s", hostPort(n.Address, n.Port), n.Lifecycle, strings.Join(n.Sources, ", "))
}

func departureStory(e *httpd.Event) string {
	n, _ := sides[fsm.NodePart](e)
	return fmt.Sprintf("was %s, %s", hostPort(n.Address, n.Port), n.Lifecycle)
}

func tokenStory(e *httpd.Event) string {
	before, after := sides[fsm.TokenPart](e)
	t := after
	if t.Accessor == "" {
		t = before
	}
	words := []string{rights(t.Rights)}
	if t.Description != "" {
		words = append(words, strconv.Quote(t.Description))
	}
	switch {
	case t.Expires == 0:
	case e.Cause.Kind == fsm.CauseGroup:
		words = append(words, "expired "+t.Expires.String())
	default:
		words = append(words, "until "+t.Expires.String())
	}
	return strings.Join(words, ", ")
}

func presenceStory(e *httpd.Event) string {
	before, after := sides[fsm.PresencePart](e)
	return became(string(before.Presence), string(after.Presence))
}

func lifecycleStory(e *httpd.Event) string {
	before, after := sides[fsm.LifecyclePart](e)
	return became(string(before.Lifecycle), string(after.Lifecycle))
}

func reachStory(e *httpd.Event) string {
	before, after := sides[fsm.ReachPart](e)
	return because(became(before.Reach, after.Reach), after.Reason, after.Detail)
}

func stateStory(e *httpd.Event) string {
	before, after := sides[fsm.StatePart](e)
	text := because(became(before.State, after.State), after.Reason, after.Detail)
	if s := after.Said; s != nil {
		text += ": first answer, " + strings.TrimSpace(s.Kind+" "+s.Version)
		if len(s.Shards) > 0 {
			text += ", " + roles(s.Shards)
		}
	}
	return text
}

func identityStory(e *httpd.Event) string {
	_, after := sides[fsm.IdentityPart](e)
	if !after.Mismatch {
		return "is " + after.Cluster + "/" + after.Node
	}
	return fmt.Sprintf("says it is %s/%s, not %s/%s", after.SaysCluster, after.SaysNode, after.Cluster, after.Node)
}

func roleStory(e *httpd.Event) string {
	before, after := sides[fsm.ShardPart](e)
	return became(before.Role, after.Role)
}

func lagStory(e *httpd.Event) string {
	before, after := sides[fsm.LagPart](e)
	switch {
	case after.High != nil:
		return "lag " + span(after.High.LagMS)
	case before.High != nil:
		return "lag was " + span(before.High.LagMS)
	}
	return ""
}

func primaryStory(e *httpd.Event) string {
	before, after := sides[fsm.PrimaryPart](e)
	switch after.State {
	case fsm.PrimaryLost:
		return "was " + dash(after.Primary)
	case fsm.PrimaryDuplicated:
		return strings.Join(after.Nodes, " and ")
	}
	return became(before.Primary, after.Primary)
}

func appliedStory(e *httpd.Event) string {
	if e.Before != nil {
		return differences(e)
	}
	_, after := sides[fsm.DiscoveryPart](e)
	return fmt.Sprintf("%s every %s", after.Backend, after.Interval)
}

func runStory(e *httpd.Event) string {
	_, after := sides[fsm.RunPart](e)
	return after.Error
}

func heldStory(e *httpd.Event) string {
	held, after := sides[fsm.HeldPart](e)
	if after.Count > 0 {
		held = after
	}
	return fmt.Sprintf("%d of %s absent, held set %s", held.Count, these(held.Owned), held.Hash)
}

func expiredStory(e *httpd.Event) string {
	_, after := sides[fsm.ExpiredPart](e)
	return because(counted(after.Count, "claim", "claims"), after.Reason, "")
}

func peerStory(e *httpd.Event) string {
	before, after := sides[fsm.PeerPart](e)
	return because(became(before.Status, after.Status), after.Reason, "")
}

func leaderStory(e *httpd.Event) string {
	before, after := sides[fsm.LeaderPart](e)
	return fmt.Sprintf("%s, term %d", became(before.Name, after.Name), after.Term)
}

func actStory(e *httpd.Event) string {
	_, after := sides[fsm.ActionPart](e)
	return after.Action
}

func restoredStory(e *httpd.Event) string {
	_, after := sides[fsm.RestoredPart](e)
	return fmt.Sprintf("epoch %s ended at %d", after.Epoch, after.Seq)
}

const mostDifferences = 6

// differences tells which fields of an event's sides differ, and how.
func differences(e *httpd.Event) string {
	before, after := map[string]string{}, map[string]string{}
	flatten("", e.Before, before)
	flatten("", e.After, after)
	keys := map[string]bool{}
	for _, m := range []map[string]string{before, after} {
		for k := range m {
			if before[k] != after[k] {
				keys[k] = true
			}
		}
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if len(out) == mostDifferences {
			out = append(out, fmt.Sprintf("and %d more", len(keys)-mostDifferences))
			break
		}
		out = append(out, k+" "+became(before[k], after[k]))
	}
	return strings.Join(out, ", ")
}

// flatten is the plain values of a JSON text by their paths; lists are told whole.
func flatten(path string, raw json.RawMessage, into map[string]string) {
	var inner map[string]json.RawMessage
	if json.Unmarshal(raw, &inner) == nil && inner != nil {
		for k, v := range inner {
			at := k
			if path != "" {
				at = path + "." + k
			}
			flatten(at, v, into)
		}
		return
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if path != "" && path != "name" && path != "index" && text != "" {
		into[path] = text
	}
}
