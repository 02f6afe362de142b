// Package mongodb asks MongoDB servers, and what speaks as they do: hello and, of members of a replica set,
// replSetGetStatus, one of each per poll.
//
//	{"username": "muster", "password_file": "mongodb", "auth_source": "admin", "tls": true, "tls_ca_file": "mongo-ca.pem"}
//
// The options are those of a login and of TLS (package probe), and auth_source, the database that knows the user, default
// admin. Logins are by SCRAM-SHA-256 or, where the user has no other, SCRAM-SHA-1; never by PLAIN, so that no password goes
// over the wire. A password is read each time a connection is made.
//
// The user needs replSetGetStatus on the cluster, which the role clusterMonitor holds; narrower is
//
//	db.getSiblingDB("admin").createRole({role: "muster", roles: [],
//	  privileges: [{resource: {cluster: true}, actions: ["replSetGetStatus"]}]})
//
// Without that right, and without a login, hello still tells who is primary, secondary and arbiter, but no lag, and of the
// others not why they serve nobody; the state's detail says what is missing. Servers from MongoDB 3.6 on are known, and
// isMaster is asked of those that do not know hello.
//
// # What is reported
//
// A member holds one shard: its replica set, by the set's name, so that all members meet under it. Its role and the node's
// state follow the member's state:
//
//	PRIMARY          primary     up
//	SECONDARY        replica     up
//	ARBITER          arbiter     up
//	STARTUP          recovering  joining, startup
//	STARTUP2         recovering  joining, startup2     takes its first copy
//	RECOVERING       recovering  down, recovering      serves nobody; too far behind to catch up, or in maintenance
//	ROLLBACK         recovering  down, rollback        serves nobody
//	REMOVED          no shard    leaving, removed
//	not initialised  no shard    joining, not_initialised
//
// RECOVERING and ROLLBACK are down, not joining: a new member passes through the first for a moment, but one that stays
// there needs somebody. UNKNOWN and DOWN are what others say of a member, and states unknown here. With hello alone one
// that serves nobody is recovering and unknown, neither_primary_nor_secondary, or unknown, no_configuration.
//
// The offset is the time of the last write in whole seconds since 1970: a full optime does not fit the numbers that readers
// of JSON have. The lag is how much older that write is than the primary's, as this member knows of it from heartbeats, so
// it may be some seconds off; it is 0 when the member is ahead of what it knows, and there is none when it knows no primary
// or has copied nothing yet. A delayed member's lag is what it lacks beyond its delay.
//
// node_id is the address the set knows the member by. cluster_id stays empty: a set's name is no identity, and its id is
// told only to those who may read its configuration. The version is buildInfo's, or where that is refused the release that
// the server's version of the protocol came with, as "7.0". Attributes are process (mongod or mongos), config_server,
// hidden and delay_seconds. A router and a server on its own hold no shard: there is nobody to meet.
//
// # Connections
//
// A poll is two commands over one kept connection (probe.Links); a new connection adds buildInfo and the login. Only the
// target is ever asked: no host that an answer names is dialed.
//
// Of MongoDB's driver its documents (bson) are used, and not its client. For each server that keeps a second connection and
// three goroutines to watch it, 48 KiB in all against 7 here; it makes room for whatever a message announces, up to 48 MB;
// and it hashes a password as often as a server asks, which here is bounded (probe.CheckScram). A command and its answer are
// one message each (OP_MSG), which is little enough to write and read here. At most 1 MiB is read in a poll.
package mongodb
