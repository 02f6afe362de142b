// Package world simulates a whole group in one goroutine and virtual time, with an adversary, and checks after every step
// what must hold whatever happens.
//
// # What is real
//
// fsm.State of every peer, with its log entries, snapshots and restores as bytes; the Scheduler and Clock of whoever leads;
// the Worker's rounds (refresh.Steps: whom to ask, tags, early parts, what is passed over, comparing, parts, tries on moved
// bases, what is gathered as unchanged); the Runner's runs (discovery.Runner.Do: reading, shaping, the guard, parts).
//
// # What is a model
//
// Raft is an ideal log: an ordered list of entries, of which those in flight are kept or lost when the leader changes, and
// which each peer applies at its own pace. Proposals travel to the leader, and their results back, through a network that
// loses, repeats and delays them. Nodes and sources are models that say what the adversary wants. How the agent puts
// commands into entries, who is heard, when a nudge is tried again, how a peer gives its claims back and when the feature level
// is raised are written down here once more (leader.go, ask.go, nudge.go, stop.go, level.go), since in the agent they live in
// goroutines: what is found to be wrong there, other layers must find. An operator's restore is an entry that all peers take up
// whole; a leader that restores and is lost before the others agree is left to the scenarios in virtual time.
//
// # What is checked
//
// A state of the checker's own applies each entry as it is committed, before any peer does, and what it did is held against
// the commands, the claims, the reads and the answers that led to it; every peer must then do the same. A restore takes the
// checker back to what it knew when the backup was made, and no further: claims, tokens, indexes, time and epochs go on. Readers
// follow the events of any peer by their cursors meanwhile. On copies of the state two sources are read in either order. A
// violation names the invariant, and the seed replays to the same trace: nothing here reads a clock, a map's order or a global
// source of chance.
//
// Left out: elections, disks, sockets, and who may do what.
package world
