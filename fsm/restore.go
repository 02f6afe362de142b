package fsm

import (
	"bufio"
	"bytes"
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

func load(db *database, from io.Reader) error {
	r := &frameReader{from: bufio.NewReaderSize(from, 64<<10), digest: sha256.New()}
	number, body, err := r.frame()
	if err != nil {
		return err
	}
	var head Header
	if number != frameHeader || decode(body, &head) != nil || head.Format != snapshotFormat {
		return fmt.Errorf("format %d: %w", head.Format, ErrNewer)
	}
	tx := db.mem.Txn(true)
	defer tx.Abort()
	if err := loadRows(tx, r); err != nil {
		return err
	}
	if got := (&Reader{txn: tx}).Header(); got != head {
		return fmt.Errorf("header %+v is not that of the rows, %+v", head, got)
	}
	tx.Commit()
	return nil
}

func loadRows(tx *memdb.Txn, r *frameReader) error {
	for rows := uint64(0); ; rows++ {
		digest := r.digest.Sum(nil)
		number, body, err := r.frame()
		if err != nil {
			return err
		}
		if number == frameEnd {
			var end ending
			if err := decode(body, &end); err != nil {
				return fmt.Errorf("end frame: %w", err)
			}
			if end.Rows != rows || !bytes.Equal(end.Digest, digest) {
				return errors.New("digest does not match: the snapshot is damaged")
			}
			if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
				return errors.New("the snapshot goes on after its end")
			}
			return nil
		}
		i := slices.IndexFunc(storedTables, func(t stored) bool { return t.number == number })
		if i < 0 {
			return fmt.Errorf("table %d: %w", number, ErrNewer)
		}
		row, err := storedTables[i].load(body)
		if err != nil {
			return fmt.Errorf("row %d of table %s: %w", rows, storedTables[i].table, err)
		}
		if err := tx.Insert(storedTables[i].table, row); err != nil {
			return err
		}
	}
}

type frameReader struct {
	from   *bufio.Reader
	digest hash.Hash
}

func (r *frameReader) frame() (number byte, body []byte, err error) {
	if number, err = r.ReadByte(); err != nil {
		return 0, nil, cutShort(err)
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, cutShort(err)
	}
	if size > maxRow {
		return 0, nil, fmt.Errorf("a row of %d bytes: the snapshot is damaged", size)
	}
	body = make([]byte, size)
	if _, err = io.ReadFull(r.from, body); err != nil {
		return 0, nil, cutShort(err)
	}
	r.digest.Write(body)
	return number, body, nil
}

// ReadByte reads one byte into the digest.
func (r *frameReader) ReadByte() (byte, error) {
	b, err := r.from.ReadByte()
	if err == nil {
		r.digest.Write([]byte{b})
	}
	return b, err
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the snapshot is cut short")
	}
	return err
}
