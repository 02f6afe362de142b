// Package probetest is the suite that every kind of prober passes. A kind's test brings a server that answers rightly, and
// says how such an answer begins; the suite plays the servers that do not.
//
// It runs over loopback and in real time. Outcomes do not hang on how fast the machine is: deadlines are short where a
// server never answers, and long where it does.
package probetest
