package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"
)

// jsonReader builds values from a token stream; newlines holds the offset of each line's end.
type jsonReader struct {
	dec      *json.Decoder
	newlines []int64
	values   int
}

func parseJSON(raw []byte, path string, each func(*value) error) error {
	if !utf8.Valid(raw) {
		return fmt.Errorf("%s is not UTF-8", path)
	}
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(raw))}
	r.dec.UseNumber()
	for i, b := range raw {
		if b == '\n' {
			r.newlines = append(r.newlines, int64(i))
		}
	}
	fail := func(err error) error {
		if truncated(err) {
			return at(path, r.lineOf(int64(len(raw)-1)), "the file ends in the middle of its list")
		}
		return at(path, r.failedAt(err), "%w", err)
	}
	first, err := r.dec.Token()
	if err != nil {
		return fail(err)
	}
	if first != json.Delim('[') {
		return at(path, r.line(), "a list of clusters is wanted, in [ and ]")
	}
	for r.dec.More() {
		r.values = 0
		v, err := r.value(0)
		if err != nil {
			return fail(err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
	if _, err := r.dec.Token(); err != nil {
		return fail(err)
	}
	if rest := bytes.TrimLeft(raw[r.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return at(path, r.lineOf(int64(len(raw)-len(rest))), "there is more after the end of the list")
	}
	return nil
}

func (r *jsonReader) value(depth int) (*value, error) {
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	if r.values++; r.values > maxValues || depth > maxDepth {
		return nil, errors.New("holds more, or deeper, than a list of clusters can need")
	}
	v := &value{line: r.line()}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			v.kind = object
			return v, r.object(v, depth)
		}
		v.kind = list
		return v, r.list(v, depth)
	case string:
		v.kind, v.text = text, token
	case json.Number:
		v.kind, v.text = number, token.String()
	case bool:
		v.kind, v.text = boolean, fmt.Sprint(token)
	}
	return v, nil
}

func (r *jsonReader) list(v *value, depth int) error {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := r.dec.Token()
	return err
}

func (r *jsonReader) object(v *value, depth int) error {
	seen := map[string]bool{}
	for r.dec.More() {
		token, err := r.dec.Token()
		if err != nil {
			return err
		}
		key, line := token.(string), r.line()
		if seen[key] {
			return fmt.Errorf("key %q is there twice", key)
		}
		seen[key] = true
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.fields = append(v.fields, field{key: key, line: line, value: item})
	}
	_, err := r.dec.Token()
	return err
}

// line is where the token just read ends.
func (r *jsonReader) line() int { return r.lineOf(r.dec.InputOffset() - 1) }

func (r *jsonReader) lineOf(offset int64) int {
	return 1 + sort.Search(len(r.newlines), func(i int) bool { return r.newlines[i] >= offset })
}

func (r *jsonReader) failedAt(err error) int {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return r.lineOf(syntax.Offset - 1)
	}
	return r.line()
}

func truncated(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err.Error() == "unexpected end of JSON input"
}
