// Package fsm is what muster knows: the domain types, the commands of the log, the replicated state and the pure functions
// every proposer uses.
//
// It has no clock, no I/O, no goroutine and no chance, and it does not import raft: time and ids come with the commands,
// and every peer that applies the same log holds the same bytes.
//
// # Facts, not logic
//
// Whatever a release might compute differently (differences, presence, health) is computed before the log by Diff, Derive
// and Enlist in the proposer, and travels as facts: typed, with exact before and after. Apply only checks (claim, base,
// existence) and folds. Fold is the only way a view changes, and each type of fact owns one part of the view through one
// lens, so that facts fold into views and unfold out of them, and there is no silent change and no phantom event.
//
// Fold trusts no proposer: a fact that changes nothing, or whose after the view would not give back as it was told, is
// refused, since every view must unfold to the first kept event. That encodes each fact twice more, some 2 µs, and only
// what changed has facts. Restore trusts no snapshot either, whatever its digest: rows must find what they point at, and
// counts be those of the rows, because a later entry that met a hole would panic on every peer at once.
//
// # Versions
//
// A cluster's version is the raft index of the last entry that changed it, one of its nodes, or whether a source lists one
// of them. Every command that touches a cluster names the version it was computed from and is refused when it has moved.
//
// # Membership
//
// Each listing moves only by the full reads of its own discovery, and a node's sources, endpoint and presence follow from
// its listings. A discovery gives its own listing up when its own remove_after has passed, whether others list the node or
// not, and the node goes with its last listing. An absent source therefore shows among a node's sources for up to its
// remove_after, though another lists the node; in return readings of different discoveries commute, nothing is removed on
// the word of a source that was not read, and no run writes another discovery's rows.
//
// # Outside the fold
//
// Schedules, claims and notes are rows of their own: due times, counters of failed polls, first odd rounds, how the last
// twenty rounds went. They never move an index that readers watch, and only a claim's holder or Apply writes them.
//
// # The operator's word
//
// What operators set on the group, a discovery, a cluster or a node is kept where it was set, and what holds is laid from it
// whenever it is asked for (Layers): nothing is copied down, so nothing can be out of step. Guards are judged by the proposer
// of a transition, on the version of the cluster that its command names; what failures and sources do to a cluster passes
// them, since refusing to see a fact would not undo it.
//
// # Two releases in one group
//
// While a group is upgraded, peers of two releases apply one log and must come to the same bytes. So what a release adds waits
// for the group's feature level, which is raised once all understand it (FeatureRaise): a new field raises the version of its
// command, a version names the level it needs, and Admit, in the one place through which proposals go, lets none in too early.
// A command is written in the lowest version that holds what it says, so below the level it is what it was. Golden files of
// every level hold this (testdata/README.md).
//
// # At rest
//
// A hundred thousand nodes must fit into a small peer, and most rows are not looked at for hours. What the database adds to a
// row is more than a packed node, so nodes and listings are kept one string each in a row of their cluster, events encoded in
// pages of 64, and a subject's claim beside its schedule, in a tree of their own without the watch channels that the database
// makes for each row. Reading unpacks, for some 2 µs a node; logs and snapshots know nothing of it. Keys of numbers fan out by
// sixteen, since each write copies the nodes of the tree it goes through.
//
// # What is cut
//
// A node may say more than is kept. What is left out is by order of id, so that all peers leave out the same, and an
// attribute says so. A shard that was cut away is not given up: its known primary stays known until another node claims it.
package fsm
