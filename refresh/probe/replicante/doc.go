// Package replicante asks Replicante agents, of both generations, about the store they stand beside.
//
//	{"tls": true, "tls_ca_file": "agents-ca.pem", "tls_cert_file": "muster.pem", "tls_key_file": "muster.key"}
//
// The options are those of a login, of a token and of TLS (package probe); there are no others, and all may be left out. An
// agent needs to grant nothing but its read-only pages.
//
// # What is asked
//
// Three pages of JSON, over one kept connection:
//
//	second generation   /api/unstable/info/node, then /info/store and /shards of /info
//	first generation    /api/unstable/info/agent, /info/datastore, /shards
//
// The second generation is tried first, and the first when /info/node is 404. An agent of the first generation is
// remembered by its address, for up to 4,096 of them, and asked as such until it answers 404 too. What answers neither is no
// Replicante agent: protocol.
//
// # What is reported
//
//	                 second generation                    first generation
//	node_id          node_id (or id)                      node_id (or id, name)
//	cluster_id       cluster_id of /info/store            cluster_id (or cluster)
//	kind             store_id, as "mongo.replica"         kind, as "MongoDB"
//	version          store_version.number                 version
//	sidecar_version  agent_version.number                 version.number of /info/agent
//	attributes       the node's, then the store's         cluster_display_name
//
// Numbers and booleans in attributes become their text; null, lists and objects are left out.
//
// The state of the second generation is node_status: HEALTHY is up; JOINING_CLUSTER joining; LEAVING_CLUSTER leaving;
// UNHEALTHY down, reason unhealthy; UNAVAILABLE down, reason store_unavailable, and then no more is asked. NOT_IN_CLUSTER is
// unknown with the reason not_in_cluster, since it is said before a node joined and after it left. {"UNKNOWN": "why"} is
// unknown with that word, as any other is. A store page that fails (5xx) after HEALTHY is down, store_unavailable; after
// UNHEALTHY and those that join or leave the state stays, with that reason; after unknown ones it changes nothing. The first
// generation says no status: it is up when /info/datastore and /shards answer, and down, store_unavailable, when one of them
// fails; with /info/datastore kind is missing, too.
//
// While a store is unavailable neither version nor shards are reported, though agents go on to name the version: so the view
// keeps what the store said last.
//
// A shard's role is primary, replica (for secondary), recovering, or the word in {"Other": "ARBITER"} or {"unknown":
// "RECOVERING"} in lower case. An agent that names "primary" in such a way contradicts itself, and the shard is left out.
// The offset is commit_offset with its unit in words. The lag counts when its unit is seconds or milliseconds, and is not
// negative; in other units it is no time.
//
// The second generation's agent for MongoDB gives each member's own address as the id of its shard, so that a primary and
// its secondaries would never meet. A node's only shard whose id is one of the node's own addresses is therefore known by
// the cluster's id.
//
// # Tolerance
//
// Agents differ from their published description and from each other. Words are taken in any case, alone or as the only key
// of an object; a shard's id may be called shard_id; what has another type than it should is as if it were not there; one
// bad shard is left out and fails no other. A page other than the first that is 404 without a body is absent: it says
// nothing. What cannot be passed over is an answer that is no JSON object (decode), and a node without node_status or an
// agent without a version (protocol): then something else answers there.
package replicante
