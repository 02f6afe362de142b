package replicante

import (
	"encoding/json"
	"math"
	"strings"
	"unicode"

	"github.com/musterhq/muster/fsm"
)

type shardList struct {
	Shards []json.RawMessage `json:"shards"`
}

type shardInfo struct {
	ID           text   `json:"id"`
	ShardID      text   `json:"shard_id"`
	Role         word   `json:"role"`
	CommitOffset amount `json:"commit_offset"`
	Lag          amount `json:"lag"`
}

// shards are those that can be read.
func (l shardList) shards() []fsm.Shard {
	var out []fsm.Shard
	for _, raw := range l.Shards {
		var said shardInfo
		if json.Unmarshal(raw, &said) != nil {
			continue
		}
		s := fsm.Shard{ID: either(said.ID, said.ShardID), Role: role(said.Role), LagMS: said.Lag.milliseconds()}
		if s.ID == "" || s.Role == "" {
			continue
		}
		if o := said.CommitOffset; o.value != nil {
			s.Offset = &fsm.Offset{Value: *o.value, Unit: o.unit}
		}
		out = append(out, s)
	}
	return out
}

// role is what a role means; empty when it means none.
func role(said word) string {
	if said.inner != "" {
		if inner := strings.ToLower(said.inner); inner != fsm.RolePrimary {
			return inner
		}
		return ""
	}
	switch said.name {
	case "secondary":
		return fsm.RoleReplica
	case "other", "unknown":
		return ""
	}
	return said.name
}

// amount is a number of units.
type amount struct {
	value *int64
	unit  string // "seconds", "milliseconds", or the store's own
}

// UnmarshalJSON takes whole numbers.
func (a *amount) UnmarshalJSON(raw []byte) error {
	var said struct {
		Unit  word            `json:"unit"`
		Value json.RawMessage `json:"value"`
	}
	var value *int64
	if json.Unmarshal(raw, &said) == nil && json.Unmarshal(said.Value, &value) == nil {
		a.value, a.unit = value, unit(said.Unit)
	}
	return nil
}

// unit is the word of a unit; empty for what is no word.
func unit(said word) string {
	name := said.name
	if said.inner != "" {
		name = said.inner
	}
	if len(name) > fsm.MaxWord || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return name
}

// milliseconds is a length of time; nil for what is none.
func (a amount) milliseconds() *int64 {
	if a.value == nil || *a.value < 0 {
		return nil
	}
	switch a.unit {
	case "milliseconds":
		return a.value
	case "seconds":
		return new(min(*a.value, math.MaxInt64/1000) * 1000)
	}
	return nil
}
