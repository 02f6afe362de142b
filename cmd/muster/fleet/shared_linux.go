//go:build linux && !386 && !s390x

package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// What package syscall does not name.
const (
	soReusePort           = 15
	soAttachReusePortCBPF = 51
	netHeader             = 0xfff00000 // SKF_NET_OFF: offsets from here on are into the IP header
	destination           = 16         // offset of the called address in it
)

// openShared opens the shared listener, once for each process of the plan, all on one port.
func openShared(ctx context.Context, c *Config, p plan) ([]*net.TCPListener, error) {
	var all []*net.TCPListener
	port := max(c.Port, 0)
	for range p.processes {
		l, err := listenOnLo(ctx, port, p.processes > 1)
		if err == nil && len(all) == 0 && p.processes > 1 {
			if err = steer(l, number(c.Base), uint32(p.clusters*c.Nodes)); err != nil {
				_ = l.Close()
			}
		}
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
			return nil, err
		}
		port = l.Addr().(*net.TCPAddr).Port
		all = append(all, l)
	}
	return all, nil
}

// listenOnLo listens on all addresses, by the device lo alone.
func listenOnLo(ctx context.Context, port int, several bool) (*net.TCPListener, error) {
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if failed := raw.Control(func(fd uintptr) {
			err = os.NewSyscallError("bind to device lo", syscall.BindToDevice(int(fd), "lo"))
			if err == nil && several {
				err = os.NewSyscallError("set SO_REUSEPORT", syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1))
			}
		}); failed != nil {
			return failed
		}
		return err
	}}
	config.SetMultipathTCP(false) // such sockets take no filter
	l, err := config.Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, fmt.Errorf("open the shared listener: %w", err)
	}
	return l.(*net.TCPListener), nil
}

// steer makes the kernel choose among the listeners on l's port, in the order they are opened, by how many times each
// addresses the called one is after base. For addresses of no node it chooses any of them.
func steer(l *net.TCPListener, base, each uint32) error {
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS, K: netHeader + destination},
		{Code: syscall.BPF_ALU | syscall.BPF_SUB | syscall.BPF_K, K: base},
		{Code: syscall.BPF_ALU | syscall.BPF_DIV | syscall.BPF_K, K: each},
		{Code: syscall.BPF_RET | syscall.BPF_A},
	}
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	raw, err := l.SyscallConn()
	if err != nil {
		return fmt.Errorf("steer connections: %w", err)
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall6(syscall.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, soAttachReusePortCBPF,
			uintptr(unsafe.Pointer(&program)), unsafe.Sizeof(program), 0)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("attach a filter to SO_REUSEPORT", errno)
	}
	if err != nil {
		return fmt.Errorf("steer connections: %w", err)
	}
	return nil
}
