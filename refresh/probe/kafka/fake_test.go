package kafka_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/kafka"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const clusterID = "fdKb6ZpqTF2n_IHzHGgKfQ"

// brokers starts a cluster of kfake's: franz-go's brokers in memory, which answer as Kafka's do.
func brokers(t *testing.T, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.ClusterID(clusterID)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// target is the i-th broker, whose id is i too.
func target(t *testing.T, c *kfake.Cluster, i int) refresh.Target {
	t.Helper()
	host, port, err := net.SplitHostPort(c.ListenAddrs()[i])
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return refresh.Target{Cluster: "orders", Node: "orders-" + strconv.Itoa(i), Address: host, Port: number}
}

// env lets a prober dial, and read a password from the variable KAFKA.
func env(password string) refresh.Env {
	return refresh.Env{
		Dial:   new(net.Dialer).DialContext,
		Reveal: func(refresh.Secret) (string, error) { return password, nil },
	}
}

func start(t *testing.T, config fsm.JSON, e refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, kafka.New, config, e)
}

func ask(t *testing.T, p refresh.Prober, to refresh.Target) fsm.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return p.Probe(ctx, to)
}

// proxy hands what comes over conn to a broker, and back.
func proxy(broker string) func(net.Conn) {
	return func(conn net.Conn) {
		to, err := new(net.Dialer).Dial("tcp", broker)
		if err != nil {
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(conn, to)
			_ = conn.Close()
		}()
		_, _ = io.Copy(to, conn)
		_ = to.Close()
		<-done
	}
}

// always answers one kind of request with what answer makes of it.
func always(c *kfake.Cluster, key int16, answer func(kmsg.Request) kmsg.Response) {
	c.ControlKey(key, func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return answer(r), nil, true
	})
}

// partition is one of the topic orders.
type partition struct {
	leader        int32
	replicas, isr []int32
}

// picture is the metadata that all brokers of a cluster give.
type picture struct {
	brokers    []int32
	controller int32
	partitions []partition
}

func (p *picture) answer(r kmsg.Request) kmsg.Response {
	answer := r.ResponseKind().(*kmsg.MetadataResponse)
	answer.ClusterID, answer.ControllerID = new(clusterID), p.controller
	for _, id := range p.brokers {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = id, "10.0.0.1", 9092 // behind one address translation
		answer.Brokers = append(answer.Brokers, b)
	}
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic = new("orders")
	for i, from := range p.partitions {
		to := kmsg.NewMetadataResponseTopicPartition()
		to.Partition, to.Leader, to.Replicas, to.ISR = int32(i), from.leader, from.replicas, from.isr
		topic.Partitions = append(topic.Partitions, to)
	}
	answer.Topics = append(answer.Topics, topic)
	return answer
}

// asKRaft makes brokers offer what those of Kafka 4.0 do, and answer for the controllers as told.
func asKRaft(c *kfake.Cluster, quorum func(*kmsg.DescribeQuorumResponse)) {
	always(c, int16(kmsg.ApiVersions), func(r kmsg.Request) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.ApiVersionsResponse)
		kversion.V4_0_0().EachMaxKeyVersion(func(key, most int16) {
			api := kmsg.NewApiVersionsResponseApiKey()
			api.ApiKey, api.MaxVersion = key, most
			answer.ApiKeys = append(answer.ApiKeys, api)
		})
		return answer
	})
	always(c, int16(kmsg.DescribeQuorum), func(r kmsg.Request) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.DescribeQuorumResponse)
		quorum(answer)
		return answer
	})
}

// led is the answer of a quorum.
func led(leader int32, voters ...int32) func(*kmsg.DescribeQuorumResponse) {
	return func(answer *kmsg.DescribeQuorumResponse) {
		topic, p := kmsg.NewDescribeQuorumResponseTopic(), kmsg.NewDescribeQuorumResponseTopicPartition()
		p.LeaderID = leader
		for _, id := range voters {
			voter := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
			voter.ReplicaID = id
			p.CurrentVoters = append(p.CurrentVoters, voter)
		}
		topic.Topic, topic.Partitions = "__cluster_metadata", append(topic.Partitions, p)
		answer.Topics = append(answer.Topics, topic)
	}
}
