package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	offences, err := survey(ctx, ".")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "star:", err)
		os.Exit(1)
	}
	for _, offence := range offences {
		fmt.Println(offence)
	}
	if len(offences) > 0 {
		fmt.Fprintf(os.Stderr, "star: %d offences\n", len(offences))
		os.Exit(1)
	}
}

// listed is what `go list -json` tells of a package, as far as star needs it.
type listed struct {
	Dir        string
	ImportPath string

	GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

// survey reads every package of the module in dir and returns what breaks the rules, in order of file and line.
// Files are read whatever their build constraints. That a package does not compile is no error here.
func survey(ctx context.Context, dir string) ([]string, error) {
	packages, err := list(ctx, dir)
	if err != nil {
		return nil, err
	}
	var offences []string
	for _, p := range packages {
		if !below(p.ImportPath, module) {
			return nil, fmt.Errorf("%s is no package of %s: run star in the module's root", p.ImportPath, module)
		}
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
			more, err := judge(folder, filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			offences = append(offences, more...)
		}
	}
	return offences, nil
}

// list asks the go command for the module's packages. Imports it cannot resolve do not matter.
func list(ctx context.Context, dir string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e",
		"-json=Dir,ImportPath,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode go list's answer: %w", err)
		}
		packages = append(packages, p)
	}
}

// judge returns the offences of one file of the package in folder.
func judge(folder, file string) ([]string, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	var offences []string
	add := func(pos token.Pos, text string) {
		place := filepath.ToSlash(filepath.Join(folder, filepath.Base(file)))
		offences = append(offences, fmt.Sprintf("%s:%d: %s", place, fset.Position(pos).Line, text))
	}
	test := strings.HasSuffix(file, "_test.go")
	for _, spec := range syntax.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("read imports of %s: %w", file, err)
		}
		if offence := (edge{from: folder, test: test, to: to}).offence(); offence != "" {
			add(spec.Pos(), fmt.Sprintf("imports %s: %s", to, offence))
		}
	}
	if below(folder, "fsm") && !test && !isTestFolder(folder) {
		for _, impurity := range impurities(syntax) {
			add(impurity.pos, impurity.text)
		}
	}
	return offences, nil
}
