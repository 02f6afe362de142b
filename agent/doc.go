// Package agent is one running peer: raft, its log and its transport, gossip, leadership, and the parts of muster wired
// together around one replicated state.
//
// # Rooms
//
// What stays here needs the whole peer. What does not has a room of its own, and none of them knows an Agent:
//
//   - the log and the state: consensus (what stands between raft and its parts), boltstore (the log on disk), snapshots, replica (the
//     state as raft and the workers see it), entries (what a leader writes);
//   - the disk: datadir, space, backup, namedfile (what settings name); offline, for a peer that is stopped;
//   - the others: peerport, gossip, keyring, cert, bootstrap (how a group is founded), consul;
//   - the peer itself: life (what runs, and until when), mint (ids and secrets), host;
//   - what it tells: monitor (its log), trace, measures, fleet.
//
// # How a write travels
//
// Propose takes a command to the leader, one hop at most over the peer port. The leader's batch puts what is hurried into an entry
// within a few milliseconds, and what is not once a beat together with the claims the scheduler grants. Raft commits the entry;
// the replica applies it on every peer. On each peer, what an entry granted to it goes into its claim queues, from which the refresh
// worker and the discovery runner take; on the leader, what it touched goes to the scheduler. Nobody polls the state. A request to a
// leader is given up once raft knows another: a lost machine takes longer to dial than a new leader to be found (askLeader).
//
// Raft tells a follower that an entry is committed with the next entry, or where none comes after CommitTimeout to twice that. So
// long events at a follower would be late, workers know nothing of their claims, and reads wait. Therefore the leader's herald
// tells it at once, in raft's own words: one small request for each other peer and beat. CommitTimeout is 250 ms, for a word
// of the herald that is lost: at 50 ms, raft's requests alone were half of what an idle group costs.
//
// # How a read is fresh
//
// The leader says how far its state is, once it has made sure that it still leads (term.index); the peer that was asked waits
// until its own replica is as far and serves the read itself. Raft's own indexes are not used for this: it never gives
// barriers and configurations to the state, so an idle group would wait for ever.
//
// # Leadership
//
// Everything leader-only is in lead, and has ended when lead returns. Raft merges its signals: on every one the work is
// stopped, joined, and begun anew if this peer leads. The first entry of a term says who leads; time is the leader's clock,
// which never falls behind the state nor stands still. Whoever lives tells a new leader so within a tenth of a second: the claims
// of a peer that is not heard in the first second of a term go to others, as do those of one that falls silent for three.
// A signal may come late: in a term that was regained before it came nothing is written or served (term.lasts).
//
// A leader compares its wall clock with those of the other voters, which each tells in its word. Over 30 s from their median
// it says so and gives leadership to the voter nearest to it: a jump forward of logical time is for good. Of two clocks that
// differ nobody knows which is right, so there leadership stays.
//
// # Membership
//
// A peer's id is a ULID, born with its data directory, and is also its raft address; where an id is to be found is gossip's
// business and never enters the log. A peer without a log founds the group together with the others it was told to expect
// (package bootstrap), or asks to be taken in. It is added as a non-voter, and promoted once it has caught up while fewer
// vote than settings say. Who is heard over the peer port is alive; gossip only makes a failure known sooner.
//
// A voter is let go, by whomever, only where a quorum of those that are left is heard (standing.go): a configuration that nobody
// can agree on cannot be undone while the group runs. A dead peer is removed by itself only where settings ask for it, one at a
// time and while all is calm (dead.go). How long it is dead is logical time in its row, which outlives leaders; below three voters
// a standby votes first, and gossip, elsewhere a hint, has a veto: whom it sees is not dead. Steps on gossip keys are taken by the
// leader, in turn, each after it has looked whom it would cut off.
//
// # Reload
//
// What may change while a peer runs is one value (live) that a reload replaces whole; the parts that use it begin anew then. A
// configuration that cannot be read changes nothing, and neither does one of whose files, or of whose words for the others, one
// cannot be used: all is prepared before anything is taken over. Discoveries that a configuration declares are applied when the peer has
// started and after each reload, not kept equal all the time: two peers with different files would undo each other for ever.
// They are not deleted when a configuration no longer holds them, since a lost file must not take clusters with it.
//
// # Where others reach it
//
// A peer listens on three addresses and tells the others three, which need not be the same (advertise.go). One option stands for all
// three, as Consul's does, and there is one for each where a port differs. What is told counts as an address of the peer's: off
// loopback it needs all that protects one, and no record may have the peer ask itself there.
//
// # A snapshot from the leader
//
// It takes the place of the log: what it covers is cleared from there, so that nothing is left of entries that the group never
// agreed on. Entries that go on from it stay, since this peer has said that it has them. Raft tells the leader how far it is by
// log entries alone; the place of the snapshot is therefore answered for as if it were one of them (consensus.Logs).
//
// # Traces
//
// What package trace follows goes from the API through Propose to the leader by a header of peer-HTTP, and through the log by
// nothing: a claim's spans find each other by what the claim is. A tracer runs from before all else until after it.
//
// # Stopping
//
// In order: the API and the workers, claims given back, leadership handed over, gossip's farewell, a snapshot when much was
// applied since the last one (the next start would apply it all again), leader work, raft, its streams, the peer port, the
// log store, the directory's lock. What New did is undone last first, also when New itself fails half-way.
//
// # What ends the process
//
// An entry or snapshot this release does not know (fsm.ErrNewer, exit code 78), an error of the log store, being removed from
// the group, which a peer without a leader asks the others about, since nobody tells it, and a state that came from a restore
// which the group never got. The log store fails with its disk: a write or sync that fails, no room left, a write that takes
// over 10 s, damage that is met. A disk that runs low ends nothing: leadership goes elsewhere, then operators' writes are refused
// (room.go). Nothing is skipped and nothing is guessed.
//
// # Restores
//
// A backup that is restored replaces the state in one step between two terms' work (restore.go). What the leader keeps of its
// group is read after a barrier, so a leader without a majority restores nothing. It may still be lost before the others have
// the state; stranded.go tells a peer that is left with it from one that is only behind.
package agent
