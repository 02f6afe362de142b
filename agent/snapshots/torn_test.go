package snapshots_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sector = 512

// torn are the ways in which a new file may be on a disk that had not written all of it: cut short at a sector, and with sectors
// that were never written, which are zero.
func torn(whole []byte, chance *rand.Rand) (out [][]byte) {
	sectors := (len(whole) + sector - 1) / sector
	without := func(lacks func(i int) bool) {
		image := bytes.Clone(whole)
		for i := range sectors {
			if lacks(i) {
				clear(image[i*sector : min((i+1)*sector, len(image))])
			}
		}
		out = append(out, image)
	}
	for i := range sectors {
		out = append(out, whole[:i*sector])
		without(func(j int) bool { return j == i })
		without(func(j int) bool { return j != i && sectors > 1 })
	}
	without(func(int) bool { return true })
	for range 5 {
		without(func(int) bool { return chance.Uint32()%2 == 0 })
	}
	return out
}

// TestTornSnapshot is a disk that says it has a snapshot and has parts of it: of its state, of its meta.json, with its checksum and
// without. It is met like any other damage: raft starts from the one before where the log holds all after it, else not at all.
func TestTornSnapshot(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	state := strings.Repeat("the state at 20, ", 150)
	for _, name := range []string{"state.bin", "meta.json", "meta.sum"} {
		for _, sum := range []bool{true, false} {
			if name == "meta.sum" && !sum {
				continue
			}
			p := newPeer(t, 5, 25)
			if err := os.RemoveAll(filepath.Dir(p.file(20, "meta.json"))); err != nil {
				t.Fatal(err)
			}
			p.takeOf(20, state)
			file := p.file(20, name)
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !sum {
				if err := os.Remove(p.file(20, "meta.sum")); err != nil {
					t.Fatal(err)
				}
			}
			kept := filepath.Join(t.TempDir(), "kept")
			if err := os.CopyFS(kept, os.DirFS(filepath.Join(p.dir, "snapshots"))); err != nil {
				t.Fatal(err)
			}
			for i, image := range torn(whole, chance) {
				want := "the state at 10"
				if bytes.Equal(image, whole) {
					want = state
				}
				p.lay(kept)
				if err := os.WriteFile(file, image, 0o600); err != nil {
					t.Fatal(err)
				}
				if got, err := p.start(""); err != nil || got != want {
					t.Fatalf("%s, checksum %t, image %d: restored %.40q, %v", name, sum, i, got, err)
				}
				p.lay(kept)
				if err := os.WriteFile(file, image, 0o600); err != nil {
					t.Fatal(err)
				}
				late := &peer{t: t, dir: p.dir, logs: logOf(t, 21, 25)}
				if got, err := late.start(""); want == state && (err != nil || got != want) {
					t.Fatalf("%s, checksum %t, image %d, no log: restored %.40q, %v", name, sum, i, got, err)
				} else if want != state {
					late.refused(err, "1-20-")
				}
			}
		}
	}
}

// lay puts kept snapshots in the place of those that are there.
func (p *peer) lay(kept string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, "snapshots")
	if err := os.RemoveAll(dir); err != nil {
		p.t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(kept)); err != nil {
		p.t.Fatal(err)
	}
}
