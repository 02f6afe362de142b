package replicante

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	nodePage        = "/api/unstable/info/node"
	storePage       = "/api/unstable/info/store"
	storeShardsPage = "/api/unstable/info/shards"
)

type nodeInfo struct {
	Address      addresses  `json:"address"`
	AgentVersion version    `json:"agent_version"`
	Attributes   attributes `json:"attributes"`
	NodeID       text       `json:"node_id"`
	ID           text       `json:"id"`
	Status       word       `json:"node_status"`
	StoreID      text       `json:"store_id"`
	StoreVersion version    `json:"store_version"`
}

type storeInfo struct {
	ClusterID  text       `json:"cluster_id"`
	Attributes attributes `json:"attributes"`
}

// second asks an agent of the second generation.
func second(ctx context.Context, a asked) (fsm.Report, error) {
	var node nodeInfo
	if err := a.ask(ctx, nodePage, &node); err != nil {
		return fsm.Report{}, err
	}
	if node.Status.name == "" {
		return fsm.Report{}, refresh.NewFault(fsm.ReasonProtocol, "is no Replicante agent: %s has no node_status", nodePage)
	}
	r := fsm.Report{
		NodeID: either(node.NodeID, node.ID), Kind: string(node.StoreID), Version: string(node.StoreVersion),
		SidecarVersion: string(node.AgentVersion), Attributes: map[string]string{},
	}
	r.State, r.StateReason = state(node.Status)
	maps.Copy(r.Attributes, node.Attributes)
	if r.StateReason == fsm.ReasonStore {
		unavailable(&r, "")
		return r, nil
	}

	var store storeInfo
	failed, err := a.askStore(ctx, storePage, &store)
	if err != nil {
		return fsm.Report{}, err
	}
	if failed != "" {
		unavailable(&r, failed)
		return r, nil
	}
	r.ClusterID = string(store.ClusterID)
	for name, value := range store.Attributes {
		if _, taken := r.Attributes[name]; !taken {
			r.Attributes[name] = value
		}
	}
	var held shardList
	if failed, err = a.askStore(ctx, storeShardsPage, &held); err != nil {
		return fsm.Report{}, err
	}
	if failed != "" {
		unavailable(&r, failed)
		return r, nil
	}
	r.Shards = held.shards()
	if len(r.Shards) == 1 && r.ClusterID != "" && node.Address.hold(r.Shards[0].ID) {
		r.Shards[0].ID = r.ClusterID
	}
	return r, nil
}

// unavailable takes in that the store failed. The report then says nothing of what the store holds, its version included, so
// that the view keeps the store's last word; but a word that the view does not know stays what it is.
func unavailable(r *fsm.Report, failed string) {
	if r.StateDetail = failed; r.State == fsm.StateUnknown {
		return
	}
	if r.StateReason != "" && r.StateReason != fsm.ReasonStore {
		r.StateDetail = r.StateReason + "; " + failed
	}
	if r.StateReason = fsm.ReasonStore; r.State == fsm.StateUp {
		r.State = fsm.StateDown
	}
	r.Version = ""
}

// state is what a node_status means.
func state(status word) (state, reason string) {
	switch status.name {
	case "healthy":
		return fsm.StateUp, ""
	case "joining_cluster":
		return fsm.StateJoining, ""
	case "leaving_cluster":
		return fsm.StateLeaving, ""
	case "unhealthy":
		return fsm.StateDown, "unhealthy"
	case "unavailable":
		return fsm.StateDown, fsm.ReasonStore
	}
	if status.inner != "" {
		return fsm.StateUnknown, status.inner
	}
	return fsm.StateUnknown, status.name
}

// addresses are where a node says it is.
type addresses map[string]text

// UnmarshalJSON takes the addresses that are texts.
func (a *addresses) UnmarshalJSON(raw []byte) error {
	var all map[string]text
	if json.Unmarshal(raw, &all) == nil {
		*a = all
	}
	return nil
}

func (a addresses) hold(id string) bool {
	for _, address := range a {
		if strings.EqualFold(string(address), id) {
			return true
		}
	}
	return false
}
