package snapshots

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/hashicorp/raft"
)

// judge says what is wrong with a snapshot's meta.json, nil when nothing is.
func (s *Store) judge(name string) *DamageError {
	damaged := func(format string, args ...any) *DamageError {
		return &DamageError{Dir: s.cfg.Dir, File: s.path(name, fileMeta), Reason: fmt.Sprintf(format, args...)}
	}
	raw, err := os.ReadFile(s.path(name, fileMeta))
	if err != nil {
		return &DamageError{Dir: s.cfg.Dir, File: s.path(name, fileMeta), Reason: err.Error(), cause: err}
	}
	var meta raft.SnapshotMeta
	if err := json.Unmarshal(raw, &meta); err != nil {
		return damaged("%s", err)
	}
	term, index, err := placeOf(name)
	if err != nil || meta.ID != name || meta.Term != term || meta.Index != index {
		return damaged("it says that it is %s, of term %d and index %d", meta.ID, meta.Term, meta.Index)
	}
	sum, err := os.ReadFile(s.path(name, fileSum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return damaged("%s", err)
	}
	if got := sumOf(raw); strings.TrimSpace(string(sum)) != got {
		return damaged("its checksum is %.8s…, not the one in %s", got, fileSum)
	}
	return nil
}

func sumOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// placeOf reads term and index from a snapshot's name.
func placeOf(name string) (term, index uint64, err error) {
	var at int64
	_, err = fmt.Sscanf(name, "%d-%d-%d", &term, &index, &at)
	if err == nil && name != fmt.Sprintf("%d-%d-%d", term, index, at) {
		err = errors.New("no name of a snapshot")
	}
	return term, index, err
}

// seal writes the checksum of a snapshot's meta.json, durably.
func (s *Store) seal(name string) error {
	raw, err := os.ReadFile(s.path(name, fileMeta))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path(name, fileSum)+tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(sumOf(raw) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.path(name, fileSum)); err != nil {
		return err
	}
	dir, err := os.Open(s.path(name, ""))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
