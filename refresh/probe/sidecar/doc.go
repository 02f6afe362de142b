// Package sidecar asks nodes by the muster node protocol: one GET, answered by a document or by 304.
//
// The prober keeps no answers: the caller keeps the report with its tag (refresh.Conditional). A node that sends a tag that
// could not be sent back, or one longer than 256 bytes, is asked without a condition. An X-Muster-Lag that is no whole
// number of milliseconds is passed over: it only says when to look closer.
package sidecar
