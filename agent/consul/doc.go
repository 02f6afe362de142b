// Package consul lets a peer find its group in Consul, and register itself there.
//
// consul://SERVICE among what a peer joins through stands for the instances of a service, as they are registered when it
// is tried: consul://muster?tag=voter&dc=east. The token needs service "SERVICE" {policy = "read"} and node_prefix ""
// {policy = "read"}, no more. To register it needs service "SERVICE" {policy = "write"}, no more.
//
// A Registration keeps one entry of Consul's agent as the peer is: an instance muster-ID with the address of the API, tags of
// the role, meta that tells where it gossips, and a check that lives for a ttl. It writes that entry and that check, no other.
//
// # Decisions
//
//   - Where an instance gossips is what its meta gossip_addr says, else its tagged address "gossip", else its address and
//     port: the port of muster's own service is that of the API, the one of a service registered by hand is its own.
//   - Healthy instances come first, and the others are tried all the same: Consul's word on health is older than an answer.
//   - An answer that may be a part is an error, as in discovery/consul, whose connection this is. So is none at all: Consul
//     says nothing else to a caller without rights.
//   - The check is fed by the peer (a TTL check), not asked of it: Consul's agent then needs neither a way to the API nor a
//     certificate, and a peer that hangs falls silent like one that is dead.
//   - A peer is looked at each second. Consul is told when something is new, and how the peer is three times within a ttl,
//     which also shows whether Consul has forgotten it; once a minute the entry is read, and put right if another hand has
//     changed it. What is kept beside it, such as an operator's maintenance, stays.
//   - After an error nobody knows what Consul has, so all is told anew. Likewise after the token was replaced: Consul keeps an
//     instance's token to tell its servers of it.
//   - A peer registers before it belongs to a group, without a role and critical: that is how founders find each other.
//   - A peer that is to stop, or left, is deregistered. One that failed is left there as critical, since it is missing.
//   - Consul's answers decide nothing here: a Consul that is away costs a peer 2 s when it stops, and nothing else.
package consul
