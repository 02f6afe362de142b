package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/musterhq/muster/cmd/muster/fleet"
)

// share plays a part of a fleet for the process that started this one. That one ends it: signals of the terminal reach
// both, and are for the parent.
func share(ctx context.Context) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := fleet.RunShare(ctx, log); err != nil {
		log.Error("playing ended", "error", err)
		return 1
	}
	return 0
}
