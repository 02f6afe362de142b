// Package keyring holds the keys that encrypt gossip on one peer, and changes them while gossip goes on.
//
// # What it promises
//
// A change is on disk before it is in force, so that a peer which restarts half-way through a rotation still reads what the
// others send. The order of the file is that of the ring: the first key encrypts, all of them decrypt. The file has the
// shape of Consul's and Serf's, a JSON list of base64.
//
// A rotation is three steps, each for all peers before the next: install the new key, use it, remove the old one. What
// would cut a peer off is refused: to use a key that is not there, to remove the one in use. Each step may be repeated: one
// that was done already changes nothing.
//
// # Names of keys
//
// A key is told by its id, the first 8 bytes of its SHA-256 in hex. Keys are 32 random bytes, so the id gives nothing of
// them away; it may be logged, shown and written into events. Consul's list shows the keys themselves: here a token that may
// look at the keyring is not enough to join gossip, and neither is a terminal's scrollback. Only Install takes a key.
//
// # Decisions
//
//   - The file named by -gossip-key-file gives the first key and no more: the ring on disk counts from then on. If it were
//     read at every start, a key that was removed because it leaked would be back with the next restart.
//   - memberlist's Keyring takes a key out by moving those behind it over its place, in the slice that it hands to readers.
//     A packet that is being read meanwhile may miss a key once and is sent again; keys have one length, so nothing tears.
package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/memberlist"

	"github.com/musterhq/muster/agent/namedfile"
)

const (
	keySize  = 32 // bytes: AES-256
	idSize   = 8  // bytes of the digest
	maxKeys  = 8  // of one ring: each is tried on what does not decrypt
	maxInput = 4096
)

// What a ring refuses.
var (
	ErrUnknown = errors.New("this peer does not hold the key")
	ErrInUse   = errors.New("the key is in use; use another one first")
	ErrFull    = fmt.Errorf("this peer holds %d keys, the most there may be; remove old ones first", maxKeys)
)

// Generate makes a key, in base64.
func Generate() string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: the process would have ended
	return base64.StdEncoding.EncodeToString(key)
}

// Parse reads a key in base64.
func Parse(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the key is not base64 of 32 bytes; muster keygen makes one") // the error would show a part of it
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("the key has %d bytes and must have %d; muster keygen makes one", len(key), keySize)
	}
	return key, nil
}

// ID names a key without showing it.
func ID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:idSize])
}

// IDOf reads a key, or the id of one, and returns the id.
func IDOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == idSize {
		return strings.ToLower(text), nil
	}
	key, err := Parse(text)
	if err != nil {
		return "", fmt.Errorf("neither a key nor the id of one, as muster keyring list shows it: %w", err)
	}
	return ID(key), nil
}

// Read reads the key of a file that only its owner may read.
func Read(path string) (string, error) {
	text, err := namedfile.Read(path, namedfile.Rules{Most: maxInput, Mode: checkMode})
	if err != nil {
		return "", err
	}
	if _, err := Parse(string(text)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return strings.TrimSpace(string(text)), nil
}

func checkMode(path string, mode fs.FileMode) error {
	if mode&0o077 != 0 {
		return fmt.Errorf("%s may be read by others (mode %04o): chmod 600 %s", path, mode, path)
	}
	return nil
}

// Disk is where a ring is kept. Load returns fs.ErrNotExist where there is none yet; Store replaces it as one step that
// survives a crash.
type Disk struct {
	Load  func() ([]string, error)
	Store func(keys []string) error
}

// Ring is a peer's keys. Its methods may be used by any number of goroutines.
type Ring struct {
	disk Disk
	mu   sync.Mutex // of changes
	ring *memberlist.Keyring
	ids  atomic.Pointer[[]string] // memberlist hands out the slice that it changes, so only who holds mu reads that
}

// Open reads the ring that is kept, or makes one of a first key; nil where there is neither.
func Open(disk Disk, first string) (*Ring, error) {
	keys, err := disk.Load()
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && first == "":
		return nil, nil
	case fresh:
		keys = []string{first}
	case err != nil:
		return nil, err
	case len(keys) == 0:
		return nil, errors.New("the keyring in the data directory holds no key: remove the file and start with -gossip-key-file")
	}
	raw := make([][]byte, len(keys))
	for i, text := range keys {
		if raw[i], err = Parse(text); err != nil {
			return nil, fmt.Errorf("keyring, key %d: %w", i+1, err)
		}
	}
	ring, err := memberlist.NewKeyring(raw, raw[0])
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if fresh {
		if err := disk.Store(keys); err != nil {
			return nil, err
		}
	}
	r := &Ring{disk: disk, ring: ring}
	r.name()
	return r, nil
}

// Memberlist is the ring as gossip uses it; it sees every change at once. Nil for no ring.
func (r *Ring) Memberlist() *memberlist.Keyring {
	if r == nil {
		return nil
	}
	return r.ring
}

// IDs are the keys by their ids, the one in use first.
func (r *Ring) IDs() []string { return slices.Clone(*r.ids.Load()) }

// name tells the keys as they are now; the caller holds mu.
func (r *Ring) name() {
	var ids []string
	for _, key := range r.ring.GetKeys() {
		ids = append(ids, ID(key))
	}
	r.ids.Store(&ids)
}

// Holds says whether the key is on the ring.
func (r *Ring) Holds(id string) bool { return slices.Contains(r.IDs(), id) }

// Install adds a key, in base64, with which messages are decrypted from now on.
func (r *Ring) Install(text string) error {
	key, err := Parse(text)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.ring.GetKeys()
	switch {
	case r.Holds(ID(key)):
		return nil
	case len(keys) >= maxKeys:
		return ErrFull
	}
	if err := r.keep(append(slices.Clone(keys), key)); err != nil {
		return err
	}
	defer r.name()
	return r.ring.AddKey(key)
}

// Use encrypts with the key of that id from now on.
func (r *Ring) Use(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slices.Clone(r.ring.GetKeys())
	at := find(keys, id)
	switch {
	case at < 0:
		return ErrUnknown
	case at == 0:
		return nil
	}
	key := keys[at]
	if err := r.keep(slices.Insert(slices.Delete(keys, at, at+1), 0, key)); err != nil {
		return err
	}
	defer r.name()
	return r.ring.UseKey(key)
}

// Remove forgets the key of that id. One that is not there is gone already.
func (r *Ring) Remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slices.Clone(r.ring.GetKeys())
	at := find(keys, id)
	switch {
	case at < 0:
		return nil
	case at == 0:
		return ErrInUse
	}
	key := bytes.Clone(keys[at])
	if err := r.keep(slices.Delete(keys, at, at+1)); err != nil {
		return err
	}
	defer r.name()
	return r.ring.RemoveKey(key)
}

func find(keys [][]byte, id string) int {
	return slices.IndexFunc(keys, func(key []byte) bool { return ID(key) == id })
}

func (r *Ring) keep(keys [][]byte) error {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = base64.StdEncoding.EncodeToString(key)
	}
	return r.disk.Store(out)
}
