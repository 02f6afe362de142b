// Command muster is the whole of muster in one program: the peer, and the verbs that ask one. Package cli has the commands;
// this is the process around them: its signals and its exit code.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/cmd/muster/fleet"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if fleet.IsShare() {
		return share(ctx)
	}
	asked := make(chan os.Signal, 2)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	// The first signal asks to stop, the second one does not ask. It ends with the process.
	go func() {
		<-asked
		stop()
		<-asked
		os.Exit(1)
	}()
	return cli.New(cli.Process(), cli.Build{Version: version, Commit: commit}).Run(ctx, os.Args[1:])
}
