package kafka

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// maxBrokers bounds how many ids of brokers an answer may name.
const maxBrokers = 4096

// metadata is what a broker says of the cluster, and of one broker's part in it.
type metadata struct {
	clusterID  string
	controller int32
	racks      map[int32]string // by the ids of the brokers that take part
	held       map[int32]int    // by the ids of all brokers: how many partitions each holds a replica of

	// Of the one broker:
	replicas []fsm.Shard
	behind   bool // a replica is not in sync
	short    bool // a partition it leads has a replica that is not in sync
	headless bool // a partition that it holds a replica of has no leader
}

// askMetadata asks for the topics that matter, all when there are none named.
func (c *client) askMetadata(topics []string) (in reader, version int16, err error) {
	r := kmsg.NewMetadataRequest()
	r.AllowAutoTopicCreation = false
	for i := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topics[i]
		r.Topics = append(r.Topics, t)
	}
	// The fourth version was the first that can be told not to create the topics that are asked for.
	if err := c.choose(&r, 4, 12); err != nil {
		return reader{}, 0, err
	}
	in, err = c.ask(&r, maxAnswers)
	return in, r.Version, err
}

// decoder reads metadata as one broker's.
type decoder struct {
	reader
	version int16
	self    int32
	keep    int // replicas to list at most
	m       metadata
	err     error
}

func (d decoder) decode() (metadata, error) {
	d.m = metadata{racks: map[int32]string{}, held: map[int32]int{}}
	d.Int32() // throttle
	d.each(d.broker)
	d.m.clusterID = d.text()
	d.m.controller = d.Int32()
	d.each(d.topic)
	if err := d.done("Metadata"); err != nil {
		return metadata{}, err
	}
	return d.m, d.err
}

func (d *decoder) broker() {
	id := d.Int32()
	d.text() // host
	d.Int32()
	rack := d.text()
	d.tags()
	d.hold(id, 0)
	if _, known := d.m.held[id]; known {
		d.m.racks[id] = rack
	}
}

// hold counts n more partitions of a broker.
func (d *decoder) hold(id int32, n int) {
	if _, known := d.m.held[id]; !known && len(d.m.held) >= maxBrokers {
		d.fail(refresh.NewFault(fsm.ReasonTooLarge, "names more than %d brokers", maxBrokers))
		return
	}
	d.m.held[id] += n
}

// fail keeps the first error.
func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) topic() {
	code := d.Int16()
	name := d.text()
	if d.version >= 10 {
		d.Span(16) // topic id
	}
	d.Bool() // internal
	switch code {
	case 0, kerr.UnknownTopicOrPartition.Code: // none of that name is no fault
	case kerr.TopicAuthorizationFailed.Code:
		d.fail(denied("Describe on the topic " + name))
	default: // its partitions are left out then, and would seem to be gone
		d.fail(refused("the topic "+name, code))
	}
	d.each(func() { d.partition(name) })
	if d.version >= 8 {
		d.Int32() // authorized operations
	}
	d.tags()
}

func (d *decoder) partition(topic string) {
	d.Int16() // its error says no more than the leader does
	index := d.Int32()
	leader := d.Int32()
	if d.version >= 7 {
		d.Int32() // leader epoch
	}
	var replicas, inSync int
	var mine, synced bool
	d.each(func() {
		id := d.Int32()
		replicas++
		mine = mine || id == d.self
		d.hold(id, 1)
	})
	d.each(func() {
		inSync++
		synced = d.Int32() == d.self || synced
	})
	if d.version >= 5 {
		d.each(func() { d.Int32() }) // offline replicas
	}
	d.tags()
	if !d.Ok() || !mine && leader != d.self {
		return
	}
	role := fsm.RoleRecovering
	switch {
	case leader == d.self:
		role = fsm.RolePrimary
		d.m.short = d.m.short || inSync < replicas
	case synced:
		role = fsm.RoleReplica
	default:
		d.m.behind = true
	}
	d.m.headless = d.m.headless || leader < 0
	if len(d.m.replicas) < d.keep {
		d.m.list(topic+"-"+strconv.Itoa(int(index)), role)
	}
}

// list adds a replica, unless its id could not be kept whole.
func (m *metadata) list(id, role string) {
	if len(id) <= fsm.MaxName {
		m.replicas = append(m.replicas, fsm.Shard{ID: id, Role: role})
	}
}
