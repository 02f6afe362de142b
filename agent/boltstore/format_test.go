package boltstore_test

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/musterhq/muster/agent/boltstore"
)

var goldenEntry = raft.Log{
	Index:      0x0102030405060708,
	Term:       3,
	Type:       raft.LogBarrier,
	Data:       []byte("one golden entry"),
	Extensions: []byte("ext"),
	AppendedAt: time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC),
}

// withTrailer adds the checksum the package comment describes.
func withTrailer(entry raft.Log) raft.Log {
	covered := binary.BigEndian.AppendUint64(nil, entry.Index)
	covered = binary.BigEndian.AppendUint64(covered, entry.Term)
	covered = append(covered, byte(entry.Type))
	covered = binary.BigEndian.AppendUint64(covered, uint64(entry.AppendedAt.Unix()))
	covered = binary.BigEndian.AppendUint32(covered, uint32(entry.AppendedAt.Nanosecond()))
	covered = binary.BigEndian.AppendUint32(covered, 0)
	covered = binary.BigEndian.AppendUint64(covered, uint64(len(entry.Data)))
	covered = append(covered, entry.Data...)
	covered = binary.BigEndian.AppendUint64(covered, uint64(len(entry.Extensions)))
	covered = append(covered, entry.Extensions...)
	sum := crc32.Checksum(covered, crc32.MakeTable(crc32.Castagnoli))

	extensions := append([]byte{}, entry.Extensions...)
	extensions = append(extensions, "\x8dmcrc32c"...)
	entry.Extensions = binary.BigEndian.AppendUint32(extensions, sum)
	return entry
}

// foreignValue is an entry as raft-boltdb/v2 stores it.
func foreignValue(t *testing.T, entry raft.Log) []byte {
	t.Helper()
	var handle codec.MsgpackHandle
	handle.TimeNotBuiltin = true
	var value []byte
	if err := codec.NewEncoderBytes(&value, &handle).Encode(&entry); err != nil {
		t.Fatal(err)
	}
	return value
}

func key(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// withBolt changes or reads a file that no store has open.
func withBolt(t *testing.T, path string, change func(logs, conf *bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { // as raft-boltdb does whenever it opens a file
		_, err := tx.CreateBucketIfNotExists([]byte("logs"))
		if err == nil {
			_, err = tx.CreateBucketIfNotExists([]byte("conf"))
		}
		return err
	})
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket([]byte("logs")), tx.Bucket([]byte("conf"))) })
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStoredBytesOfOneEntry compares with testdata/entry.hex, which is what the first release left on disks: it is never written
// anew.
func TestStoredBytesOfOneEntry(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	given := goldenEntry
	given.AppendedAt = given.AppendedAt.In(time.FixedZone("elsewhere", 7200))
	storeLogs(t, store, &given)
	if err := store.SetUint64([]byte("CurrentTerm"), 0x0a0b); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, store, &goldenEntry)
	closeStore(t, store)

	var value, term []byte
	withBolt(t, path, func(logs, conf *bbolt.Bucket) error {
		value = append(value, logs.Get([]byte{1, 2, 3, 4, 5, 6, 7, 8})...)
		term = append(term, conf.Get([]byte("CurrentTerm"))...)
		return nil
	})
	if diff := cmp.Diff([]byte{0, 0, 0, 0, 0, 0, 0x0a, 0x0b}, term); diff != "" {
		t.Errorf("a number in conf (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(foreignValue(t, withTrailer(goldenEntry)), value); diff != "" {
		t.Errorf("not what the documented format says (-want +got):\n%s", diff)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "entry.hex"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), hex.EncodeToString(value)); diff != "" {
		t.Errorf("files of earlier releases look otherwise (-want +got):\n%s", diff)
	}
}

// TestOtherLibraryReadsOurs decodes with the settings raft-boltdb/v2 reads with.
func TestOtherLibraryReadsOurs(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, entries(1, 50)...)
	closeStore(t, store)

	withBolt(t, path, func(logs, _ *bbolt.Bucket) error {
		index := uint64(0)
		return logs.ForEach(func(k, value []byte) error {
			index++
			var got raft.Log
			if err := codec.NewDecoderBytes(value, &codec.MsgpackHandle{}).Decode(&got); err != nil {
				return err
			}
			want := withTrailer(*entry(index))
			if diff := cmp.Diff(key(index), k) + cmp.Diff(want, got); diff != "" {
				t.Errorf("entry %d (-want +got):\n%s", index, diff)
			}
			return nil
		})
	})
}

// foreignEntries are those of testdata/foreign.db, stored as raft-boltdb/v2 does; the file is never written anew. Some carry
// Extensions that are as long as a checksum's trailer, or longer.
func foreignEntries() []*raft.Log {
	logs := entries(40, 60)
	logs[3].Extensions = []byte("short")
	logs[4].Extensions = []byte("twelve bytes")
	logs[5].Extensions = []byte("those of another layer, quite long")
	logs[6].AppendedAt = time.Time{}
	return logs
}

func TestForeignFileIsServedAsItIs(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "foreign.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filePath(t)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	store := open(t, boltstore.Config{Path: path})
	wantEnds(t, store, 40, 60)
	wantEntries(t, store, foreignEntries()...)
	if term, err := store.GetUint64([]byte("CurrentTerm")); err != nil || term != 6 {
		t.Fatalf("got %d, %v", term, err)
	}
	storeLogs(t, store, entries(61, 70)...)
	wantEntries(t, store, append(foreignEntries(), entries(61, 70)...)...)
}

func TestBothTimeFormatsAreRead(t *testing.T) {
	path := filePath(t)
	var value []byte
	if err := codec.NewEncoderBytes(&value, &codec.MsgpackHandle{}).Encode(entry(1)); err != nil {
		t.Fatal(err)
	}
	withBolt(t, path, func(logs, _ *bbolt.Bucket) error { return logs.Put(key(1), value) })
	wantEntries(t, open(t, boltstore.Config{Path: path}), entry(1))
}
