package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// The form of bbolt's pages, in the byte order of the machine: a head, and as many elements of one size, each of which says where its
// key is, counted from itself. The value of a bucket's key begins with the page of its own tree, 0 when that stands behind it.
const (
	pageHead   = 16 // id (8), kind (2), count (2), pages that follow and belong to it (4)
	element    = 16
	bucketHead = 16

	metaRoot = pageHead + 16 // behind magic, version, page size, flags
	metaEnd  = pageHead + 40

	kindBranch = 1
	kindLeaf   = 2
	isBucket   = 1
)

// walk goes through the tree of pages once before bbolt does. A page that a damaged one leads to twice may lead bbolt in circles,
// until all memory is gone, and an element that is not in its page to whatever is in memory there.
type walk struct {
	file io.ReaderAt
	size uint64 // of a page
	seen []bool
}

// walkPages walks the pages that a transaction sees. An error says what is wrong with them.
func walkPages(path string, tx *bbolt.Tx) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	w := &walk{file: file, size: uint64(tx.DB().Info().PageSize)}
	meta, err := w.read(uint64(tx.ID())%2, 0, metaEnd+8)
	if err != nil {
		return err
	}
	end := binary.NativeEndian.Uint64(meta[metaEnd:])
	if end > uint64(stat.Size())/w.size {
		return fmt.Errorf("it ends before page %d", end)
	}
	w.seen = make([]bool, end)
	return w.page(binary.NativeEndian.Uint64(meta[metaRoot:]))
}

func (w *walk) read(page, from, n uint64) ([]byte, error) {
	b := make([]byte, n)
	_, err := w.file.ReadAt(b, int64(page*w.size+from))
	return b, err
}

// page walks a page and those below it.
func (w *walk) page(id uint64) error {
	if id < 2 || id >= uint64(len(w.seen)) {
		return fmt.Errorf("page %d is none of the tree's", id)
	}
	head, err := w.read(id, 0, pageHead)
	if err != nil {
		return err
	}
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if got := binary.NativeEndian.Uint64(head); got != id || more >= uint64(len(w.seen))-id {
		return fmt.Errorf("page %d says that it is page %d, and that %d follow it", id, got, more)
	}
	for i := id; i <= id+more; i++ {
		if w.seen[i] {
			return fmt.Errorf("page %d is in the tree twice", i)
		}
		w.seen[i] = true
	}
	whole, err := w.read(id, 0, (more+1)*w.size)
	if err != nil {
		return err
	}
	if err := w.elements(whole); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements walks what a page, or the one within a value, leads to.
func (w *walk) elements(page []byte) error {
	if len(page) < pageHead {
		return errors.New("it is cut short")
	}
	kind, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if kind != kindBranch && kind != kindLeaf || kind == kindBranch && count == 0 || pageHead+count*element > len(page) {
		return fmt.Errorf("it is of kind %d with %d elements", kind, count)
	}
	for i := range count {
		from := page[pageHead+i*element:]
		if err := w.element(kind, from); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

func (w *walk) element(kind uint16, from []byte) error {
	number := func(at int) uint64 { return uint64(binary.NativeEndian.Uint32(from[at:])) }
	if kind == kindBranch {
		if number(0)+number(4) > uint64(len(from)) {
			return errors.New("its key is not in the page")
		}
		return w.page(binary.NativeEndian.Uint64(from[8:]))
	}
	value := number(4) + number(8)
	if value+number(12) > uint64(len(from)) {
		return errors.New("its key and value are not in the page")
	}
	if number(0)&isBucket == 0 {
		return nil
	}
	if number(12) < bucketHead {
		return errors.New("it is half a bucket")
	}
	bucket := from[value : value+number(12)]
	if root := binary.NativeEndian.Uint64(bucket); root != 0 {
		return w.page(root)
	}
	return w.elements(bucket[bucketHead:])
}
