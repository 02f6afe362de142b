package httpd

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	maxBody     = 1 << 20          // bytes of a request
	bodyTimeout = 20 * time.Second // to receive one; less than the answer to it may take
)

const (
	contentJSON = "application/json"
	mergePatch  = "application/merge-patch+json"
	contentGzip = "application/gzip"
)

// readBody reads a request's JSON strictly into a value, over what it holds.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	raw, err := rawBody(w, r)
	if err != nil {
		return err
	}
	return decodeStrict(raw, into)
}

// readPatch reads a merge patch for a document of a type, checked but not applied.
func readPatch(w http.ResponseWriter, r *http.Request, document any) ([]byte, error) {
	raw, err := rawBody(w, r)
	if err != nil {
		return nil, err
	}
	return raw, checkStrict(raw, reflect.TypeOf(document))
}

func rawBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Type") == "" {
		return nil, wrongType(r)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fsm.Errorf(fsm.CodeTooLarge, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return nil, fsm.Invalid("body", "did not arrive: %s", err)
	}
	return raw, nil
}

// limitBody sets until when a request's body may take to arrive, also one that no handler reads and net/http throws away.
// net/http lifts it once the body is there, so that a handler may work longer.
func limitBody(w http.ResponseWriter, until time.Time) {
	// Not every writer has deadlines to set; the server's own do.
	_ = http.NewResponseController(w).SetReadDeadline(until)
}

// checkContent refuses a write whose body says that it is not what the path takes: JSON, nearly always. A browser cannot
// send that to another site without asking first.
func checkContent(r *http.Request) error {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return fsm.Errorf(CodeMediaType, "content encoding %q is not taken; send the body as it is", e)
	}
	content := r.Header.Get("Content-Type")
	if content == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(content)
	if err != nil || !slices.Contains(contents(r), kind) {
		return wrongType(r)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return wrongType(r)
	}
	return nil
}

func wrongType(r *http.Request) error {
	return fsm.Errorf(CodeMediaType, "content type %q is not taken; send %s",
		r.Header.Get("Content-Type"), strings.Join(contents(r), " or "))
}

// contents are the kinds of body that a request may have. A browser sends none of them to another site by itself.
func contents(r *http.Request) []string {
	switch {
	case r.URL.Path == "/v1/snapshot":
		return []string{contentGzip, "application/octet-stream"}
	case r.Method == http.MethodPatch:
		return []string{contentJSON, mergePatch}
	}
	return []string{contentJSON}
}
