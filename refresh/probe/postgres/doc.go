// Package postgres asks PostgreSQL servers, from version 10 on: one query per poll, in one round trip.
//
//	{"username": "muster", "password_file": "postgres", "database": "postgres", "tls": true, "tls_ca_file": "pg-ca.pem"}
//
// The options are those of a login and of TLS (package probe), and the database to connect to. The username is muster and the
// database postgres unless they say otherwise. The user needs to be let in and nothing more:
//
//	CREATE ROLE muster LOGIN PASSWORD '…';
//	GRANT pg_monitor TO muster; -- if replicas shall know of WAL that has not reached them, see below
//
// A password is read each time a connection is made, so that it may be rotated. Without TLS it is only ever proven, by SCRAM
// or MD5; a server that wants it in the clear gets it over TLS alone. Kerberos is not spoken. Ask servers themselves: a
// pooler in between (PgBouncer) answers for a server of its own choice, and refuses the settings of the session.
//
// # What is reported
//
// One SELECT, so that role and positions are of one moment: pg_is_in_recovery, server_version, pg_control_system,
// pg_stat_wal_receiver, pg_current_wal_lsn or the positions last received and replayed, pg_last_xact_replay_timestamp.
//
// The state is up. A server that starts, stops or lets nobody in (SQLSTATE 57P03) answers no question, so it is unreachable
// with store_unavailable and its own words, and the view keeps what it said before; a report without version and shards would
// be taken for their loss. The same holds for a standby with hot_standby off.
//
// The one shard is "0", on primary and replicas, whatever the timeline. The role is primary; replica in recovery; recovering
// in recovery while no WAL was streamed since the start, as it is for a standby that restores from an archive or waits for
// its first connection. The offset is a position in the WAL in bytes: what a primary has written, what a replica has
// replayed.
//
// cluster_id is the system identifier, which a cluster has from initdb on and its replicas share. There is no node_id. A
// replica has the attribute wal_receiver: streaming, another of the server's words, or none.
//
// # Lag
//
// Neither the positions nor the time of the last replayed transaction is a lag by itself: a primary that is idle for an hour
// would make all its replicas an hour late. So the lag is 0 while the replica streams and has replayed all WAL that is known
// to exist, and else the time since the commit of what it replayed last. WAL that the primary has written but not sent is
// known only to users with pg_monitor (latest_end_lsn); without it, a replica behind a slow network counts as caught up with
// what has reached it.
//
// The first write after an idle hour is for a moment WAL that waits behind a transaction of an hour ago. So where WAL waits
// and the last transaction is older than a second, the server is asked again, 100 ms later: what waited at the first look
// and is replayed at the second is no lag. One case remains: a long transaction after a long idle time looks late until its
// first commit.
//
// A replica that does not stream has no lag when it has replayed all it has: how far it is behind cannot be known there, and
// the time since its last transaction would say the same of a dead primary and an idle one. Its wal_receiver changes.
//
// # Connections
//
// One connection for each server is kept between polls (probe.Links), and one try is made. The session is read-only, finds
// names in pg_catalog alone, calls itself muster, and ends a question after 5 s, the longest a poll may take. A server that
// restarted has left its farewell in the kept connection; then a new one is made and asked at once.
//
// pgconn takes defaults from libpq's variables and files; all are set over, save that a PGSERVICE of the peer's own has to name
// a service there is: without it nothing is asked, and the error says so. pgconn would cancel a question by a second
// connection, which it is not given. What it reads is bounded: 256 KiB in a poll, 64 KiB in a message. It keeps every setting
// that a server announces, so after 1 MiB a connection is not used again. And it would do up to ten million rounds of
// SCRAM for any server that asks, seconds that no context ends, so its first word is looked at before (guard).
package postgres
