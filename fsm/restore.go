package fsm

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// maxRow bounds one row of a snapshot, so that a damaged length allocates nothing large.
const maxRow = 16 << 20

var errDigest = errors.New("digest does not match: the snapshot is damaged")

// Restore replaces the state with a snapshot: all of it is read and verified into a new database first, then swapped in
// once, and every Wait on the old one wakes. On an error the state is as before. It wraps ErrNewer for a snapshot that this
// release cannot read.
func (s *State) Restore(from io.Reader) error {
	db := newDatabase()
	if err := load(db, from); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	old := s.db.Swap(db)
	close(old.abandoned)
	return nil
}

// VerifySnapshot reads a snapshot whole, checks every digest and row, and returns its header.
func VerifySnapshot(from io.Reader) (Header, error) {
	db := newDatabase()
	if err := load(db, from); err != nil {
		return Header{}, fmt.Errorf("verify snapshot: %w", err)
	}
	return (&Reader{txn: db.mem.Txn(false)}).Header(), nil
}

// CheckSnapshot reads a snapshot for its digest: whether it is as it was written, and goes no further than an entry. What is in its
// rows it leaves to Restore.
func CheckSnapshot(index uint64, from io.Reader) error {
	r := &frameReader{from: bufio.NewReaderSize(from, 64<<10), digest: sha256.New()}
	head, err := r.header()
	var rows uint64
	if err == nil || errors.Is(err, ErrNewer) { // which Restore says, once it is sure
		rows, err = r.skip()
	}
	switch {
	case err != nil:
	case rows != r.frames-2: // the first and the last are none
		err = errDigest
	case head.Index > index:
		err = fmt.Errorf("it goes to entry %d, not %d", head.Index, index)
	default:
		return nil
	}
	return fmt.Errorf("check snapshot: %w", err)
}

// ReadHeader reads what a snapshot says of itself, and nothing more. It wraps ErrNewer for one that this release cannot read.
func ReadHeader(from io.Reader) (Header, error) {
	return (&frameReader{from: bufio.NewReader(from), digest: sha256.New()}).header()
}

func load(db *database, from io.Reader) error {
	r := &frameReader{from: bufio.NewReaderSize(from, 64<<10), digest: sha256.New()}
	tx := db.mem.Txn(true)
	defer tx.Abort()
	head, err := loadFrames(tx, r)
	if errors.Is(err, ErrNewer) {
		// Damage looks as strange as what a later release wrote, but its digest does not fit.
		_, damaged := r.skip()
		return cmp.Or(damaged, err)
	}
	if err != nil {
		return err
	}
	rows := &Reader{txn: tx}
	if got := rows.Header(); got != head {
		return fmt.Errorf("header %+v is not that of the rows, %+v", head, got)
	}
	if err := rows.whole(); err != nil {
		return err
	}
	tx.Commit()
	return nil
}

func loadFrames(tx *memdb.Txn, r *frameReader) (Header, error) {
	head, err := r.header()
	if err != nil {
		return head, err
	}
	return head, loadRows(tx, r)
}

// whole says whether the rows that point at others find them and the state's own row counts what is there: later entries
// rely on it, and would panic on every peer.
func (r *Reader) whole() error {
	m := r.Meta()
	next, size := m.First, int64(0)
	for p := range scan[page](r, tableEvents, byID, nil) {
		for _, e := range p.events {
			if e.Seq != next {
				return fmt.Errorf("event %d stands where %d is next", e.Seq, next)
			}
			next, size = next+1, size+int64(len(e.Raw))
		}
	}
	if next != m.Seq+1 || size != m.Bytes {
		return fmt.Errorf("events end at %d with %d bytes, not at %d with %d", next-1, size, m.Seq, m.Bytes)
	}
	audits := 0
	for range scan[eventRow](r, tableAudit, byID, nil) {
		audits++
	}
	if audits != m.Audits {
		return fmt.Errorf("there are %d audit rows, not %d", audits, m.Audits)
	}
	return cmp.Or(r.wholeClusters(m), r.wholeSubjects())
}

func (r *Reader) wholeClusters(m *Meta) error {
	for c := range scan[Cluster](r, tableClusters, byID, nil) {
		if c.ID == 0 || c.ID > m.Cluster {
			return fmt.Errorf("cluster %q has id %d of %d given", c.Name, c.ID, m.Cluster)
		}
	}
	for d := range scan[Discovery](r, tableDiscoveries, byID, nil) {
		if d.ID == 0 || d.ID > m.Discovery {
			return fmt.Errorf("discovery %q has id %d of %d given", d.Name, d.ID, m.Discovery)
		}
	}
	for row := range scan[roster](r, tableNodes, byID, nil) {
		if r.ClusterByID(row.cluster) == nil {
			return fmt.Errorf("there are nodes of cluster %d, which is not there", row.cluster)
		}
	}
	for row := range scan[listings](r, tableListings, byID, nil) {
		if r.DiscoveryByID(row.discovery) == nil {
			return fmt.Errorf("there are listings of discovery %d, which is not there", row.discovery)
		}
		if id, ok := r.lacks(row); ok {
			return fmt.Errorf("discovery %d lists %q of cluster %d, which is not there", row.discovery, id, row.cluster)
		}
	}
	return nil
}

