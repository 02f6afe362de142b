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
// # Versions
//
// A cluster's version is the raft index of the last entry that changed it, one of its nodes, or whether a source lists one
// of them. Every command that touches a cluster names the version it was computed from and is refused when it has moved.
//
// # Outside the fold
//
// Schedules, claims and notes are rows of their own: due times, counters of failed polls, first odd rounds. They never
// move an index that readers watch, and only a claim's holder or Apply writes them.
package fsm
