package gossip_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

func TestJoinTellsWhoDidNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b := start(t, n, idA, atA, nil), start(t, n, idB, "10.0.0.2:8652", nil)
		got, err := a.Join(t.Context(), []string{"10.0.0.2", away, atA, "10.0.0.4:0"})
		if got != 1 {
			t.Errorf("%d answered", got)
		}
		for _, part := range []string{away, "own address", "port must be"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error %v does not tell of %q", err, part)
			}
		}
		b.sees(map[string]gossip.Status{idA: gossip.Alive})
	})
}

func TestJoinEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, _ := start(t, n, idA, atA, nil), start(t, n, idB, atB, nil)
		n.Cut(atA, atB)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := a.Join(ctx, []string{atB}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLabelKeepsGroupsApart(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, nil)
		b := start(t, n, idB, atB, func(c *gossip.Config) { c.GroupName = "other" })
		if got, err := b.Join(t.Context(), []string{atA}); got != 0 || err == nil {
			t.Errorf("joined %d, %v", got, err)
		}
		a.sees(nil)
		b.sees(nil)
	})
}

func TestRememberedAddressesAreTried(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b, c := trio(t, n)
		kept := c.Snapshot()
		if diff := cmp.Diff(map[string]string{idA: atA, idB: atB}, map[string]string{idA: kept[idA].Gossip, idB: kept[idB].Gossip}); diff != "" {
			t.Error(diff)
		}
		c.crash()
		b.stop(gossip.Leaving)
		a.crash()
		again := start(t, n, idC, away, func(cfg *gossip.Config) { cfg.Remembered = kept })
		again.keepJoining()
		if addr, ok := again.PeerAddr(idA); !ok || addr != "10.0.0.1:8651" {
			t.Errorf("remembered peer address %q, %v", addr, ok)
		}
		<-time.After(time.Minute)
		if _, ok := again.Snapshot()[idA]; !ok {
			t.Error("an address that does not answer was forgotten")
		}
		start(t, n, idA, atA, nil)
		again.sees(map[string]gossip.Status{idA: gossip.Alive})
	})
}

func TestSnapshotForgetsWhoLeft(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b, c := trio(t, n)
		b.stop(gossip.Stopping)
		c.stop(gossip.Leaving)
		a.sees(map[string]gossip.Status{idB: gossip.Stopped, idC: gossip.Left})
		got := a.Snapshot()
		if _, left := got[idC]; left || len(got) != 1 || got[idB].Gossip != atB {
			t.Errorf("kept %+v", got)
		}
	})
}

func TestNothingAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a, b, _ := trio(t, n)
		if err := b.Leave(t.Context(), gossip.Stopping); err != nil {
			t.Fatal(err)
		}
		if err := b.Leave(t.Context(), gossip.Stopping); !errors.Is(err, gossip.ErrDeparted) {
			t.Errorf("second farewell: %v", err)
		}
		if _, err := b.Join(t.Context(), []string{atA}); !errors.Is(err, gossip.ErrDeparted) {
			t.Errorf("join after the farewell: %v", err)
		}
		a.sees(map[string]gossip.Status{idB: gossip.Stopped, idC: gossip.Alive})
		a.crash()
		if err := a.Update(t.Context(), func(*gossip.Member) {}); !errors.Is(err, gossip.ErrEnded) {
			t.Errorf("update: %v", err)
		}
		if err := a.Leave(t.Context(), gossip.Leaving); !errors.Is(err, gossip.ErrEnded) {
			t.Errorf("leave: %v", err)
		}
		if err := a.KeepJoining(t.Context(), nil); !errors.Is(err, gossip.ErrEnded) {
			t.Errorf("keep joining: %v", err)
		}
		if err := a.Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
	})
}
