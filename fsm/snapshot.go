package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"iter"
	"reflect"
)

// A snapshot is frames of (table number, length, CBOR row): a header first, then every row table by table in key order, and
// last an end frame with their count and SHA-256. Two peers at one index write identical bytes.

// snapshotFormat is raised when a peer of an older release could not read what this one writes.
const snapshotFormat = 1

// Header is the first frame of a snapshot.
type Header struct {
	Format  uint32 `cbor:"1,keyasint"`
	Index   uint64 `cbor:"2,keyasint"`
	Time    Time   `cbor:"3,keyasint"`
	Epoch   string `cbor:"4,keyasint"`
	Group   string `cbor:"5,keyasint"`
	Feature uint32 `cbor:"6,keyasint,omitempty"`
}

// ending is the last frame of a snapshot.
type ending struct {
	Rows   uint64 `cbor:"1,keyasint"`
	Digest []byte `cbor:"2,keyasint"`
}

const (
	frameHeader = 0
	frameEnd    = 255
)

// stored is a table of the snapshot: its number, never reused, and how its rows travel.
type stored struct {
	number byte
	table  string
	rows   func(r *Reader, yield func(row any) bool)
	blank  func() any // an empty row to decode into
	read   shape
}

// storedAs is a table whose rows travel as they are kept.
func storedAs[T any](number byte, table string) stored {
	return storedOf(number, table, func(r *Reader) iter.Seq[*T] { return scan[T](r, table, byID, nil) })
}

func storedOf[T any](number byte, table string, rows func(*Reader) iter.Seq[*T]) stored {
	return stored{
		number: number, table: table,
		rows: func(r *Reader, yield func(any) bool) {
			for row := range rows(r) {
				if !yield(row) {
					return
				}
			}
		},
		blank: func() any { return new(T) },
		read:  shapeOf(reflect.TypeFor[T]()),
	}
}

var storedTables = []stored{
	storedAs[Meta](1, tableMeta),
	storedAs[indexRow](2, tableIndex),
	storedAs[Settings](3, tableSettings),
	storedAs[Peer](4, tablePeers),
	storedAs[Discovery](5, tableDiscoveries),
	storedAs[Cluster](6, tableClusters),
	storedOf(7, tableNodes, func(r *Reader) iter.Seq[*Node] {
		return unpack(scan[roster](r, tableNodes, byID, nil), (*roster).all)
	}),
	storedOf(8, tableListings, func(r *Reader) iter.Seq[*Listing] {
		return unpack(scan[listings](r, tableListings, byID, nil), (*listings).all)
	}),
	storedOf(9, tableSubjects, (*Reader).Claims),
	storedOf(10, tableSubjects, (*Reader).Schedules),
	storedOf(11, tableEvents, func(r *Reader) iter.Seq[*eventRow] { return r.eventRows(0) }),
	storedAs[eventRow](12, tableAudit),
	storedAs[Token](13, tableTokens),
}

// Header is that of the snapshot WriteSnapshot would write.
func (r *Reader) Header() Header {
	m := r.Meta()
	return Header{
		Format: snapshotFormat, Index: m.Index, Time: m.Time, Epoch: m.Epoch(), Group: m.Group, Feature: m.Feature,
	}
}

// WriteSnapshot writes the state as the reader sees it, while later entries may be applied.
func (r *Reader) WriteSnapshot(to io.Writer) error {
	w := &frameWriter{to: bufio.NewWriterSize(to, 64<<10), digest: sha256.New()}
	w.frame(frameHeader, mustEncode(r.Header()))
	var rows uint64
	for _, t := range storedTables {
		t.rows(r, func(row any) bool {
			rows++
			w.frame(t.number, mustEncode(row))
			return w.err == nil
		})
	}
	w.frame(frameEnd, mustEncode(ending{Rows: rows, Digest: w.digest.Sum(nil)}))
	if w.err == nil {
		w.err = w.to.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("write snapshot: %w", w.err)
	}
	return nil
}

type frameWriter struct {
	to     *bufio.Writer
	digest hash.Hash
	head   [binary.MaxVarintLen64 + 1]byte
	err    error
}

func (w *frameWriter) frame(number byte, body []byte) {
	w.head[0] = number
	n := 1 + binary.PutUvarint(w.head[1:], uint64(len(body)))
	for _, b := range [][]byte{w.head[:n], body} {
		if w.err != nil {
			return
		}
		w.digest.Write(b)
		_, w.err = w.to.Write(b)
	}
}

// wireEventRow is an eventRow as a snapshot holds it.
type wireEventRow struct {
	Seq  uint64 `cbor:"1,keyasint"`
	Time Time   `cbor:"2,keyasint"`
	Raw  []byte `cbor:"3,keyasint"`
}

// MarshalCBOR writes the snapshot's form.
func (e *eventRow) MarshalCBOR() ([]byte, error) { return encMode.Marshal(wireEventRow(*e)) }

// UnmarshalCBOR reads the snapshot's form and checks that the event decodes.
func (e *eventRow) UnmarshalCBOR(raw []byte) error {
	if err := decode(raw, (*wireEventRow)(e)); err != nil {
		return err
	}
	return decode(e.Raw, new(Event))
}
