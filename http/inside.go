package httpd

import (
	"net/http"

	"github.com/musterhq/muster/fsm"
)

// Inside is what the peer tells of its own process and machine. It asks nobody and waits for nothing.
type Inside interface {
	Usage() []UsageRow // of what is the peer's own; the face adds its own and the group's
	Host() Host
	Configuration() Configuration
}

// Configuration is what a peer was told by its command line and its files.
type Configuration struct {
	Files       []string  `json:"files"` // that were read
	Settings    []Setting `json:"settings"`
	Discoveries int       `json:"discoveries"` // that the files declare
	Waiting     int       `json:"waiting"`     // settings that were changed in files and wait for a restart
}

// Setting is one setting as a peer runs with it.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Hidden  bool   `json:"hidden,omitempty"`  // it is set, and not told since it might hold a secret
	Reloads bool   `json:"reloads,omitempty"` // it takes effect without a restart
}

// Host is the machine a peer runs on; what its system does not tell is 0 or empty.
type Host struct {
	Name        string    `json:"name"`
	OS          string    `json:"os"`
	Arch        string    `json:"arch"`
	Kernel      string    `json:"kernel,omitempty"`
	CPUs        int       `json:"cpus"`
	Load        []float64 `json:"load,omitempty"` // of the last minute, five and fifteen
	Memory      uint64    `json:"memory_bytes,omitempty"`
	MemoryFree  uint64    `json:"memory_available_bytes,omitempty"`
	MemoryLimit uint64    `json:"memory_limit_bytes,omitempty"` // of the control group; 0 is none
	Booted      fsm.Time  `json:"booted,omitzero"`
	Time        fsm.Time  `json:"time"` // by its own clock
	Process     Process   `json:"process"`
}

// Process is a peer's process.
type Process struct {
	PID        int    `json:"pid"`
	Go         string `json:"go"`
	Threads    int    `json:"threads"` // that run Go at once, at most
	Goroutines int    `json:"goroutines"`
	Heap       uint64 `json:"heap_bytes"`                   // in use
	Reserved   uint64 `json:"reserved_bytes"`               // of the system by Go
	Resident   uint64 `json:"resident_bytes,omitempty"`     // in memory, as the system sees it
	SoftLimit  uint64 `json:"memory_limit_bytes,omitempty"` // GOMEMLIMIT; 0 is none
	OpenFiles  int    `json:"open_files,omitempty"`
	MostFiles  int    `json:"open_files_limit"`
}

func (s *Server) showConfiguration(w http.ResponseWriter, r *http.Request) error {
	c := s.Inside.Configuration()
	c.Files, c.Settings = told(c.Files), told(c.Settings)
	return s.reply(w, r, http.StatusOK, c)
}

func (s *Server) showHost(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, http.StatusOK, s.Inside.Host())
}
