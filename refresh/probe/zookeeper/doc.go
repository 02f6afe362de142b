// Package zookeeper asks ZooKeeper servers: the word srvr over a connection of its own, once per poll.
//
//	{"tls": true, "tls_ca_file": "zk-ca.pem", "tls_cert_file": "muster.pem", "tls_key_file": "muster-key.pem"}
//
// The options are those of TLS (package probe), for targets whose port is the server's secureClientPort. It wants a
// certificate of whoever connects, unless ssl.clientAuth says otherwise. There is no login: words need none. srvr is the
// one word that servers allow whatever 4lw.commands.whitelist says; so it is asked, and mntr is not, which must be
// allowed, has no transaction id, and is a hundred numbers that nobody here wants.
//
// # What is reported
//
// version is what stands before the build's hash. The shard is "0". Its role is primary for the leader and for a server
// that stands alone, replica for a follower, and else ZooKeeper's own word, such as observer. Its offset is the id of the
// last transaction the server applied, unit "zxid": the epoch, which each new leader begins, in the upper 32 bits, and a
// counter in the lower. There is no lag: nothing tells for how long a server has been behind. There are no attributes, and
// no node_id nor cluster_id: a server's number is told by other words only, and an ensemble has no id.
//
// state is one of
//
//	down, not_serving   the server takes part in no quorum: it looks for a leader, takes over its data, or starts. It then
//	                    tells no version, and its role is looking
//	down, read_only     it lost the quorum and serves old data to clients that asked for that (role read-only)
//	up                  else
//
// # Connections
//
// The client library dials and reconnects by rules of its own, and its four-letter words take no dialer and read without
// bound. Four letters and a text are soon spoken: the connection is dialed under muster's rules (probe.Links), and no more
// than 64 KiB are read. The server closes it after the answer, so none is kept. Nothing follows the word, not even an end
// of line: what a server has not read when it closes makes the system take the answer back.
package zookeeper
