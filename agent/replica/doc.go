// Package replica is the group's state on one peer: as raft applies entries to it, and as the parts of the peer read it and
// are woken by it.
//
// A Machine applies one entry after the other, in one step each. Nothing is skipped: after an entry or snapshot that this release
// does not know, or that cannot be applied, nothing more is, and the peer is told to end. A snapshot is of the moment it was
// begun, whatever is applied while it is written.
//
// What an entry grants to this peer goes into the queues that its workers take from, and what it touches to the leader's
// scheduler: nobody polls the state. The queues hold nothing until they are opened, so that no ghosts of old claims are worked on
// while the log is applied again.
package replica
