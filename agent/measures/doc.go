// Package measures tells Prometheus what raft and memberlist measure of themselves.
//
// Both send what they measure to go-metrics, under names of their own, in milliseconds, as summaries that cannot be added up, and
// without a word on what is meant. A Sink takes of that what an operator can use, each by the table in table.go: named and
// measured as all of muster's metrics are, durations as histograms in seconds. All are there from the start, before anything was
// measured; what the table does not have is left out. What carries a peer's id is told for all peers together: which of them is
// slow shows in their own metrics.
package measures
