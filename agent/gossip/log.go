package gossip

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
)

// lineLimit bounds what is kept of a line, in bytes: parts of it come from the
// network.
const lineLimit = 512

// lines passes memberlist's log lines on to slog. memberlist writes from many
// goroutines, one Write per line.
type lines struct{ log *slog.Logger }

func newLineLog(l *slog.Logger) *log.Logger { return log.New(lines{l}, "", 0) }

func (w lines) Write(p []byte) (int, error) {
	level, text := parseLine(string(bytes.TrimSpace(p)))
	switch level {
	case slog.LevelDebug:
		w.log.Debug("memberlist", "line", text)
	case slog.LevelInfo:
		w.log.Info("memberlist", "line", text)
	default:
		w.log.Warn("memberlist", "line", text)
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