// lacks is the first node of listings that their cluster does not have.
func (r *Reader) lacks(l *listings) (id string, lacks bool) {
	var nodes []string
	if there := row[roster](r, tableNodes, byID, num(l.cluster)); there != nil {
		nodes = there.nodes
	}
	for _, packed := range l.nodes {
		id = keyOf(packed)
		if _, found := find(nodes, id); !found {
			return id, true
		}
	}
	return "", false
}

func (r *Reader) wholeSubjects() error {
	there := func(s Subject) bool {
		return s.Kind == KindRefresh && r.ClusterByID(s.ID) != nil || s.Kind == KindRun && r.DiscoveryByID(s.ID) != nil
	}
	for s := range r.Schedules() {
		if !there(s.Subject) {
			return fmt.Errorf("schedule of %s %d, which is not there", s.Subject.Kind, s.Subject.ID)
		}
	}
	return nil
}

func loadRows(tx *memdb.Txn, r *frameReader) error {
	into := loader{tx: tx, claims: map[Subject]*Claim{}}
	for rows := uint64(0); ; rows++ {
		number, body, err := r.frame()
		if err != nil {
			return err
		}
		if number == frameEnd {
			written, err := r.end(body)
			if err != nil {
				return err
			}
			if written != rows {
				return errDigest
			}
			return into.finish()
		}
		i := slices.IndexFunc(storedTables, func(t stored) bool { return t.number == number })
		if i < 0 {
			return fmt.Errorf("table %d: %w", number, ErrNewer)
		}
		if err := into.load(&storedTables[i], body); err != nil {
			return fmt.Errorf("row %d of table %s: %w", rows, storedTables[i].table, err)
		}
	}
}

// frameReader reads frames one after the other.
type frameReader struct {
	from   *bufio.Reader
	digest hash.Hash
	body   []byte
	read   []byte // digest of the frames before the end frame, once that is reached
	frames uint64
}

// header reads the first one.
func (r *frameReader) header() (head Header, err error) {
	number, body, err := r.frame()
	switch {
	case err != nil:
		return head, err
	case number != frameHeader || decode(body, &head) != nil || head.Format != snapshotFormat:
		return head, fmt.Errorf("format %d: %w", head.Format, ErrNewer)
	case head.Feature > FeatureLevel:
		return head, fmt.Errorf("it is of feature level %d, this release understands %d: %w", head.Feature, FeatureLevel, ErrNewer)
	}
	return head, nil
}

// frame reads the next one. Its body is good until the one after.
func (r *frameReader) frame() (number byte, body []byte, err error) {
	head, err := r.from.Peek(1 + binary.MaxVarintLen64)
	if len(head) == 0 {
		return 0, nil, cutShort(err)
	}
	size, n := binary.Uvarint(head[1:])
	switch {
	case n == 0 && err != nil:
		return 0, nil, cutShort(err)
	case n <= 0 || size > maxRow:
		return 0, nil, fmt.Errorf("a row of %d bytes: the snapshot is damaged", size)
	}
	if number = head[0]; number == frameEnd {
		r.read = r.digest.Sum(nil)
	}
	r.digest.Write(head[:1+n])
	if _, err = r.from.Discard(1 + n); err != nil {
		return 0, nil, cutShort(err)
	}
	r.body = slices.Grow(r.body[:0], int(size))[:size]
	if _, err = io.ReadFull(r.from, r.body); err != nil {
		return 0, nil, cutShort(err)
	}
	r.digest.Write(r.body)
	r.frames++
	return number, r.body, nil
}

// end judges the end frame, which must be the last, and returns the count of rows that it names.
func (r *frameReader) end(body []byte) (rows uint64, err error) {
	var end ending
	if err := decode(body, &end); err != nil {
		return 0, fmt.Errorf("end frame: %w", err)
	}
	if !bytes.Equal(end.Digest, r.read) {
		return 0, errDigest
	}
	if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
		return 0, errors.New("the snapshot goes on after its end")
	}
	return end.Rows, nil
}

// skip reads the frames that are left for their digest alone. It returns how many rows there should be.
func (r *frameReader) skip() (rows uint64, err error) {
	for {
		number, body, err := r.frame()
		if err != nil {
			return 0, err
		}
		if number != frameEnd {
			continue
		}
		return r.end(body)
	}
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the snapshot is cut short")
	}
	return err
}
