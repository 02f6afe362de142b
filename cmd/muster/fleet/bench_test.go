package fleet_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/refresh"
)

// measuredVar names the server that this program is to be while it is measured.
const measuredVar = "MUSTER_FLEET_MEASURED"

// serveMeasured prints the server's port and serves until stdin ends.
func serveMeasured(kind string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	if kind == "fleet" {
		f, err := fleet.New(fleet.Config{
			Nodes: 1, Listen: fleet.ListenShared, Port: fleet.AnyPort, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			panic(err)
		}
		go func() {
			<-f.Ready()
			view, err := f.Cluster(ctx, "fleet-00000")
			if err != nil {
				panic(err)
			}
			fmt.Println(hostPort(view.Nodes[0]))
		}()
		if err := f.Run(ctx); err != nil {
			panic(err)
		}
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `W/"0123456789abcdef0123456789abcdef"`)
		w.Header().Set(refresh.LagHeader, "12")
		w.WriteHeader(http.StatusNotModified)
	})}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); err != http.ErrServerClosed {
		panic(err)
	}
}

// BenchmarkPoll measures what answering a poll with 304 costs the server's process, over 64 connections, for the fleet and
// for net/http. Its figures are cpu-ns/poll: all CPU of that process, user and system, from start to end.
func BenchmarkPoll(b *testing.B) {
	for _, kind := range []string{"fleet", "nethttp"} {
		b.Run(kind, func(b *testing.B) { benchmarkPoll(b, kind) })
	}
}

func benchmarkPoll(b *testing.B, kind string) {
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), program)
	cmd.Env = append(os.Environ(), measuredVar+"="+kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	conns := make([]net.Conn, 64)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", address[:len(address)-1]); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conns[i].Close() })
	}
	request := []byte("GET " + refresh.NodePath + " HTTP/1.1\r\nHost: " + address[:len(address)-1] +
		"\r\nUser-Agent: muster\r\nIf-None-Match: *\r\n\r\n")
	polls := 0
	for b.Loop() {
		var all sync.WaitGroup
		for _, conn := range conns {
			all.Go(func() {
				var answer [512]byte
				conn.Write(request)
				if n, err := conn.Read(answer[:]); err != nil || n < 12 || string(answer[:12]) != "HTTP/1.1 304" {
					b.Errorf("%q, %v", answer[:n], err)
				}
			})
		}
		all.Wait()
		polls += len(conns)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(used.Nanoseconds())/float64(polls), "cpu-ns/poll")
	b.ReportMetric(0, "ns/op")
}
