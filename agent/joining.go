package agent

import "github.com/musterhq/muster/agent/gossip"

// CheckJoin says what is wrong with one of Config.Join.
func CheckJoin(target string) error { return gossip.CheckTarget(target) }
