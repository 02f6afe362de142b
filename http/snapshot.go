package httpd

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/fsm"
)

// maxBackup bounds a backup that is sent to be restored, in bytes.
const maxBackup = 4 << 30

// maxBackups bounds the backups that are on their way at once: each of those that are sent holds on to a whole state.
const maxBackups = 4

// patience is how long the next piece of a backup may take, in or out.
const patience = 30 * time.Second

// saveSnapshot streams a backup of the state as it was read. One that breaks off lacks its end, which whoever reads it sees.
func (s *Server) saveSnapshot(w http.ResponseWriter, r *http.Request) error {
	rd, err := parseReading(r.URL.Query())
	if err != nil {
		return err
	}
	if r.Method != http.MethodHead {
		release, err := s.backups.enter()
		if err != nil {
			return err
		}
		defer release()
	}
	reader, contact, err := s.Replica.Read(r.Context(), rd.level)
	if err != nil {
		return err
	}
	m := reader.Meta()
	tellContact(w.Header(), contact)
	w.Header().Set("X-Muster-Index", strconv.FormatUint(m.Index, 10))
	w.Header().Set("X-Muster-Epoch", m.Epoch())
	w.Header().Set("Content-Type", contentGzip)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := s.Backups.Write(slowWriter{w, http.NewResponseController(w)}, reader); err != nil {
		s.log.Warn("backup not delivered", "client", clientAddress(r), "error", err)
	}
	return nil
}

// restoreSnapshot replaces the state of the whole group with a backup.
func (s *Server) restoreSnapshot(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Content-Type") == "" {
		return wrongType(r)
	}
	if err := s.confirm(r.Context()); err != nil {
		return err
	}
	release, err := s.backups.enter()
	if err != nil {
		return err
	}
	defer release()
	body := &allowedReader{
		Reader: slowReader{http.MaxBytesReader(w, r.Body, s.most), http.NewResponseController(w)},
		still:  func() error { return s.still(r.Context()) },
	}
	restored, err := s.Backups.Restore(r.Context(), body, causeOf(r))
	if why := body.refused.Load(); why != nil && err != nil {
		return *why
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		err = fsm.Errorf(fsm.CodeTooLarge, "the backup is larger than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, restored)
}

// allowedReader gives nothing more once who sends may no longer: a backup may take hours to arrive, and must not take the place
// of a state in which its sender's token was deleted meanwhile.
type allowedReader struct {
	io.Reader
	still   func() error
	refused atomic.Pointer[error] // why; who sends a backup on may read while its answer is here
}

func (r *allowedReader) Read(p []byte) (int, error) {
	if why := r.refused.Load(); why != nil {
		return 0, *why
	}
	n, err := r.Reader.Read(p)
	if why := r.still(); why != nil {
		r.refused.Store(&why)
		return 0, why
	}
	return n, err
}

// slowWriter gives each write a time of its own.
type slowWriter struct {
	io.Writer
	rc *http.ResponseController
}

func (w slowWriter) Write(p []byte) (int, error) {
	// Not every writer has deadlines to set; the server's own do.
	_ = w.rc.SetWriteDeadline(time.Now().Add(patience))
	return w.Writer.Write(p)
}

func (w slowWriter) flush() error { return w.rc.Flush() }

// slowReader gives each read a time of its own.
type slowReader struct {
	io.Reader
	rc *http.ResponseController
}

func (r slowReader) Read(p []byte) (int, error) {
	// Not every reader has deadlines to set; the server's own do.
	_ = r.rc.SetReadDeadline(time.Now().Add(patience))
	return r.Reader.Read(p)
}
