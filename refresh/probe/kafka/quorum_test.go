package kafka_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
)

// With KRaft the metadata names any broker as the controller, here always the last: it must not be believed.
func TestQuorum(t *testing.T) {
	all := []int32{0, 1, 2}
	for name, c := range map[string]struct {
		answer func(*kmsg.DescribeQuorumResponse)
		shards [3]string
	}{
		"brokers are controllers": {
			led(1, 0, 1, 2), [3]string{"controller replica", "controller primary", "controller replica"},
		},
		"one broker is none":        {led(1, 0, 1, 7), [3]string{"controller replica", "controller primary", ""}},
		"all controllers are apart": {led(3001, 3000, 3001, 3002), [3]string{}},
		"nobody leads": {
			led(-1, 0, 1), [3]string{"controller unattached", "controller unattached", ""},
		},
		"nobody answers": {
			func(answer *kmsg.DescribeQuorumResponse) { answer.ErrorCode = kerr.RequestTimedOut.Code },
			[3]string{"controller unattached", "controller unattached", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := brokers(t, kfake.NumBrokers(3))
			always(cluster, int16(kmsg.Metadata), (&picture{brokers: all, controller: 2}).answer)
			always(cluster, int16(kmsg.DescribeConfigs), describeConfigs(cluster, "broker,controller", "broker,controller", "broker"))
			asKRaft(cluster, c.answer)
			p := start(t, "", env(""))
			for i, want := range c.shards {
				r := ask(t, p, target(t, cluster, i))
				expectShards(t, r, want)
				if r.Version != "4.0" {
					t.Errorf("version is %q", r.Version)
				}
			}
		})
	}
}

// describeConfigs answers as kfake does, each broker for itself, with process.roles beside.
func describeConfigs(c *kfake.Cluster, roles ...string) func(kmsg.Request) kmsg.Response {
	return func(r kmsg.Request) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, resource := range r.(*kmsg.DescribeConfigsRequest).Resources {
			to := kmsg.NewDescribeConfigsResponseResource()
			to.ResourceName, to.ErrorCode = resource.ResourceName, kerr.InvalidRequest.Code
			if id := c.CurrentNode(); resource.ResourceName == strconv.Itoa(int(id)) {
				to.ErrorCode = 0
				config := kmsg.NewDescribeConfigsResponseResourceConfig()
				config.Name, config.Value = "process.roles", &roles[id]
				config.ConfigSynonyms = append(config.ConfigSynonyms, kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym())
				to.Configs = append(to.Configs, config)
			}
			answer.Resources = append(answer.Resources, to)
		}
		return answer
	}
}

func TestQuorumRefused(t *testing.T) {
	for code, reason := range map[int16]string{
		kerr.ClusterAuthorizationFailed.Code: fsm.ReasonAuth,
		kerr.InvalidRequest.Code:             fsm.ReasonProtocol,
	} {
		c := brokers(t, kfake.NumBrokers(1))
		asKRaft(c, func(answer *kmsg.DescribeQuorumResponse) { answer.ErrorCode = code })
		if r := ask(t, start(t, "", env("")), target(t, c, 0)); r.Reason != reason {
			t.Errorf("code %d: report is %+v", code, r)
		}
	}
}

// Brokers hold the question about the controllers back as long as none leads. The broker itself is well, and says so; and
// the connection, over which an answer may still come, is not used again.
func TestQuorumIsSilent(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	always(c, int16(kmsg.DescribeConfigs), describeConfigs(c, "broker,controller"))
	c.ControlKey(int16(kmsg.DescribeQuorum), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, nil, true // once, no answer
	})
	asKRaft(c, led(0, 0))
	dialed := 0
	e := env("")
	e.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed++
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	p := start(t, "", e)
	expectShards(t, ask(t, p, target(t, c, 0)), "controller unattached, orders-0 primary")
	expectShards(t, ask(t, p, target(t, c, 0)), "controller primary, orders-0 primary")
	expectShards(t, ask(t, p, target(t, c, 0)), "controller primary, orders-0 primary")
	if dialed != 2 {
		t.Errorf("%d connections were made", dialed)
	}
}

// Where little time is left the controllers get half of it.
func TestQuorumIsSilentAndTimeIsShort(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1))
	c.ControlKey(int16(kmsg.DescribeQuorum), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, true })
	asKRaft(c, led(0, 0))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if r := start(t, "", env("")).Probe(ctx, target(t, c, 0)); !r.Reachable {
		t.Errorf("report is %+v", r)
	}
}

// deadlines remembers the last deadline of a connection.
type deadlines struct {
	net.Conn
	last time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.last = t
	return d.Conn.SetReadDeadline(t)
}

// A kept connection must not run into the deadline of an earlier poll's question.
func TestQuorumLeavesNoDeadline(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1))
	asKRaft(c, led(0, 0))
	var conn deadlines
	e := env("")
	e.Dial = func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		conn.Conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return &conn, err
	}
	if r := ask(t, start(t, "", e), target(t, c, 0)); !r.Reachable || !conn.last.IsZero() {
		t.Errorf("the deadline is %s: %+v", conn.last, r)
	}
}
