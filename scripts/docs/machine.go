package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Machine is what a page finds on its machine.
type Machine struct {
	Muster, Consul, Redis string // paths of the programs
	Dir                   string // an empty folder for what the page's commands wrote, and for the machine's files
}

// StepError is a step that did not go as the page says.
type StepError struct {
	Step  Step
	Why   string
	Wrote string // by the command
	Rest  string // the ends of what commands wrote that run on or are not seen
}

func (f *StepError) Error() string {
	return fmt.Sprintf("line %d: %s\n%s\nwrote:\n%s%s", f.Step.Line, f.Why, strings.TrimSpace(f.Step.Text), f.Wrote, f.Rest)
}

// begin makes the machine and enters it. Its arguments are the folder for the machine's files, the one that is /mnt there, and
// folders of this machine that are to be seen in it.
const begin = `
set -e
page=$1
shift
mount -t tmpfs tmpfs "$0"
mkdir "$0/up" "$0/work" "$0/root"
mount -t overlay -o "lowerdir=/,upperdir=$0/up,workdir=$0/work" overlay "$0/root"
cd "$0/root"
for folder; do
	mkdir -p ".$folder"
	mount --rbind "$folder" ".$folder"
done
mkdir -p mnt home/reader
mount --bind "$page" mnt
mount --rbind /dev dev
mount -t proc proc proc
ip link set lo up
for last in 1 2 3; do ip address add "10.0.0.$last/32" dev lo; done
exec chroot . env -i CURL_HOME=/mnt HOME=/home/reader LANG=C.UTF-8 PATH=/mnt/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin bash --norc /mnt/page
`

// start is what the machine's shell, its first process, does before all steps.
const start = `
set -e -o pipefail
cd
stop() { # ends all that runs on
	kill -TERM -1
	while kill -0 -1 2>/dev/null; do sleep 0.05; done
}
`

// Follow does a page's steps in their order on a machine of their own, which ends with it. It stops at the first that does not go as
// the page says: a *StepError.
func (m Machine) Follow(ctx context.Context, steps []Step) error {
	page, files := filepath.Join(m.Dir, "page"), filepath.Join(m.Dir, "machine")
	if err := m.write(page, files, steps); err != nil {
		return err
	}
	args := []string{
		"--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", begin, files, page,
		filepath.Dir(m.Muster), filepath.Dir(m.Consul), filepath.Dir(m.Redis),
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 5 * time.Second
	ended := cmd.Run()
	at, err := os.ReadFile(filepath.Join(page, "at"))
	if err != nil {
		return fmt.Errorf("make the machine, which needs root: %w: %s", errors.Join(ended, err), said.String())
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(at)))
	if err != nil {
		return err
	}
	for i, s := range steps[:last] {
		if s.Kind == Shown && s.Want != "" && !Same(s.Want, wrote(page, i)) {
			return m.failure(page, steps, i, "the page shows another output:\n"+s.Want)
		}
	}
	if died, err := os.ReadFile(filepath.Join(page, "ended")); err == nil {
		first, _, _ := strings.Cut(string(died), "\n")
		number, err := strconv.Atoi(first)
		if err != nil {
			return err
		}
		return m.failure(page, steps, number, "this was to run on and failed")
	}
	switch {
	case last == len(steps):
	case ctx.Err() != nil:
		return m.failure(page, steps, last, "this was not done in time")
	case ended != nil && steps[last].Fails():
		return m.failure(page, steps, last, "this must fail and did not")
	case ended != nil:
		return m.failure(page, steps, last, fmt.Sprintf("this failed: %s %s", ended, said.String()))
	default:
		return m.failure(page, steps, last, "this ended the shell")
	}
	return nil
}

func (m Machine) failure(page string, steps []Step, at int, why string) error {
	f := &StepError{Step: steps[at], Why: why, Wrote: end(wrote(page, at))}
	for i, s := range steps[:at] {
		if out := end(wrote(page, i)); s.Kind == Stays || s.Kind == Hidden && out != "" {
			f.Rest += fmt.Sprintf("--- line %d, %s: %s\n%s", s.Line, s.Kind, strings.TrimSpace(s.Text), out)
		}
	}
	return f
}

// end is what to show of a long text.
func end(text string) string {
	const most = 4 << 10
	return text[max(0, len(text)-most):]
}

// wrote is what a step's command wrote.
func wrote(page string, step int) string {
	raw, err := os.ReadFile(filepath.Join(page, fmt.Sprintf("%d.out", step)))
	if err != nil {
		return ""
	}
	return string(raw)
}

// write lays down what the machine's shell runs: a file for each step, and one that takes them in turn and says which is next.
func (m Machine) write(page, files string, steps []Step) error {
	bin := filepath.Join(page, "bin")
	err := errors.Join(os.MkdirAll(bin, 0o755), os.MkdirAll(files, 0o755))
	err = errors.Join(err, os.WriteFile(filepath.Join(page, ".curlrc"), []byte("fail\nsilent\nshow-error\n"), 0o600))
	for name, path := range map[string]string{"muster": m.Muster, "consul": m.Consul, "redis-server": m.Redis} {
		err = errors.Join(err, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexec '"+path+"' \"$@\"\n"), 0o700))
	}
	var shell strings.Builder
	shell.WriteString(start)
	for i, s := range steps {
		fmt.Fprintf(&shell, "echo %d >/mnt/at\n%s\n", i, s.line(i))
		err = errors.Join(err, os.WriteFile(filepath.Join(page, strconv.Itoa(i)), []byte(s.Text), 0o600))
	}
	fmt.Fprintf(&shell, "echo %d >/mnt/at\n", len(steps))
	return errors.Join(err, os.WriteFile(filepath.Join(page, "page"), []byte(shell.String()), 0o600))
}

// line is what the shell does for a step, whose text lies in a file of its number.
func (s Step) line(number int) string {
	does := fmt.Sprintf(". /mnt/%d >/mnt/%d.out 2>&1 </dev/null", number, number)
	switch s.Kind {
	case Shown:
		if s.Fails() {
			return "if " + does + "; then exit 1; fi"
		}
	case Stays:
		return fmt.Sprintf("{ %s; } || echo %d >>/mnt/ended &\nwrote=/mnt/%d.out", does, number, number)
	case Until:
		return "until { " + strings.Replace(does, ">", ">>", 1) + "; }; do [ ! -e /mnt/ended ]; sleep 0.1; done"
	case File:
		path := "'" + strings.ReplaceAll(s.Note, "'", `'\''`) + "'"
		return fmt.Sprintf("mkdir -p -- \"$(dirname -- %s)\"\ncp /mnt/%d %s", path, number, path)
	case NotRun:
		return ":"
	case Do, Hidden:
	}
	return does + fmt.Sprintf("\nwrote=/mnt/%d.out", number)
}
