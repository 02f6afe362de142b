package world

import (
	"time"

	"github.com/musterhq/muster/fsm"
)

// RunBroken simulates a world in which something is found to be wrong at a time.
func RunBroken(c Config, at time.Duration, panics bool) Result {
	return run(c, func(w *World) {
		w.after(at, func() {
			if panics {
				panic("broken")
			}
			w.fail("I0", "broken")
		})
	})
}

// Kinds are the kinds of faults, and of what must have come about for the checks to have had anything to check.
func Kinds() []string {
	out := []string{
		"fault request lost", "fault answer lost", "fault request comes again", "entry kept by the next leader",
		"entry lost with its leader", "entry of a leader that leads no more", "outcome unknown", "restore", "trim", "passed over", "asked once more", "not modified",
		"part of a refresh", "part of a run", "moved run.complete", "already run.complete", "refused refresh.complete",
		"refused run.complete", "expired ttl", "expired peer_gone", "nudge granted", "nudge kept",
		"granted refresh confirm", "granted refresh odd", "granted refresh asked", "granted run nudge", "granted run delete",
		"event node.unreachable", "event node.missing", "event node.removed", "event node.returned", "event node.forgotten",
		"event discovery.held", "event discovery.released", "event shard.primary_lost", "event shard.primary_duplicated",
		"restored", "sources in either order", "cursor of a history that was cut", "cursor before the first event",
		"given back since the cluster kept moving while it was refreshed", "given back since the peer is stopping",
		"not admitted", "event shard.lag_high", "event node.attribute_muted", "event node.identity_mismatch", "event cluster.removed",
	}
	for _, kind := range fsm.KindNames() {
		if kind != "group.create" {
			out = append(out, "done "+kind)
		}
	}
	for _, acts := range [][]act{groupActs, fleetActs, sourceActs, operatorActs} {
		for _, a := range acts {
			out = append(out, "fault "+a.name)
		}
	}
	for _, fault := range sourceFaults {
		out = append(out, "fault "+fault)
	}
	return out
}
