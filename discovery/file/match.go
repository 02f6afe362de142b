package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	wildcards = `*?[\`

	maxFiles = 1024
	maxBytes = 16 << 20
	maxYAML  = 4 << 20
)

// expand is the files the patterns match now, sorted; a pattern that matches none is an error.
func expand(patterns []string) ([]string, error) {
	var out []string
	for _, p := range patterns {
		files, err := matches(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s matches no file", p)
		}
		out = append(out, files...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > maxFiles {
		return nil, fmt.Errorf("the patterns match %d files; at most %d are allowed", len(out), maxFiles)
	}
	return out, nil
}

// matches is what exists under a pattern, without hidden names the pattern does not spell out. Where a directory on the
// way cannot be listed it is an error: filepath.Glob would leave out what is in it.
func matches(pattern string) ([]string, error) {
	found := []string{"/"}
	for part := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			names, err := step(dir, part)
			if err != nil {
				return nil, err
			}
			next = append(next, names...)
		}
		if found = next; len(found) > maxFiles {
			return nil, fmt.Errorf("matches more than %d names", maxFiles)
		}
	}
	return found, nil
}

// step is what of a directory one part of a pattern matches.
func step(dir, part string) ([]string, error) {
	if !strings.ContainsAny(part, wildcards) {
		path := filepath.Join(dir, part)
		_, err := os.Lstat(path)
		if absent(err) {
			return nil, nil
		}
		return []string{path}, err
	}
	entries, err := os.ReadDir(dir)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(part, ".") {
			continue
		}
		if ok, err := filepath.Match(part, e.Name()); err != nil {
			return nil, err
		} else if ok {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}

// absent says whether an error means that there is nothing of that name: a way through a file leads nowhere too.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDirectory)
}

// load reads a whole regular file that did not change meanwhile.
func load(path string) ([]byte, error) {
	before, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	most := int64(maxBytes)
	if strings.ToLower(filepath.Ext(path)) != ".json" {
		most = maxYAML
	}
	if before.Size() > most {
		return nil, fmt.Errorf("%s is larger than %d MiB; split it%s", path, most>>20, yamlAdvice(most))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	after, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !same(before, after) || int64(len(raw)) != after.Size() {
		return nil, fmt.Errorf("%s changed while it was read", path)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, fmt.Errorf("%s is empty; a list of nothing is written []", path)
	}
	return raw, nil
}

func yamlAdvice(most int64) string {
	if most == maxYAML {
		return ", or write it in JSON, which may be larger"
	}
	return ""
}

// same says whether two looks at a name saw one file in one condition.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
