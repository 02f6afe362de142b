// Package redis asks Redis servers, and what speaks as they do: one INFO per poll, and CLUSTER NODES where cluster mode
// is on.
//
//	{"username": "muster", "password_file": "redis", "tls": true, "tls_ca_file": "redis-ca.pem"}
//
// The options are those of a login and of TLS (package probe). The user needs no more than +info and +cluster|nodes. A
// password is read each time a connection is made, so that it may be rotated; where it cannot be read the reason is
// authentication. It goes over the wire as Redis takes it: in the clear, unless TLS is on.
//
// # What is reported
//
// One INFO, and not a section at a time, so that role and offset are of one moment. state is joining while the server loads
// its data, else up; in cluster mode a server that loads does not tell its slots, so it is unreachable, store_unavailable, and
// the view keeps its last word. The shard is "0"; in cluster mode it is the slots, such as "0-5460", of the node itself or of the
// primary it follows, and a node without slots holds no shard. So primary and replicas meet under one id through a
// failover, and a move of slots shows as one shard for another. The role is primary, replica, or recovering for a replica
// that takes the whole data from its primary. The offset is the replication offset in bytes.
//
// The lag of a replica is 0 while its link is up: the primary sends every write at once, and how far a replica is behind
// in bytes only the primary could say. While the link is down it is the time since it went down; for a link that never was
// up there is none.
//
// node_id stays empty: Redis draws its run_id anew at each start, and a restart is no change of identity. Attributes are
// redis_mode, maxmemory and, for replicas, master_link_status.
//
// # Connections
//
// go-redis pools, dials, retries and backs off by rules of its own. Here a poll has one connection and one try, so a client
// of go-redis is made around one connection that was dialed under muster's rules, cannot dial another, and ends with it. It
// is kept between polls (probe.Links).
//
// go-redis makes room for whatever length a reply announces. So what it reads is looked at first (guard): a reply of more
// than 1 MiB, announced or sent, or of too many parts, ends the connection before any room is made.
package redis
