// Package consul lets a peer find its group in Consul.
//
// consul://SERVICE among what a peer joins through stands for the instances of a service, as they are registered when it
// is tried: consul://muster?tag=voter&dc=east. The token needs service "SERVICE" {policy = "read"} and node_prefix ""
// {policy = "read"}, no more.
//
// # Decisions
//
//   - Where an instance gossips is what its meta gossip_addr says, else its tagged address "gossip", else its address and
//     port: the port of muster's own service is that of the API, the one of a service registered by hand is its own.
//   - Healthy instances come first, and the others are tried all the same: Consul's word on health is older than an answer.
//   - An answer that may be a part is an error, as in discovery/consul, whose connection this is. So is none at all: Consul
//     says nothing else to a caller without rights.
package consul
