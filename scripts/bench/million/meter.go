package million

import (
	"bytes"
	"runtime"
	"syscall"

	"github.com/musterhq/muster/fsm"
)

// snapshot writes one and restores it.
func (g *Group) snapshot() (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	r := g.state.Read()
	g.Writing = took(func() { err = r.WriteSnapshot(&out) })
	if err != nil {
		return err
	}
	g.Snapshot = out.Len()
	g.Restoring = took(func() { err = fsm.NewState().Restore(&out) })
	return err
}

// took is the CPU, in seconds, that the calling thread needs for something.
func took(do func()) float64 {
	const thread = 1 // RUSAGE_THREAD
	before := used(thread)
	do()
	return used(thread) - before
}

// processCPU is that of the whole process so far.
func processCPU() float64 { return used(syscall.RUSAGE_SELF) }

func used(who int) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// heap is what is in use on it once the garbage is gone.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
