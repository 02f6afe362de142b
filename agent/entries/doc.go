// Package entries is what a leader writes into the log: the commands of one term, put into entries, each with its logical time.
//
// What is hurried shares an entry with whatever comes within a few milliseconds, and what is not goes once a beat, together with the
// leader's own commands. So the rate of entries is bounded by time, however many commands there are. Results come back in order.
//
// Nothing comes into the log but through a Batch, and a Batch lets nothing in that the group's feature level does not. When it is
// closed it refuses what waits; what raft has already been given has its outcome all the same.
package entries
