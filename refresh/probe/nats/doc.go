// Package nats asks NATS servers over their monitoring port: /varz and /healthz, and /jsz where streams are wanted.
//
//	{"monitor_port": 8222, "streams": true, "tls": true, "tls_ca_file": "nats-ca.pem"}
//
// The target's port is the monitoring port (http_port or https_port of the server), or, with "monitor_port", that port of
// the target's address: so nodes may be listed with the port that clients use. The other options are those of package
// probe's Web. NATS asks nobody at its monitoring port to log in; a login or token is for a proxy before it.
//
// # What is reported
//
// kind is nats, version what the server says. node_id is server_name where one is set; a server without one is named by its
// server_id, which is drawn anew at each start. cluster_id is the cluster's name, unless it has the form of those that
// servers without one draw (22 letters and digits). Attributes are jetstream (off, single or clustered) and, in a
// super-cluster, gateway, its cluster's name there.
//
// state is up, except that it is
//
//   - joining, "starting", while clients cannot connect and none ever did;
//   - leaving, "lame_duck", when clients cannot connect any more;
//   - joining, "no_meta_leader", while a server of a JetStream cluster knows of no meta leader: it never heard from one, or
//     is cut off from the majority;
//   - down, "jetstream_unavailable", when JetStream is configured and has been disabled, as after an error of its disk.
//
// A server of a JetStream cluster holds the shard "_meta_", the group of servers that places streams: primary on its leader,
// replica elsewhere. It has neither offset nor lag, since only the leader knows how far the others are, and nodes speak only
// for themselves. Where gateways make a super-cluster, the meta group spans its clusters and its leader may be in another
// one: there the roles are leader and replica, so that nobody misses a primary.
//
// With "streams", a stream that the server holds is the shard ACCOUNT/STREAM: primary on its leader or only server, else
// replica, with its last sequence as the offset. It is off by default: the answer costs the server a walk over all streams
// under locks that clients need, and a fleet's streams come and go by its applications' will. A server with more than 256,
// or with 4,096 accounts, reports none, for a part of them would seem to lack primaries; asking how many there are is cheap.
//
// # Decisions
//
// /varz holds the meta leader, so most polls are two small pages. /healthz is asked whether the server and its JetStream are
// there (js-enabled-only, js-enabled before 2.10) and no more: the whole check walks every stream, and blames the server for
// one that lags. It alone tells that clients cannot connect; that this is the end and no start is told by the clients there
// were. Servers before 2.7 have no such page, and count as healthy.
//
// nats.go is not needed: a client asks over the client port, as a user of the system account, and its answer holds no more
// than these pages, which are open to any HTTP client. Who may reach the port sees everything: bind it to where muster asks.
package nats
