package agent

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

// enter brings this peer into its group: it keeps gossiping with whom it knows, founds the group together with others or
// asks to be taken in, and tells the others once it belongs to one.
func (a *Agent) enter(ctx context.Context) error {
	meeting := life.Start(ctx, a.ending.End, life.Parts{"meeting others": a.meet})
	defer meeting.Halt()
	founding := life.Start(ctx, a.ending.End, life.Parts{"founding": a.foundTogether})
	belongs := a.belong(ctx)
	founding.Halt()
	if !belongs {
		return nil
	}
	return a.announce(ctx)
}

// meet keeps gossiping with whom this peer was told of and whom it remembers.
func (a *Agent) meet(ctx context.Context) error {
	return a.whileLive(ctx, anything, func(ctx context.Context, now *live) error {
		if err := a.gossip.KeepJoining(ctx, now.join); err != nil && !errors.Is(err, gossip.ErrDeparted) {
			return err
		}
		return nil
	})
}

func (a *Agent) foundTogether(ctx context.Context) error {
	if a.founder == nil {
		return nil
	}
	return a.founder.Run(ctx)
}

// belong waits until this peer's log begins, asking to be taken in where there is a group already; false when ctx ended
// first.
func (a *Agent) belong(ctx context.Context) bool {
	for a.raft.LastIndex() == 0 {
		a.askIn(ctx)
		if !life.Pause(ctx, 250*time.Millisecond) {
			return false
		}
	}
	return true
}

// askIn asks the members of the group, of which the leader answers, to be added.
func (a *Agent) askIn(ctx context.Context) {
	for _, m := range a.gossip.Members() {
		if m.ID == a.id || m.Status != gossip.Alive || m.Group == "" {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, callWait)
		err := a.ask(asking, m.ID, callJoin.path, joinRequest{Peer: a.row()}, &nothing{})
		cancel()
		switch {
		case err == nil:
			return
		case errors.Is(err, fsm.ErrConflict):
			a.log.Error("the group does not take this peer in", "error", err)
			life.Pause(ctx, 5*time.Second)
		default:
			a.log.Debug("not taken in yet", "asked", m.Name, "error", err)
		}
	}
}

// announce tells the others, and this peer's own disk, which group it belongs to, as soon as the log says so.
func (a *Agent) announce(ctx context.Context) error {
	for {
		w := a.machine.Read().Applied()
		if group := a.groupID(); group != "" {
			if err := a.dir.Joined(group); err != nil {
				return err
			}
			err := a.gossip.Update(ctx, func(m *gossip.Member) { m.Group, m.HasLog = group, true })
			if err != nil && !errors.Is(err, gossip.ErrDeparted) && ctx.Err() == nil {
				return err
			}
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.Changed:
		case <-w.Abandoned:
		}
	}
}

// remembered are the addresses of the others that an earlier process kept.
func (a *Agent) remembered() (known gossip.Remembered, err error) {
	if err := a.dir.Read(datadir.FilePeers, &known); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return known, nil
}

// remember keeps the addresses of the others on disk, so that they are found again when all have restarted.
func (a *Agent) remember(ctx context.Context) error {
	for {
		changed := a.gossip.Changed()
		if err := a.dir.Write(datadir.FilePeers, a.gossip.Snapshot()); err != nil {
			a.log.Warn("addresses of the others were not kept", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		if !life.Pause(ctx, rememberEach) {
			return nil
		}
	}
}
