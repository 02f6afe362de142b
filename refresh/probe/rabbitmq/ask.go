package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// maxQueues is how many queues a cluster may have for them to be listed. It is the largest page there is.
const maxQueues = 500

const maxPage = 512 << 10 // bytes

const (
	overviewPath = "/api/overview?disable_stats=true&columns=node,cluster_name,rabbitmq_version,object_totals.queues"
	nodeColumns  = "?columns=name,running,being_drained,mem_alarm,disk_free_alarm,partitions"
	queuesPath   = "/api/queues?page=1&page_size=500&disable_stats=true&columns=vhost,name,type,leader,members"
)

// facts are the pages of one poll.
type facts struct {
	overview overview
	node     node
	queues   []queue // none when they are not wanted, or too many
}

type overview struct {
	Node    string `json:"node"`
	Cluster string `json:"cluster_name"`
	Version string `json:"rabbitmq_version"`
	Totals  struct {
		Queues *int `json:"queues"`
	} `json:"object_totals"`
}

type node struct {
	Running     *bool    `json:"running"`
	Drained     bool     `json:"being_drained"`
	MemoryAlarm bool     `json:"mem_alarm"`
	DiskAlarm   bool     `json:"disk_free_alarm"`
	Partitions  []string `json:"partitions"` // names of nodes
}

type queue struct {
	VHost   string   `json:"vhost"`
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Leader  string   `json:"leader"`
	Members []string `json:"members"`
}

func (p *Prober) ask(ctx context.Context, t refresh.Target) (f facts, err error) {
	if p.port != 0 {
		t.Port = p.port
	}
	if err := p.read(ctx, t, overviewPath, &f.overview); err != nil {
		return f, err
	}
	if f.overview.Node == "" || f.overview.Version == "" {
		return f, refresh.NewFault(fsm.ReasonProtocol, "/api/overview names no node and version")
	}
	if err := p.read(ctx, t, "/api/nodes/"+url.PathEscape(f.overview.Node)+nodeColumns, &f.node); err != nil {
		return f, err
	}
	if f.node.Running == nil {
		return f, refresh.NewFault(fsm.ReasonProtocol, "/api/nodes does not say whether the node is running")
	}
	if p.queues {
		f.queues, err = p.list(ctx, t, f.overview.Totals.Queues)
	}
	return f, err
}

// list asks for the queues, if there are not too many. A page without them is an error, or all would seem to be gone.
func (p *Prober) list(ctx context.Context, t refresh.Target, total *int) ([]queue, error) {
	switch {
	case total == nil:
		return nil, refresh.NewFault(fsm.ReasonProtocol, "/api/overview does not say how many queues there are")
	case *total == 0, *total > maxQueues:
		return nil, nil
	}
	var page struct {
		Items []queue `json:"items"`
	}
	if err := p.read(ctx, t, queuesPath, &page); err != nil {
		return nil, err
	}
	if page.Items == nil {
		return nil, refresh.NewFault(fsm.ReasonProtocol, "/api/queues lists nothing")
	}
	return page.Items, nil
}

func (p *Prober) read(ctx context.Context, t refresh.Target, path string, page any) error {
	answer, err := p.pages.Fetch(ctx, refresh.Request{
		Address: t.HostPort(), Path: path, MaxBody: maxPage, ConnectTimeout: p.env.ConnectTimeout,
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, page); err != nil {
		return refresh.NewFault(fsm.ReasonDecode, "%.80s: %w", path, err)
	}
	return nil
}

// explain says what would be right, of a refusal and of an answer that the management plugin does not give.
func explain(err error) error {
	f := refresh.FaultOf(err)
	switch f.Reason {
	case fsm.ReasonAuth:
		if errors.Unwrap(f) != nil { // the password could not be read here
			return err
		}
		return refresh.NewFault(f.Reason, "%s: the password is wrong, or the user lacks a tag: "+
			"rabbitmqctl set_user_tags USER monitoring", f.Detail)
	case fsm.ReasonProtocol, fsm.ReasonDecode, fsm.ReasonHTTPStatus:
		return refresh.NewFault(f.Reason, "is no management port of a RabbitMQ node (15672 as a rule): %s", f.Detail)
	}
	return err
}
