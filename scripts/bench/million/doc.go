// Package million checks the sums for groups that are too large to be run here: the real state and the real scheduler of one
// leader, stepped beat by beat in virtual time, with workers that only say "unchanged" a little after they were given a
// claim. There is no network, no raft and no poll in it. What it measures is what the leader does beside those, what every
// peer does to apply the log, and how large everything is; what it leaves out is measured with real processes.
//
// A part's CPU is that of the one thread it runs on, so that neither a busy machine nor the garbage collector's own threads
// are in it; Result.CPU is the whole process's and holds the collector too.
package million
