package kafka

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// quorumWait is how long the controllers may take. A broker hands that question on, and holds it for its own 30 s when no
// controller leads.
const quorumWait = time.Second

// errSpent ends a connection whose poll has brought all it could.
var errSpent = errors.New("an answer is still to come")

// identity is who answers on a connection. It stays the same as long as the connection does.
type identity struct {
	id    int32
	roles string // process.roles; only KRaft has it
}

// quorum is what the controllers of KRaft say of themselves.
type quorum struct {
	leader int32 // -1 when nobody leads, or nobody can be asked
	voters []int32
}

// facts are what one poll brought.
type facts struct {
	identity
	metadata
	version string
	quorum  *quorum // nil without KRaft
}

func (c *client) facts(ctx context.Context, p *Prober) (facts, error) {
	in, version, err := c.askMetadata(p.topics)
	if err != nil {
		return facts{}, err
	}
	d := decoder{reader: in, version: version, self: -1}
	if c.self == nil {
		m, err := d.decode()
		if err != nil {
			return facts{}, err
		}
		if c.self, err = c.identify(m); err != nil {
			return facts{}, err
		}
	}
	f := facts{identity: *c.self, version: c.version}
	d.self, d.keep = f.id, p.keep
	if f.metadata, err = d.decode(); err != nil {
		return facts{}, err
	}
	if _, kraft := c.apis[(*kmsg.DescribeQuorumRequest)(nil).Key()]; kraft {
		f.quorum, err = c.askQuorum(ctx)
	}
	return f, err
}

// identify asks for the configuration of every broker there is. A broker answers for itself alone, and refuses all others.
func (c *client) identify(m metadata) (*identity, error) {
	r := kmsg.NewDescribeConfigsRequest()
	for id := range m.held {
		broker := kmsg.NewDescribeConfigsRequestResource()
		broker.ResourceType = kmsg.ConfigResourceTypeBroker
		broker.ResourceName = strconv.Itoa(int(id))
		broker.ConfigNames = []string{"broker.id", "process.roles"}
		r.Resources = append(r.Resources, broker)
	}
	if err := c.choose(&r, 1, 4); err != nil {
		return nil, err
	}
	in, err := c.ask(&r, maxShort+len(r.Resources)<<10)
	if err != nil {
		return nil, err
	}
	var found []identity
	var refusal error
	in.Int32() // throttle
	in.each(func() {
		code, who := in.config(r.Version)
		switch {
		case code == kerr.ClusterAuthorizationFailed.Code:
			refusal = denied("DescribeConfigs on the cluster")
		case code == 0:
			found = append(found, who)
		}
	})
	if err := in.done("DescribeConfigs"); err != nil {
		return nil, err
	}
	if len(found) == 1 {
		return &found[0], nil
	}
	if refusal == nil {
		refusal = refresh.NewFault(fsm.ReasonStore, "cannot tell which broker it is: it speaks for %d of the %d it names",
			len(found), len(r.Resources))
	}
	return nil, refusal
}

// config reads one answer to DescribeConfigs.
func (r *reader) config(version int16) (code int16, who identity) {
	code = r.Int16()
	r.text() // message
	r.Int8() // type
	id, err := strconv.ParseInt(r.text(), 10, 32)
	if err != nil && code == 0 {
		code = kerr.UnknownServerError.Code
	}
	who.id = int32(id)
	r.each(func() {
		name, value := r.text(), r.text()
		if name == "process.roles" {
			who.roles = value
		}
		r.Span(3) // read only, source, sensitive
		r.each(func() {
			r.text()
			r.text()
			r.Int8()
			r.tags()
		})
		if version >= 3 {
			r.Int8() // type
			r.text() // documentation
		}
		r.tags()
	})
	r.tags()
	return code, who
}

// askQuorum asks who leads the controllers. The metadata would not say: with KRaft it names any broker as the controller.
func (c *client) askQuorum(ctx context.Context) (*quorum, error) {
	r := kmsg.NewDescribeQuorumRequest()
	log, partition := kmsg.NewDescribeQuorumRequestTopic(), kmsg.NewDescribeQuorumRequestTopicPartition()
	log.Topic, log.Partitions = "__cluster_metadata", append(log.Partitions, partition)
	r.Topics = append(r.Topics, log)
	if err := c.choose(&r, 0, 1); err != nil {
		return nil, err
	}
	until := time.Now().Add(quorumWait)
	if end, ok := ctx.Deadline(); ok && time.Until(end) < 2*quorumWait {
		until = time.Now().Add(time.Until(end) / 2)
	}
	if err := c.conn.SetReadDeadline(until); err != nil {
		return nil, err
	}
	in, err := c.ask(&r, 4*maxShort)
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		c.spent = true
		return &quorum{leader: -1}, nil
	}
	if err != nil {
		return nil, err
	}
	q, err := in.quorum(r.Version)
	if err != nil {
		return nil, err
	}
	return q, c.conn.SetReadDeadline(time.Time{})
}

func (r *reader) quorum(version int16) (*quorum, error) {
	q := &quorum{leader: -1}
	code := r.Int16()
	r.each(func() {
		r.text() // topic
		r.each(func() {
			r.Int32() // partition
			failed, leader := r.Int16(), r.Int32()
			r.Int32() // leader epoch
			r.Int64() // high watermark
			q.voters = r.quorumIDs(version)
			r.quorumIDs(version) // observers
			r.tags()
			if failed == 0 {
				q.leader = leader
			}
		})
		r.tags()
	})
	if err := r.done("DescribeQuorum"); err != nil {
		return nil, err
	}
	switch err := kerr.TypedErrorForCode(code); {
	case err == nil, err.Retriable:
		return q, nil
	case err == kerr.ClusterAuthorizationFailed:
		return nil, denied("Describe on the cluster")
	}
	return nil, refused("DescribeQuorum", code)
}

func (r *reader) quorumIDs(version int16) (ids []int32) {
	r.each(func() {
		ids = append(ids, r.Int32())
		r.Int64() // log end offset
		if version >= 1 {
			r.Span(16) // two times
		}
		r.tags()
	})
	return ids
}

// member says whether a broker is one of the controllers. When they cannot be asked its own configuration says so.
func (q *quorum) member(who identity) bool {
	if len(q.voters) > 0 {
		return slices.Contains(q.voters, who.id)
	}
	return slices.Contains(strings.Split(who.roles, ","), "controller")
}

// denied is the fault of a right that is missing.
func denied(right string) error {
	return refresh.NewFault(fsm.ReasonAuth, "the user lacks %s: kafka-acls --add --allow-principal User:NAME "+
		"--operation Describe --operation DescribeConfigs --cluster, and --operation Describe --topic '*'", right)
}
