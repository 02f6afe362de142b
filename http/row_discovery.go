package httpd

import "github.com/musterhq/muster/fsm"

// DiscoveryRow is a discovery: its setting with defaults filled in, and the state of its runs. LastRun and NextRun are
// laid over when answering and never move Index.
type DiscoveryRow struct {
	Name         string          `json:"name"`
	Backend      string          `json:"backend"`
	Config       fsm.JSON        `json:"config"`
	Interval     fsm.Duration    `json:"interval"`
	Enabled      bool            `json:"enabled"`
	On           string          `json:"on"`
	Cluster      string          `json:"cluster"`
	Filter       string          `json:"filter"`
	Admission    string          `json:"admission"`
	MissingAfter fsm.Duration    `json:"missing_after"`
	RemoveAfter  fsm.Duration    `json:"remove_after"`
	MaxShrink    fsm.Percent     `json:"max_shrink"`
	OnDelete     string          `json:"on_delete"`
	Refresh      fsm.RefreshSpec `json:"refresh"`
	fsm.Settable
	LastRun  fsm.Work `json:"last_run,omitzero"` // its peer by name
	NextRun  fsm.Time `json:"next_run,omitzero"`
	Failing  string   `json:"failing,omitempty"` // the error its runs began to fail with
	Deleting bool     `json:"deleting,omitempty"`
	Held     Held     `json:"held,omitzero"`
	Index    uint64   `json:"index"`
}

// Spec is the setting of the row.
func (d *DiscoveryRow) Spec() fsm.Spec {
	return fsm.Spec{
		Backend: d.Backend, Config: d.Config, Interval: d.Interval, Enabled: d.Enabled, On: d.On, Cluster: d.Cluster,
		Filter: d.Filter, Admission: d.Admission, MissingAfter: d.MissingAfter, RemoveAfter: d.RemoveAfter,
		MaxShrink: d.MaxShrink, OnDelete: d.OnDelete, Refresh: d.Refresh, Settable: d.Settable,
	}
}

// Held is a set of absences that is kept back. Lists of discoveries leave Nodes out.
type Held struct {
	Hash     string        `json:"hash"`
	Count    int           `json:"count"`
	Owned    int           `json:"owned"`
	Since    fsm.Time      `json:"since,omitzero"`
	Released bool          `json:"released,omitempty"`
	Nodes    []fsm.NodeRef `json:"nodes,omitempty"`
}

// Release names the held set that may go.
type Release struct {
	Held string `json:"held"`
}

// Preview is what a run would bring. Held is what the guard would keep back of Absent, zero when nothing.
type Preview struct {
	Records  int           `json:"records"` // read, after the filter
	Clusters int           `json:"clusters"`
	Added    []PreviewNode `json:"added"`
	Changed  []PreviewNode `json:"changed"`
	Absent   []fsm.NodeRef `json:"absent"`
	Held     Held          `json:"held,omitzero"`
}

// PreviewNode is a node as a run would enter it.
type PreviewNode struct {
	Cluster string            `json:"cluster"`
	Node    string            `json:"node"`
	Address string            `json:"address"`
	Port    int               `json:"port"`
	Labels  map[string]string `json:"labels,omitempty"`
	Source  string            `json:"source,omitempty"`
}

// PreviewRequest is a discovery that is not stored: a name, that of a stored one to compare with it, and a setting.
type PreviewRequest struct {
	Name string `json:"name"`
	fsm.Spec
}
