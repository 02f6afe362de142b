// Package consul asks Consul about nodes: one query of the health of a service's instances for a whole cluster. It is for
// nodes that have Consul's own checks and nothing else that could be asked.
//
//	{"address": "127.0.0.1:8500", "token_file": "consul", "datacenter": "eu-1",
//	 "service": "orders-db", "kind": "postgres"}
//
// All keys may be left out. address is a host and a port, by default 127.0.0.1:8500, and dialed under the peer's own rules:
// a peer that is not itself bound to loopback needs an allow-list that holds the address. service is the cluster's name by
// default; with service_label it is what that label of a node says, where a node has it, and a cluster of several services
// is several queries, one after the other. match is "id" (default) or "address", below. datacenter, namespace and partition
// are sent if set. "stale": true lets any server answer that is at most 10 s behind its leader. kind is told of every node.
// The others are those of a token or a login and of TLS (package probe); the token is sent as Bearer.
//
// No CONSUL_* variable plays a part. Those belong to the peer's own Consul, which discovery reads; a config that names
// another address must not be sent that one's token, and every peer is to ask the same place in the same way.
//
// The token needs service "orders-db" {policy = "read"} and node_prefix "" {policy = "read"}.
//
// # Which instance is which node
//
// An instance's node id is its muster-node meta, else its service id, as discovery/consul has it. With "match": "address"
// a node is the instance at its address and port (muster-address and muster-port, else the service's address or its
// node's, and its port), for nodes that another source lists under ids of its own. Only one of the two, and not one where
// the other fails: a service that is registered anew under another id would then be two nodes at one address, and the gone
// one would be as well as the new. Two instances for one node fail the refresh, since neither can be told from the other.
//
// # What is reported
//
// What Consul says of the checks of the instance and of its machine, the worst first:
//
//	maintenance mode          leaving, reason maintenance: someone took it out of service and nothing failed
//	a critical check          down, reason critical
//	a status unknown here     unknown, with that word
//	a warning                 up, reason warning
//	else, or no checks        up
//
// The detail names the checks; what they printed is left to Consul, which shows it to whom it may. The version is the
// meta's "version". The attribute consul_node is the machine. There are no shards and no node_id: Consul knows of neither.
//
// A node whose instance Consul does not list is unreachable, reason not_in_consul: nobody there can be asked about it, so
// its state stays the last word. Another peer confirms it like any failure.
//
// # A failed answer is no answer
//
// Consul is a third party. The refresh fails, and no node changes, when Consul cannot be reached or answers with anything
// but 200, when the answer is cut short, malformed or over 64 MiB, came without a known leader or from a server more than
// 10 s behind it, or was filtered by ACLs. So it does when a service has no instances at all: a token without rights, a
// wrong name or data centre look just like it. Servers before 1.11 do not say when they leave out some instances for want of
// rights; there the token must be given all of the above.
//
// # Decisions
//
//   - Consul's leader is asked unless stale is set, so that health never goes back in time from one poll to the next.
//   - The query is made by probe.Web and not by the client of consul/api, which fills what a config leaves out (token,
//     namespace, a switched-off TLS verification) from CONSUL_* variables and cannot be told not to.
//   - At most 16 queries of one prober are under way at once; an agent allows a client 200 connections. The others wait.
//   - An answer is decoded one instance at a time, and only what the targets need is kept.
package consul
