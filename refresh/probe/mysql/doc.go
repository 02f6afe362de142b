// Package mysql asks MySQL servers from 5.7 on, MariaDB servers from 10.2 on, and what speaks as they do: two or three short
// SHOWs per poll.
//
//	{"username": "muster", "password_file": "mysql", "tls": true, "tls_ca_file": "mysql-ca.pem"}
//
// The options are those of a login and of TLS (package probe). The username is muster unless it says otherwise. The user needs
// one right, and in a replication group another:
//
//	CREATE USER muster@'%' IDENTIFIED BY '…';
//	GRANT REPLICATION CLIENT ON *.* TO muster@'%'; -- MariaDB from 10.5 on: REPLICA MONITOR
//	GRANT SELECT ON performance_schema.replication_group_members TO muster@'%';
//
// A password is read each time a connection is made, so that it may be rotated. Without TLS it is only ever proven, by
// caching_sha2_password, client_ed25519 or mysql_native_password, never shown. caching_sha2_password proves it only to a
// server that has seen it since its start, and else wants to see it; so MySQL 8 needs TLS. (Servers offer a key to encrypt it
// with, but in the clear that may be anybody's key.)
//
// # What is reported
//
// SHOW GLOBAL VARIABLES, SHOW REPLICA STATUS in the words that the server knows (MariaDB: SHOW ALL SLAVES STATUS), and where
// MySQL's GTIDs are on gtid_executed. The kind is mysql or mariadb, the state up. A server that starts does not listen yet:
// connection_refused.
//
// The one shard is "0". The role is replica where a source is configured, whether or not it is followed just now, since a
// stopped replica is no primary; else primary. Two servers that replicate from each other are both replicas. Offsets count
// transactions, so that those of a primary and its replicas compare: all GTIDs of gtid_executed; for MariaDB, whose GTIDs are
// a sequence in each domain, the sum of gtid_current_pos over the domains. A replica's own writes count, too. Positions in
// binlog files differ between servers, so without GTIDs there is no offset.
//
// The lag is Seconds_Behind_Source, of several channels the worst; none is known while a channel does not receive or does not
// apply, whatever the server says of it then. It is what the replica knows: of a source behind a slow network, it learns late.
//
// node_id is server_uuid, and for MariaDB, which has none, server_id. Attributes are read_only (off, on or super) and, for
// replicas, source, replica_io and replica_sql: where it replicates from, and whether it receives and applies. Several
// channels are told in the order of their names.
//
// In a replication group cluster_id is the group's name. Where it has one primary the roles are primary and replica; where
// all are written to, the role is online. A member that recovers is joining and recovering; one in error, or in no group, is
// down. On a Galera node cluster_id is the cluster's UUID and the role its own word (synced), since there, too, every node
// is written to, and none is the primary; offsets are writesets. A node in a minority is down with non_primary, one that
// joins is joining.
//
// What could make a primary of another server by mistake is no answer: a status of replication without the column that names
// the source is a protocol fault, and MariaDB is told by its variables and not only by its version, which can be set at will.
//
// # Connections
//
// One connection for each server is kept between polls (probe.Links), and one try is made. A server that restarted, or that
// ends idle sessions, has left its farewell in the kept connection; then a new one is made and asked at once.
//
// The protocol is spoken here, and not by go-sql-driver/mysql. That takes what a server says for granted: a greeting that is
// cut short, or an answer that announces 2^44 columns, makes it panic; it makes room for any number of columns and for packets
// of 16 MiB before it has seen them; and a panic in a login leaves a goroutine behind. Nothing outside of it can look at what
// comes through TLS. What a poll needs of the protocol is small: packets, a login, one kind of answer. Here packets are at
// most 64 KiB, answers 256 columns and rows, a poll 512 KiB, and requests for files are no answer.
package mysql
