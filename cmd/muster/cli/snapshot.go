package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) snapshot() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:     "snapshot",
		Short:   "Back the group's state up, and bring it back",
		Example: "  muster snapshot save muster.backup\n  muster snapshot inspect muster.backup\n  muster snapshot restore muster.backup",
	})
	c.AddCommand(p.snapshotSave(), p.snapshotRestore(), p.snapshotInspect(), p.snapshotAgent())
	return c
}

func (p *Program) snapshotSave() *cobra.Command {
	return &cobra.Command{
		Use:   "save FILE",
		Short: "Save a backup of the group's state to a file",
		Long: `Saves all that the group knows: settings, discoveries, clusters, nodes and the events that are kept. The file is
verified, written with mode 0600, and in its place only when all of it is there. It holds no password, but all the rest.
As "-" it goes to the output once it was verified, and what came of it is told beside that.

Without a leader, -stale saves what the asked peer knows.`,
		Example: `  muster snapshot save muster.backup
  muster snapshot save -stale last-words.backup
  ssh peer-a muster snapshot save - > muster.backup`,
		Args: exactly(1),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, args []string) error {
			if args[0] == "-" {
				return p.sendSnapshot(ctx, api)
			}
			b, err := backup.Save(ctx, args[0], func(to io.Writer) error {
				_, err := api.Snapshot(ctx, p.read(), to)
				return err
			})
			if err != nil {
				return err
			}
			p.say("Saved and verified snapshot to index %d", b.Index)
			return p.andJSON(b.Meta)
		}),
	}
}

// sendSnapshot writes a backup to the output. It is kept in a file until it was verified, so that nobody reads half of one.
func (p *Program) sendSnapshot(ctx context.Context, api *httpd.Client) (err error) {
	if f, ok := p.Out.(*os.File); ok && terminal(f) {
		return errors.New("a terminal cannot show a backup: name a file, or send the output somewhere")
	}
	dir, err := os.MkdirTemp("", "muster-snapshot-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "backup")
	b, err := backup.Save(ctx, path, func(to io.Writer) error {
		_, err := api.Snapshot(ctx, p.read(), to)
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(p.Out, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	fmt.Fprintf(p.Err, "Verified and wrote snapshot to index %d\n", b.Index)
	return nil
}

func (p *Program) snapshotRestore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Replace the group's state with a backup",
		Long: `Replaces all that the group knows with what a backup holds, on all its peers. It may be a backup of another group. The
group keeps its peers; nothing is claimed any more; a new epoch begins, so that who follows the events learns of it.

With it come the tokens of the backup: they are good afterwards, with the roles they had, and no others are. So keep a secret
of the time of the backup, or be ready for muster operator acl-reset.

A file that is not whole is refused and changes nothing. A peer that is down takes the state up when it is back.`,
		Example: "  muster snapshot restore muster.backup\n  ssh vault cat muster.backup | muster snapshot restore -",
		Args:    exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			f, err := p.open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			if args[0] != "-" {
				if err := p.foretellTokens(ctx, api, args[0]); err != nil {
					return err
				}
			}
			out, err := api.Restore(ctx, f)
			if err != nil {
				return err
			}
			p.say("Restored snapshot; the group goes on in epoch %s", out.Epoch)
			p.tellTokens(out)
			return p.andJSON(out)
		}),
	}
}

// foretellTokens says before a restore whose tokens will be good after it, where the asked peer wants any.
func (p *Program) foretellTokens(ctx context.Context, api *httpd.Client, file string) error {
	self, err := api.Self(ctx)
	if err != nil {
		return err
	}
	if !self.Member.ACL {
		return nil
	}
	f, err := p.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := backup.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	held := 0
	for range b.State.Read().Tokens("") {
		held++
	}
	p.say("The backup holds %s: only they will be good.", counted(held, "token", "tokens"))
	return nil
}

// tellTokens says after a restore whose tokens are good now.
func (p *Program) tellTokens(r httpd.Restored) {
	switch {
	case !r.ACL:
	case r.Tokens == 0:
		p.say("It held no tokens, so that none is good now. Make the first one: muster acl bootstrap -data-dir DIR")
	default:
		p.say("Good now: the %s of the backup, and no others.", counted(r.Tokens, "token", "tokens"))
	}
}

func (p *Program) snapshotInspect() *cobra.Command {
	return &cobra.Command{
		Use:     "inspect FILE",
		Short:   "Check a backup and show what it holds, without asking a peer",
		Example: "  muster snapshot inspect muster.backup\n  muster snapshot inspect -format=json muster.backup",
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := p.open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			b, err := backup.Read(f)
			if err != nil {
				return fmt.Errorf("%s: %w", called(args[0]), err)
			}
			if p.json() {
				return p.writeJSON(struct {
					backup.Meta
					Kinds []fsm.Count `json:"kinds"`
				}{b.Meta, b.Kinds})
			}
			return p.writeBackup(b)
		},
	}
}

func (p *Program) writeBackup(b *backup.Backup) error {
	p.writeFacts([]fact{
		plain("ID", b.ID), plain("Size", size(b.Size)), plain("Index", strconv.FormatUint(b.Index, 10)),
		plain("Term", strconv.FormatUint(b.Term, 10)),
		plain("Format", fmt.Sprintf("%d, feature level %d", b.Format, b.Feature)),
		plain("Time", b.Time.String()), plain("Group", b.Group), plain("Epoch", fmt.Sprintf("%s, up to event %d", b.Epoch, b.Seq)),
	})
	fmt.Fprintln(p.Out)
	t := table.Columns(table.Column{Head: "Kind"}, table.Column{Head: "Rows", Right: true}, table.Column{Head: "Size", Right: true})
	for _, k := range b.Kinds {
		t.Row(k.Kind, k.Rows, size(k.Bytes))
	}
	return p.write(t)
}

// size is a number of bytes as people say it.
func size(bytes int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/1024, 0
	for ; value >= 1024 && unit < len(units)-1; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
