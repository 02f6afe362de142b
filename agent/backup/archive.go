package backup

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/musterhq/muster/fsm"
)

// The files of a backup.
const (
	fileMeta  = "meta.json"
	fileState = "state.bin"
	fileSums  = "SHA256SUMS"
)

// Meta says what a backup is.
type Meta struct {
	ID      string   `json:"id"` // TERM-INDEX
	Group   string   `json:"group"`
	Epoch   string   `json:"epoch"`
	Index   uint64   `json:"index"` // raft index of the last entry in it
	Term    uint64   `json:"term"`  // of the last leader in it
	Time    fsm.Time `json:"time"`  // logical
	Seq     uint64   `json:"seq"`   // of the last event in it
	Format  uint32   `json:"format"`
	Feature uint32   `json:"feature_level"`
	Size    int64    `json:"size"` // bytes of state.bin
}

func metaOf(r *fsm.Reader, size int64) Meta {
	m, head := r.Meta(), r.Header()
	return Meta{
		ID: fmt.Sprintf("%d-%d", m.Term, m.Index), Group: m.Group, Epoch: m.Epoch(), Index: m.Index, Term: m.Term,
		Time: m.Time, Seq: m.Seq, Format: head.Format, Feature: m.Feature, Size: size,
	}
}

// Write writes the state that a reader sees as a backup.
func Write(to io.Writer, r *fsm.Reader) error {
	state := newMeasure(io.Discard)
	if err := r.WriteSnapshot(state); err != nil {
		return err
	}
	meta := metaOf(r, state.size)
	head, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	head = append(head, '\n')
	sum := sha256.Sum256(head)
	sums := sumLine(sum[:], fileMeta) + sumLine(state.digest.Sum(nil), fileState)
	zip, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	w := &writer{tar: tar.NewWriter(zip), at: meta.Time.Std()}
	w.file(fileMeta, int64(len(head)), func(to io.Writer) error { _, err := to.Write(head); return err })
	w.file(fileState, state.size, r.WriteSnapshot)
	w.file(fileSums, int64(len(sums)), func(to io.Writer) error { _, err := io.WriteString(to, sums); return err })
	for _, end := range []func() error{w.tar.Close, zip.Close} {
		if w.err == nil {
			w.err = end()
		}
	}
	if w.err != nil {
		return fmt.Errorf("write backup: %w", w.err)
	}
	return nil
}

func sumLine(sum []byte, name string) string { return hex.EncodeToString(sum) + "  " + name + "\n" }

// writer writes files one after the other until an error.
type writer struct {
	tar *tar.Writer
	at  time.Time
	err error
}

func (w *writer) file(name string, size int64, write func(io.Writer) error) {
	if w.err == nil {
		w.err = w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.at})
	}
	if w.err == nil {
		w.err = write(w.tar)
	}
}
