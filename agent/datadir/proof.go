package datadir

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/musterhq/muster/agent/mint"
)

// With a proof in a data directory a first token is made. Who may write there may do everything with the peer anyhow; an address
// would prove less, since behind a proxy everybody comes from this machine.
const (
	minProof = 32   // characters: what is shorter could be guessed
	maxProof = 1024 // bytes of the file
)

// LayProof writes a proof into the data directory of a peer, which may be running, for the peer to compare. It is for the machine
// of that peer; takeAway removes the proof, if the peer has not done so.
func LayProof(dir string) (proof string, takeAway func(), err error) {
	if _, err := os.Stat(filepath.Join(dir, FileSelf)); errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%s is no data directory of a peer: it holds no %s", dir, FileSelf)
	}
	path := filepath.Join(dir, FileProof)
	if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
		proof = mint.Secret()
		err = writeProof(path, proof)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: be the user that the peer runs as, or root", err)
	}
	return proof, func() { _ = os.Remove(path) }, nil
}

// writeProof writes a file for the owner of its directory: what root writes there is for the peer to read.
func writeProof(path, proof string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(proof + "\n")
	return errors.Join(err, ownedLike(f, filepath.Dir(path)), f.Close())
}

func ownedLike(f *os.File, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// Proves says why a proof is not that of the directory, nil when it is.
func (d *Dir) Proves(proof string) error {
	const how = "run muster acl bootstrap -data-dir DIR on the machine of the peer that is asked"
	raw, err := os.ReadFile(d.File(FileProof))
	want := strings.TrimSpace(string(raw))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the data directory of this peer holds no %s: %s", FileProof, how)
	case err != nil:
		return fmt.Errorf("this peer cannot read %s in its data directory: %s as its user, or as root", FileProof, how)
	case len(want) < minProof || len(raw) > maxProof:
		return fmt.Errorf("%s in the data directory of this peer does not hold %d to %d characters: %s", FileProof, minProof, maxProof, how)
	case subtle.ConstantTimeCompare([]byte(want), []byte(proof)) != 1:
		return fmt.Errorf("this is not the proof in the data directory of this peer: %s", how)
	}
	return nil
}

// Proved removes the proof: it was good once.
func (d *Dir) Proved() error {
	if err := os.Remove(d.File(FileProof)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
