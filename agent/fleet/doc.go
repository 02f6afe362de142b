// Package fleet tells Prometheus about the clusters and nodes that a group watches, from the replica of the peer that is asked.
//
// All peers tell the same, as of what each has applied; where only one is wanted, it is the one with muster_agent_leader 1.
// Times are told as times, not as ages: they are the same on all peers and stand still while nothing happens. No label holds the
// name of a cluster or node; discoveries are named, since they are few and each is somebody's to mend.
//
// A scrape counts again only the clusters that changed since the last one (fsm.Tally).
package fleet
