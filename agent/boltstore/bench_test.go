package boltstore_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

func BenchmarkStoreLogs(b *testing.B) {
	for _, batch := range []uint64{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			store := open(b, boltstore.Config{Path: filePath(b)})
			logs := make([]*raft.Log, batch)
			for i := range logs {
				logs[i] = &raft.Log{Term: 1, Data: make([]byte, 512)}
			}
			index := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				for _, log := range logs {
					index++
					log.Index = index
				}
				if err := store.StoreLogs(logs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGetLog(b *testing.B) {
	store := open(b, boltstore.Config{Path: filePath(b)})
	logs := entries(1, 1000)
	for _, log := range logs {
		log.Data = make([]byte, 512)
	}
	storeLogs(b, store, logs...)
	index := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		index = index%1000 + 1
		if err := store.GetLog(index, new(raft.Log)); err != nil {
			b.Fatal(err)
		}
	}
}
