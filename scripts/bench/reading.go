package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// process is what a process has used.
type process struct {
	cpu       float64 // seconds, user and system
	rss, anon float64 // resident bytes, and those that no file stands behind
}

// look reads that of a process.
func look(pid int) (process, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	var p process
	if p.cpu, err = cpuOf(string(raw)); err != nil {
		return p, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, err
	}
	p.rss, p.anon = bytesOf(string(status), "VmRSS"), bytesOf(string(status), "RssAnon")
	return p, nil
}

// cpuOf reads user and system time from /proc/PID/stat, where the name of the program may hold spaces and brackets.
func cpuOf(stat string) (float64, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const user, system, perSecond = 11, 12, 100 // a tick of CPU time is 10 ms on every Linux
	if len(fields) <= system {
		return 0, fmt.Errorf("%q has no CPU times", stat)
	}
	u, err := strconv.ParseFloat(fields[user], 64)
	s, more := strconv.ParseFloat(fields[system], 64)
	return (u + s) / perSecond, errors.Join(err, more)
}

// bytesOf reads a size in kB from /proc/PID/status.
func bytesOf(status, name string) float64 {
	kb, _, _ := strings.Cut(fieldOf(status, name), " ")
	n, err := strconv.ParseFloat(kb, 64)
	if err != nil {
		return 0
	}
	return n * 1024
}

// mib writes bytes in MiB.
func mib(bytes float64) float64 { return bytes / (1 << 20) }

// reading is what the running peers say and use at one moment.
type reading struct {
	at      time.Time
	machine ticks
	leader  metrics // of who leads
	peers   []metrics
	process []process
}

// read takes a reading of the group.
func (g *group) read(ctx context.Context, leader *rig.Peer) (reading, error) {
	r := reading{at: time.Now()}
	var err error
	if r.machine, err = clock(); err != nil {
		return r, err
	}
	var errs []error
	for _, p := range g.Running() {
		m, err := scrape(ctx, p.HTTP)
		u, more := look(p.PID())
		errs = append(errs, err, more)
		r.peers, r.process = append(r.peers, m), append(r.process, u)
		if p == leader {
			r.leader = m
		}
	}
	return r, errors.Join(errs...)
}

// sum adds up a metric of all peers.
func (r reading) sum(name string, labels ...string) float64 {
	total := 0.0
	for _, m := range r.peers {
		total += m.sum(name, labels...)
	}
	return total
}

// cpu is the CPU seconds of all peers.
func (r reading) cpu() float64 {
	total := 0.0
	for _, p := range r.process {
		total += p.cpu
	}
	return total
}

// rss is the resident memory of the largest peer, and the anonymous part of the peer with most of that, in bytes.
func (r reading) rss() (all, anon float64) {
	for _, p := range r.process {
		all, anon = max(all, p.rss), max(anon, p.anon)
	}
	return all, anon
}

// minus is what was added since before, by the same peers: counters, histograms, CPU and ticks. Memory stays as it is.
func (r reading) minus(before reading) reading {
	out := reading{at: r.at, leader: r.leader.minus(before.leader)}
	out.machine = ticks{r.machine.all - before.machine.all, r.machine.busy - before.machine.busy}
	for i := range r.peers {
		out.peers = append(out.peers, r.peers[i].minus(before.peers[i]))
		p := r.process[i]
		p.cpu -= before.process[i].cpu
		out.process = append(out.process, p)
	}
	return out
}
