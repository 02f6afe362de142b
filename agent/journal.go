package agent

import (
	"log/slog"

	httpd "github.com/musterhq/muster/http"
)

// journalFace is this peer's log as package httpd sees it.
type journalFace struct{ *Agent }

// Watch is httpd.Journal's.
func (f journalFace) Watch(level slog.Level, json bool) (httpd.Lines, error) {
	r, err := f.monitor.Watch(level, json)
	if err != nil {
		return nil, err
	}
	return r, nil
}
