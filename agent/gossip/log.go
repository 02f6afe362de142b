package gossip

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// lineLimit bounds what is kept of a line, in bytes: parts of it come from the
// network.
const lineLimit = 512

// Of memberlist's warnings so many are logged at once, and then one in each
// while: a packet from anybody makes one.
const (
	warnBurst = 20
	warnEvery = 10 * time.Second
)

// lines passes memberlist's log lines on to slog. memberlist writes from many
// goroutines, one Write per line.
type lines struct {
	log    *slog.Logger
	warned prometheus.Counter
	room   *rate.Limiter
}

func newLineLog(l *slog.Logger, warned prometheus.Counter) *log.Logger {
	return log.New(lines{l, warned, rate.NewLimiter(rate.Every(warnEvery), warnBurst)}, "", 0)
}

func (w lines) Write(p []byte) (int, error) {
	level, text := parseLine(string(bytes.TrimSpace(p)))
	switch level {
	case slog.LevelDebug:
		w.log.Debug("memberlist", "line", text)
	case slog.LevelInfo:
		w.log.Info("memberlist", "line", text)
	default:
		w.warned.Inc()
		if w.room.Allow() {
			w.log.Warn("memberlist", "line", text)
		}
	}
	return len(p), nil
}

// parseLine takes the level off a line, and the payload: one line prints the
// meta bytes of a member. What memberlist calls an error is something it copes
// with, so that is a warning.
func parseLine(s string) (slog.Level, string) {
	level := slog.LevelWarn
	if rest, ok := strings.CutPrefix(s, "["); ok {
		if name, text, ok := strings.Cut(rest, "] "); ok {
			switch name {
			case "DEBUG":
				level = slog.LevelDebug
			case "INFO":
				level = slog.LevelInfo
			}
			s = text
		}
	}
	s = strings.TrimPrefix(s, "memberlist: ")
	s, _, _ = strings.Cut(s, " meta:(")
	if len(s) > lineLimit {
		s = s[:lineLimit]
	}
	return level, strings.ToValidUTF8(s, "?")
}
