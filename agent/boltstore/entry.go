package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
)

const (
	marker     = "\x8dmcrc32c"
	trailerLen = len(marker) + crc32.Size
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	encoding = newEncoding()
	decoding = newDecoding()
)

func newEncoding() *codec.MsgpackHandle {
	var handle codec.MsgpackHandle
	handle.TimeNotBuiltin = true
	return &handle
}

// newDecoding leaves times built in, which reads both of their formats. A field
// that is not known could only be dropped, or has a damaged name.
func newDecoding() *codec.MsgpackHandle {
	var handle codec.MsgpackHandle
	handle.ErrorIfNoField = true
	return &handle
}

// encodeEntry returns the value stored for an entry and leaves the entry as it
// is: raft goes on using it.
func encodeEntry(given *raft.Log) ([]byte, error) {
	entry := *given
	entry.AppendedAt = given.AppendedAt.UTC()
	trailer := binary.BigEndian.AppendUint32([]byte(marker), checksum(&entry))
	entry.Extensions = slices.Concat(given.Extensions, trailer)

	const heads = 128 // field names, integers, time
	value := make([]byte, 0, len(entry.Data)+len(entry.Extensions)+heads)
	if err := codec.NewEncoderBytes(&value, encoding).Encode(&entry); err != nil {
		return nil, fmt.Errorf("encode entry %d: %w", given.Index, err)
	}
	return value, nil
}

// decodeEntry reverses encodeEntry, and takes entries without a checksum as
// they are. An error says why the value cannot be what was stored under index.
func decodeEntry(index uint64, value []byte) (raft.Log, error) {
	var entry raft.Log
	decoder := codec.NewDecoderBytes(value, decoding)
	if err := decoder.Decode(&entry); err != nil {
		return raft.Log{}, fmt.Errorf("decode: %w", err)
	}
	if n := decoder.NumBytesRead(); n != len(value) {
		return raft.Log{}, fmt.Errorf("%d bytes follow the entry", len(value)-n)
	}
	if entry.Index != index {
		return raft.Log{}, fmt.Errorf("it says that its index is %d", entry.Index)
	}
	if err := strip(&entry); err != nil {
		return raft.Log{}, err
	}
	return entry, nil
}

// strip takes the trailer off entry.Extensions if there is one, and verifies it.
func strip(entry *raft.Log) error {
	stored := entry.Extensions
	given := len(stored) - trailerLen
	if given < 0 {
		return nil
	}
	marked := bytes.HasPrefix(stored[given:], []byte(marker))
	want := binary.BigEndian.Uint32(stored[len(stored)-crc32.Size:])

	entry.Extensions = stored[:given:given]
	if given == 0 {
		entry.Extensions = nil
	}
	got := checksum(entry)
	switch {
	case marked && got != want:
		return fmt.Errorf("its checksum is %08x, not the stored %08x", got, want)
	case !marked && got == want:
		return errors.New("its checksum's marker is damaged")
	case !marked:
		entry.Extensions = stored
	}
	return nil
}

// checksum covers every field, Extensions without the trailer.
func checksum(entry *raft.Log) uint32 {
	_, zone := entry.AppendedAt.Zone()
	heads := make([]byte, 0, 64)
	heads = binary.BigEndian.AppendUint64(heads, entry.Index)
	heads = binary.BigEndian.AppendUint64(heads, entry.Term)
	heads = append(heads, byte(entry.Type))
	heads = binary.BigEndian.AppendUint64(heads, uint64(entry.AppendedAt.Unix()))
	heads = binary.BigEndian.AppendUint32(heads, uint32(entry.AppendedAt.Nanosecond()))
	heads = binary.BigEndian.AppendUint32(heads, uint32(int32(zone)))
	heads = binary.BigEndian.AppendUint64(heads, uint64(len(entry.Data)))

	sum := crc32.Update(0, castagnoli, heads)
	sum = crc32.Update(sum, castagnoli, entry.Data)
	sum = crc32.Update(sum, castagnoli, binary.BigEndian.AppendUint64(heads[:0], uint64(len(entry.Extensions))))
	return crc32.Update(sum, castagnoli, entry.Extensions)
}
