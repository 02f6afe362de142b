package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// tellAll tells all about one peer. A peer of an earlier release tells nothing of its machine.
func (p *Program) tellAll(ctx context.Context, api *httpd.Client) error {
	self, err := api.Self(ctx)
	if err != nil {
		return err
	}
	var host *httpd.Host
	switch h, err := api.Host(ctx); {
	case err == nil:
		host = &h
	case !errors.Is(err, fsm.ErrNotFound):
		return err
	}
	if p.json() {
		return p.writeJSON(struct {
			httpd.Self
			Host *httpd.Host `json:"host,omitempty"`
		}{self, host})
	}
	ready, err := api.Ready(ctx)
	if err != nil {
		return err
	}
	p.writeSelf(&self, ready)
	p.section("Raft", raftFacts(self.Stats))
	if host != nil {
		p.section("Process", processFacts(&host.Process))
		p.section("Machine", p.machineFacts(host))
	}
	return nil
}

// section writes facts under a head, if there are any.
func (p *Program) section(head string, facts []fact) {
	if len(facts) == 0 {
		return
	}
	fmt.Fprintf(p.Out, "\n%s\n", p.ink.Paint(table.Head, head))
	for i := range facts {
		facts[i].name = "  " + facts[i].name
	}
	p.writeFacts(facts)
}

// raftFacts are what raft says of itself, in its own words.
func raftFacts(stats map[string]string) []fact {
	var out []fact
	for _, name := range []string{
		"last_contact", "num_peers", "last_snapshot_index", "last_snapshot_term", "fsm_pending",
	} {
		if said := stats[name]; said != "" {
			out = append(out, plain(strings.ReplaceAll(name, "_", " "), said))
		}
	}
	return out
}

func processFacts(h *httpd.Process) []fact {
	memory := size(int64(h.Heap)) + " of heap in use, " + size(int64(h.Reserved)) + " reserved"
	if h.Resident > 0 {
		memory += ", " + size(int64(h.Resident)) + " resident"
	}
	if h.SoftLimit > 0 {
		memory += ", GOMEMLIMIT " + size(int64(h.SoftLimit))
	}
	return []fact{
		plain("pid", fmt.Sprint(h.PID)),
		plain("go", fmt.Sprintf("%s, %d at once, %s", h.Go, h.Threads, counted(h.Goroutines, "goroutine", "goroutines"))),
		plain("memory", memory), plain("open files", fmt.Sprintf("%d of %d", h.OpenFiles, h.MostFiles)),
	}
}

func (p *Program) machineFacts(h *httpd.Host) []fact {
	cores := counted(h.CPUs, "core", "cores")
	if len(h.Load) > 0 {
		cores += ", load " + strings.Trim(fmt.Sprint(h.Load), "[]")
	}
	facts := []fact{
		plain("name", h.Name), plain("system", strings.Join(strings.Fields(h.OS+" "+h.Arch+" "+h.Kernel), " ")), plain("processor", cores),
	}
	if h.Memory > 0 {
		memory := size(int64(h.MemoryFree)) + " of " + size(int64(h.Memory)) + " available"
		if h.MemoryLimit > 0 {
			memory += ", limited to " + size(int64(h.MemoryLimit))
		}
		facts = append(facts, plain("memory", memory))
	}
	if h.Booted > 0 {
		facts = append(facts, plain("up for", p.ago(h.Booted)))
	}
	return append(facts, plain("clock", h.Time.String()+p.clockOff(h.Time)))
}

// clockOff says how far a clock is from this one, where it is more than asking takes.
func (p *Program) clockOff(at fsm.Time) string {
	switch off := p.since(at); {
	case off > 2*time.Second:
		return fmt.Sprintf(" (%s behind this one)", table.Age(off))
	case off < -2*time.Second:
		return fmt.Sprintf(" (%s ahead of this one)", table.Age(-off))
	}
	return ""
}
