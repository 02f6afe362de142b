package backup

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/musterhq/muster/fsm"
)

const (
	maxMeta = 64 << 10 // bytes of meta.json, and of SHA256SUMS
	maxRest = 1 << 20  // bytes that may follow the last file of a tar, which pads with zeros
)

// Backup is one that was read whole and verified.
type Backup struct {
	Meta
	Kinds []fsm.Count // the rows of its state, kind by kind
	State *fsm.State
}

// Read reads a backup to its end and verifies all of it. The error says what is wrong with it, and wraps fsm.ErrNewer for one
// that only a later release can read.
func Read(from io.Reader) (*Backup, error) {
	b, err := read(bufio.NewReaderSize(from, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	return b, nil
}

func read(from *bufio.Reader) (*Backup, error) {
	zip, err := gzip.NewReader(from)
	if err != nil {
		return nil, fmt.Errorf("it is no gzip file: %w", cutShort(err))
	}
	zip.Multistream(false)
	r := &reader{tar: tar.NewReader(zip)}
	b := &Backup{State: fsm.NewState()}
	var census fsm.Census
	r.file(fileMeta, func(from io.Reader, size int64) error { return decodeMeta(from, size, &b.Meta) })
	r.file(fileState, func(from io.Reader, _ int64) error { return b.State.Restore(io.TeeReader(from, &census)) })
	sums := r.sums
	r.file(fileSums, func(from io.Reader, size int64) error {
		told, err := readSmall(from, size)
		if err == nil && string(told) != sums {
			err = errors.New("the digests are not those of the files: the backup is damaged")
		}
		return err
	})
	if r.err == nil {
		r.err = ended(r.tar, zip, from)
	}
	if r.err != nil {
		return nil, r.err
	}
	if is := metaOf(b.State.Read(), r.size); is != b.Meta {
		return nil, fmt.Errorf("%s says %+v, the state is %+v", fileMeta, b.Meta, is)
	}
	b.Kinds = census.Counts()
	return b, nil
}

// reader reads files in their order until an error.
type reader struct {
	tar  *tar.Reader
	sums string // of the files so far
	size int64  // of the last file but SHA256SUMS
	err  error
}

func (r *reader) file(name string, read func(from io.Reader, size int64) error) {
	if r.err != nil {
		return
	}
	head, err := r.tar.Next()
	switch {
	case err != nil:
		r.err = fmt.Errorf("%s: %w", name, cutShort(err))
		return
	case head.Name != name || head.Typeflag != tar.TypeReg:
		r.err = fmt.Errorf("it holds %q where %s belongs", head.Name, name)
		return
	}
	m := newMeasure(io.Discard)
	if err := read(io.TeeReader(r.tar, m), head.Size); err != nil {
		r.err = fmt.Errorf("%s: %w", name, cutShort(err))
		return
	}
	if name != fileSums {
		r.sums, r.size = r.sums+sumLine(m.digest.Sum(nil), name), head.Size
	}
}

func decodeMeta(from io.Reader, size int64, into *Meta) error {
	raw, err := readSmall(from, size)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// readSmall reads a file that is small by its nature.
func readSmall(from io.Reader, size int64) ([]byte, error) {
	if size > maxMeta {
		return nil, fmt.Errorf("%d bytes are more than the %d that belong there", size, maxMeta)
	}
	return io.ReadAll(from)
}

// ended says whether nothing follows that should not.
func ended(files *tar.Reader, zip *gzip.Reader, from *bufio.Reader) error {
	if head, err := files.Next(); err == nil {
		return fmt.Errorf("it also holds %q", head.Name)
	} else if !errors.Is(err, io.EOF) {
		return cutShort(err)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(zip, maxRest+1)); err != nil {
		return cutShort(err)
	} else if n > maxRest {
		return errors.New("it goes on after its last file")
	}
	if _, err := from.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("it goes on after its end"), err)
	}
	return nil
}

// cutShort says in plain words that a file ends too early.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the backup is cut short")
	}
	return err
}
