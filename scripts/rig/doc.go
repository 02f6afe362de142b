// Package rig starts real processes for demonstrations, end-to-end tests and benchmarks: peers, fleets, Consul and Redis, on
// loopback and free ports. What a Rig started it ends, by process id; a process whose parent dies is killed with it.
package rig
