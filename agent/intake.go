package agent

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// defaultMaxSnapshot is the largest snapshot that a peer takes up, in bytes.
const defaultMaxSnapshot = 1 << 30

// intake is raft's transport with a look at what comes in. Raft takes a snapshot of whatever size its head says, writes all of it to
// the disk, and hears nothing else meanwhile; of one that is refused it reads all the same. So one that is too large is refused
// before raft sees it, and what follows on its connection is no request, which ends that.
type intake struct {
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

func newIntake(from *raft.NetworkTransport, most int64, log *slog.Logger) *intake {
	i := &intake{NetworkTransport: from, most: most, log: log, rpcs: make(chan raft.RPC), stop: make(chan struct{})}
	i.close = sync.OnceValue(func() error {
		close(i.stop)
		i.ended.Wait()
		return i.NetworkTransport.Close()
	})
	return i
}

// Consumer is raft.Transport's: raft asks once, when it is made.
func (i *intake) Consumer() <-chan raft.RPC {
	i.begin.Do(func() { i.ended.Go(i.run) })
	return i.rpcs
}

// Close is raft.WithClose's.
func (i *intake) Close() error { return i.close() }

func (i *intake) run() {
	for {
		select {
		case <-i.stop:
			return
		case rpc := <-i.NetworkTransport.Consumer():
			if err := i.judge(rpc.Command); err != nil {
				i.refused.Add(1)
				i.log.Error("a snapshot is not taken up", "error", err)
				rpc.Respond(&raft.InstallSnapshotResponse{}, err)
				continue
			}
			select {
			case i.rpcs <- rpc:
			case <-i.stop:
				return
			}
		}
	}
}

// judge says why a request is not for raft, nil when it is.
func (i *intake) judge(command any) error {
	snapshot, ok := command.(*raft.InstallSnapshotRequest)
	if !ok || snapshot.Size >= 0 && snapshot.Size <= i.most {
		return nil
	}
	return fmt.Errorf("the leader's snapshot of entry %d is larger (%d bytes) than this peer takes up: %d bytes, -max-snapshot-mib",
		snapshot.LastLogIndex, snapshot.Size, i.most)
}
