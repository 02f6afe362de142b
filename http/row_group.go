package httpd

import "github.com/musterhq/muster/fsm"

// ClaimRow is an open claim.
type ClaimRow struct {
	Subject ClaimSubject `json:"subject"`
	Token   uint64       `json:"token"`
	Peer    string       `json:"peer"` // name of the holder
	Granted fsm.Time     `json:"granted,omitzero"`
	TTL     fsm.Duration `json:"ttl"`
	Reason  string       `json:"reason"`
	Parts   uint32       `json:"parts"`
	Names   []string     `json:"names,omitempty"` // the nodes of a confirming refresh, what moved of a nudged run
}

// ClaimSubject says what a claim is for: kind is run or refresh, name that of the discovery or cluster.
type ClaimSubject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Ack answers a write. Index is where it was applied, or that of what is stored when there was nothing to change; a state
// at that index or later holds what was asked for.
type Ack struct {
	Index   uint64 `json:"index"`
	Changed bool   `json:"changed"`
}

// Member is a peer as another one sees it.
type Member struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Address       string            `json:"address"` // peer port
	HTTPAddress   string            `json:"http_address"`
	GossipAddress string            `json:"gossip_address"`
	Status        string            `json:"status"` // alive, failed, stopped or left
	Role          string            `json:"role"`   // leader, voter, standby or worker; empty when not known
	Version       string            `json:"version"`
	Raft          string            `json:"raft"` // what the raft configuration calls it; empty when it is not in it
	Labels        map[string]string `json:"labels,omitempty"`
	ACL           bool              `json:"acl"`            // whoever asks it shows a token
	Since         fsm.Time          `json:"since,omitzero"` // of the status
}

// Self is what a peer says of itself.
type Self struct {
	Member       Member            `json:"member"`
	Group        string            `json:"group"` // name
	GroupID      string            `json:"group_id"`
	Epoch        string            `json:"epoch"`
	State        string            `json:"state"` // raft's word
	Term         uint64            `json:"term"`
	LastIndex    uint64            `json:"last_index"`
	CommitIndex  uint64            `json:"commit_index"`
	AppliedIndex uint64            `json:"applied_index"`
	FeatureLevel uint32            `json:"feature_level"`
	Leader       string            `json:"leader"` // name
	Started      fsm.Time          `json:"started,omitzero"`
	Disk         *DiskStatus       `json:"disk,omitempty"`
	Stats        map[string]string `json:"stats,omitempty"`   // for people
	Backups      *BackupStatus     `json:"backups,omitempty"` // those the peer keeps, if it does
	Consul       *Registration     `json:"consul,omitempty"`  // where the peer registers itself, if it does
}

// Registration says how a peer stands as an instance of a service in Consul.
type Registration struct {
	Address    string   `json:"address"` // of Consul
	Service    string   `json:"service"`
	ID         string   `json:"id"`
	Registered bool     `json:"registered"`
	Tags       []string `json:"tags"`
	At         fsm.Time `json:"at,omitzero"`     // when Consul was last told how the peer is
	Failures   int      `json:"failures"`        // tries since then that failed
	Error      string   `json:"error,omitempty"` // of the last of them
}

// Reloaded is what came of reading a configuration again.
type Reloaded struct {
	Files       []string        `json:"files"`       // that were read
	Applied     []SettingChange `json:"applied"`     // take effect now
	Restart     []SettingChange `json:"restart"`     // take effect when the peer is started again
	Discoveries int             `json:"discoveries"` // of the files, which are applied again
}

// SettingChange is a setting before and after.
type SettingChange struct {
	Setting string `json:"setting"`
	Before  string `json:"before"`
	After   string `json:"after"`
}

// BackupStatus says what was last done to keep backups.
type BackupStatus struct {
	Dir      string   `json:"dir"`
	Leads    bool     `json:"leads"` // it was its turn when it last looked
	At       fsm.Time `json:"at,omitzero"`
	File     string   `json:"file,omitempty"`
	Index    uint64   `json:"index,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
	Kept     int      `json:"kept"`
	Failures int      `json:"failures"` // in a row
	Error    string   `json:"error,omitempty"`
}

// DiskStatus is how much room the disk of a data directory has.
type DiskStatus struct {
	Dir   string `json:"dir"`
	Level string `json:"level"` // ample, low or full
	Free  uint64 `json:"free_bytes"`
	Total uint64 `json:"total_bytes"`
}

// RaftConfiguration is who is in the raft group, and how far the state was when that was looked up.
type RaftConfiguration struct {
	Servers []RaftServer `json:"servers"`
	Index   uint64       `json:"index"`
}

// RaftServer is one server of the raft group.
type RaftServer struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Address      string `json:"address"`
	State        string `json:"state"`
	Leader       bool   `json:"leader"`
	Voter        bool   `json:"voter"`
	Version      string `json:"version"`
	AppliedIndex uint64 `json:"applied_index"`
	// FailedAt is since when it has failed, RemoveAt when its time is over where settings have dead peers removed, and
	// KeptBecause why it stays then.
	FailedAt    fsm.Time `json:"failed_at,omitzero"`
	RemoveAt    fsm.Time `json:"remove_at,omitzero"`
	KeptBecause string   `json:"kept_because,omitempty"`
}

// Effective is what holds for a cluster or one of its nodes, key by key, each with where it comes from: default, globals,
// "discovery NAME", cluster or node; what comes later in this order wins.
type Effective struct {
	Cluster string                   `json:"cluster"`
	Node    string                   `json:"node,omitempty"`
	Group   *EffectiveKey            `json:"group,omitempty"`
	Labels  map[string]*EffectiveKey `json:"labels"`
	Vars    map[string]*EffectiveKey `json:"vars"`
	Guards  *EffectiveKey            `json:"guards,omitempty"` // of a cluster
	Refresh map[string]*EffectiveKey `json:"refresh"`
}

// EffectiveKey is a value, where it comes from, and the values set farther away that it hides, nearest first.
type EffectiveKey struct {
	Value any      `json:"value"`
	From  string   `json:"from"` // globals, discovery NAME, record of NAME, cluster, node, or default
	Over  []Hidden `json:"over,omitempty"`
}

// Hidden is a value that another one hides.
type Hidden struct {
	Value any    `json:"value"`
	From  string `json:"from"`
}

// Readiness is the answer of /livez and /readyz.
type Readiness struct {
	Status  string   `json:"status"` // ok or failing
	Reasons []string `json:"reasons,omitempty"`
	// Checks are what the status is judged by, where ?verbose asks for them.
	Checks []CheckRow `json:"checks,omitempty"`
	// Warnings are what somebody should look after, whatever the status.
	Warnings []string `json:"warnings,omitempty"`
}

// CheckRow is how one check of a peer went.
type CheckRow struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok or failing
	Reason string `json:"reason,omitempty"`
}

// Targets is one entry of Prometheus' http_sd.
type Targets struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}
