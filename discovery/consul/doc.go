// Package consul reads clusters from Consul's catalog.
//
// Every key of the config may be left out:
//
//	{"address": "127.0.0.1:8500",  host:port, http://, https:// or unix://; default as CONSUL_HTTP_ADDR says
//	 "datacenter": "", "namespace": "", "partition": "",       sent only if set
//	 "services": ["*"],            names and patterns; * stands for any text, "/" too, ? for one character
//	 "tags": ["muster"],           an instance must have them all
//	 "meta": {"env": "prod"},      and all of this in its service's meta
//	 "token_file": "",             a file on the peer that runs; default CONSUL_HTTP_TOKEN_FILE, then CONSUL_HTTP_TOKEN
//	 "ca_file": "", "cert_file": "", "key_file": "", "tls_server_name": "",
//	 "stale": true,                full reads may be answered by any server, up to 10 s behind
//	 "concurrency": 16,            reads in flight
//	 "watch_services": 64}         services watched one by one
//
// What is not set follows the CONSUL_HTTP_* variables of the peer that runs, as consul/api does. The services consul and
// muster are left out unless named in full. The token needs service_prefix "" {policy = "read"} and node_prefix ""
// {policy = "read"}, no more.
//
// # Mapping
//
// An instance becomes a node: its service id the node's id, its service's address or else its node's, its port. The
// cluster is what the discovery's template makes of it. Service meta says otherwise where it holds muster-cluster,
// muster-node, muster-address, muster-port or muster-probe. The rest of the meta becomes labels. Health plays no part:
// what is listed and how it is are two questions.
//
// A service id is unique on one Consul agent only. Two instances with one id that land in one cluster (an id that was
// left out is the service's name, on every agent) fail the run as listed twice, since neither can be told from the other
// the next time; distinct ids or muster-node tell them apart.
//
// # Whole or an error
//
// A read asks for the list of services, then for each that is selected. Any of these fails it: an error or a status but
// 200, an answer that does not parse or is over 64 MiB, no known leader, results filtered by ACLs, a server more than 10 s
// behind its leader. Before anything, the token itself is read, because Consul answers a caller without rights with an
// empty list and no error: 401 says that there are no ACLs, 403 that the token is not known, and an anonymous caller is
// refused unless Consul allows by default. Older servers do not say when they leave nodes out for want of rights;
// but a service that is listed and has no instances, twice, is that case, and an error. (A token that may see some nodes
// of a service and not others cannot be noticed there.)
//
// A nudged read asks for the named services only, always of the leader.
//
// # Watching
//
// Discoveries with the same Consul, credentials and data centre share one source: its connections, and its watch, which is
// one blocking query on the list and one for each watched service. Up to watch_services are watched for a discovery, 128
// for a source, which stays under the 200 connections an agent allows one client; the rest are seen at the interval. An
// answer counts when its content differs, in what a record takes from it, from the last one. An index that goes backwards
// starts over at 0, and so does an error, since the server that comes back may count from anew: at a higher index it
// would let us wait for nothing. For the same reason a query waits a minute and not the five Consul would allow.
//
// The list is asked for at most once a second after a burst, since any registration in the data centre moves its index
// and the server walks every instance to answer.
package consul
