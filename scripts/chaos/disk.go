package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/scripts/rig"
)

// endsWithin is how soon a peer whose disk failed it must have ended.
const endsWithin = 20 * time.Second

// slowSyncs makes each sync of a peer's log take 300 ms longer.
func slowSyncs(_ context.Context, r *run) (string, error) {
	p := r.any()
	return p.Name, r.trace(p, "delay_enter=300000")
}

// failingSync lets a peer's syncs fail, upon which it has to end by itself.
func failingSync(ctx context.Context, r *run) (string, error) {
	p := r.any()
	r.ended[p] = true
	if err := r.trace(p, "error=EIO"); err != nil {
		return "", err
	}
	return p.Name, r.mustEnd(ctx, p, "input/output error")
}

// trace has strace tamper with the syncs of a peer until the fault is mended.
func (r *run) trace(p *rig.Peer, how string) error {
	t, err := r.rig.Start("strace", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync",
		"-e", "inject=fdatasync,fsync:"+how, "-p", strconv.Itoa(p.PID()))
	r.tracers = append(r.tracers, t)
	return err
}

// flippedByte changes one byte of the last entry on a stopped peer's disk. The peer must not start, say why, and enter anew
// once it was wiped.
func flippedByte(ctx context.Context, r *run) (string, error) {
	p := r.any()
	r.kill(p)
	index, err := flip(filepath.Join(p.Data, "raft.db"))
	if err != nil {
		return "", err
	}
	if err := r.start(ctx, p); err != nil {
		return "", err
	}
	r.ended[p] = true
	if err := r.mustEnd(ctx, p, "corrupt"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, entry %d", p.Name, index), p.Wipe()
}

// flip changes a byte in the middle of the last entry of a log, wherever the file has it.
func flip(path string) (index uint64, err error) {
	var entry raft.Log
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return 0, err
	}
	index, err = store.LastIndex()
	for ; err == nil; index-- {
		if err = store.GetLog(index, &entry); err == nil && entry.Type == raft.LogCommand {
			break
		}
	}
	if err := errors.Join(err, store.Close()); err != nil {
		return 0, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	turned := bytes.Clone(entry.Data)
	turned[len(turned)/2] ^= 0x10
	return index, os.WriteFile(path, bytes.ReplaceAll(raw, entry.Data, turned), 0o600)
}

// mustEnd waits for a peer that has to end by itself, with a word in its log that says why.
func (r *run) mustEnd(ctx context.Context, p *rig.Peer, word string) error {
	late := time.NewTimer(endsWithin)
	defer late.Stop()
	select {
	case <-p.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		r.report.violation("%s went on for %s although its disk failed", p.Name, endsWithin)
		r.kill(p)
		return nil
	}
	log, err := os.ReadFile(p.Log)
	if err != nil {
		return err
	}
	if tail := log[max(0, len(log)-8<<10):]; !bytes.Contains(tail, []byte(word)) {
		r.report.violation("%s ended without a word of %q", p.Name, word)
	}
	return nil
}

// release lets go of what is traced. A tracer whose peer has ended has ended too.
func (r *run) release() {
	for _, t := range r.tracers {
		if t.Running() {
			_ = t.Signal(syscall.SIGTERM) // it may have ended
			<-t.Done()
		}
	}
	r.tracers = nil
}
