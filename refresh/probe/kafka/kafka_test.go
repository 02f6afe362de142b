package kafka_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/kafka"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// The suite's servers are at other addresses than the broker says it is: who answers is not told by those.
func TestSuite(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1), kfake.SeedTopics(2, "orders"))
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return kafka.New("", env) },
		Serve: proxy(c.ListenAddrs()[0]),
		Want: fsm.Report{
			Reachable: true, State: fsm.StateUp, NodeID: "0", ClusterID: clusterID, Kind: "kafka",
			Shards: []fsm.Shard{
				{ID: "controller", Role: fsm.RolePrimary},
				{ID: "orders-0", Role: fsm.RolePrimary},
				{ID: "orders-1", Role: fsm.RolePrimary},
			},
			Attributes: map[string]string{
				"rack": "krack", "out_of_sync": "no", "under_replicated": "no", "leaderless": "no",
			},
		},
		Head: head(),
	})
}

// shards are a report's as one line.
func shards(r fsm.Report) string {
	var all []string
	for _, s := range r.Shards {
		all = append(all, s.ID+" "+s.Role)
	}
	return strings.Join(all, ", ")
}

func expectShards(t *testing.T, r fsm.Report, want string) {
	t.Helper()
	if got := shards(r); !r.Reachable || got != want {
		t.Errorf("%s: shards are %q, wanted are %q: %+v", r.Node, got, want, r)
	}
}

func TestLeaderMoves(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "orders"))
	p := start(t, "", env(""))
	for leader := range int32(3) {
		if err := c.MoveTopicPartition("orders", 0, leader); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			controller, role := fsm.RoleReplica, fsm.RoleReplica
			if i == 2 {
				controller = fsm.RolePrimary
			}
			if int32(i) == leader {
				role = fsm.RolePrimary
			}
			r := ask(t, p, target(t, c, i))
			expectShards(t, r, fmt.Sprintf("controller %s, orders-0 %s", controller, role))
			if r.NodeID != fmt.Sprint(i) {
				t.Errorf("broker %d says it is %q", i, r.NodeID)
			}
		}
	}
}

