// Package kafka asks Kafka brokers, with ZooKeeper or KRaft, and what speaks as they do: one Metadata request per poll, and
// DescribeQuorum where a broker takes it.
//
//	{"sasl": "scram-sha-512", "username": "muster", "password_file": "kafka", "tls": true, "topics": ["orders"]}
//
// The options are those of a login and of TLS (package probe), and
//
//   - sasl: scram-sha-512, scram-sha-256, plain, or plain-unencrypted, which is plain without TLS and has to be asked for
//     by that name. It is needed beside a username. A password is read each time a connection is made.
//   - topics: those that matter; default all. None is created by asking for it.
//   - max_partitions: how many partitions of a broker are reported as shards, default 256, at most 1023.
//
// The user needs DescribeConfigs and Describe on the cluster, and Describe on the topics. Without a right on a topic a
// broker passes over it and does not say so, unless it is one of the option topics. Wanted is a listener for clients,
// not the one of KRaft's controllers. Brokers from Kafka 1.1 on are known.
//
// # Which broker answers
//
// Only the target is ever asked, and who it is must come from itself. The addresses that brokers advertise do not tell it:
// they differ by listener, and behind address translation or a port forward they may be another broker's. What tells it is
// DescribeConfigs. A broker gives its configuration to those who name its own id, and refuses every other; so one request
// names all ids in the metadata, and exactly one is answered for. It is asked once per connection. A broker that cannot be
// told is unreachable (authentication or store_unavailable), and never has a role.
//
// # What is reported
//
// node_id is the broker's id and cluster_id Kafka's own. The version is the release whose requests the broker takes, as
// "3.7", or "4.4+" when it takes later ones than are known here; it is empty for what takes a mixture, as brokers do in the
// middle of an upgrade. state is up, or down with the reason fenced when the broker does not count itself among those that
// take part.
//
// The shard "controller" is the cluster's own metadata. With ZooKeeper each broker holds it, and the controller is the
// primary. With KRaft the metadata names any broker as the controller, so DescribeQuorum is asked; only brokers that
// are controllers too hold the shard, and where controllers are processes of their own nobody does. A broker holds that
// question back while no controller leads; after a second it is given up, and the role is unattached, Kafka's own word.
// A controller's offset and lag are the leader's word, not the node's, and left out.
//
// Each partition that a broker holds a replica of is a shard, as "orders-0". Its role is primary for the leader,
// replica, or recovering when not in sync. Offsets would cost one more request, about every partition, and are left out.
// When any broker of the cluster holds more than max_partitions, none lists them: all brokers see the same metadata and
// so judge alike, and no primary is listed whose replicas are not. The attribute partitions then holds the number on
// this broker.
//
// Attributes are words that stay the same while nothing is wrong: out_of_sync (a replica here is behind),
// under_replicated (a partition led from here has a replica that is), leaderless (a partition held here has no leader), and
// rack and process_roles where they are set. Numbers of these move all the time in a large cluster, and would be muted.
//
// A broker answers from its own copy of the metadata. One that is cut off from the controllers tells what it knew last, and
// may call itself the leader of what others lead by now.
//
// # Connections
//
// A poll is two requests over one kept connection; a new connection adds ApiVersions, DescribeConfigs and the login. Of
// franz-go its messages (kmsg), logins (sasl) and table of releases (kversion) are used, not its client (kgo): that keeps
// goroutines and 40 KiB more for each broker, a connection for each kind of request, and retries by rules of its own.
//
// Whatever a broker announces, no room is made before it comes. At most 8 MiB are read in a poll, some 150,000 partitions
// of three replicas; with more the reason is too_large, and topics can name those that matter. Long answers are read
// piece by piece, since kmsg makes room for announced counts and follows them to their end.
package kafka
