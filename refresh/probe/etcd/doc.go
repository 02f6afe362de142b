// Package etcd asks etcd members, of the releases from 3.3 on: one Maintenance.Status per poll, of the member itself.
//
//	{"tls": true, "tls_ca_file": "etcd-ca.pem", "tls_cert_file": "muster.pem", "tls_key_file": "muster-key.pem"}
//	{"username": "muster", "password_file": "etcd"}
//
// The options are those of a login and of TLS (package probe); the certificate is for members with client-cert-auth.
//
// # Rights
//
// Where authentication is on, some releases (3.4 among them) tell their status to anybody all the same, and others only to
// users with the role root; there is no smaller right. So a poll asks without a login first, and logs in when it is refused:
// each login is an entry in etcd's log, and without a leader there is none to be had. The token is kept for as long as it
// is good, and the password is read anew for each login. It goes over the wire in the clear, unless TLS is on. A wrong
// password is not noticed by members that do not ask for it.
//
// # What is reported
//
// version, node_id and cluster_id are the member's; the ids are hexadecimal, as etcd's tools print them, and stay through
// restarts. The shard is "0". Its role is primary for the leader, replica for a follower, and learner. Its offset is the
// index of the log up to which the member has applied, unit "index". There is no lag: the member knows how many entries it
// is behind, but not for how long.
//
// state follows what etcd itself calls ready:
//
//	down, corrupt     any member raised the alarm CORRUPT: none takes writes, and some data is wrong
//	down, no_leader   the member knows no leader: it can neither write nor read what is surely current
//	up, nospace       any member raised the alarm NOSPACE: reads and deletes are served, other writes are not
//	up                else, learners too
//
// The one attribute is alarms, such as "NOSPACE 8e9e05c52164694d": the alarms and the members that raised them. The size of
// the database would change with every poll.
//
// A member that never yet found a leader accepts connections and does not answer: the reason is timeout.
//
// # Connections
//
// etcd's client dials each status anew, retries and logs by rules of its own, and its connections see only texts of what
// went wrong. So its calls are given a gRPC connection made here: it is dialed under muster's rules, never through a
// proxy, only when a poll wants it, and never again by itself; it is kept between polls (probe.Links). TLS is done before
// gRPC, so that its errors keep their reasons. gRPC tells garbage from frames of unlawful length by text alone, so the
// frames are looked at first (guard).
package etcd
