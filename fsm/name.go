package fsm

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what users, sources and nodes may say. They bound memory and the log; intake refuses or cuts beyond them.
const (
	MaxName       = 253      // bytes of a cluster, discovery or node name
	MaxWord       = 64       // bytes of a role, state, reason, kind, label key
	MaxText       = 512      // bytes of a label value, attribute value, detail
	MaxFailure    = 2048     // bytes of why a run or refresh failed
	MaxLabels     = 64       // labels of one node or cluster
	MaxAttributes = 64       // attributes of one node
	MaxShards     = 1024     // shards of one node; beyond them primaries are kept as they are known (AttributeCut)
	MaxVars       = 16 << 10 // bytes of vars
	MaxNodes      = 10_000   // nodes of one cluster
	MaxConfig     = 16 << 10 // bytes of a backend's or prober's config
)

// CheckClusterName refuses what may not name a cluster: 1 to 253 printable characters without "/".
func CheckClusterName(field, s string) error {
	if strings.Contains(s, "/") {
		return Invalid(field, "%q holds a \"/\"; cluster names may not", s)
	}
	return checkName(field, s)
}

// CheckNodeID refuses what may not name a node; "/" is allowed.
func CheckNodeID(field, s string) error { return checkName(field, s) }

// CheckDiscoveryName refuses what may not name a discovery: as for clusters.
func CheckDiscoveryName(field, s string) error { return CheckClusterName(field, s) }

func checkName(field, s string) error {
	switch {
	case s == "":
		return Invalid(field, "is empty; 1 to %d printable characters are wanted", MaxName)
	case len(s) > MaxName:
		return Invalid(field, "is %d bytes long; at most %d are allowed", len(s), MaxName)
	case !printable(s):
		return Invalid(field, "%q holds characters that do not print", s)
	case strings.TrimSpace(s) != s:
		return Invalid(field, "%q begins or ends with a space", s)
	}
	return nil
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// CheckLabels refuses too many labels, and keys or values that are too long or do not print.
func CheckLabels(field string, labels map[string]string) error {
	if len(labels) > MaxLabels {
		return Invalid(field, "holds %d labels; at most %d are allowed", len(labels), MaxLabels)
	}
	for _, k := range sortedKeys(labels) {
		if k == "" || len(k) > MaxWord || !printable(k) {
			return Invalid(field, "key %q is not 1 to %d printable characters", cut(k, MaxWord), MaxWord)
		}
		if v := labels[k]; len(v) > MaxText || !printable(v) {
			return Invalid(field+"."+k, "is not at most %d printable characters", MaxText)
		}
	}
	return nil
}
