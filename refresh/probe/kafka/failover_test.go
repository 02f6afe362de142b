package kafka_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// doors are where brokers are reached: kfake leaves a removed one's connections open, and a process that ends does not.
type doors struct {
	mu   sync.Mutex
	open map[string][]net.Conn // by the address they were made to
}

type door struct {
	net.Listener
	all *doors
}

func (d *doors) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return &door{l, d}, err
}

func (d *door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err == nil {
		d.all.mu.Lock()
		defer d.all.mu.Unlock()
		d.all.open[d.Addr().String()] = append(d.all.open[d.Addr().String()], conn)
	}
	return conn, err
}

func (d *doors) hangUp(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.open[address] {
		_ = conn.Close()
	}
}

// TestFailover ends broker 0, which leads a partition and is the controller. For a while nobody leads either, then 1 leads
// both.
func TestFailover(t *testing.T) {
	all, rest := []int32{0, 1, 2}, []int32{1, 2}
	for _, shard := range []string{"orders-0", "controller"} {
		t.Run(shard, func(t *testing.T) {
			reached := &doors{open: map[string][]net.Conn{}}
			c := brokers(t, kfake.NumBrokers(3), kfake.ListenFn(reached.listen))
			var now atomic.Pointer[picture]
			now.Store(&picture{all, 0, []partition{{0, all, all}}})
			always(c, int16(kmsg.Metadata), func(r kmsg.Request) kmsg.Response { return now.Load().answer(r) })
			targets := []refresh.Target{target(t, c, 0), target(t, c, 1), target(t, c, 2)}
			told := probetest.NewRoll(start(t, "", env("")), targets...).Failover(t, probetest.Failover{
				Shard: shard,
				Lose: func(string) {
					now.Store(&picture{rest, -1, []partition{{-1, all, rest}}})
					if err := c.RemoveNode(0); err != nil {
						t.Fatal(err)
					}
					reached.hangUp(targets[0].HostPort())
				},
				Replace: func(string) { now.Store(&picture{rest, 1, []partition{{1, all, rest}}}) },
				Return: func(string, string) {
					now.Store(&picture{all, 1, []partition{{1, all, all}}})
					if _, _, err := c.AddNode(0, targets[0].Port); err != nil {
						t.Fatal(err)
					}
				},
			})
			if diff := cmp.Diff([]fsm.EventType{
				fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged, fsm.ShardChanged,
			}, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
