package fleet

import (
	"context"
	"time"

	"github.com/musterhq/muster/fsm"
)

type change struct {
	verb   Verb
	action *Action
}

// change makes a node other than it was. The caller holds the cluster's mu.
func (s *share) change(ctx context.Context, n *node, ch change) error {
	next := ch.after(n.answer.Load().condition, s.nodeID(n.cluster.index, (n.index+1)%s.Nodes))
	if next.manner != refusing && s.Each && n.gate == nil {
		if err := s.openGate(ctx, n); err != nil {
			return fsm.Errorf(fsm.CodeUnavailable, "%v", err)
		}
	}
	if err := s.publish(n, next); err != nil {
		return err
	}
	if next.manner == refusing {
		closeGate(n)
		for _, conn := range n.conns {
			reset(conn)
		}
	}
	return nil
}

// after is what the change makes of a condition. neighbour is the id a node lies with when none was given. A removed node
// stays so until it is added; what else is done to it meanwhile shows nowhere.
func (ch change) after(now condition, neighbour string) condition {
	if now.removed && ch.verb != Add {
		return now
	}
	switch ch.verb {
	case Stop:
		now.manner = refusing
	case Silent:
		now.manner = silent
	case Garbage:
		now.manner = garbage
	case Slow:
		now.manner, now.delay = answering, time.Duration(ch.action.Delay)
	case Lie:
		now.manner, now.says = answering, ch.action.NodeID
		if now.says == "" {
			now.says = neighbour
		}
	case SetState:
		now.manner, now.state, now.reason = answering, ch.action.State, ch.action.Reason
		if now.state == fsm.StateDown && now.reason == "" {
			now.reason = fsm.ReasonStore
		}
	case SetLag:
		now.lagged, now.lagMS = ch.action.LagMS != nil, 0
		if now.lagged {
			now.lagMS = *ch.action.LagMS
		}
	case Start:
		return born
	case Add:
		if now.removed {
			return born
		}
	case Remove:
		now = condition{manner: refusing, state: now.state, removed: true}
	case Failover:
	}
	return now
}
