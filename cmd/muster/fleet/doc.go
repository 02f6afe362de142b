// Package fleet plays clusters of nodes that speak the node protocol, for demonstrations, tests and benchmarks: N clusters
// of M nodes, each node on a loopback address of its own, in as few resources as a poll needs, since at 100,000 nodes it
// shares two cores with what it is to measure.
//
//	f, err := fleet.New(fleet.Config{Clusters: 100, File: "/tmp/fleet.json", ControlAddr: "127.0.0.1:8656"})
//	err = f.Run(ctx)
//
// Cluster 42 is fleet-00042, its third node fleet-00042-2; the first node is the primary and the rest are replicas until a
// failover. Addresses count up from Base, cluster by cluster. Offsets grow with the wall clock, and the lag of a replica
// wanders between 1 and 40 ms, so that a steady fleet is still and yet not frozen.
//
// # Promises
//
//   - Nothing but this machine can reach a node or the control endpoint.
//   - A node keeps its connections as long as the client does, until it is stopped.
//   - Run returns when ctx has ended and what it registered in Consul is taken back (within half a minute), and with it
//     end its connections and its processes, also when it is killed.
//   - What is told to the control endpoint is in force when that answers.
//
// # How it listens
//
// Up to 1,000 nodes each have a listener. A stopped node has none, and pollers see connection_refused, as from a machine
// whose process is dead.
//
// For more, one listener serves them all: bound to every address, and to the device lo before that (SO_BINDTODEVICE,
// which needs no privilege since Linux 5.7). A connection's own local address says which node is asked. A socket bound to
// lo takes only packets that came in by lo, which are this machine's own: no address of another interface, and no route
// from outside, leads there. A connection to an address that is no node's (this machine's own outer address, say, which
// Linux routes over lo) is reset. The price is that a listener which is open for one address is open for all: a stopped
// node's connections are accepted by the kernel and reset by us, and pollers see connection_reset. Config.Listen chooses
// by hand, and where the shared listener is not to be had each node gets its own again.
//
// # Several processes
//
// A process plays as many nodes as its limit of open files allows for Peers connections to each. Beyond that Run starts
// this program again, with the share to play in the environment, and stands between the control endpoint and the shares;
// a program that calls Run therefore asks IsShare first. The shared listener becomes one per process on the same port
// (SO_REUSEPORT), all opened by the parent, with a filter in the kernel that picks the process by the address that is
// called. The processes hold the read end of a pipe and end when it closes, so none outlives its parent.
//
// # Decisions
//
//   - A goroutine per connection, with 256 bytes to read into, and a responder of our own. Bare models of the choices, polled
//     in beats of 100 ms over 5,000 connections on a busy machine, took 15 to 20 µs of CPU for a 304 so, 33 to 36 with
//     net/http and 13 to 17 in a loop over epoll, and 3.4, 18.3 and nearly 0 KiB of Go's memory for an idle connection. This
//     package itself took 20 µs over 15,000 connections and 5.4 KiB of resident memory for each; saturated (BenchmarkPoll)
//     9 µs against 19 for net/http. Epoll is for Linux alone, with timers, closing and descriptors to be done by hand, for
//     about 1 % of a core at 100,000 nodes in 30 s.
//   - At /metrics a node says the same in the text format of Prometheus, for that to be measured beside muster, and for
//     nothing else: it is made anew for each answer, as documents are.
//   - Of a node only the tag is computed beforehand. Documents are made when asked for, since steady pollers are answered
//     304, and a made document would be memory for every node.
//   - No deadline on reading: setting it costs more than the parsing, all clients are on this machine, and the kernel says
//     when one dies.
//   - Churn happens in the parent and through the same door as an operator's actions, so one seed gives one story for any
//     number of processes.
//   - A discovery file is left in place at the end. It says who ought to exist, which a stop does not change, and muster
//     takes a pattern without a file for a failed read. Registrations in Consul are live and are taken back.
//   - Consul is written to by its catalog, as for services outside it, and not by the agent's own register call, though that
//     is the usual one: an agent looks through all it has at each change (some dozen changes a second at 2,000 services),
//     and would have to be told of every service at the end. In the catalog they hang on a Consul node named Prefix, and
//     removing that takes all of them back in one step. It needs node:write and service:write.
package fleet
