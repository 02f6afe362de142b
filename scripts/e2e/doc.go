// Package e2e holds the tests of muster as its users run it: the built program, as processes, beside a real Consul and real
// Redis servers. What a process says of itself is not believed: events are compared with what the tests did to the world, and
// with the views that every peer shows.
//
// All waiting is for a condition with a deadline, or by following events. Promises of time are measured from what was done
// outside to the event's own time, and told in the log of the test. Nodes are stopped half-way between two polls, so that a
// busy machine has half an interval before a promise is broken for no fault of muster's.
//
// The tests take some minutes of mostly waiting and need the servers that scripts/consul.sh and scripts/redis.sh find or
// fetch; with -short none of them runs, and TestMain says so.
package e2e
