package httpd

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed openapi/*.yaml
var described embed.FS

// description is the document at /v1/openapi.json with its ETag. It is the same for as long as the process lives.
type description struct {
	json []byte
	etag string
}

var describeOnce = sync.OnceValues(func() (description, error) {
	parts, err := fs.Glob(described, "openapi/*.yaml")
	if err != nil {
		return description{}, err
	}
	doc := map[string]any{}
	for _, name := range parts {
		if err := addPart(doc, name); err != nil {
			return description{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, item := range under(doc, "paths") {
		completeOperations(item)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return description{}, err
	}
	sum := sha256.Sum256(raw)
	return description{json: raw, etag: `"` + hex.EncodeToString(sum[:16]) + `"`}, nil
})

// addPart lays one file into the document. What begins with x- is there for the file's own anchors.
func addPart(doc map[string]any, name string) error {
	raw, err := described.ReadFile(name)
	if err != nil {
		return err
	}
	var part map[string]any
	if err := yaml.Unmarshal(raw, &part); err != nil {
		return err
	}
	for key := range part {
		if strings.HasPrefix(key, "x-") {
			delete(part, key)
		}
	}
	return join(doc, part, "")
}

// join puts what a part holds beside what is there; nothing may be said twice.
func join(into, part map[string]any, at string) error {
	for key, value := range part {
		have, there := into[key]
		if !there {
			into[key] = value
			continue
		}
		inner, ok := have.(map[string]any)
		more, same := value.(map[string]any)
		if !ok || !same {
			return fmt.Errorf("%s%s is described twice", at, key)
		}
		if err := join(inner, more, at+key+"."); err != nil {
			return err
		}
	}
	return nil
}

// completeOperations adds to the operations of a path what is the same for all.
func completeOperations(item any) {
	operations, _ := item.(map[string]any)
	for method, value := range operations {
		operation, ok := value.(map[string]any)
		if !ok || method == "parameters" {
			continue
		}
		given, _ := operation["parameters"].([]any)
		// The list may be that of other operations, too.
		operation["parameters"] = append(slices.Clip(given), reference("parameters", "pretty"))
		under(operation, "responses")["default"] = reference("responses", "error")
	}
}

func under(m map[string]any, key string) map[string]any {
	inner, _ := m[key].(map[string]any)
	return inner
}

func reference(kind, name string) map[string]any {
	return map[string]any{"$ref": "#/components/" + kind + "/" + name}
}

// describe answers with the description of the API.
func (s *Server) describe(w http.ResponseWriter, r *http.Request) error {
	d, err := describeOnce()
	if err != nil {
		return err
	}
	w.Header().Set("ETag", d.etag)
	w.Header().Set("Cache-Control", "no-cache") // it may be kept, and is asked for again each time
	if matches(r.Header.Get("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return s.reply(w, r, http.StatusOK, json.RawMessage(d.json))
}

// matches says whether an If-None-Match names an ETag, as any client or proxy may write it.
func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}