func TestWhatMetadataMeans(t *testing.T) {
	all := []int32{0, 1, 2}
	for name, c := range map[string]struct {
		picture picture
		of      int
		state   string
		shards  string
		attrs   string // those that say yes
	}{
		"well": {
			picture{all, 1, []partition{{1, all, all}}}, 1, fsm.StateUp, "controller primary, orders-0 primary", "",
		},
		"under-replicated": {
			picture{all, 1, []partition{{1, all, []int32{1, 2}}}},
			1, fsm.StateUp,
			"controller primary, orders-0 primary", "under_replicated",
		},
		"in sync beside one that is not": {
			picture{all, 1, []partition{{1, all, []int32{1, 2}}}}, 2, fsm.StateUp, "controller replica, orders-0 replica", "",
		},
		"not in sync": {
			picture{all, 1, []partition{{1, all, []int32{1, 2}}}},
			0, fsm.StateUp,
			"controller replica, orders-0 recovering", "out_of_sync",
		},
		"without a leader": {
			picture{all, 1, []partition{{-1, all, []int32{2}}}},
			2, fsm.StateUp,
			"controller replica, orders-0 replica", "leaderless",
		},
		"without a controller": {
			picture{all, -1, []partition{{1, all, all}}}, 1, fsm.StateUp, "controller unattached, orders-0 primary", "",
		},
		"of others": {
			picture{all, 1, []partition{{1, []int32{1, 2}, []int32{1, 2}}}}, 0, fsm.StateUp, "controller replica", "",
		},
		"fenced": {
			picture{[]int32{0, 1}, 1, []partition{{1, all, []int32{0, 1}}}},
			2, fsm.StateDown,
			"controller replica, orders-0 recovering", "out_of_sync",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := brokers(t, kfake.NumBrokers(3))
			always(cluster, int16(kmsg.Metadata), c.picture.answer)
			r := ask(t, start(t, "", env("")), target(t, cluster, c.of))
			expectShards(t, r, c.shards)
			if r.State != c.state {
				t.Errorf("state is %q (%s), wanted is %q", r.State, r.StateReason, c.state)
			}
			want := map[string]string{"out_of_sync": "no", "under_replicated": "no", "leaderless": "no"}
			if c.attrs != "" {
				want[c.attrs] = "yes"
			}
			if diff := cmp.Diff(want, r.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

// The same broker, asked over one kept connection, while the controller moves from it and back.
func TestControllerMoves(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(3))
	seen := make(chan int32, 1)
	always(c, int16(kmsg.Metadata), func(r kmsg.Request) kmsg.Response {
		return (&picture{brokers: []int32{0, 1, 2}, controller: <-seen}).answer(r)
	})
	p := start(t, "", env(""))
	for _, controller := range []int32{1, 2, 1} {
		want := "controller replica"
		if controller == 1 {
			want = "controller primary"
		}
		seen <- controller
		expectShards(t, ask(t, p, target(t, c, 1)), want)
	}
}

func TestManyPartitions(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(3), kfake.SeedTopics(10_000, "orders"), kfake.SeedTopics(2, "payments"),
		kfake.AllowAutoTopicCreation())
	for config, want := range map[fsm.JSON]string{
		``:                        "controller replica",
		`{"max_partitions":1023}`: "controller replica",
		`{"topics":["payments"]}`: "controller replica, payments-0 *, payments-1 *",
		`{"topics":["nowhere"]}`:  "controller replica",
		`{"topics":["payments"],"max_partitions":1}`: "controller replica",
	} {
		r := ask(t, start(t, config, env("")), target(t, c, 0))
		got := strings.NewReplacer("payments-0 primary", "payments-0 *", "payments-1 primary", "payments-1 *",
			"payments-0 replica", "payments-0 *", "payments-1 replica", "payments-1 *").Replace(shards(r))
		if !r.Reachable || got != want {
			t.Errorf("%s: shards are %.200q, wanted are %q: %s %s", config, got, want, r.Reason, r.Detail)
		}
		if counted := r.Attributes["partitions"]; config == "" && counted != "10002" {
			t.Errorf("%q partitions are counted", counted)
		}
	}
}

// One broker has more partitions than are listed, and so none lists them.
func TestAllBrokersListOrNone(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(2))
	always(c, int16(kmsg.Metadata), (&picture{brokers: []int32{0, 1}, partitions: []partition{
		{0, []int32{0, 1}, []int32{0, 1}}, {0, []int32{0}, []int32{0}},
	}}).answer)
	for limit, want := range map[int][2]string{
		1: {"controller primary", "controller replica"},
		2: {"controller primary, orders-0 primary, orders-1 primary", "controller replica, orders-0 replica"},
	} {
		p := start(t, fsm.JSON(fmt.Sprintf(`{"max_partitions":%d}`, limit)), env(""))
		for i := range want {
			expectShards(t, ask(t, p, target(t, c, i)), want[i])
		}
	}
}

// A topic that a broker cannot tell of just now is not gone.
func TestTopicWithAnError(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1))
	var code atomic.Int32
	always(c, int16(kmsg.Metadata), func(r kmsg.Request) kmsg.Response {
		p := picture{brokers: []int32{0}, partitions: []partition{{leader: 0, replicas: []int32{0}, isr: []int32{0}}}}
		answer := p.answer(r).(*kmsg.MetadataResponse)
		if answer.Topics[0].ErrorCode = int16(code.Load()); answer.Topics[0].ErrorCode != 0 {
			answer.Topics[0].Partitions = nil
		}
		return answer
	})
	p := start(t, `{"topics":["orders"]}`, env(""))
	expectShards(t, ask(t, p, target(t, c, 0)), "controller primary, orders-0 primary")
	for _, fails := range []struct {
		with   *kerr.Error
		reason string
	}{
		{kerr.LeaderNotAvailable, fsm.ReasonStore},
		{kerr.InvalidTopicException, fsm.ReasonStore},
		{kerr.TopicAuthorizationFailed, fsm.ReasonAuth},
		{kerr.UnknownServerError, fsm.ReasonProtocol},
	} {
		code.Store(int32(fails.with.Code))
		r := ask(t, p, target(t, c, 0))
		if r.Reason != fails.reason || !strings.Contains(r.Detail, "the topic orders") {
			t.Errorf("%s: report is %+v", fails.with.Message, r)
		}
	}
	code.Store(int32(kerr.UnknownTopicOrPartition.Code))
	expectShards(t, ask(t, p, target(t, c, 0)), "controller primary")
}

func TestBrokerStopped(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "orders"))
	p, gone, rest := start(t, "", env("")), target(t, c, 0), target(t, c, 1)
	if err := c.RemoveNode(0); err != nil {
		t.Fatal(err)
	}
	if r := ask(t, p, gone); r.Reason != fsm.ReasonRefused {
		t.Errorf("report is %+v", r)
	}
	if r := ask(t, p, rest); !r.Reachable || r.NodeID != "1" {
		t.Errorf("report is %+v", r)
	}
}

// Who speaks for every broker is none that could be told: a gateway, perhaps.
func TestNoOneBroker(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(2))
	always(c, int16(kmsg.DescribeConfigs), func(r kmsg.Request) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, resource := range r.(*kmsg.DescribeConfigsRequest).Resources {
			to := kmsg.NewDescribeConfigsResponseResource()
			to.ResourceName = resource.ResourceName
			answer.Resources = append(answer.Resources, to)
		}
		return answer
	})
	r := ask(t, start(t, "", env("")), target(t, c, 0))
	if r.Reason != fsm.ReasonStore || !strings.Contains(r.Detail, "speaks for 2 of the 2") {
		t.Errorf("report is %+v", r)
	}
}
