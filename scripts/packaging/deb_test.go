package packaging_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/scripts/rig"
)

// build makes the program as "make build" does, of version v1.2.3.
func build(t *testing.T) string {
	t.Helper()
	bin, err := rig.Build(t.Context(), t.TempDir(), "-ldflags", "-s -w -X main.version=v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// deb packs a program, with a umask that a user may have.
func deb(t *testing.T, version, program, umask string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `umask "$0"; exec ./deb.sh "$@"`, umask, version, program, t.TempDir())
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("deb.sh: %v\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// TestDeb installs a package on a copy of this machine, runs what it holds, upgrades it, takes it off, and looks for what is
// left.
func TestDeb(t *testing.T) {
	if testing.Short() {
		return
	}
	program := build(t)
	first := deb(t, "v1.2.3", program, "077")
	sameBytes(t, first, deb(t, "v1.2.3", program, "022"))
	if name := filepath.Base(first); !strings.HasPrefix(name, "muster_1.2.3_") {
		t.Errorf("the package is called %s", name)
	}
	if got := asks(t, "--field", first, "Maintainer"); strings.Contains(got, "localhost") || !strings.Contains(got, "@") {
		t.Errorf("whom to ask is %s", got)
	}

	m := newMachine(t)
	m.does("dpkg", "--install", m.takes(first))
	if out := m.does("muster", "version"); !strings.HasPrefix(out, "muster v1.2.3 ") {
		t.Errorf("installed is %q", out)
	}
	m.does("muster", "validate", "/etc/muster")
	// What it shows as comments is true as well.
	m.does("sh", "-c", "sed 's/^#\\([^ ]\\|  \\)/\\1/' /etc/muster/agent.hcl >/all.hcl && muster validate -skip-files /all.hcl && grep '^  enabled' /all.hcl && rm /all.hcl")
	if out := m.does("stat", "--format=%U %G %a", "/var/lib/muster"); out != "muster muster 700" {
		t.Errorf("/var/lib/muster is of %s", out)
	}
	if out := m.does("dpkg-query", "--show", "--showformat=${Conffiles}", "muster"); !strings.Contains(out, "/etc/muster/agent.hcl") {
		t.Errorf("configuration files are %q", out)
	}
	m.units()
	m.serves()

	m.does("sh", "-c", "echo 'log_level = \"debug\"' >>/etc/muster/agent.hcl; touch /var/lib/muster/kept /etc/muster/peer.pem")
	m.does("dpkg", "--install", m.takes(deb(t, "v1.2.4-rc1", program, "022")))
	if out := m.does("dpkg-query", "--show", "--showformat=${Version}", "muster"); out != "1.2.4~rc1" {
		t.Errorf("after the upgrade the version is %s", out)
	}
	m.does("grep", "debug", "/etc/muster/agent.hcl")
	m.does("dpkg", "--install", m.takes(deb(t, "v1.2.4", program, "022"))) // a release comes after its candidate

	m.does("dpkg", "--remove", "muster")
	m.fails("test", "-e", "/usr/bin/muster")
	m.does("test", "-e", "/var/lib/muster/kept")
	m.does("grep", "debug", "/etc/muster/agent.hcl")
	m.does("dpkg", "--purge", "muster")
	m.does("find", "/", "-maxdepth", "1", "-name", "*.deb", "-delete")
	if left := m.changed("muster"); left != "" {
		t.Errorf("purge left %s", left)
	}
	m.fails("getent", "passwd", "muster")
	m.fails("getent", "group", "muster")
}

func sameBytes(t *testing.T, a, b string) {
	t.Helper()
	one, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Errorf("%s and %s differ", a, b)
	}
}

// units checks the units as systemd reads them, and how much of the machine they leave open: 0 is nothing, 10 all.
func (m *machine) units() {
	m.Helper()
	const folder = "/usr/lib/systemd/system/"
	for _, unit := range []string{"muster.service", "muster-sidecar@.service"} {
		if out := m.does("grep", "^ExecStart=", folder+unit); !strings.HasPrefix(out, "ExecStart=/usr/bin/muster ") {
			m.Errorf("%s has %s", unit, out)
		}
		m.does("systemd-analyze", "security", "--offline=true", "--threshold=15", folder+unit)
	}
	for _, unit := range []string{"muster.service", "muster-sidecar@redis.service"} {
		if out := m.does("systemd-analyze", "verify", "--man=no", unit); strings.Contains(out, "muster") {
			m.Errorf("systemd says of %s: %s", unit, out)
		}
	}
}

// completes has each shell do what it does when somebody types "muster force-leave pe" and the tabulator, with what the package
// installed. The complaint of bash's compopt that nobody did is not of interest; _describe is what zsh shows by.
var completes = map[string]string{
	"fish": `complete -C "muster force-leave pe"`,
	"zsh": `
autoload -U compinit && compinit -u -d /tmp/zcompdump
[ "$_comps[muster]" = _muster ] || exit 1
_describe() { print -- ${(P)2} }
words=(muster force-leave pe) CURRENT=3
_muster
`,
	"bash": `
. /usr/share/bash-completion/bash_completion
. /usr/share/bash-completion/completions/muster
COMP_LINE="muster force-leave pe" COMP_POINT=21 COMP_TYPE=9 COMP_WORDS=(muster force-leave pe) COMP_CWORD=2
__start_muster muster pe force-leave 2>/dev/null
echo "${COMPREPLY[@]}"
`,
}

// serves runs a peer as its unit does, by its user and from the shipped settings.
func (m *machine) serves() {
	m.Helper()
	var at [3]string
	for i := range at {
		var err error
		at[i], err = rig.Addr()
		m.must(err)
	}
	unit := m.does("sed", "-n", "s/^ExecStart=//p", "/usr/lib/systemd/system/muster.service")
	peer := m.starts("peer", append([]string{"setpriv", "--reuid=muster", "--regid=muster", "--clear-groups"}, append(strings.Fields(unit),
		"-name=peer-a", "-bootstrap-expect=1", "-http-addr="+at[0], "-peer-addr="+at[1], "-gossip-addr="+at[2])...)...)
	m.logs(peer, "leading")
	if out := m.does("muster", "members", "-http-addr="+at[0]); !strings.Contains(out, "v1.2.3") {
		m.Errorf("members are\n%s", out)
	}
	for shell, script := range completes {
		if out := m.does("env", "HOME=/tmp", "MUSTER_HTTP_ADDR="+at[0], shell, "-c", script); out != "peer-a" {
			m.Errorf("%s completes a peer's name to %q", shell, out)
		}
	}
	m.must(peer.Stop())
	m.must(peer.Err())
	if out := m.does("stat", "--format=%U %a", "/var/lib/muster/raft.db"); out != "muster 600" {
		m.Errorf("the log is of %s", out)
	}
}
