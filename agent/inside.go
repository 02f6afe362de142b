package agent

import (
	"time"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/host"
	"github.com/musterhq/muster/agent/monitor"
	httpd "github.com/musterhq/muster/http"
)

// insideFace is this peer's process as package httpd sees it.
type insideFace struct{ *Agent }

// Host is httpd.Inside's.
func (f insideFace) Host() httpd.Host {
	h := host.Look(host.Files(), time.Now())
	h.Process.MostFiles = host.MostFiles()
	return h
}

// Configuration is httpd.Inside's.
func (f insideFace) Configuration() httpd.Configuration {
	f.reloading.Lock()
	defer f.reloading.Unlock()
	out := httpd.Configuration{
		Files: f.cfg.Origin.Files, Discoveries: len(f.live.Load().declared), Waiting: f.reloads.waiting(),
	}
	for _, s := range f.cfg.Origin.Settings {
		row := httpd.Setting{Name: s.Name, Reloads: s.Reloads, Hidden: s.Hidden && s.Value != ""}
		if !s.Hidden {
			row.Value = s.Value
		}
		out.Settings = append(out.Settings, row)
	}
	return out
}

// Usage is httpd.Inside's.
func (f insideFace) Usage() []httpd.UsageRow {
	files := host.MostFiles()
	_, conns, _ := shared(files)
	h := f.Host()
	of := func(name, unit string, used, limit int64, setting string) httpd.UsageRow {
		return httpd.UsageRow{Name: name, Of: httpd.OfPeer, Unit: unit, Used: used, Limit: limit, Setting: setting}
	}
	rows := []httpd.UsageRow{
		of("log_readers", httpd.UnitCount, int64(f.monitor.Readers()), monitor.MaxReaders, ""),
		of("polls", httpd.UnitCount, int64(f.worker.Polls()), int64(f.machine.Read().Settings().Limits.InFlight), "limits.in_flight"),
		of("poll_connections", httpd.UnitCount, int64(f.poller.Open()), int64(conns), "LimitNOFILE"),
		of("open_files", httpd.UnitCount, int64(h.Process.OpenFiles), int64(files), "LimitNOFILE"),
		of("goroutines", httpd.UnitCount, int64(h.Process.Goroutines), 0, ""),
		of("memory", httpd.UnitBytes, int64(h.Process.Resident), mostMemory(&h), ""),
		of("heap", httpd.UnitBytes, int64(h.Process.Heap), int64(h.Process.SoftLimit), "GOMEMLIMIT"),
	}
	since := of("log_since_snapshot", httpd.UnitBytes, f.machine.LogBytes(), snapshotBytes, "")
	since.Rolls = true
	rows = append(rows, since)
	if first, err := f.cfg.Seams.Logs.FirstIndex(); err == nil && first > 0 {
		rows = append(rows, of("log_entries", httpd.UnitCount, int64(f.raft.LastIndex()-first+1), 0, ""))
	}
	if f.dir == nil {
		return rows
	}
	room, _ := f.space.State()
	return append(rows,
		of("log_file", httpd.UnitBytes, f.dir.Size(datadir.FileRaft), 0, ""),
		of("snapshots", httpd.UnitBytes, f.dir.Size("snapshots"), 0, ""),
		of("disk", httpd.UnitBytes, int64(room.Total-room.Free), int64(room.Total), ""),
	)
}

// mostMemory is what this process may take before its system stops it, 0 where that is not known.
func mostMemory(h *httpd.Host) int64 {
	if h.MemoryLimit > 0 && h.MemoryLimit < h.Memory {
		return int64(h.MemoryLimit)
	}
	return int64(h.Memory)
}
