package replicante

import (
	"context"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	agentPage     = "/api/unstable/info/agent"
	datastorePage = "/api/unstable/info/datastore"
	shardsPage    = "/api/unstable/shards"
)

type agentInfo struct {
	Version version `json:"version"`
}

type datastoreInfo struct {
	ClusterID   text    `json:"cluster_id"`
	Cluster     text    `json:"cluster"` // before 0.3
	DisplayName text    `json:"cluster_display_name"`
	Kind        text    `json:"kind"`
	NodeID      text    `json:"node_id"`
	ID          text    `json:"id"`
	Name        text    `json:"name"` // before 0.3
	Version     version `json:"version"`
}

// first asks an agent of the first generation.
func first(ctx context.Context, a asked) (fsm.Report, error) {
	var agent agentInfo
	if err := a.ask(ctx, agentPage, &agent); err != nil {
		return fsm.Report{}, err
	}
	if agent.Version == "" {
		return fsm.Report{}, refresh.NewFault(fsm.ReasonProtocol, "is no Replicante agent: %s has no version", agentPage)
	}
	r := fsm.Report{State: fsm.StateUp, SidecarVersion: string(agent.Version)}

	var store datastoreInfo
	failed, err := a.askStore(ctx, datastorePage, &store)
	if err != nil {
		return fsm.Report{}, err
	}
	if failed != "" {
		unavailable(&r, failed)
		return r, nil
	}
	r.NodeID, r.ClusterID = either(store.NodeID, store.ID, store.Name), either(store.ClusterID, store.Cluster)
	r.Kind, r.Version = string(store.Kind), string(store.Version)
	if store.DisplayName != "" {
		r.Attributes = map[string]string{"cluster_display_name": string(store.DisplayName)}
	}
	var held shardList
	if failed, err = a.askStore(ctx, shardsPage, &held); err != nil {
		return fsm.Report{}, err
	}
	if failed != "" {
		unavailable(&r, failed)
		return r, nil
	}
	r.Shards = held.shards()
	return r, nil
}
