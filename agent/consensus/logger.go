package consensus

import (
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// Logger gives raft a logger that writes to ours, one level lower: what raft calls an error it copes with, by trying
// again. Arguments are passed on as they are: raft logs no payloads.
func Logger(to *slog.Logger) hclog.Logger {
	return &hclogger{log: to.With("part", "raft"), name: "raft"}
}

type hclogger struct {
	log     *slog.Logger
	name    string
	implied []any
}

// Log is hclog.Logger's.
func (l *hclogger) Log(level hclog.Level, msg string, args ...any) {
	switch level {
	case hclog.Error:
		l.Error(msg, args...)
	case hclog.Warn:
		l.Warn(msg, args...)
	default:
		l.Debug(msg, args...)
	}
}

// The rest of hclog.Logger.

func (l *hclogger) Trace(string, ...any)                {}
func (l *hclogger) Debug(msg string, args ...any)       { l.log.Debug(msg, args...) }
func (l *hclogger) Info(msg string, args ...any)        { l.log.Debug(msg, args...) }
func (l *hclogger) Warn(msg string, args ...any)        { l.log.Info(msg, args...) }
func (l *hclogger) Error(msg string, args ...any)       { l.log.Warn(msg, args...) }
func (l *hclogger) IsTrace() bool                       { return false }
func (l *hclogger) IsDebug() bool                       { return true }
func (l *hclogger) IsInfo() bool                        { return true }
func (l *hclogger) IsWarn() bool                        { return true }
func (l *hclogger) IsError() bool                       { return true }
func (l *hclogger) ImpliedArgs() []any                  { return l.implied }
func (l *hclogger) Name() string                        { return l.name }
func (l *hclogger) SetLevel(hclog.Level)                {}
func (l *hclogger) GetLevel() hclog.Level               { return hclog.Debug }
func (l *hclogger) ResetNamed(name string) hclog.Logger { return l.Named(name) }
func (l *hclogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(l.log.Handler(), slog.LevelDebug)
}

func (l *hclogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return l.StandardLogger(nil).Writer()
}

// With is hclog.Logger's.
func (l *hclogger) With(args ...any) hclog.Logger {
	return &hclogger{log: l.log.With(args...), name: l.name, implied: append(l.implied, args...)}
}

// Named is hclog.Logger's.
func (l *hclogger) Named(name string) hclog.Logger {
	return &hclogger{log: l.log.With("raft_part", name), name: name, implied: l.implied}
}
