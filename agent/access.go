package agent

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// accessFace is this peer as package httpd sees it where tokens are made.
type accessFace struct{ *Agent }

// FileBootstrap is the file of a data directory that holds the proof with which the first token is made. Who may write there may
// do everything with the peer anyhow. An address would prove less: behind a proxy everybody comes from this machine.
const FileBootstrap = "acl-bootstrap"

const (
	minProof     = 32   // characters: what is shorter could be guessed
	maxProof     = 1024 // bytes of the file
	secretPrefix = "muster_"
)

// NewSecret is 256 bits of chance, in letters and digits, with a beginning by which scanners of leaked secrets find it.
func NewSecret() string { return secretPrefix + strings.ToLower(rand.Text()+rand.Text()) }

// Mint makes the accessor and the secret of a token.
func (f accessFace) Mint() (accessor, secret string) { return newULID(f.cfg.Seams.Now()), NewSecret() }

// Prove compares a proof with the file.
func (f accessFace) Prove(proof string, local bool) error {
	if f.dir == nil {
		if local {
			return nil
		}
		return errors.New("this peer has no data directory: the first token can only be made from its own machine")
	}
	const how = "run muster acl bootstrap -data-dir on the machine of this peer, as its user"
	raw, err := os.ReadFile(f.dir.file(FileBootstrap))
	want := strings.TrimSpace(string(raw))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the data directory of this peer holds no %s: %s", FileBootstrap, how)
	case err != nil:
		f.log.Warn("the proof for a first token cannot be read", "error", err)
		return fmt.Errorf("this peer cannot read %s in its data directory: %s", FileBootstrap, how)
	case len(want) < minProof || len(raw) > maxProof:
		return fmt.Errorf("%s in the data directory of this peer does not hold %d to %d characters: %s", FileBootstrap, minProof, maxProof, how)
	case subtle.ConstantTimeCompare([]byte(want), []byte(proof)) != 1:
		return fmt.Errorf("the proof is not what %s in the data directory of this peer holds: %s", FileBootstrap, how)
	}
	return nil
}

// Proved removes the file.
func (f accessFace) Proved() {
	if f.dir == nil {
		return
	}
	if err := os.Remove(f.dir.file(FileBootstrap)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("the proof of the first token was not removed; remove it by hand", "error", err)
	}
}
