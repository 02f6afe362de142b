package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// DefaultMaxSnapshot is the largest snapshot that a peer takes up, in bytes.
const DefaultMaxSnapshot = 1 << 30

// oneAtATime has raft send entries to a peer when it has answered the ones before, all that have come together. Were they sent
// without waiting, an answer of a later term would end who reads the answers while who sends waits for him: for ever, so that raft
// would not shut down, and the peer not stop.
const oneAtATime = 1

// Transport is raft's transport with a look at what comes in. Raft takes a snapshot of whatever size its head says, writes all of it to
// the disk, and hears nothing else meanwhile; of one that is refused it reads all the same. So one that is too large is refused
// before raft sees it, and what follows on its connection is no request, which ends that. Over a peer set that it cannot read raft
// panics: what has such a one is refused, too.
type Transport struct {
	*raft.NetworkTransport
	most    int64 // bytes of a snapshot
	log     *slog.Logger
	refused atomic.Int64

	rpcs  chan raft.RPC
	begin sync.Once
	stop  chan struct{}
	ended sync.WaitGroup
	close func() error
}

// NewTransport makes one over the streams between peers, that takes up snapshots of so many bytes at most.
func NewTransport(streams raft.StreamLayer, most int64, log *slog.Logger) *Transport {
	t := &Transport{most: most, log: log, rpcs: make(chan raft.RPC), stop: make(chan struct{})}
	t.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streams, MaxPool: 3, Timeout: 10 * time.Second, Logger: Logger(log), MaxRPCsInFlight: oneAtATime,
	})
	t.close = sync.OnceValue(func() error {
		close(t.stop)
		t.ended.Wait()
		return t.NetworkTransport.Close()
	})
	return t
}

// Consumer is raft.Transport's: raft asks once, when it is made.
func (t *Transport) Consumer() <-chan raft.RPC {
	t.begin.Do(func() { t.ended.Go(t.run) })
	return t.rpcs
}

// Refused counts the snapshots that were not taken up.
func (t *Transport) Refused() int64 { return t.refused.Load() }

// Close is raft.WithClose's.
func (t *Transport) Close() error { return t.close() }

func (t *Transport) run() {
	for {
		select {
		case <-t.stop:
			return
		case rpc := <-t.NetworkTransport.Consumer():
			if err := t.judge(rpc.Command); err != nil {
				t.refuse(rpc, err)
				continue
			}
			select {
			case t.rpcs <- rpc:
			case <-t.stop:
				return
			}
		}
	}
}

// judge says why a request is not for raft, nil when it is.
func (t *Transport) judge(command any) error {
	switch ask := command.(type) {
	case *raft.InstallSnapshotRequest:
		if ask.Size < 0 || ask.Size > t.most {
			return fmt.Errorf("the leader's snapshot of entry %d is larger (%d bytes) than this peer takes up: %d bytes, -max-snapshot-mib",
				ask.LastLogIndex, ask.Size, t.most)
		}
		if ask.SnapshotVersion > 0 {
			return readable(ask.Configuration)
		}
	case *raft.AppendEntriesRequest:
		return t.judgeEntries(ask.Entries)
	}
	return nil
}

func (t *Transport) judgeEntries(entries []*raft.Log) error {
	for _, entry := range entries {
		switch {
		case entry == nil:
			return errors.New("the request came damaged: an entry is missing")
		case entry.Type == raft.LogConfiguration:
			if err := readable(entry.Data); err != nil {
				return err
			}
		}
	}
	return nil
}

// readable says why a peer set cannot be read, over which raft would panic.
func readable(set []byte) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("the request came damaged: %v", why)
		}
	}()
	raft.DecodeConfiguration(set)
	return nil
}

// refuse answers a request that is not for raft.
func (t *Transport) refuse(rpc raft.RPC, why error) {
	if _, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
		t.log.Error("entries are not taken up", "error", why)
		rpc.Respond(&raft.AppendEntriesResponse{}, why)
		return
	}
	t.refused.Add(1)
	t.log.Error("a snapshot is not taken up", "error", why)
	rpc.Respond(&raft.InstallSnapshotResponse{}, why)
}
